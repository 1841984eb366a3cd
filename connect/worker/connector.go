package worker

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// connectorRun is the life of one connector instance (Java: WorkerConnector). Its
// goroutine executes commands one after the other; a failed instance refuses all
// targets but STOPPED.
//
//	init --STARTED--> started <--STARTED-- paused | stopped
//	  |                  |---PAUSED--> paused
//	  |                  '---STOPPED-> stopped (also from failed)
//	  '--error--------------------------------> failed
type connectorRun struct {
	name      string
	connector connect.Connector
	version   string
	props     map[string]string
	statuses  *Statuses
	log       *zap.Logger
	// reconfigure asks the herder for new task configs.
	reconfigure func()
	offsets     *connectorOffsets // of a source connector

	commands  chan func(ctx context.Context)
	stopped   chan struct{}
	done      chan struct{}
	cancel    context.CancelCauseFunc
	abandoned atomic.Bool

	// Owned by the goroutine.
	state   connectorState
	started bool // Start was called and Stop was not
}

type connectorState string

const (
	connectorInit    connectorState = "INIT"
	connectorStarted connectorState = "STARTED"
	connectorPaused  connectorState = "PAUSED"
	connectorStopped connectorState = "STOPPED"
	connectorFailed  connectorState = "FAILED"
)

// run executes commands until the connector is stopped.
func (c *connectorRun) run(ctx context.Context) {
	defer close(c.done)
	if c.offsets != nil {
		defer c.offsets.close()
	}
	for {
		select {
		case <-c.stopped:
			c.shutdown(ctx)
			return
		case <-ctx.Done():
			c.shutdown(ctx)
			return
		case cmd := <-c.commands:
			cmd(ctx)
		}
	}
}

// do hands a command to the goroutine and waits until it was taken.
func (c *connectorRun) do(ctx context.Context, cmd func(ctx context.Context)) error {
	select {
	case c.commands <- cmd:
		return nil
	case <-c.done:
		return fmt.Errorf("connector %s was stopped: %w", c.name, ErrNotRunning)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transition brings the connector to a target state.
func (c *connectorRun) transition(ctx context.Context, target connect.TargetState) error {
	if c.state == connectorFailed && target != connect.TargetStopped {
		return fmt.Errorf("%s Cannot transition connector to %s since it has failed", c.name, target)
	}
	switch target {
	case connect.TargetStarted:
		return c.resume(ctx)
	case connect.TargetPaused:
		return c.suspend(ctx, connectorPaused, connect.StatePaused)
	case connect.TargetStopped:
		return c.suspend(ctx, connectorStopped, connect.StateStopped)
	}
	return fmt.Errorf("unknown target state %q of connector %s", target, c.name)
}

func (c *connectorRun) resume(ctx context.Context) error {
	if c.state == connectorStarted {
		return nil
	}
	c.started = true
	if err := c.call(func() error { return c.connector.Start(ctx, c.context(), c.props) }); err != nil {
		return c.fail(err)
	}
	c.state = connectorStarted
	c.report(connect.StateRunning, nil)
	return nil
}

// suspend stops the plugin. STOPPED is reported even if it failed or its stop failed.
func (c *connectorRun) suspend(ctx context.Context, state connectorState, status connect.State) error {
	if c.state == state {
		return nil
	}
	if err := c.stopPlugin(ctx); err != nil && state == connectorPaused {
		return c.fail(err)
	} else if err != nil {
		c.log.Warn("the connector's stop failed", zap.Error(err))
	}
	c.state = state
	c.report(status, nil)
	return nil
}

func (c *connectorRun) stopPlugin(ctx context.Context) error {
	if !c.started {
		return nil
	}
	c.started = false
	return c.call(func() error { return c.connector.Stop(ctx) })
}

func (c *connectorRun) fail(err error) error {
	c.log.Error(fmt.Sprintf("Error while starting connector %s", c.name), zap.Error(err))
	c.state = connectorFailed
	c.report(connect.StateFailed, err)
	return err
}

func (c *connectorRun) shutdown(ctx context.Context) {
	state, err := connect.StateUnassigned, c.stopPlugin(ctx)
	if err != nil {
		c.log.Error("Error while shutting down connector", zap.Error(err))
		state = connect.StateFailed
	}
	c.report(state, err)
}

func (c *connectorRun) report(s connect.State, err error) {
	if !c.abandoned.Load() {
		c.statuses.connector(c.name, s, c.version, err)
	}
}

// call runs plugin code and turns a panic into an error.
func (c *connectorRun) call(f func() error) (err error) {
	defer recoverPlugin(&err)
	return f()
}

// taskConfigs asks the plugin, in its goroutine.
func (c *connectorRun) taskConfigs(ctx context.Context, maxTasks int) ([]map[string]string, error) {
	type result struct {
		configs []map[string]string
		err     error
	}
	answer := make(chan result, 1)
	ask := func(context.Context) {
		if c.state != connectorStarted {
			answer <- result{err: fmt.Errorf("connector %s is %s: %w", c.name, c.state, ErrNotRunning)}
			return
		}
		var r result
		r.err = c.call(func() (err error) {
			r.configs, err = c.connector.TaskConfigs(maxTasks)
			return err
		})
		answer <- r
	}
	if err := c.do(ctx, ask); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		return r.configs, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// context returns what the plugin is given.
func (c *connectorRun) context() connect.ConnectorContext {
	if c.offsets != nil {
		return &sourceConnectorContext{(*connectorContext)(c)}
	}
	return (*connectorContext)(c)
}

// sourceConnectorContext implements connect.SourceConnectorContext.
type sourceConnectorContext struct{ *connectorContext }

func (c *sourceConnectorContext) Offsets() connect.OffsetReader { return c.offsets }

// connectorContext implements connect.ConnectorContext.
type connectorContext connectorRun

func (c *connectorContext) RequestTaskReconfiguration() { c.reconfigure() }

func (c *connectorContext) Logger() *zap.Logger { return c.log }

// RaiseError fails the connector; it may be called from any goroutine, also from Start.
func (c *connectorContext) RaiseError(err error) {
	run := (*connectorRun)(c)
	go func() {
		// Ends with the connector at the latest: do watches done.
		_ = run.do(context.Background(), func(context.Context) { _ = run.fail(err) })
	}()
}
