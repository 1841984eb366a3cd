package kafka

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// Consumer fetches batches of partitions that are given to it by hand: no group,
// no commits. All methods but Wake belong to one goroutine; fetching goes on in
// the background, at most one response per broker ahead.
type Consumer struct{}

// NewConsumer returns a consumer without partitions. It honours the Java consumer
// properties (isolation.level, auto.offset.reset, fetch.*, max.partition.fetch.bytes,
// max.poll.records, client.rack …).
func NewConsumer(ctx context.Context, props map[string]string, log *zap.Logger) (*Consumer, error) {
	panic("not written yet")
}

// Special start offsets.
const (
	OffsetEarliest int64 = -2
	OffsetLatest   int64 = -1
	// OffsetReset starts where auto.offset.reset says.
	OffsetReset int64 = -3
)

// Add starts fetching partitions from the given offsets.
func (c *Consumer) Add(offsets map[connect.TopicPartition]int64) { panic("not written yet") }

// Remove stops fetching partitions and drops what was fetched of them.
func (c *Consumer) Remove(tps ...connect.TopicPartition) { panic("not written yet") }

// Seek goes on at offset; what was fetched before is dropped.
func (c *Consumer) Seek(tp connect.TopicPartition, offset int64) { panic("not written yet") }

// Pause keeps Poll from returning records of the partitions, and keeps their fetched data.
func (c *Consumer) Pause(tps ...connect.TopicPartition) { panic("not written yet") }

// Resume ends Pause.
func (c *Consumer) Resume(tps ...connect.TopicPartition) { panic("not written yet") }

// Position returns the offset of the next record Poll would return: it also moves
// over control records, aborted transactions and compaction gaps. It asks the
// broker where the start offset was not resolved yet.
func (c *Consumer) Position(ctx context.Context, tp connect.TopicPartition) (int64, error) {
	panic("not written yet")
}

// Poll returns what was fetched, at most max.poll.records, waiting up to timeout
// for the first record. Batches and records are valid until the next Poll.
// It returns early, with nothing, after Wake.
func (c *Consumer) Poll(ctx context.Context, timeout time.Duration) ([]Batch, error) {
	panic("not written yet")
}

// Wake makes a Poll that waits return; without one, the next Poll.
func (c *Consumer) Wake() { panic("not written yet") }

// Close stops fetching and releases the connections.
func (c *Consumer) Close() error { panic("not written yet") }
