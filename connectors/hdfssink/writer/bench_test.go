package writer_test

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/writer"
)

// oneDirectory is the default partitioner.
type oneDirectory struct{}

func (oneDirectory) Encode(*connect.SinkRecord, int64) (string, error) { return "partition=3", nil }

const benchBatch = 500

// benchPut returns a function that puts the next batch of records of 200 bytes.
func benchPut(t tb) (put func(), done func()) {
	w := newWorker(t, memfs.New(), 0, func(c *writer.Config) {
		c.FlushSize, c.Partitioner, c.Format = 100_000, oneDirectory{}, lines{buffer: 64 << 10}
	}).open()
	records := make([]connect.SinkRecord, benchBatch)
	for i := range records {
		records[i] = record(0, strings.Repeat("x", 200))
	}
	offset := int64(0)
	return func() {
		for i := range records {
			records[i].Offset = offset
			offset++
		}
		if err := w.p.Put(t.Context(), records, w.now); err != nil {
			t.Fatal(err)
		}
	}, w.close
}

// BenchmarkPut: an operation is one record.
func BenchmarkPut(b *testing.B) {
	put, done := benchPut(b)
	defer done()
	b.SetBytes(200)
	b.ReportAllocs()
	for n := 0; n < b.N; n += benchBatch {
		put()
	}
}

// What is allocated is per file and per packet: far below one allocation a batch.
func TestPutAllocatesNothingPerRecord(t *testing.T) {
	put, done := benchPut(t)
	defer done()
	put()
	if n := testing.AllocsPerRun(100, put); n > 10 {
		t.Errorf("%v allocations per batch of %d records", n, benchBatch)
	}
}
