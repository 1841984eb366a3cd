package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/connect/transform"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/memstore"
	"github.com/penstock-io/penstock/storage/records"
)

// plainConverter writes strings as they are. "bad" cannot be converted, "later" not at
// the first try.
type plainConverter struct{ tried bool }

func (*plainConverter) Configure(map[string]string, bool) error     { return nil }
func (*plainConverter) ConfigureHeader(map[string]string) error     { return nil }
func (*plainConverter) ConfigDef() *config.Def                      { return config.NewDef() }
func (*plainConverter) Close() error                                { return nil }
func (*plainConverter) ToConnect(string, []byte, *data.Datum) error { return nil }
func (*plainConverter) ToConnectHeader(string, string, []byte) (*data.Schema, any, error) {
	return nil, nil, nil
}
func (c *plainConverter) FromConnect(_ string, _ *data.Schema, value any) ([]byte, error) {
	switch {
	case value == nil:
		return nil, nil
	case value == "bad":
		return nil, errors.New("this is bad")
	case value == "later" && !c.tried:
		c.tried = true
		return nil, &connect.RetriableError{Err: errors.New("not now")}
	}
	return []byte(value.(string)), nil
}
func (c *plainConverter) FromConnectHeader(_, _ string, s *data.Schema, value any) ([]byte, error) {
	return c.FromConnect("", s, value)
}

// fakeSource returns scripted polls. When the script is over, Poll waits for its context.
type fakeSource struct {
	*trace
	tc       connect.SourceTaskContext
	start    func(ctx context.Context) error
	script   []func(ctx context.Context) ([]connect.SourceRecord, error)
	commit   func(ctx context.Context) error
	onRecord func(r *connect.SourceRecord)
}

func (s *fakeSource) Version() string { return "1" }
func (s *fakeSource) Start(ctx context.Context, tc connect.SourceTaskContext, _ map[string]string) error {
	s.tc = tc
	s.add("start")
	if s.start != nil {
		return s.start(ctx)
	}
	return nil
}
func (s *fakeSource) Poll(ctx context.Context) ([]connect.SourceRecord, error) {
	if len(s.script) > 0 {
		step := s.script[0]
		s.script = s.script[1:]
		return step(ctx)
	}
	<-ctx.Done()
	return nil, ctx.Err()
}
func (s *fakeSource) Stop(context.Context) error { s.add("stop"); return nil }

// committingSource wants to know of records and commits.
type committingSource struct{ *fakeSource }

func (s committingSource) CommitRecord(_ context.Context, r *connect.SourceRecord, m *connect.RecordMetadata) error {
	v, _ := r.Value.Value()
	if s.onRecord != nil {
		s.onRecord(r)
	}
	if m == nil {
		s.add("commitRecord %v: left out", v)
	} else {
		s.add("commitRecord %v at %d", v, m.Offset)
	}
	return errors.New("only logged")
}
func (s committingSource) Commit(ctx context.Context) error {
	s.add("commit")
	if s.commit != nil {
		return s.commit(ctx)
	}
	return nil
}

// sentRecord is a record that the producer took.
type sentRecord struct {
	kafka.ProducerRecord
	ack func(err error)
}

// fakeProducer acknowledges records at once, or as the test says.
type fakeProducer struct {
	*trace
	hold bool // acks are the test's
	// refuse returns how many of the records are taken; with all of them and an error
	// nothing is taken.
	refuse func(ctx context.Context, records []kafka.ProducerRecord) (int, error)

	mu   sync.Mutex
	sent []sentRecord
	wg   sync.WaitGroup
}

