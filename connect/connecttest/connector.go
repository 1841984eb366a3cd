package connecttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// Options say how a connector is run; the zero value will do.
type Options struct {
	// Name is the connector's name; "" = test.
	Name string
	// MaxTasks is how many tasks it may have at most (tasks.max); 0 = 1.
	MaxTasks int
	// Offsets are those that source tasks find and that Ack adds to; nil = new ones.
	Offsets *Offsets
	// Transactions makes source tasks define transaction boundaries, as with
	// transaction.boundary=connector.
	Transactions bool
	// Tolerate makes ReportErrant accept records, as errors.tolerance=all does.
	Tolerate bool
	// Logger is given to connector and tasks; nil = what they log is dropped.
	Logger *zap.Logger
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "test"
	}
	if o.MaxTasks == 0 {
		o.MaxTasks = 1
	}
	if o.Offsets == nil {
		o.Offsets = &Offsets{}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// stopTimeout bounds Stop of connectors and tasks, and each wait for records.
const stopTimeout = 10 * time.Second

// Context is the connect.ConnectorContext of a run: it remembers what the connector asked
// for. It is safe for concurrent use.
type Context struct {
	offsets connect.OffsetReader
	log     *zap.Logger

	mu               sync.Mutex
	reconfigurations int
	raised           []error
}

var _ connect.SourceConnectorContext = (*Context)(nil)

// RequestTaskReconfiguration implements connect.ConnectorContext; see Reconfigurations.
func (c *Context) RequestTaskReconfiguration() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reconfigurations++
}

// RaiseError implements connect.ConnectorContext; see Raised.
func (c *Context) RaiseError(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raised = append(c.raised, err)
}

// Logger implements connect.ConnectorContext.
func (c *Context) Logger() *zap.Logger { return c.log }

// Offsets implements connect.SourceConnectorContext.
func (c *Context) Offsets() connect.OffsetReader { return c.offsets }

// Reconfigurations returns how often the connector asked for new task configs.
func (c *Context) Reconfigurations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reconfigurations
}

// Raised returns the errors that the connector failed with.
func (c *Context) Raised() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.raised...)
}

// startConnector starts a connector and returns the configs of its tasks, as the runtime
// stores them. When it fails the connector was stopped.
func startConnector(ctx context.Context, c connect.Connector, props map[string]string, o Options) (*Context, []map[string]string, error) {
	cc := &Context{offsets: o.Offsets, log: o.Logger.Named(o.Name)}
	configs, err := func() ([]map[string]string, error) {
		if err := c.Start(ctx, cc, maps.Clone(props)); err != nil {
			return nil, fmt.Errorf("start the connector: %w", err)
		}
		configs, err := c.TaskConfigs(o.MaxTasks)
		if err != nil {
			return nil, fmt.Errorf("ask for task configs: %w", err)
		}
		if len(configs) > o.MaxTasks {
			return nil, fmt.Errorf("the connector wants %d tasks where at most %d are allowed", len(configs), o.MaxTasks)
		}
		return configs, nil
	}()
	if err != nil {
		return nil, nil, errors.Join(err, c.Stop(ctx))
	}
	for i := range configs {
		configs[i] = maps.Clone(configs[i])
		if configs[i] == nil {
			configs[i] = map[string]string{}
		}
		configs[i]["task.class"] = c.TaskClass()
	}
	return cc, configs, nil
}

// stopAll stops tasks, then the connector, each within its time.
func stopAll(ctx context.Context, tasks []func(context.Context) error, connector func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	var errs []error
	for i, stop := range tasks {
		if err := stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop task %d: %w", i, err))
		}
	}
	if err := connector(ctx); err != nil {
		errs = append(errs, fmt.Errorf("stop the connector: %w", err))
	}
	return errors.Join(errs...)
}

// stopOnce is stopAll as a function of which only the first call does something.
func stopOnce(tasks []func(context.Context) error, connector func(context.Context) error) func(context.Context) error {
	var once sync.Once
	return func(ctx context.Context) (err error) {
		once.Do(func() { err = stopAll(ctx, tasks, connector) })
		return err
	}
}

// stopAtEnd calls stop when the test ends.
func stopAtEnd(tb testing.TB, stop func(context.Context) error) {
	tb.Helper()
	tb.Cleanup(func() {
		if err := stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
}
