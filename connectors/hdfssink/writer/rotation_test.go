package writer_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/writer"
)

// byTimestamp is the record's clock.
type byTimestamp struct{}

func (byTimestamp) Extract(rec *connect.SinkRecord, _ int64) (int64, error) {
	if rec.Timestamp < 0 {
		return 0, &connect.DataError{Msg: "no timestamp"}
	}
	return rec.Timestamp, nil
}

// event is a record at a wall clock time, or with offset -1 a turn without records.
type event struct{ now, offset, timestamp int64 }

func TestRotation(t *testing.T) {
	const day = 24 * 3600 * 1000
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	for _, c := range []struct {
		name   string
		config func(*writer.Config)
		events []event
		want   []string // first and last offsets of the committed files
	}{
		{"by size", func(c *writer.Config) { c.FlushSize = 2 },
			[]event{{0, 0, 0}, {0, 1, 0}, {0, 2, 0}}, []string{"0-1"}},
		{"wall clock, at a record", func(c *writer.Config) { c.RotateInterval = 100 },
			[]event{{0, 0, 0}, {99, 1, 0}, {100, 2, 0}, {150, 3, 0}, {199, 4, 0}, {200, 5, 0}}, []string{"0-1", "2-4"}},
		{"wall clock, without records", func(c *writer.Config) { c.RotateInterval = 100 },
			[]event{{0, 0, 0}, {99, -1, 0}, {100, -1, 0}, {150, 1, 0}, {200, -1, 0}}, []string{"0-0", "1-1"}},
		{"record clock", func(c *writer.Config) { c.RotateInterval, c.Extractor = 100, byTimestamp{} },
			[]event{{0, 0, 5}, {0, 1, 104}, {9999, -1, 0}, {0, 2, 105}, {0, 3, 50}, {0, 4, 204}, {0, 5, 205}}, []string{"0-1", "2-4"}},
		{"record clock does not stand still at a size commit", func(c *writer.Config) { c.RotateInterval, c.Extractor, c.FlushSize = 100, byTimestamp{}, 2 },
			[]event{{0, 0, 0}, {0, 1, 90}, {0, 2, 150}, {0, 3, 189}, {0, 4, 190}}, []string{"0-1", "2-3"}},
		{"schedule from midnight", func(c *writer.Config) { c.ScheduleInterval = 7 * 3600 * 1000 },
			[]event{{0, 0, 0}, {7*3600*1000 - 1, -1, 0}, {7 * 3600 * 1000, -1, 0}, {22 * 3600 * 1000, 1, 0}, {day - 1, -1, 0}, {day, -1, 0}}, []string{"0-0", "1-1"}},
		{"schedule in a time zone", func(c *writer.Config) { c.ScheduleInterval, c.Location = day, berlin },
			[]event{{0, 0, 0}, {23*3600*1000 - 1, -1, 0}, {23 * 3600 * 1000, -1, 0}}, []string{"0-0"}},
		{"flush.interval.ms from the first record on", func(c *writer.Config) { c.FlushInterval = 100 },
			[]event{{1000, -1, 0}, {1050, 0, 0}, {1100, 1, 0}, {1149, -1, 0}, {1150, -1, 0}, {1151, 2, 0}, {1250, 3, 0}, {1251, 4, 0}}, []string{"0-1", "2-3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := memfs.New()
				w := newWorker(t, fs, 0, func(cfg *writer.Config) { cfg.FlushSize, cfg.Partitioner = 1000, byOffset(1) }, c.config)
				w.now = 0
				w.open()
				for _, e := range c.events {
					var recs []connect.SinkRecord
					if e.offset >= 0 {
						rec := record(e.offset, fmt.Sprint(e.offset))
						rec.Timestamp = e.timestamp
						recs = append(recs, rec)
					}
					must(t, w.p.Put(t.Context(), recs, e.now))
				}
				w.close()
				var got []string
				for _, f := range readCommitted(t, fs) {
					got = append(got, fmt.Sprintf("%d-%d", f.Start, f.End))
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestDueTellsWhenPutIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, memfs.New(), 0, func(c *writer.Config) { c.FlushInterval, c.RotateInterval = 500, 2000 }).open()
		defer w.close()
		if at, ok := w.p.Due(w.now); ok {
			t.Errorf("nothing is open, and it is due at %d", at)
		}
		must(t, w.p.Put(t.Context(), []connect.SinkRecord{record(0, "0")}, w.now+100))
		if at, ok := w.p.Due(w.now + 100); !ok || at != w.now+600 {
			t.Errorf("due at %d %v, want %d", at, ok, w.now+600)
		}
	})
}

func version(t *testing.T, v int, fields ...string) *data.Schema {
	t.Helper()
	b := data.NewBuilder(data.StructType).Name("r").Version(v)
	for _, f := range fields {
		s, err := data.NewBuilder(data.Int32).Optional().Build()
		must(t, err)
		b.Field(f, s)
	}
	s, err := b.Build()
	must(t, err)
	return s
}

func TestSchemaChanges(t *testing.T) {
	v1, v2 := version(t, 1, "a"), version(t, 2, "a", "b")
	for _, c := range []struct {
		compatibility writer.Compatibility
		schemas       []*data.Schema
		want          []string
	}{
		{writer.None, []*data.Schema{v1, v1, v2, v2, v1}, []string{"0-1", "2-3"}},
		{writer.Backward, []*data.Schema{v1, v1, v2, v1, v2}, []string{"0-1"}},
		{writer.Full, []*data.Schema{v1, v1, v2, v1, v2}, []string{"0-1"}},
		{writer.Forward, []*data.Schema{v2, v2, v1, v2, v1}, []string{"0-1"}},
		{writer.None, []*data.Schema{v1, version(t, 1, "a"), v1}, nil},
	} {
		t.Run(c.compatibility.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := memfs.New()
				w := newWorker(t, fs, 0, func(cfg *writer.Config) {
					cfg.FlushSize, cfg.Partitioner, cfg.Compatibility = 1000, byOffset(1), c.compatibility
				}).open()
				for i, s := range c.schemas {
					rec := connect.SinkRecord{Record: connect.Record{Topic: tp.Topic, Partition: tp.Partition, Offset: int64(i)}, Original: tp}
					rec.Value.SetValue(s, data.NewStruct(s))
					must(t, w.p.Put(t.Context(), []connect.SinkRecord{rec}, w.now))
				}
				w.close()
				var got []string
				for _, f := range readCommitted(t, fs) {
					got = append(got, fmt.Sprintf("%d-%d", f.Start, f.End))
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestSwitchToSchemalessIsARecordError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, memfs.New(), 0).open()
		defer w.close()
		must(t, w.p.Put(t.Context(), []connect.SinkRecord{record(0, "0")}, w.now))
		tombstone := connect.SinkRecord{Record: connect.Record{Topic: tp.Topic, Partition: tp.Partition, Offset: 1}, Original: tp}
		err := w.p.Put(t.Context(), []connect.SinkRecord{tombstone}, w.now)
		if err == nil || err.Error()[:33] != "Switch between schema-based and s" {
			t.Errorf("got %v", err)
		}
	})
}
