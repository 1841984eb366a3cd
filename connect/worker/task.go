package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
)

// task is the life of one task, whatever it does (Java: WorkerTask).
//
//	         target PAUSED             target STARTED
//	created ---------------> PAUSED ------------------.
//	   |                                              v
//	   '----------------------------------------> starting
//	                                                  | ok: status RUNNING
//	                pause: PAUSED, resume: RUNNING    v
//	                           .------------------ looping
//	                           '--------------------> |
//	                                                  | stop, target STOPPED, error
//	                                                  v
//	                                              finishing --> UNASSIGNED | FAILED
//
// abandon may happen at any point: from then on the task writes no status.
type task struct {
	id       connect.TaskID
	version  string
	statuses *Statuses
	log      *zap.Logger

	cancel    context.CancelCauseFunc // of everything the task does
	stopped   chan struct{}           // closed when a stop is requested
	stopOnce  sync.Once
	changed   chan struct{} // a new target state or stop, capacity 1
	wake      func()        // interrupts a poll; may be nil
	done      chan struct{}
	abandoned atomic.Bool
	fenced    func() // told before a fenced task waits; may be nil

	mu     sync.Mutex
	target connect.TargetState
}

func newTask(id connect.TaskID, version string, target connect.TargetState, st *Statuses, log *zap.Logger) *task {
	return &task{
		id: id, version: version, target: target, statuses: st, log: log,
		stopped: make(chan struct{}), changed: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// body is what differs between kinds of tasks. Its methods run in the task's goroutine.
type body interface {
	// start initialises and starts the task.
	start(ctx context.Context) error
	// loop works until the task is to stop.
	loop(ctx context.Context) error
	// finish commits and stops what start began; it is called even if start failed.
	finish(ctx context.Context) error
}

// run executes the task and returns when it has ended.
func (t *task) run(ctx context.Context, b body) {
	ctx, cancel := context.WithCancelCause(ctx)
	t.mu.Lock()
	t.cancel = cancel
	t.mu.Unlock()
	defer close(t.done)
	defer cancel(nil)
	err := t.execute(ctx, b)
	switch {
	case t.abandoned.Load():
		t.log.Warn("abandoned task has come back", zap.Error(err))
	case err == nil:
		t.report(connect.StateUnassigned, nil)
	case t.stopping():
		t.log.Warn("task failed while it was stopping", zap.Error(err))
		t.report(connect.StateUnassigned, nil)
	case errors.Is(err, kafka.ErrFenced) && t.awaitStop(ctx):
		t.log.Info("task was fenced by its successor", zap.Error(err))
		t.report(connect.StateUnassigned, nil)
	default:
		t.log.Error(fmt.Sprintf("Task %s threw an uncaught and unrecoverable exception. Task is being killed and will not recover until manually restarted", t.id), zap.Error(err))
		t.report(connect.StateFailed, err)
	}
}

// successorTime is how long a task whose producer was fenced waits to be stopped: longer
// than a worker needs to find out that it is no member of the group any more.
const successorTime = 30 * time.Second

// awaitStop waits until a fenced task is asked to stop; false means that it is still meant
// to run here, and so has failed. A worker that was frozen or cut off learns from the
// fencing, before the group tells it, that the task runs elsewhere. Its FAILED would hide
// the state of its successor, which works, until somebody restarts that by hand. If the
// group leaves the task here after all, because the successor is gone, it is stopped, too,
// and started again.
func (t *task) awaitStop(ctx context.Context) bool {
	if t.fenced != nil {
		t.fenced()
	}
	limit := time.NewTimer(successorTime)
	defer limit.Stop()
	select {
	case <-t.stopped:
		return true
	case <-ctx.Done():
		return t.stopping()
	case <-limit.C:
		return t.stopping()
	}
}

func (t *task) execute(ctx context.Context, b body) (err error) {
	defer recoverPlugin(&err)
	if !t.awaitStarted(ctx) {
		return nil
	}
	started := false
	defer func() {
		// A panic must not keep the plugin from being stopped.
		if e := callPlugin(func() error { return b.finish(ctx) }); err == nil && started {
			err = e
		} else if e != nil {
			t.log.Warn("could not stop the task cleanly", zap.Error(e))
		}
	}()
	if err := b.start(ctx); err != nil {
		return err
	}
	started = true
	t.report(connect.StateRunning, nil)
	return b.loop(ctx)
}

// callPlugin calls a plugin, whose panic becomes an error.
func callPlugin(f func() error) (err error) {
	defer recoverPlugin(&err)
	return f()
}

// recoverPlugin turns a plugin's panic into an error with its stack.
func recoverPlugin(err *error) {
	if p := recover(); p != nil {
		*err = &connect.Error{Class: "java.lang.RuntimeException", Msg: fmt.Sprintf("panic: %v\n%s", p, debug.Stack())}
	}
}

// awaitStarted waits while the target is PAUSED; false means that the task is not to start.
func (t *task) awaitStarted(ctx context.Context) bool {
	for reported := false; ; {
		switch t.targetState() {
		case connect.TargetStarted:
			return !t.stopping()
		case connect.TargetStopped:
			return false
		case connect.TargetPaused:
		}
		if !reported {
			t.report(connect.StatePaused, nil)
			reported = true
		}
		select {
		case <-ctx.Done():
			return false
		case <-t.stopped:
			return false
		case <-t.changed:
		}
	}
}

func (t *task) report(s connect.State, err error) {
	if !t.abandoned.Load() {
		t.statuses.task(t.id, s, t.version, err)
	}
}

func (t *task) targetState() connect.TargetState {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.target
}

// setTarget tells the task what it should be. Safe for concurrent use.
func (t *task) setTarget(s connect.TargetState) {
	t.mu.Lock()
	t.target = s
	t.mu.Unlock()
	t.signal()
}

// requestStop asks the task to end. Safe for concurrent use.
func (t *task) requestStop() {
	t.stopOnce.Do(func() { close(t.stopped) })
	t.signal()
}

func (t *task) signal() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
	t.mu.Lock()
	wake := t.wake
	t.mu.Unlock()
	if wake != nil {
		wake()
	}
}

func (t *task) setWake(wake func()) {
	t.mu.Lock()
	t.wake = wake
	t.mu.Unlock()
}

// stopping reports whether the task is to end: asked to, or its target is STOPPED.
func (t *task) stopping() bool {
	select {
	case <-t.stopped:
		return true
	default:
		return t.targetState() == connect.TargetStopped
	}
}

var errAbandoned = fmt.Errorf("the task did not stop within task.shutdown.graceful.timeout.ms and was abandoned")

// await waits for the end of a task that was asked to stop, at most until the
// deadline, and abandons it then.
func (t *task) await(deadline <-chan time.Time) (inTime bool) {
	select {
	case <-t.done:
		return true
	case <-deadline:
	}
	t.abandoned.Store(true)
	t.log.Error(fmt.Sprintf("Graceful stop of task %s failed.", t.id))
	t.mu.Lock()
	cancel := t.cancel
	t.mu.Unlock()
	if cancel != nil {
		cancel(errAbandoned)
	}
	return false
}
