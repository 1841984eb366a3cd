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

// Source describes a source connector to RunSource.
type Source struct {
	// New makes a connector that was not started.
	New func() connect.SourceConnector
	// Props makes a place of its own with something to read, and returns a config that
	// reads it. It is called once or more in each test; all places have the same records.
	Props func(tb testing.TB) map[string]string
	// Bad are keys, each set wrong or Missing, that make the config one with which the
	// connector or a task must not start.
	Bad []map[string]string
	// Records is how many records each task reads at least; with 0 what is about records is
	// not tested.
	Records int
	// MaxTasks is how many tasks there may be; 0 = 1.
	MaxTasks int
	// Same tells whether two records are the same; nil = topic, Kafka partition, source
	// partition and offset, key, value and headers are equal.
	Same func(a, b *connect.SourceRecord) bool
}

// RunSource checks that a source connector keeps to the contract of package connect, in
// subtests of t.
func RunSource(t *testing.T, s Source) { run(t, s.cases()) }

func (s Source) cases() []testCase {
	if s.Same == nil {
		s.Same = sameRecord
	}
	all := (&subject{
		new:   func() connect.Connector { return s.New() },
		props: s.Props, bad: s.Bad,
		start: func(ctx context.Context, props map[string]string) (func(context.Context) error, error) {
			r, err := OpenSource(ctx, s.New(), props, s.options(nil))
			if err != nil {
				return nil, err
			}
			return r.Stop, nil
		},
		newTask: func() func(context.Context) error { return s.New().NewTask().Stop },
	}).connectorCases()
	all = append(all,
		testCase{"questions about a config that was not checked are answered", s.checkQuestions},
		testCase{"a poll returns within a second after its context ends, and waits for records", s.checkPoll},
		testCase{"any offset can be forgotten", s.checkForget},
	)
	if s.Records == 0 {
		return all
	}
	return append(all,
		testCase{"records have a topic and offsets that can be stored", s.checkRecords},
		testCase{"records are not touched after they were returned", s.checkOwnership},
		testCase{"a restart goes on after the committed offset", s.checkRestart},
		testCase{"its own offsets can be set by hand", s.checkAlter},
	)
}

func (s Source) options(offsets *Offsets) Options {
	return Options{MaxTasks: s.MaxTasks, Offsets: offsets}
}

// checkQuestions asks before the config is known to be right, as the runtime does.
func (s Source) checkQuestions(tb testing.TB) {
	for _, props := range []map[string]string{nil, {}, s.Props(tb)} {
		c := s.New()
		if e, ok := c.(connect.ExactlyOnceSupporter); ok {
			e.SupportsExactlyOnce(props)
		}
		if d, ok := c.(connect.TransactionBoundaryDefiner); ok {
			d.DefinesTransactionBoundaries(props)
		}
	}
}

const (
	pollTime = 300 * time.Millisecond
	// emptyPolls is how often a Poll may return nothing in that time.
	emptyPolls = 100
)

func (s Source) checkPoll(tb testing.TB) {
	r := StartSource(tb, s.New(), s.Props(tb), s.options(nil))
	for i, task := range r.Tasks {
		ctx, cancel := context.WithTimeout(tb.Context(), pollTime)
		empty := 0
		within(tb, fmt.Sprintf("a Poll of task %d whose context has ended", i), pollTime+promptly, func() {
			for ctx.Err() == nil {
				records, err := task.Task.Poll(ctx)
				if err := pollError(ctx, err); err != nil {
					tb.Errorf("task %d: Poll: %v", i, err)
					return
				}
				if len(records) == 0 {
					empty++
				}
			}
		})
		cancel()
		if empty > emptyPolls {
			tb.Errorf("task %d: Poll returned without records %d times in %s: it has to wait for some, until its context ends", i, empty, pollTime)
		}
		within(tb, fmt.Sprintf("a Poll of task %d that begins when its context has ended", i), promptly, func() {
			_, err := task.Task.Poll(ctx)
			if err := pollError(ctx, err); err != nil {
				tb.Errorf("task %d: Poll with a context that has ended: %v", i, err)
			}
		})
	}
}

