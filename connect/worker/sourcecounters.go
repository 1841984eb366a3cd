package worker

import (
	"sync/atomic"
	"time"
)

// sourceCounters are the numbers behind the JVM's source-task-metrics and the offset
// commits of task-metrics. They can be read from any goroutine.
type sourceCounters struct {
	SourceRecordPollTotal   atomic.Int64 // records returned by Poll
	SourceRecordWriteTotal  atomic.Int64 // records acknowledged by Kafka
	SourceRecordActiveCount atomic.Int64 // polled, and neither left out nor acknowledged
	PollBatches             atomic.Int64 // Polls that returned records
	PollBatchTimeNanos      atomic.Int64 // the time of those
	PollBatchMaxTimeNanos   atomic.Int64

	OffsetCommitSuccesses    atomic.Int64
	OffsetCommitFailures     atomic.Int64
	OffsetCommitTimeNanos    atomic.Int64 // of all commits
	OffsetCommitMaxTimeNanos atomic.Int64

	// Of committed transactions, in records.
	Transactions       atomic.Int64
	TransactionSizeSum atomic.Int64
	TransactionSizeMin atomic.Int64
	TransactionSizeMax atomic.Int64
}

func (c *sourceCounters) polled(n int, d time.Duration) {
	c.SourceRecordPollTotal.Add(int64(n))
	c.SourceRecordActiveCount.Add(int64(n))
	c.PollBatches.Add(1)
	c.PollBatchTimeNanos.Add(int64(d))
	raise(&c.PollBatchMaxTimeNanos, int64(d))
}

func (c *sourceCounters) committed(d time.Duration, err error) {
	if err != nil {
		c.OffsetCommitFailures.Add(1)
	} else {
		c.OffsetCommitSuccesses.Add(1)
	}
	c.OffsetCommitTimeNanos.Add(int64(d))
	raise(&c.OffsetCommitMaxTimeNanos, int64(d))
}

func (c *sourceCounters) transaction(size int64) {
	if c.Transactions.Add(1) == 1 || size < c.TransactionSizeMin.Load() {
		c.TransactionSizeMin.Store(size)
	}
	c.TransactionSizeSum.Add(size)
	raise(&c.TransactionSizeMax, size)
}

// raise is for a maximum with one writer.
func raise(m *atomic.Int64, v int64) {
	if v > m.Load() {
		m.Store(v)
	}
}
