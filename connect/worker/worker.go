package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/storage"
)

// connectorStopTimeout is how long a connector instance may take to stop
// (Java: Worker.CONNECTOR_GRACEFUL_SHUTDOWN_TIMEOUT_MS).
const connectorStopTimeout = 5 * time.Second

// Options are what a Worker is made of; all fields are required, unless they say otherwise.
type Options struct {
	Settings *settings.Worker
	Plugins  *plugin.Registry
	Statuses *Statuses
	// Resolve replaces ${provider:…} placeholders.
	Resolve func(props map[string]string) (map[string]string, error)
	// Reconfigure is called when a connector asks for new task configs; it must not block.
	Reconfigure func(connector string)
	// Offsets is the worker's own store of source offsets, which its caller starts and stops.
	Offsets storage.OffsetStore

	// Fence, TaskGeneration and VerifyTask are for exactly-once source tasks; nil in a
	// worker without exactly-once support.
	//
	// Fence asks the leader to shut out older tasks of a connector, and returns when it has.
	Fence func(ctx context.Context, connector string) error
	// TaskGeneration returns which generation of task configs a connector has, as far as
	// this worker knows.
	TaskGeneration func(connector string) int
	// VerifyTask reads the config topic to its end, and fails when the connector has got
	// another generation of task configs, or the task belongs to another worker.
	VerifyTask func(ctx context.Context, id connect.TaskID, generation int) error
	// Fenced is told that a newer producer with a task's transactional id has shut the task
	// out: it has ended and waits to be stopped. It is called in the task's goroutine and must
	// return soon. nil: nobody wants to know.
	Fenced func(id connect.TaskID)
	// TaskCount returns how many tasks a connector has made for its present config, to be
	// held against its tasks.max; nil: the tasks are not counted when they start. Those of a
	// former config do not count: they run until the connector is asked for new ones.
	TaskCount func(connector string) int

	Log *zap.Logger
}

// Worker runs connectors and tasks (Java: Worker). It is safe for concurrent use; calls for
// one and the same connector or task come one after the other.
type Worker struct {
	Options
	ctx    context.Context //nolint:containedctx // the life of all plugins
	cancel context.CancelFunc

	mu         sync.Mutex
	connectors map[string]*connectorRun
	tasks      map[connect.TaskID]*task
}