// pollError returns the errors that are none to the runtime as nil.
func pollError(ctx context.Context, err error) error {
	var retriable *connect.RetriableError
	if errors.As(err, &retriable) || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (s Source) checkForget(tb testing.TB) {
	a, ok := s.New().(connect.SourceOffsetAlterer)
	if !ok {
		tb.Skip("the connector does not look at offsets that are set by hand")
	}
	foreign := data.NewMap(1)
	foreign.Put("connecttest.unknown", "partition")
	for range 2 { // a change that failed later is repeated
		if err := a.AlterOffsets(s.Props(tb), []connect.SourceOffset{{Partition: foreign}}); err != nil {
			tb.Fatalf("a connector must let go of offsets that it does not know, or nobody can: %v", err)
		}
	}
}

// collect starts a connector and polls records of each task.
func (s Source) collect(tb testing.TB, props map[string]string, offsets *Offsets) (*SourceRun, [][]connect.SourceRecord) {
	tb.Helper()
	r := StartSource(tb, s.New(), props, s.options(offsets))
	all := make([][]connect.SourceRecord, len(r.Tasks))
	for i, task := range r.Tasks {
		records, err := task.Poll(tb.Context(), s.Records)
		if err != nil {
			tb.Fatalf("task %d: %v", i, err)
		}
		all[i] = records[:s.Records]
	}
	return r, all
}

func (s Source) checkRecords(tb testing.TB) {
	r, all := s.collect(tb, s.Props(tb), nil)
	for i, records := range all {
		for n := range records {
			rec := &records[n]
			if rec.Topic == "" {
				tb.Errorf("task %d, record %d has no topic", i, n)
			}
			if (rec.SourcePartition == nil) != (rec.SourceOffset == nil) {
				tb.Errorf("task %d, record %d: source partition %v and offset %v; both or none have to be nil", i, n, rec.SourcePartition, rec.SourceOffset)
			}
		}
		within(tb, "Ack", stopTimeout, func() {
			if err := r.Tasks[i].Ack(tb.Context(), records...); err != nil {
				tb.Errorf("task %d: commit of its records: %v", i, err)
			}
		})
	}
}

// checkOwnership looks at each record right after its Poll and once more after others.
func (s Source) checkOwnership(tb testing.TB) {
	r := StartSource(tb, s.New(), s.Props(tb), s.options(nil))
	for i, task := range r.Tasks {
		var (
			all    []*connect.SourceRecord
			before []string
		)
		for len(all) < s.Records {
			records, err := task.Poll(tb.Context(), 1)
			if err != nil {
				tb.Fatalf("task %d: %v", i, err)
			}
			for n := range records {
				all, before = append(all, &records[n]), append(before, describe(&records[n]))
			}
		}
		for n := range all {
			if now := describe(all[n]); now != before[n] {
				tb.Fatalf("task %d has changed a record that it had returned, or something it refers to:\nbefore %s\nafter  %s", i, before[n], now)
			}
		}
	}
}

func (s Source) checkRestart(tb testing.TB) {
	props := s.Props(tb)
	first, want := s.collect(tb, props, nil)
	if err := first.Stop(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	exact := false
	if e, ok := s.New().(connect.ExactlyOnceSupporter); ok {
		exact = e.SupportsExactlyOnce(props)
	}
	for _, committed := range slices.Compact([]int{0, 1, s.Records / 2, s.Records - 1}) {
		offsets := &Offsets{}
		for i := range want {
			for n := range committed {
				if err := offsets.Set(want[i][n].SourcePartition, want[i][n].SourceOffset); err != nil {
					tb.Fatal(err)
				}
			}
		}
		again := StartSource(tb, s.New(), props, s.options(offsets))
		if len(again.Tasks) != len(want) {
			tb.Fatalf("%d tasks at first and %d after a restart", len(want), len(again.Tasks))
		}
		for i, task := range again.Tasks {
			s.follow(tb, task, want[i], committed, exact)
		}
		if err := again.Stop(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
}

// follow polls until the records from next on have come, each before those behind it.
func (s Source) follow(tb testing.TB, task *SourceTask, want []connect.SourceRecord, next int, exact bool) {
	tb.Helper()
	committed := next
	for next < len(want) {
		records, err := task.Poll(tb.Context(), 1)
		if err != nil {
			tb.Fatalf("after a restart with the offset of record %d of %s: %v", committed, task.Context.id, err)
		}
		for i := range records {
			r := &records[i]
			switch {
			case next == len(want):
				return
			case s.Same(r, &want[next]):
				next++
			case !slices.ContainsFunc(want[:next], func(w connect.SourceRecord) bool { return s.Same(r, &w) }):
				tb.Fatalf("after a restart with the offsets of the first %d records of %s a record is missing:\nwant %s\ngot  %s",
					committed, task.Context.id, describe(&want[next]), describe(r))
			case exact:
				tb.Fatalf("the connector supports exactly-once, but after a restart with the offsets of the first %d records of %s it repeats %s",
					committed, task.Context.id, describe(r))
			}
		}
	}
}

func (s Source) checkAlter(tb testing.TB) {
	a, ok := s.New().(connect.SourceOffsetAlterer)
	if !ok {
		tb.Skip("the connector does not look at offsets that are set by hand")
	}
	props := s.Props(tb)
	_, all := s.collect(tb, props, nil)
	stored := &Offsets{}
	for _, records := range all {
		for i := range records {
			if err := stored.Set(records[i].SourcePartition, records[i].SourceOffset); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for range 2 {
		if err := a.AlterOffsets(props, stored.All()); err != nil {
			tb.Fatalf("offsets that the tasks have made themselves are refused: %v", err)
		}
	}
}

func sameRecord(a, b *connect.SourceRecord) bool {
	return a.Topic == b.Topic && a.Partition == b.Partition &&
		equalMaps(a.SourcePartition, b.SourcePartition) && equalMaps(a.SourceOffset, b.SourceOffset) &&
		sameDatum(&a.Key, &b.Key) && sameDatum(&a.Value, &b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(x, y connect.Header) bool { return x.Key == y.Key && data.Equal(x.Value, y.Value) })
}

func equalMaps(a, b *data.Map) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(b)
}

func sameDatum(a, b *data.Datum) bool {
	x, errX := a.Value()
	y, errY := b.Value()
	return errX == nil && errY == nil && data.Equal(x, y)
}

// describe shows a record to people.
func describe(r *connect.SourceRecord) string {
	text := func(d *data.Datum) string {
		v, err := d.Value()
		if err != nil {
			return err.Error()
		}
		if b, ok := v.([]byte); ok {
			return fmt.Sprintf("%q", b)
		}
		return data.JavaString(v)
	}
	mapText := func(m *data.Map) string {
		if m == nil {
			return "none"
		}
		return m.String()
	}
	return fmt.Sprintf("record of source partition %s at offset %s for topic %s, partition %d: key %s, value %s",
		mapText(r.SourcePartition), mapText(r.SourceOffset), r.Topic, r.Partition, text(&r.Key), text(&r.Value))
}
