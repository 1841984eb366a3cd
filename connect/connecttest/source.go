package connecttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// SourceRun is a source connector that runs with its tasks. Its methods are called by one
// goroutine.
type SourceRun struct {
	// Connector is what runs; Context remembers what it asked for.
	Connector connect.SourceConnector
	Context   *Context
	// Tasks are the tasks, by number.
	Tasks []*SourceTask
	// Offsets are what was committed.
	Offsets *Offsets

	stop func(context.Context) error
}

// OpenSource starts a connector and its tasks. The error is that of the first step that
// failed; what was started before is stopped then.
func OpenSource(ctx context.Context, c connect.SourceConnector, props map[string]string, o Options) (*SourceRun, error) {
	o = o.withDefaults()
	cc, configs, err := startConnector(ctx, c, props, o)
	if err != nil {
		return nil, err
	}
	r := &SourceRun{Connector: c, Context: cc, Offsets: o.Offsets}
	var stops []func(context.Context) error
	for i, config := range configs {
		t := &SourceTask{Task: c.NewTask(), Context: &SourceContext{
			id: connect.TaskID{Connector: o.Name, Task: i}, props: config, offsets: o.Offsets, log: cc.log,
		}}
		if o.Transactions {
			t.Context.transaction = &Transaction{}
		}
		stops = append(stops, t.Task.Stop)
		if err := t.Task.Start(ctx, t.Context, config); err != nil {
			return nil, errors.Join(fmt.Errorf("start task %d: %w", i, err), stopAll(ctx, stops, c.Stop))
		}
		r.Tasks = append(r.Tasks, t)
	}
	r.stop = stopOnce(stops, c.Stop)
	return r, nil
}

// StartSource is OpenSource for a test: errors end the test, and what runs at its end is
// stopped.
func StartSource(tb testing.TB, c connect.SourceConnector, props map[string]string, o Options) *SourceRun {
	tb.Helper()
	r, err := OpenSource(tb.Context(), c, props, o)
	if err != nil {
		tb.Fatal(err)
	}
	stopAtEnd(tb, r.stop)
	return r
}

// Stop stops the tasks and the connector; a second call does nothing.
func (r *SourceRun) Stop(ctx context.Context) error { return r.stop(ctx) }

// SourceTask is a running task of a SourceRun.
type SourceTask struct {
	Task    connect.SourceTask
	Context *SourceContext
	acked   int64
}

// Poll polls until there are at least n records, ten seconds at most. A RetriableError of
// the task makes it poll again.
func (t *SourceTask) Poll(ctx context.Context, n int) ([]connect.SourceRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	var (
		records []connect.SourceRecord
		failed  error // the last retriable error
	)
	for len(records) < n {
		if ctx.Err() != nil {
			return records, errors.Join(fmt.Errorf("%d of %d records came within %s", len(records), n, stopTimeout), failed)
		}
		more, err := t.Task.Poll(ctx)
		var retriable *connect.RetriableError
		switch {
		case err == nil:
		case errors.As(err, &retriable):
			failed = err
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		default:
			return records, err
		}
		records = append(records, more...)
	}
	return records, nil
}

// Ack plays that the records are in Kafka: the task is told of each, their offsets are
// committed, and the task is told of that. Kafka partition 0 is played where a record
// names none.
func (t *SourceTask) Ack(ctx context.Context, records ...connect.SourceRecord) error {
	var errs []error
	committer, _ := t.Task.(connect.RecordCommitter)
	for i := range records {
		r := &records[i]
		if committer != nil {
			meta := &connect.RecordMetadata{
				TopicPartition: connect.TopicPartition{Topic: r.Topic, Partition: max(r.Partition, 0)},
				Offset:         t.acked, Timestamp: time.Now().UnixMilli(),
			}
			errs = append(errs, committer.CommitRecord(ctx, r, meta))
		}
		t.acked++
		if r.SourcePartition != nil || r.SourceOffset != nil {
			errs = append(errs, t.Context.offsets.Set(r.SourcePartition, r.SourceOffset))
		}
	}
	if c, ok := t.Task.(connect.OffsetCommitter); ok {
		errs = append(errs, c.Commit(ctx))
	}
	return errors.Join(errs...)
}

// SourceContext is the connect.SourceTaskContext of a task.
type SourceContext struct {
	id          connect.TaskID
	props       map[string]string
	offsets     *Offsets
	transaction *Transaction
	log         *zap.Logger
}

var _ connect.SourceTaskContext = (*SourceContext)(nil)

// Configs implements connect.SourceTaskContext.
func (c *SourceContext) Configs() map[string]string { return c.props }

// TaskID implements connect.SourceTaskContext.
func (c *SourceContext) TaskID() connect.TaskID { return c.id }

// Offsets implements connect.SourceTaskContext.
func (c *SourceContext) Offsets() connect.OffsetReader { return c.offsets }

// Logger implements connect.SourceTaskContext.
func (c *SourceContext) Logger() *zap.Logger { return c.log }

// Transaction implements connect.SourceTaskContext; what it returns is a *Transaction, or
// nil without Options.Transactions.
func (c *SourceContext) Transaction() connect.TransactionContext {
	if c.transaction == nil {
		return nil // not a nil pointer in an interface
	}
	return c.transaction
}

// Transaction remembers the transaction boundaries that a task asked for. It is safe for
// concurrent use.
type Transaction struct {
	mu       sync.Mutex
	requests []TransactionRequest
}

var _ connect.TransactionContext = (*Transaction)(nil)

// TransactionRequest is one wish of a task.
type TransactionRequest struct {
	Abort bool
	// Index is that of the record after which the transaction ends, WholeBatch for the end
	// of the batch.
	Index int
}

// WholeBatch is the Index of a request that is about a whole batch.
const WholeBatch = -1

// CommitTransaction implements connect.TransactionContext.
func (t *Transaction) CommitTransaction() { t.add(false, WholeBatch) }

// CommitTransactionAt implements connect.TransactionContext.
func (t *Transaction) CommitTransactionAt(index int) { t.add(false, index) }

// AbortTransaction implements connect.TransactionContext.
func (t *Transaction) AbortTransaction() { t.add(true, WholeBatch) }

// AbortTransactionAt implements connect.TransactionContext.
func (t *Transaction) AbortTransactionAt(index int) { t.add(true, index) }

func (t *Transaction) add(abort bool, index int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests = append(t.requests, TransactionRequest{abort, index})
}

// Take returns what was asked for since the last Take.
func (t *Transaction) Take() []TransactionRequest {
	t.mu.Lock()
	defer t.mu.Unlock()
	requests := t.requests
	t.requests = nil
	return requests
}
