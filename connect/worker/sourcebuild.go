package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/tolerance"
)

// sourceTask makes a task of its connector's and its own raw config. Nothing is opened:
// the task connects in its own goroutine.
func (w *Worker) sourceTask(id connect.TaskID, connectorConfig, taskConfig map[string]string, target connect.TargetState) (_ *sourceTask, err error) {
	connectorProps, err := w.Resolve(connectorConfig)
	if err != nil {
		return nil, err
	}
	taskProps, err := w.Resolve(taskConfig)
	if err != nil {
		return nil, err
	}
	log := w.Log.Named("task").With(zap.String("connector", id.Connector), zap.Int("task", id.Task))
	c, err := settings.ParseSource(w.Settings, connectorProps, func(_, msg string) { log.Warn(msg) })
	if err != nil {
		return nil, err
	}
	p, err := w.Plugins.Connector(c.Class)
	if err != nil {
		return nil, err
	}
	if err := p.CheckVersion(c.Version); err != nil {
		return nil, fmt.Errorf("Failed to instantiate class for connector %s: %w", id.Connector, err) //nolint:revive,staticcheck // the JVM's wording
	}
	factory, ok := p.New().(connect.SourceConnector)
	if !ok {
		return nil, fmt.Errorf("connector %s makes no source tasks", p.Class)
	}
	clients, err := w.sourceSettings(id, c, connectorProps, log)
	if err != nil {
		return nil, err
	}
	converters, err := w.converters(&c.Connector)
	if err != nil {
		return nil, err
	}
	chain, err := w.transformChain(connectorProps)
	if err != nil {
		if e := converters.close(); e != nil {
			log.Warn("could not close a converter", zap.Error(e))
		}
		return nil, err
	}
	source := factory.NewTask()
	s := &sourceTask{
		task: newTask(id, source.Version(), target, w.Statuses, log), source: source, props: taskProps,
		connect: func(ctx context.Context) (*sourceClients, error) { return w.connectSource(ctx, clients, log) },
		operator: tolerance.New(id, tolerance.Config{
			All: c.Errors.TolerateAll, RetryTimeout: c.Errors.RetryTimeout, RetryDelayMax: c.Errors.RetryDelayMax,
			Log: c.Errors.Log, LogMessages: c.Errors.LogMessages,
		}, log),
		topics:        topicCreation{groups: c.TopicGroups, log: log},
		flushInterval: w.Settings.OffsetFlushInterval, flushTimeout: w.Settings.OffsetFlushTimeout,
	}
	s.convert = newSourceConverter(converters, chain, s.operator)
	if w.Settings.TopicTracking {
		s.tracker = &usedTopics{store: w.Statuses.Store, id: id, now: time.Now}
	}
	s.delivery = w.deliveryOf(s, c)
	return s, nil
}

var errNoFencing = errors.New("exactly-once support is enabled, but this worker has no way to fence older tasks")

// deliveryOf chooses the guarantee. The generation of task configs that the task belongs
// to is the one of now: a task of an older one must not start.
func (w *Worker) deliveryOf(s *sourceTask, c *settings.Source) delivery {
	if !w.exactlyOnce() {
		return newAtLeastOnce(s, c.Errors.TolerateAll)
	}
	if c.Boundary == settings.BoundaryConnector {
		s.boundaries = &transactionContext{}
	}
	fence := func(context.Context) error { return errNoFencing }
	verify := fence
	if w.Fence != nil && w.VerifyTask != nil && w.TaskGeneration != nil {
		generation := w.TaskGeneration(s.id.Connector)
		fence = func(ctx context.Context) error { return w.Fence(ctx, s.id.Connector) }
		verify = func(ctx context.Context) error { return w.VerifyTask(ctx, s.id, generation) }
	}
	return newExactlyOnce(s, c.Boundary, c.BoundaryInterval, fence, verify)
}
