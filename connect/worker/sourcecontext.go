package worker

import (
	"fmt"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// sourceContext implements connect.SourceTaskContext.
type sourceContext struct {
	s            *sourceTask
	reader       *offsetReader
	transactions *transactionContext // nil: the task does not decide
}

func (c *sourceContext) Configs() map[string]string { return c.s.props }

func (c *sourceContext) TaskID() connect.TaskID { return c.s.id }

func (c *sourceContext) Offsets() connect.OffsetReader { return c.reader }

func (c *sourceContext) Logger() *zap.Logger { return c.s.log }

func (c *sourceContext) Transaction() connect.TransactionContext {
	if c.transactions == nil {
		return nil // not a nil pointer in an interface
	}
	return c.transactions
}

// transactionContext implements connect.TransactionContext (Java:
// WorkerTransactionContext). What a task asks for is kept until it is taken.
type transactionContext struct {
	mu            sync.Mutex
	commit, abort bool
	commits       []int // indices in the next batch
	aborts        []int
}

func (c *transactionContext) CommitTransaction() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commit = true
}

func (c *transactionContext) CommitTransactionAt(index int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits = append(c.commits, index)
}

func (c *transactionContext) AbortTransaction() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abort = true
}

func (c *transactionContext) AbortTransactionAt(index int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aborts = append(c.aborts, index)
}

// boundary is where a transaction ends: after a number of records of a batch.
type boundary struct {
	after int
	abort bool
}

// takeRecords returns the boundaries that were asked for by index, in order, and forgets
// them: they belong to the batch that was just polled. That one can commit and abort at
// once fails the task, as the JVM does, because what it means is unknown.
func (c *transactionContext) takeRecords(records []connect.SourceRecord) ([]boundary, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	commits, aborts := c.commits, c.aborts
	c.commits, c.aborts = nil, nil
	var all []boundary
	for _, i := range commits {
		if i < 0 || i >= len(records) {
			return nil, badBoundary(i, len(records))
		}
		if slices.Contains(aborts, i) {
			return nil, illegalState("Connector requested both commit and abort of same record against topic/partition %s/%s",
				records[i].Topic, partitionText(records[i].Partition))
		}
		all = append(all, boundary{after: i + 1})
	}
	for _, i := range aborts {
		if i < 0 || i >= len(records) {
			return nil, badBoundary(i, len(records))
		}
		all = append(all, boundary{after: i + 1, abort: true})
	}
	slices.SortFunc(all, func(a, b boundary) int { return a.after - b.after })
	return slices.Compact(all), nil
}

// takeBatch returns and forgets what was asked for the batch as a whole.
func (c *transactionContext) takeBatch() (commit, abort bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	commit, abort = c.commit, c.abort
	if commit && abort {
		return false, false, illegalState("Connector requested both commit and abort of same transaction")
	}
	c.commit, c.abort = false, false
	return commit, abort, nil
}

func partitionText(p int32) string {
	if p == connect.AnyPartition {
		return "null"
	}
	return fmt.Sprint(p)
}

func badBoundary(i, n int) error {
	return illegalState("the task asked for a transaction to end at record %d of a batch of %d: CommitTransactionAt and AbortTransactionAt "+
		"take the index of a record of the batch that Poll returns next", i, n)
}

func illegalState(format string, args ...any) error {
	return &connect.Error{Class: "java.lang.IllegalStateException", Msg: fmt.Sprintf(format, args...)}
}

// discardRecords forgets the boundaries of a batch that never came.
func (c *transactionContext) discardRecords() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits, c.aborts = nil, nil
}
