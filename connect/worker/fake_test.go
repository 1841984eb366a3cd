package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/connect/transform"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// trace records what happens, in order.
type trace struct {
	mu    sync.Mutex
	lines []string
}

func (t *trace) add(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, fmt.Sprintf(format, args...))
}

func (t *trace) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}

// fakeConsumer hands out scripted polls. When the script is over, a poll waits for its
// time-out or a wake-up.
type fakeConsumer struct {
	*trace
	listener kafka.RebalanceListener
	assigned []connect.TopicPartition
	script   []func(c *fakeConsumer) []kafka.Batch
	paused   map[connect.TopicPartition]bool
	wake     chan struct{}
	asyncErr error
	acks     []func()
	over     chan struct{} // closed when the script is over
	onCommit func(offsets map[connect.TopicPartition]int64)
}

func (c *fakeConsumer) Poll(ctx context.Context, timeout time.Duration) ([]kafka.Batch, error) {
	for _, ack := range c.acks {
		ack()
	}
	c.acks = nil
	if len(c.script) > 0 {
		step := c.script[0]
		c.script = c.script[1:]
		return step(c), nil
	}
	select {
	case <-c.over:
	default:
		close(c.over)
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.wake:
	case <-time.After(timeout):
	}
	return nil, nil
}

func (c *fakeConsumer) Assignment() []connect.TopicPartition { return c.assigned }
func (c *fakeConsumer) Position(context.Context, connect.TopicPartition) (int64, error) {
	return 0, nil
}
func (c *fakeConsumer) Seek(tp connect.TopicPartition, offset int64) {
	c.add("seek %v to %d", tp, offset)
}
func (c *fakeConsumer) Pause(tps ...connect.TopicPartition) {
	for _, tp := range tps {
		c.paused[tp] = true
	}
	c.add("pause %v", tps)
}
func (c *fakeConsumer) Resume(tps ...connect.TopicPartition) {
	for _, tp := range tps {
		delete(c.paused, tp)
	}
	c.add("resume %v", tps)
}
func (c *fakeConsumer) CommitAsync(offsets map[connect.TopicPartition]int64, done func(error)) {
	c.add("commit %v", offsets)
	if c.onCommit != nil {
		c.onCommit(offsets)
	}
	c.acks = append(c.acks, func() { done(c.asyncErr) })
}
func (c *fakeConsumer) CommitSync(_ context.Context, offsets map[connect.TopicPartition]int64) error {
	c.add("commit at close %v", offsets)
	if c.onCommit != nil {
		c.onCommit(offsets)
	}
	return nil
}
func (c *fakeConsumer) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
func (c *fakeConsumer) Close(context.Context) error { c.add("leave"); return nil }

// fakeSink records its calls; put and preCommit may be replaced.
type fakeSink struct {
	*trace
	tc        connect.SinkTaskContext
	put       func(records []connect.SinkRecord) error
	preCommit func(offsets map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error)
	startErr  error
}

func (s *fakeSink) Version() string { return "1" }
func (s *fakeSink) Start(_ context.Context, tc connect.SinkTaskContext, _ map[string]string) error {
	s.tc = tc
	s.add("start")
	return s.startErr
}
func (s *fakeSink) Open(_ context.Context, tps []connect.TopicPartition) error {
	s.add("open %v", tps)
	return nil
}
func (s *fakeSink) Put(_ context.Context, records []connect.SinkRecord) error {
	if len(records) > 0 {
		var offsets []int64
		for i := range records {
			offsets = append(offsets, records[i].Offset)
		}
		s.add("put %v", offsets)
	}
	if s.put != nil {
		return s.put(records)
	}
	return nil
}
func (s *fakeSink) PreCommit(_ context.Context, offsets map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
	if s.preCommit != nil {
		return s.preCommit(offsets)
	}
	return offsets, nil
}
func (s *fakeSink) Close(_ context.Context, tps []connect.TopicPartition) error {
	s.add("close %v", tps)
	return nil
}
func (s *fakeSink) Stop(context.Context) error { s.add("stop"); return nil }

// textConverter takes bytes as text; the value "bad" cannot be converted.
type textConverter struct{}

