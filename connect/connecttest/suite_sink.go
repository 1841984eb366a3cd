package connecttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// Sink describes a sink connector to RunSink.
type Sink struct {
	// New makes a connector that was not started.
	New func() connect.SinkConnector
	// Props makes a place of its own to write to and returns a config that writes there.
	Props func(tb testing.TB) map[string]string
	// Bad are keys, each set wrong or Missing, that make the config one with which the
	// connector or a task must not start.
	Bad []map[string]string
	// Topic is the topic of the records; "" = connecttest.
	Topic string
	// Record makes the record of an offset; nil = the text of NewText.
	Record func(tp connect.TopicPartition, offset int64) connect.SinkRecord
	// Holds fails the test unless what Props has made holds the records of a partition from
	// offset 0 up to, but not including, next; nil = that is not tested. The tasks were
	// stopped before.
	Holds func(tb testing.TB, props map[string]string, tp connect.TopicPartition, next int64)
}

// RunSink checks that a sink connector keeps to the contract of package connect, in
// subtests of t.
func RunSink(t *testing.T, s Sink) { run(t, s.cases()) }

func (s Sink) cases() []testCase {
	if s.Record == nil {
		s.Record = NewText
	}
	if s.Topic == "" {
		s.Topic = "connecttest"
	}
	all := (&subject{
		new:   func() connect.Connector { return s.New() },
		props: s.Props, bad: s.Bad,
		start: func(ctx context.Context, props map[string]string) (func(context.Context) error, error) {
			r, err := OpenSink(ctx, s.New(), props, Options{})
			if err != nil {
				return nil, err
			}
			return r.Stop, nil
		},
		newTask: func() func(context.Context) error { return s.New().NewTask().Stop },
	}).connectorCases()
	return append(all,
		testCase{"an empty batch may come at any time", s.checkEmpty},
		testCase{"nothing is committed that was not put", s.checkCommit},
		testCase{"partitions come and go", s.checkRebalance},
		testCase{"what was committed survives a restart", s.checkRestart},
		testCase{"offsets can be set by hand and forgotten", s.checkAlter},
	)
}

// TextOf is the text of the record that NewText makes for an offset.
func TextOf(tp connect.TopicPartition, offset int64) string {
	return fmt.Sprintf("%s at %d", tp, offset)
}

// NewText returns a record whose value is TextOf, still encoded: as with the
// StringConverter its bytes are those of the batch.
func NewText(tp connect.TopicPartition, offset int64) connect.SinkRecord {
	r := NewRecord(tp, offset, nil, nil)
	r.Value.SetRaw(data.OptionalString, []byte(TextOf(tp, offset)), data.UTF8, textDecoder{}, nil)
	return r
}

type textDecoder struct{}

func (textDecoder) DecodeRaw(raw []byte) (any, error) { return string(raw), nil }

func (s Sink) tp(partition int32) connect.TopicPartition {
	return connect.TopicPartition{Topic: s.Topic, Partition: partition}
}

// sinkTest is one running task of a test.
type sinkTest struct {
	s    Sink
	tb   testing.TB
	run  *SinkRun
	task *SinkTask
	next map[connect.TopicPartition]int64 // the offset of the next record to put
}

func (s Sink) start(tb testing.TB, props map[string]string) *sinkTest {
	tb.Helper()
	r := StartSink(tb, s.New(), props, Options{})
	if len(r.Tasks) == 0 {
		tb.Fatal("TaskConfigs(1) returned no task")
	}
	return &sinkTest{s, tb, r, r.Tasks[0], map[connect.TopicPartition]int64{}}
}

// open assigns partitions, whose records go on at the given offset or where the task
// wants them to.
func (t *sinkTest) open(from int64, tps ...connect.TopicPartition) {
	t.tb.Helper()
	for _, tp := range tps {
		t.next[tp] = from
	}
	if err := t.task.OpenAt(t.tb.Context(), from, tps...); err != nil {
		t.tb.Fatalf("Open: %v", err)
	}
	t.seek()
}

func (t *sinkTest) seek() {
	t.tb.Helper()
	for tp, offset := range t.task.Context.TakeSeeks() {
		if _, ok := t.next[tp]; !ok {
			t.tb.Fatalf("the task asked to go on at offset %d of partition %s, which it does not have", offset, tp)
		}
		t.next[tp] = offset
	}
}

// put puts the next n records of each partition and wipes their bytes then: the runtime
// uses them again.
func (t *sinkTest) put(n int, tps ...connect.TopicPartition) {
	t.tb.Helper()
	t.awaitResumed(tps)
	var batch []connect.SinkRecord
	for _, tp := range tps {
		for range n {
			batch = append(batch, t.s.Record(tp, t.next[tp]))
			t.next[tp]++
		}
	}
	t.call(func() error { return t.task.Put(t.tb.Context(), batch...) })
	for i := range batch {
		for _, d := range []*data.Datum{&batch[i].Key, &batch[i].Value} {
			_, raw := d.Raw()
			for j := range raw {
				raw[j] = '?'
			}
		}
	}
	t.seek()
}

// patience is how long a task may be busy with something that is no error.
const patience = 10 * time.Second

