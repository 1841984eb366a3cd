package connecttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// SinkRun is a sink connector that runs with its tasks. Its methods are called by one
// goroutine.
type SinkRun struct {
	// Connector is what runs; Context remembers what it asked for.
	Connector connect.SinkConnector
	Context   *Context
	// Tasks are the tasks, by number. No partition is open yet.
	Tasks []*SinkTask

	stop func(context.Context) error
}

// OpenSink starts a connector and its tasks. The error is that of the first step that
// failed; what was started before is stopped then.
func OpenSink(ctx context.Context, c connect.SinkConnector, props map[string]string, o Options) (*SinkRun, error) {
	o = o.withDefaults()
	cc, configs, err := startConnector(ctx, c, props, o)
	if err != nil {
		return nil, err
	}
	r := &SinkRun{Connector: c, Context: cc}
	var stops []func(context.Context) error
	for i, config := range configs {
		t := &SinkTask{Task: c.NewTask(), next: map[connect.TopicPartition]int64{}}
		t.Context = &SinkContext{
			task: t, id: connect.TaskID{Connector: o.Name, Task: i}, props: config, log: cc.log,
			tolerate: o.Tolerate, timeout: -1, paused: map[connect.TopicPartition]bool{},
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

// StartSink is OpenSink for a test: errors end the test, and what runs at its end is
// stopped.
func StartSink(tb testing.TB, c connect.SinkConnector, props map[string]string, o Options) *SinkRun {
	tb.Helper()
	r, err := OpenSink(tb.Context(), c, props, o)
	if err != nil {
		tb.Fatal(err)
	}
	stopAtEnd(tb, r.stop)
	return r
}

// Stop stops the tasks and the connector; a second call does nothing. Partitions are not
// closed before: Close does that.
func (r *SinkRun) Stop(ctx context.Context) error { return r.stop(ctx) }

// SinkTask is a running task of a SinkRun.
type SinkTask struct {
	Task    connect.SinkTask
	Context *SinkContext
	next    map[connect.TopicPartition]int64 // after the last record that was put
	pending []connect.SinkRecord             // of a Put that is to be repeated
}

// NewRecord returns a record without key, as the runtime hands it over.
func NewRecord(tp connect.TopicPartition, offset int64, schema *data.Schema, value any) connect.SinkRecord {
	r := connect.SinkRecord{
		Record:   connect.Record{Topic: tp.Topic, Partition: tp.Partition, Offset: offset, Timestamp: connect.NoTimestamp},
		Original: tp, TimestampType: connect.CreateTime,
	}
	r.Value.SetValue(schema, value)
	return r
}

// Open assigns partitions to the task, of which nothing was committed.
func (t *SinkTask) Open(ctx context.Context, partitions ...connect.TopicPartition) error {
	return t.OpenAt(ctx, 0, partitions...)
}

// OpenAt assigns partitions to the task of which the records before the given offset were
// committed.
func (t *SinkTask) OpenAt(ctx context.Context, offset int64, partitions ...connect.TopicPartition) error {
	for _, tp := range partitions {
		t.next[tp] = offset
	}
	return t.Task.Open(ctx, partitions)
}

// Put hands records over: sorted by partition, in a slice that is wiped afterwards, as the
// runtime uses it again. After a *connect.RetriableError only the very same batch may
// follow: Retry puts it.
func (t *SinkTask) Put(ctx context.Context, records ...connect.SinkRecord) error {
	if t.pending != nil {
		return errors.New("the task asked for the last batch to be put again: call Retry")
	}
	batch := slices.Clone(records)
	slices.SortStableFunc(batch, func(a, b connect.SinkRecord) int { return a.Original.Compare(b.Original) })
	for i := range batch {
		if _, ok := t.next[batch[i].Original]; !ok {
			return fmt.Errorf("a record of partition %s, which the task does not have: call Open", batch[i].Original)
		}
	}
	t.pending = batch
	return t.Retry(ctx)
}

// Retry puts the batch again for which the task returned a *connect.RetriableError.
func (t *SinkTask) Retry(ctx context.Context) error {
	batch := t.pending
	err := t.Task.Put(ctx, batch)
	var retriable *connect.RetriableError
	if errors.As(err, &retriable) {
		return err
	}
	t.pending = nil
	if err == nil {
		for i := range batch {
			t.next[batch[i].Original] = batch[i].Offset + 1
		}
	}
	clear(batch)
	return err
}

// Commit asks the task what may be committed of all its partitions and returns that. An
// offset beyond what was put, or of a partition that the task does not have, is an error,
// where the runtime would leave it out.
func (t *SinkTask) Commit(ctx context.Context) (map[connect.TopicPartition]int64, error) {
	return t.commit(ctx, maps.Clone(t.next))
}

func (t *SinkTask) commit(ctx context.Context, consumed map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
	offsets, err := t.Task.PreCommit(ctx, maps.Clone(consumed))
	if err != nil {
		return nil, err
	}
	for tp, offset := range offsets {
		switch next, ok := consumed[tp]; {
		case !ok:
			return nil, fmt.Errorf("PreCommit returned an offset of partition %s, which was not asked for", tp)
		case offset > next:
			return nil, fmt.Errorf("PreCommit returned offset %d of partition %s, of which only the records before %d were put", offset, tp, next)
		}
	}
	return offsets, nil
}

// Close takes partitions away, after a last Commit of them, whose result it returns.
func (t *SinkTask) Close(ctx context.Context, partitions ...connect.TopicPartition) (map[connect.TopicPartition]int64, error) {
	consumed := map[connect.TopicPartition]int64{}
	for _, tp := range partitions {
		consumed[tp] = t.next[tp]
	}
	offsets, err := t.commit(ctx, consumed)
	err = errors.Join(err, t.Task.Close(ctx, partitions))
	for _, tp := range partitions {
		delete(t.next, tp)
	}
	return offsets, err
}

// SinkContext is the connect.SinkTaskContext of a task: it remembers what the task asked
// for. Only RequestCommit may be called from other goroutines than that of the test.
type SinkContext struct {
	task     *SinkTask
	id       connect.TaskID
	props    map[string]string
	log      *zap.Logger
	tolerate bool
	timeout  int64
	seeks    map[connect.TopicPartition]int64
	paused   map[connect.TopicPartition]bool
	errant   []Errant

	mu      sync.Mutex
	commits int
}

var _ connect.SinkTaskContext = (*SinkContext)(nil)

// Errant is a record that a task has reported.
type Errant struct {
	Partition connect.TopicPartition
	Offset    int64
	Err       error
}

// Configs implements connect.SinkTaskContext.
func (c *SinkContext) Configs() map[string]string { return c.props }

// TaskID implements connect.SinkTaskContext.
func (c *SinkContext) TaskID() connect.TaskID { return c.id }

// Logger implements connect.SinkTaskContext.
func (c *SinkContext) Logger() *zap.Logger { return c.log }

// Offset implements connect.SinkTaskContext; see TakeSeeks.
func (c *SinkContext) Offset(tp connect.TopicPartition, offset int64) {
	if c.seeks == nil {
		c.seeks = map[connect.TopicPartition]int64{}
	}
	c.seeks[tp] = offset
	if _, ok := c.task.next[tp]; ok {
		c.task.next[tp] = offset
	}
}

// Timeout implements connect.SinkTaskContext; see TakeTimeout.
func (c *SinkContext) Timeout(ms int64) { c.timeout = ms }

// Assignment implements connect.SinkTaskContext.
func (c *SinkContext) Assignment() []connect.TopicPartition {
	return slices.SortedFunc(maps.Keys(c.task.next), connect.TopicPartition.Compare)
}

// Pause implements connect.SinkTaskContext; see Paused.
func (c *SinkContext) Pause(tps ...connect.TopicPartition) {
	for _, tp := range tps {
		c.paused[tp] = true
	}
}

// Resume implements connect.SinkTaskContext.
func (c *SinkContext) Resume(tps ...connect.TopicPartition) {
	for _, tp := range tps {
		delete(c.paused, tp)
	}
}

// RequestCommit implements connect.SinkTaskContext; see CommitRequests.
func (c *SinkContext) RequestCommit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits++
}

// ReportErrant implements connect.SinkTaskContext: without Options.Tolerate it returns err.
func (c *SinkContext) ReportErrant(r *connect.SinkRecord, err error) error {
	c.errant = append(c.errant, Errant{r.Original, r.Offset, err})
	if c.tolerate {
		return nil
	}
	return err
}

// TakeSeeks returns where the task asked to go on since the last call, nil for nowhere.
// The test puts the records from there on.
func (c *SinkContext) TakeSeeks() map[connect.TopicPartition]int64 {
	seeks := c.seeks
	c.seeks = nil
	return seeks
}

// TakeTimeout returns the time-out in milliseconds that the task asked for since the last
// call, -1 for none.
func (c *SinkContext) TakeTimeout() int64 {
	ms := c.timeout
	c.timeout = -1
	return ms
}

// Paused returns the partitions that the task has paused, sorted.
func (c *SinkContext) Paused() []connect.TopicPartition {
	return slices.SortedFunc(maps.Keys(c.paused), connect.TopicPartition.Compare)
}

// CommitRequests returns how often the task asked for a commit.
func (c *SinkContext) CommitRequests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.commits
}

// Errant returns the records that the task has reported, in order.
func (c *SinkContext) Errant() []Errant { return c.errant }