func (textConverter) Configure(map[string]string, bool) error { return nil }
func (textConverter) ConfigureHeader(map[string]string) error { return nil }
func (textConverter) ConfigDef() *config.Def                  { return config.NewDef() }
func (textConverter) Close() error                            { return nil }
func (textConverter) ToConnect(_ string, raw []byte, out *data.Datum) error {
	if string(raw) == "bad" {
		return errors.New("this is bad")
	}
	out.SetValue(nil, string(raw))
	return nil
}
func (textConverter) FromConnect(string, *data.Schema, any) ([]byte, error) { return nil, nil }
func (textConverter) ToConnectHeader(_, _ string, raw []byte) (*data.Schema, any, error) {
	return nil, string(raw), nil
}
func (textConverter) FromConnectHeader(string, string, *data.Schema, any) ([]byte, error) {
	return nil, nil
}

// fakeStatuses keeps the states written of tasks and connectors.
type fakeStatuses struct {
	storage.StatusStore
	*trace
	paused chan struct{} // closed at the first PAUSED; nil: nobody waits
}

func (s *fakeStatuses) PutTask(_ connect.TaskID, st storage.Status) {
	s.add("status %s", st.State)
	if st.State == connect.StatePaused && s.paused != nil {
		close(s.paused)
		s.paused = nil
	}
}
func (s *fakeStatuses) PutTaskSafe(_ connect.TaskID, st storage.Status) { s.add("status %s", st.State) }
func (s *fakeStatuses) PutConnector(_ string, st storage.Status)        { s.add("status %s", st.State) }
func (s *fakeStatuses) PutConnectorSafe(_ string, st storage.Status)    { s.add("status %s", st.State) }

// rig is a sink task over fakes.
type rig struct {
	*trace
	t        *testing.T
	sink     *fakeSink
	consumer *fakeConsumer
	task     *sinkTask
}

var tp0, tp1 = connect.TopicPartition{Topic: "t"}, connect.TopicPartition{Topic: "t", Partition: 1}

func newRig(t *testing.T, tol tolerance.Config, script ...func(c *fakeConsumer) []kafka.Batch) *rig {
	tr := &trace{}
	r := &rig{trace: tr, t: t, sink: &fakeSink{trace: tr}}
	r.consumer = &fakeConsumer{trace: tr, script: script, paused: map[connect.TopicPartition]bool{},
		wake: make(chan struct{}, 1), over: make(chan struct{})}
	id := connect.TaskID{Connector: "c"}
	st := &Statuses{Store: &fakeStatuses{trace: tr}, WorkerID: "w:1", Generation: func() int { return 1 }}
	r.task = &sinkTask{
		task: newTask(id, "1", connect.TargetStarted, st, zap.NewNop()), sink: r.sink,
		newConsumer: func(_ context.Context, l kafka.RebalanceListener) (consumer, error) {
			r.consumer.listener = l
			return r.consumer, nil
		},
		convert:       &sinkConverter{chain: &transform.Chain{}, converters: &converters{key: textConverter{}, value: textConverter{}, header: textConverter{}}},
		operator:      tolerance.New(id, tol, zap.NewNop()),
		flushInterval: time.Hour, flushTimeout: time.Minute, now: time.Now,
	}
	return r
}

// run runs the task until its script is over and one turn more, then stops it.
func (r *rig) run() []string {
	r.t.Helper()
	go r.task.run(r.t.Context(), r.task)
	select {
	case <-r.consumer.over:
		r.task.requestStop()
	case <-r.task.done:
	case <-time.After(10 * time.Second):
		r.t.Fatalf("the task hangs after\n%v", r.all())
	}
	select {
	case <-r.task.done:
	case <-time.After(10 * time.Second):
		r.t.Fatalf("the task does not stop after\n%v", r.all())
	}
	return r.all()
}

// assign is a poll in which partitions are gained.
func assign(tps ...connect.TopicPartition) func(c *fakeConsumer) []kafka.Batch {
	return func(c *fakeConsumer) []kafka.Batch {
		c.assigned = append(c.assigned, tps...)
		if err := c.listener.Assigned(context.Background(), tps); err != nil {
			panic(err)
		}
		return nil
	}
}

// fetch is a poll that returns values of one partition from an offset on.
func fetch(tp connect.TopicPartition, from int64, values ...string) func(c *fakeConsumer) []kafka.Batch {
	return func(*fakeConsumer) []kafka.Batch {
		b := kafka.Batch{TopicPartition: tp}
		for i, v := range values {
			b.Records = append(b.Records, kafka.Record{Offset: from + int64(i), Timestamp: 1, Value: []byte(v)})
		}
		return []kafka.Batch{b}
	}
}

func nothing(*fakeConsumer) []kafka.Batch { return nil }