// New returns a worker that runs nothing.
func New(o Options) *Worker {
	w := &Worker{Options: o, connectors: map[string]*connectorRun{}, tasks: map[connect.TaskID]*task{}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Close ends what is still running, without grace. Stop everything before.
func (w *Worker) Close() { w.cancel() }

// ErrNotRunning tells that a connector cannot be asked for task configs: it is FAILED,
// paused, stopped, or not here.
var ErrNotRunning = errors.New("the connector is not running")

// TooManyTasksError tells that a connector made more tasks than tasks.max allows.
type TooManyTasksError struct {
	Connector       string
	Tasks, TasksMax int
}

func (e *TooManyTasksError) Error() string {
	return fmt.Sprintf("The connector %s has generated %d tasks, which is greater than %d, the maximum number of tasks it is configured to create. "+
		"This behaviour should be considered a bug and is disallowed. If necessary, it can be permitted by reconfiguring the connector with "+
		"'tasks.max.enforce' set to false; however, this option will be removed in a future release of Kafka Connect.", e.Connector, e.Tasks, e.TasksMax)
}

// StartConnector starts an instance and returns after its first transition. It stays, as
// FAILED, when the transition failed.
func (w *Worker) StartConnector(ctx context.Context, name string, config map[string]string, target connect.TargetState) error {
	run, kind, err := w.buildConnector(name, config)
	if err != nil {
		w.Statuses.connector(name, connect.StateFailed, "", err)
		return err
	}
	if err := w.addConnector(run); err != nil {
		return err
	}
	runCtx, cancel := context.WithCancelCause(w.ctx)
	run.cancel = cancel
	if kind == plugin.KindSource {
		run.offsets = w.connectorOffsets(runCtx, name, run.props, run.connector)
	}
	go run.run(runCtx)
	return w.transition(ctx, run, target)
}

// buildConnector makes an instance that does not run. A plugin that panics meanwhile costs
// its connector, not the worker.
func (w *Worker) buildConnector(name string, config map[string]string) (run *connectorRun, kind plugin.Kind, err error) {
	defer recoverPlugin(&err)
	props, err := w.Resolve(config)
	if err != nil {
		return nil, "", err
	}
	p, err := w.Plugins.Connector(props["connector.class"])
	if err != nil {
		return nil, "", err
	}
	if err := p.CheckVersion(props["connector.plugin.version"]); err != nil {
		return nil, "", fmt.Errorf("Failed to instantiate class for connector %s: %w", name, err) //nolint:revive,staticcheck // the JVM's wording
	}
	if err := w.checkConnector(p.Kind, props); err != nil {
		return nil, "", err
	}
	c := p.New()
	return &connectorRun{
		name: name, connector: c, version: c.Version(), props: props, statuses: w.Statuses,
		log:         w.Log.Named("connector").With(zap.String("connector", name)),
		reconfigure: func() { w.Reconfigure(name) },
		commands:    make(chan func(context.Context)), stopped: make(chan struct{}), done: make(chan struct{}), state: connectorInit,
	}, p.Kind, nil
}

// checkConnector reads what the runtime itself needs of a config.
func (w *Worker) checkConnector(kind plugin.Kind, props map[string]string) error {
	var err error
	if kind == plugin.KindSource {
		_, err = settings.ParseSource(w.Settings, props, nil)
	} else {
		_, err = settings.ParseSink(props, nil)
	}
	return err
}

func (w *Worker) addConnector(run *connectorRun) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.connectors[run.name] != nil {
		return fmt.Errorf("Connector with name %s already exists", run.name) //nolint:revive // the JVM's wording
	}
	w.connectors[run.name] = run
	return nil
}

func (w *Worker) transition(ctx context.Context, run *connectorRun, target connect.TargetState) error {
	result := make(chan error, 1)
	if err := run.do(ctx, func(ctx context.Context) { result <- run.transition(ctx, target) }); err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-run.done:
		return fmt.Errorf("connector %s was stopped", run.name)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// StopConnector stops an instance; one that does not stop in time is abandoned.
func (w *Worker) StopConnector(_ context.Context, name string) {
	w.mu.Lock()
	run := w.connectors[name]
	delete(w.connectors, name)
	w.mu.Unlock()
	if run == nil {
		return
	}
	close(run.stopped)
	timer := time.NewTimer(connectorStopTimeout)
	defer timer.Stop()
	select {
	case <-run.done:
		run.cancel(nil)
	case <-timer.C:
		run.abandoned.Store(true)
		w.Log.Error(fmt.Sprintf("Connector '%s' failed to properly shut down, has become unresponsive, and may be consuming external resources. "+
			"Correct the configuration for this connector or remove the connector. After fixing the connector, it may be necessary to restart this worker.", name))
		run.cancel(errAbandoned)
		w.Statuses.connector(name, connect.StateUnassigned, "", nil)
	}
}

// SetConnectorTarget brings a running instance to a target state.
func (w *Worker) SetConnectorTarget(ctx context.Context, name string, target connect.TargetState) error {
	run := w.connector(name)
	if run == nil {
		return fmt.Errorf("connector %s does not run here", name)
	}
	return w.transition(ctx, run, target)
}

func (w *Worker) connector(name string) *connectorRun {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.connectors[name]
}

// TaskConfigs asks a running connector for its task configs, complete with task.class and
// topics, and with placeholders as the raw connector config has them.
func (w *Worker) TaskConfigs(ctx context.Context, name string, config map[string]string) (_ []map[string]string, err error) {
	defer recoverPlugin(&err)
	run := w.connector(name)
	if run == nil {
		return nil, fmt.Errorf("connector %s does not run here: %w", name, ErrNotRunning)
	}
	tasksMax, enforce := tasksMax(run.props)
	configs, err := run.taskConfigs(ctx, tasksMax)
	if err != nil {
		return nil, err
	}
	if len(configs) > tasksMax {
		tooMany := &TooManyTasksError{name, len(configs), tasksMax}
		if enforce {
			_ = run.do(ctx, func(context.Context) { _ = run.fail(tooMany) })
			return nil, tooMany
		}
		w.Log.Warn(tooMany.Error())
	}
	complete := make([]map[string]string, len(configs))
	for i, c := range configs {
		complete[i] = completeTaskConfig(c, config, run.connector.TaskClass(), run.offsets == nil)
	}
	return complete, nil
}

func tasksMax(props map[string]string) (n int, enforce bool) {
	n, err := strconv.Atoi(props["tasks.max"])
	if err != nil || n < 1 {
		n = 1 // validated when the config was written; 1 is the default
	}
	return n, props["tasks.max.enforce"] != "false"
}

// completeTaskConfig adds what the runtime needs and puts back the placeholders of the raw
// connector config, so that no secret gets into the config topic.
func completeTaskConfig(task, raw map[string]string, class string, sink bool) map[string]string {
	c := maps.Clone(task)
	if c == nil {
		c = map[string]string{}
	}
	c["task.class"] = class
	if sink {
		for _, key := range []string{"topics", "topics.regex"} {
			if v, ok := raw[key]; ok {
				c[key] = v
			}
		}
	}
	for k, v := range raw {
		if _, ok := c[k]; ok && settings.HasPlaceholder(v) {
			c[k] = v
		}
	}
	return c
}

// SetTaskTarget tells a running task its target state.
func (w *Worker) SetTaskTarget(id connect.TaskID, target connect.TargetState) {
	w.mu.Lock()
	t := w.tasks[id]
	w.mu.Unlock()
	if t != nil {
		t.setTarget(target)
	}
}

// StopTask stops a task; one that does not stop within task.shutdown.graceful.timeout.ms is
// abandoned.
func (w *Worker) StopTask(_ context.Context, id connect.TaskID) {
	w.mu.Lock()
	t := w.tasks[id]
	delete(w.tasks, id)
	w.mu.Unlock()
	if t == nil {
		return
	}
	t.requestStop()
	timer := time.NewTimer(w.Settings.GracefulTimeout)
	defer timer.Stop()
	t.await(timer.C)
}

// StartTask makes a task and starts its goroutine. A task that cannot be made is FAILED.
func (w *Worker) StartTask(_ context.Context, id connect.TaskID, connectorConfig, taskConfig map[string]string, target connect.TargetState) error {
	w.mu.Lock()
	_, exists := w.tasks[id]
	w.mu.Unlock()
	if exists {
		return fmt.Errorf("Task already exists in this worker: %s", id) //nolint:revive // the JVM's wording
	}
	t, b, err := w.buildTask(id, connectorConfig, taskConfig, target)
	if err != nil {
		w.Statuses.task(id, connect.StateFailed, "", err)
		return err
	}
	if w.Fenced != nil {
		t.fenced = func() { w.Fenced(id) }
	}
	w.mu.Lock()
	w.tasks[id] = t
	w.mu.Unlock()
	go t.run(w.ctx, b)
	return nil
}

// buildTask makes a task of the kind that its connector is of. Like a connector's, a panic
// of its plugins is the task's own failure.
func (w *Worker) buildTask(id connect.TaskID, connectorConfig, taskConfig map[string]string, target connect.TargetState) (_ *task, _ body, err error) {
	defer recoverPlugin(&err)
	props, err := w.Resolve(connectorConfig)
	if err != nil {
		return nil, nil, err
	}
	if err := w.checkTaskCount(id.Connector, props); err != nil {
		return nil, nil, err
	}
	p, err := w.Plugins.Connector(props["connector.class"])
	if err != nil {
		return nil, nil, err
	}
	if p.Kind == plugin.KindSource {
		s, err := w.sourceTask(id, connectorConfig, taskConfig, target)
		if err != nil {
			return nil, nil, err
		}
		return s.task, s, nil
	}
	s, err := w.sinkTask(id, connectorConfig, taskConfig, target)
	if err != nil {
		return nil, nil, err
	}
	return s.task, s, nil
}

// checkTaskCount holds the number of task configs there are against tasks.max: they may
// have been written by a worker that did not.
func (w *Worker) checkTaskCount(connector string, props map[string]string) error {
	if w.TaskCount == nil {
		return nil
	}
	limit, enforce := tasksMax(props)
	n := w.TaskCount(connector)
	if n <= limit {
		return nil
	}
	tooMany := &TooManyTasksError{connector, n, limit}
	if enforce {
		return tooMany
	}
	w.Log.Warn(tooMany.Error())
	return nil
}