func (p *fakeProducer) SendAsync(ctx context.Context, records []kafka.ProducerRecord, acked func([]kafka.Ack)) error {
	n, err := len(records), error(nil)
	if p.refuse != nil {
		if n, err = p.refuse(ctx, records); err != nil {
			err = &kafka.SendError{Index: n, Err: err}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range records[:n] {
		offset, topic := int64(len(p.sent)), records[i].Topic
		p.add("send %s to %s", records[i].Value, records[i].Topic)
		r := sentRecord{records[i], func(err error) {
			acked([]kafka.Ack{{Index: i, Err: err, Meta: connect.RecordMetadata{TopicPartition: connect.TopicPartition{Topic: topic}, Offset: offset}}})
		}}
		p.sent = append(p.sent, r)
		if !p.hold {
			p.wg.Go(func() { r.ack(nil) })
			p.mu.Unlock() // one after the other: acks are never concurrent
			p.wg.Wait()
			p.mu.Lock()
		}
	}
	return err
}

// ack acknowledges the i-th record that was sent.
func (p *fakeProducer) ack(i int, err error) {
	p.mu.Lock()
	r := p.sent[i]
	p.mu.Unlock()
	r.ack(err)
}

var errNotTransactional = errors.New("not transactional")

func (p *fakeProducer) Send(context.Context, ...kafka.ProducerRecord) error {
	return errNotTransactional
}
func (p *fakeProducer) InitTransactions(context.Context) error  { return errNotTransactional }
func (p *fakeProducer) BeginTransaction() error                 { return errNotTransactional }
func (p *fakeProducer) CommitTransaction(context.Context) error { return errNotTransactional }
func (p *fakeProducer) AbortTransaction(context.Context) error  { return errNotTransactional }
func (p *fakeProducer) Close() error                            { p.add("close"); return nil }
func (p *fakeProducer) CloseNow()                               { p.add("close now") }

// fakeOffsets is a store whose writes may fail or hang.
type fakeOffsets struct {
	*memstore.OffsetStore
	*trace
	mu  sync.Mutex
	put func(ctx context.Context) error
}

// fails makes writes fail as put does, nil = not.
func (o *fakeOffsets) fails(put func(ctx context.Context) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.put = put
}

func (o *fakeOffsets) Put(ctx context.Context, entries ...storage.OffsetEntry) error {
	o.mu.Lock()
	put := o.put
	o.mu.Unlock()
	if put != nil {
		if err := put(ctx); err != nil {
			o.add("flush: %v", err)
			return err
		}
	}
	for _, e := range entries {
		o.add("flush %s=%s", e.Key, e.Value)
	}
	return o.OffsetStore.Put(ctx, entries...)
}

// sourceRig is a source task over fakes. It runs in a synctest bubble.
type sourceRig struct {
	*trace
	t        *testing.T
	source   *fakeSource
	producer *fakeProducer
	offsets  *fakeOffsets
	task     *sourceTask
}

type sourceOption func(o *sourceOptions)

type sourceOptions struct {
	tolerance  tolerance.Config
	quiet      bool // the task does not want to know of records
	transforms map[string]string
	target     connect.TargetState
}

func tolerant(o *sourceOptions) { o.tolerance.All = true }
func quiet(o *sourceOptions)    { o.quiet = true }
func paused(o *sourceOptions)   { o.target = connect.TargetPaused }
func filtered(o *sourceOptions) {
	o.transforms = map[string]string{"transforms": "f", "transforms.f.type": "drop"}
}

// dropTransform drops the value "drop", fails on "broken" and marks all others.
type dropTransform struct{ transform.Transformation }

func (dropTransform) ConfigDef() *config.Def            { return config.NewDef() }
func (dropTransform) Configure(map[string]string) error { return nil }
func (dropTransform) Close() error                      { return nil }
func (dropTransform) Apply(r *connect.Record) (bool, error) {
	v, _ := r.Value.Value()
	switch v {
	case "drop":
		return false, nil
	case "broken":
		return false, errors.New("this is broken")
	}
	r.Value.SetValue(nil, fmt.Sprint(v, "!"))
	return true, nil
}

const testFlushInterval, testFlushTimeout = 10 * time.Second, 4 * time.Second

func newSourceRig(t *testing.T, options []sourceOption, script ...func(ctx context.Context) ([]connect.SourceRecord, error)) *sourceRig {
	o := sourceOptions{target: connect.TargetStarted}
	for _, f := range options {
		f(&o)
	}
	tr := &trace{}
	r := &sourceRig{trace: tr, t: t, source: &fakeSource{trace: tr, script: script}, producer: &fakeProducer{trace: tr},
		offsets: &fakeOffsets{OffsetStore: memstore.NewOffsetStore(), trace: tr}}
	if err := r.offsets.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.task = newTestSource(t, tr, o, r.source)
	r.task.connect = func(context.Context) (*sourceClients, error) {
		return &sourceClients{producer: r.producer, offsets: r.offsets, close: func(now bool) {
			if now {
				r.producer.CloseNow()
			} else {
				_ = r.producer.Close()
			}
		}}, nil
	}
	r.task.delivery = newAtLeastOnce(r.task, o.tolerance.All)
	return r
}

func newTestSource(t testing.TB, tr *trace, o sourceOptions, source *fakeSource) *sourceTask {
	id := connect.TaskID{Connector: "c"}
	st := &Statuses{Store: &fakeStatuses{trace: tr}, WorkerID: "w:1", Generation: func() int { return 1 }}
	log := zap.NewNop()
	chain, err := transform.NewChain(o.transforms, transform.Lookup{Transformation: func(string) (transform.Transformation, bool) { return dropTransform{}, true }})
	if err != nil {
		t.Fatal(err)
	}
	s := &sourceTask{
		task: newTask(id, "1", o.target, st, log), source: committingSource{source},
		operator: tolerance.New(id, o.tolerance, log), topics: topicCreation{log: log},
		flushInterval: testFlushInterval, flushTimeout: testFlushTimeout,
	}
	if o.quiet {
		s.source = source
	}
	conv := &plainConverter{}
	s.convert = newSourceConverter(&converters{key: conv, value: conv, header: conv}, chain, s.operator)
	return s
}

// run starts the task and waits until nothing happens by itself any more.
func (r *sourceRig) run() {
	go r.task.run(r.t.Context(), r.task)
	synctest.Wait()
}

// stop stops the task and returns what happened.
func (r *sourceRig) stop() []string {
	r.task.requestStop()
	<-r.task.done
	return r.all()
}

// committed returns the committed offset of a source partition, "" if there is none.
func (r *sourceRig) committed(p string) string {
	return storedOffset(r.t, r.offsets, p)
}

func storedOffset(t interface{ Fatal(args ...any) }, store storage.OffsetStore, p string) string {
	key, err := records.OffsetKey("c", partition(p))
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(got[string(key)])
}

func partition(p string) *data.Map {
	m := data.NewMap(1)
	m.Put("p", p)
	return m
}

func offset(n int64) *data.Map {
	m := data.NewMap(1)
	m.Put("n", n)
	return m
}

// rec is a record of a source partition with the value as text.
func rec(p string, n int64, value string) connect.SourceRecord {
	return connect.NewSourceRecord(partition(p), offset(n), "t", nil, value)
}

// batch is a poll that returns records.
func batch(records ...connect.SourceRecord) func(context.Context) ([]connect.SourceRecord, error) {
	return func(context.Context) ([]connect.SourceRecord, error) { return records, nil }
}

func pollFails(err error) func(context.Context) ([]connect.SourceRecord, error) {
	return func(context.Context) ([]connect.SourceRecord, error) { return nil, err }
}

// traceStatuses keeps the trace of the last task status.
type traceStatuses struct {
	fakeStatuses
	trace string
}

func (s *traceStatuses) PutTaskSafe(_ connect.TaskID, st storage.Status) { s.trace = st.Trace }

func entry(t *testing.T, p, value string) storage.OffsetEntry {
	key, err := records.OffsetKey("c", partition(p))
	if err != nil {
		t.Fatal(err)
	}
	return storage.OffsetEntry{Key: key, Value: []byte(value)}
}