// call makes a Put, and repeats it while the task wants that.
func (t *sinkTest) call(put func() error) {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.tb.Context(), patience)
	defer cancel()
	var retriable *connect.RetriableError
	err := put()
	for errors.As(err, &retriable) && ctx.Err() == nil {
		wait(ctx, t.task.Context.TakeTimeout())
		err = t.task.Retry(ctx)
	}
	if err != nil {
		t.tb.Fatalf("Put: %v", err)
	}
}

// awaitResumed puts empty batches until the task takes records of the partitions.
func (t *sinkTest) awaitResumed(tps []connect.TopicPartition) {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.tb.Context(), patience)
	defer cancel()
	for slices.ContainsFunc(tps, func(tp connect.TopicPartition) bool { return t.task.Context.paused[tp] }) {
		if ctx.Err() != nil {
			t.tb.Fatalf("the task still pauses %v after %s", t.task.Context.Paused(), patience)
		}
		wait(ctx, t.task.Context.TakeTimeout())
		t.call(func() error { return t.task.Put(ctx) })
		t.seek()
	}
}

func wait(ctx context.Context, ms int64) {
	if ms < 0 {
		ms = 10
	}
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (t *sinkTest) commit() map[connect.TopicPartition]int64 {
	t.tb.Helper()
	offsets, err := t.task.Commit(t.tb.Context())
	if err != nil {
		t.tb.Fatal(err)
	}
	return offsets
}

func (t *sinkTest) close(tps ...connect.TopicPartition) map[connect.TopicPartition]int64 {
	t.tb.Helper()
	offsets, err := t.task.Close(t.tb.Context(), tps...)
	if err != nil {
		t.tb.Fatalf("Close: %v", err)
	}
	for _, tp := range tps {
		delete(t.next, tp)
	}
	t.task.Context.TakeSeeks() // the runtime drops those of partitions that are gone
	return offsets
}

func (t *sinkTest) stop() {
	t.tb.Helper()
	stopQuietly(t.tb, t.run.Stop)
}

func (s Sink) checkEmpty(tb testing.TB) {
	t := s.start(tb, s.Props(tb))
	t.put(0) // before any partition is there
	t.open(0, s.tp(0))
	t.put(0)
	t.commit()
	t.put(3, s.tp(0))
	t.put(0)
	t.commit()
	t.close(s.tp(0))
	t.put(0)
	t.stop()
}

func (s Sink) checkCommit(tb testing.TB) {
	t := s.start(tb, s.Props(tb))
	a, b := s.tp(0), s.tp(1)
	t.open(0, a, b)
	last := map[connect.TopicPartition]int64{}
	for n := range 20 {
		if n%3 == 0 {
			t.put(n, a, b)
		} else {
			t.put(n, a)
		}
		for tp, offset := range t.commit() {
			if offset < last[tp] {
				tb.Fatalf("PreCommit went back from offset %d to %d of partition %s", last[tp], offset, tp)
			}
			last[tp] = offset
		}
	}
	t.close(a, b)
	t.stop()
}

func (s Sink) checkRebalance(tb testing.TB) {
	props := s.Props(tb)
	t := s.start(tb, props)
	a, b, c := s.tp(0), s.tp(1), s.tp(2)
	t.open(0, a, b)
	t.put(10, a, b)
	closed := t.close(a)
	t.put(10, b) // goes on while a is elsewhere
	t.open(0, c)
	t.put(10, b, c)
	t.open(closed[a], a) // and comes back
	t.put(10, a, b, c)
	for tp, next := range t.close(a, b, c) {
		closed[tp] = next
	}
	t.stop()
	s.holds(tb, props, closed)
}

func (s Sink) checkRestart(tb testing.TB) {
	props := s.Props(tb)
	tp := s.tp(0)
	t := s.start(tb, props)
	t.open(0, tp)
	t.put(50, tp)
	committed := t.commit()[tp]
	t.put(50, tp) // never committed
	t.stop()
	t = s.start(tb, props)
	t.open(committed, tp)
	t.put(100, tp)
	offsets := t.close(tp)
	if _, ok := offsets[tp]; !ok {
		offsets = map[connect.TopicPartition]int64{tp: committed}
	}
	t.stop()
	s.holds(tb, props, offsets)
}

// holds looks for the records before offsets that were committed.
func (s Sink) holds(tb testing.TB, props map[string]string, committed map[connect.TopicPartition]int64) {
	tb.Helper()
	if s.Holds == nil {
		return
	}
	for tp, next := range committed {
		s.Holds(tb, props, tp, next)
	}
}

func (s Sink) checkAlter(tb testing.TB) {
	a, ok := s.New().(connect.SinkOffsetAlterer)
	if !ok {
		tb.Skip("the connector does not look at offsets that are set by hand")
	}
	next := int64(5)
	for range 2 { // a change that failed later is repeated
		err := a.AlterOffsets(s.Props(tb), map[connect.TopicPartition]*int64{s.tp(0): &next, s.tp(1): nil})
		if err != nil {
			tb.Fatalf("AlterOffsets: %v", err)
		}
	}
}
