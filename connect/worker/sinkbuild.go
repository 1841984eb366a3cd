package worker

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config/javaregex"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
)

// sinkTask makes a task of its connector's and its own raw config. Nothing is opened:
// the task connects in its own goroutine.
func (w *Worker) sinkTask(id connect.TaskID, connectorConfig, taskConfig map[string]string, target connect.TargetState) (*sinkTask, error) {
	connectorProps, err := w.Resolve(connectorConfig)
	if err != nil {
		return nil, err
	}
	taskProps, err := w.Resolve(taskConfig)
	if err != nil {
		return nil, err
	}
	log := w.Log.Named("task").With(zap.String("connector", id.Connector), zap.Int("task", id.Task))
	s, err := settings.ParseSink(connectorProps, func(_, msg string) { log.Warn(msg) })
	if err != nil {
		return nil, err
	}
	p, err := w.Plugins.Connector(s.Class)
	if err != nil {
		return nil, err
	}
	if err := p.CheckVersion(s.Version); err != nil {
		return nil, fmt.Errorf("Failed to instantiate class for connector %s: %w", id.Connector, err) //nolint:revive,staticcheck // the JVM's wording
	}
	newConsumer, err := w.consumerOf(id, s, connectorProps, log)
	if err != nil {
		return nil, err
	}
	factory, ok := p.New().(connect.SinkConnector)
	if !ok {
		return nil, fmt.Errorf("connector %s makes no sink tasks", p.Class)
	}
	operator := tolerance.New(id, tolerance.Config{
		All: s.Errors.TolerateAll, RetryTimeout: s.Errors.RetryTimeout, RetryDelayMax: s.Errors.RetryDelayMax,
		Log: s.Errors.Log, LogMessages: s.Errors.LogMessages,
	}, log)
	dead, err := w.deadLetters(id, s, connectorProps, &operator.Metrics, log)
	if err != nil {
		return nil, err
	}
	convert, err := w.sinkConverter(&s.Connector, connectorProps)
	if err != nil {
		return nil, err
	}
	sink := factory.NewTask()
	t := &sinkTask{
		task: newTask(id, sink.Version(), target, w.Statuses, log), sink: sink, props: taskProps, taskClass: factory.TaskClass(),
		newConsumer: newConsumer, convert: convert, operator: operator, dead: dead, keepsErrors: s.Errors.Log,
		flushInterval: w.Settings.OffsetFlushInterval, flushTimeout: w.Settings.OffsetFlushTimeout, now: time.Now,
	}
	if w.Settings.TopicTracking {
		t.topics = &usedTopics{store: w.Statuses.Store, id: id, now: time.Now}
	}
	return t, nil
}

// consumerOf returns what makes the consumer of a sink task.
func (w *Worker) consumerOf(id connect.TaskID, s *settings.Sink, connectorProps map[string]string, log *zap.Logger) (
	func(ctx context.Context, l kafka.RebalanceListener) (consumer, error), error) {
	props, err := w.Settings.SinkConsumer(id, connectorProps)
	if err != nil {
		return nil, err
	}
	sub := kafka.Subscription{Topics: s.Topics}
	if len(s.Topics) == 0 {
		pattern, err := javaregex.Compile(s.TopicsRegex)
		if err != nil {
			return nil, err // checked by the definition already
		}
		sub.Match = pattern.MatchFull
	}
	return func(ctx context.Context, l kafka.RebalanceListener) (consumer, error) {
		c, err := kafka.NewGroupConsumer(ctx, props, sub, l, log.Named("consumer"))
		if err != nil {
			return nil, err // not a nil *GroupConsumer in an interface
		}
		return c, nil
	}, nil
}

// deadLetters returns the dead letter queue of a sink task, nil if it has none.
func (w *Worker) deadLetters(id connect.TaskID, s *settings.Sink, connectorProps map[string]string, m *tolerance.Metrics, log *zap.Logger) (*deadLetterQueue, error) {
	if s.DeadLetter.Topic == "" {
		return nil, nil
	}
	admin, err := w.Settings.DeadLetterAdmin(id, connectorProps)
	if err != nil {
		return nil, err
	}
	producer, err := w.Settings.DeadLetterProducer(id, connectorProps)
	if err != nil {
		return nil, err
	}
	q := newDeadLetterQueue(id, s.DeadLetter, m, log)
	q.hide = w.Statuses.Hide
	q.connect = connectDeadLetters(s.DeadLetter, admin, producer, log)
	return q, nil
}

// sinkConverter makes the converters and transforms of a sink task.
func (w *Worker) sinkConverter(s *settings.Connector, connectorProps map[string]string) (*sinkConverter, error) {
	c, err := w.converters(s)
	if err != nil {
		return nil, err
	}
	chain, err := w.transformChain(connectorProps)
	if err != nil {
		if e := c.close(); e != nil { // joined to err it would hide err's cause in the trace
			w.Log.Warn("could not close a converter", zap.Error(e))
		}
		return nil, err
	}
	return &sinkConverter{converters: c, chain: chain}, nil
}

// usedTopics records in the status topic which topics a connector reads (KIP-558). A
// record is written only when the topic is not known yet, and looked for again after a
// while, because a user may have reset the list. It belongs to the task's goroutine.
type usedTopics struct {
	store storage.StatusStore
	id    connect.TaskID
	now   func() time.Time

	checked map[string]time.Time
}

// usedTopicsRecheck bounds how often the store is asked about one topic.
const usedTopicsRecheck = time.Second

func (u *usedTopics) track(topic string) {
	now := u.now()
	if last, ok := u.checked[topic]; ok && now.Sub(last) < usedTopicsRecheck {
		return
	}
	if u.checked == nil {
		u.checked = map[string]time.Time{}
	}
	u.checked[topic] = now
	if _, known := u.store.Topic(u.id.Connector, topic); !known {
		u.store.PutTopic(storage.TopicStatus{Topic: topic, Connector: u.id.Connector, Task: u.id.Task, Discovered: now.UnixMilli()})
	}
}
