package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafka"
)

// exactlyOnce writes records and their source offsets in one transaction (KIP-618; Java:
// ExactlyOnceWorkerSourceTask). Either both are visible or none is: a task that dies, at
// whatever line, goes on where its last committed transaction ended. An older task of the
// same id cannot commit any more once open has returned.
//
//	           first record of a transaction
//	no transaction ------------------------> open
//	     ^                                    | boundary: offsets -> same transaction -> commit
//	     |------------------------------------|
//	     |                                    | boundary, abort: abort; then the offsets alone
//	     '------------------------------------'    in a transaction of their own
//
// All of it is done by the task's goroutine, CommitRecord and Commit included.
type exactlyOnce struct {
	s         *sourceTask
	committer connect.RecordCommitter // nil: the task does not want to know
	fence     func(ctx context.Context) error
	verify    func(ctx context.Context) error
	boundary  settings.Boundary
	interval  time.Duration

	offsets *partitionTable
	writer  *offsetWriter
	tx      *transaction // nil: none is open
	last    time.Time    // of the last commit, for the interval
	told    []toldRecord // of transactions that are not committed
	cursor  int          // records of the current segment that are in told
}

// toldRecord is a record that the task is told of once its offset is committed.
type toldRecord struct {
	record *connect.SourceRecord
	meta   *connect.RecordMetadata // nil: left out
}

// transaction is one open transaction. Late answers find an old one and change nothing.
type transaction struct {
	mu   sync.Mutex
	err  error // the first record that could not be written
	size int64 // records
}

func (t *transaction) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func newExactlyOnce(s *sourceTask, boundary settings.Boundary, interval time.Duration, fence, verify func(ctx context.Context) error) *exactlyOnce {
	x := &exactlyOnce{s: s, boundary: boundary, interval: interval, fence: fence, verify: verify, offsets: newPartitionTable(s.id.Connector)}
	x.committer, _ = s.source.(connect.RecordCommitter)
	return x
}

// open takes over from older tasks of this id, step by step: none of another generation
// writes (fence), none of this id does (InitTransactions), and only then it is looked at
// whether this one is still wanted (verify).
func (x *exactlyOnce) open(ctx context.Context) error {
	x.writer = newOffsetWriter(x.s.clients.offsets, x.s.id.Connector, x.s.log)
	if err := x.fence(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // InitTransactions might fence a newer task out
	}
	if err := x.s.clients.producer.InitTransactions(ctx); err != nil {
		return err
	}
	return x.verify(ctx)
}

func (x *exactlyOnce) begin(context.Context) { x.resume() }

func (x *exactlyOnce) resume() { x.last = time.Now() }

// ready ends a Poll when the transaction is due: left open, it would time out, and until
// then nobody who reads committed records gets past it.
func (x *exactlyOnce) ready() (time.Time, error) {
	if x.tx == nil {
		return time.Time{}, nil
	}
	if err := x.tx.failure(); err != nil {
		return time.Time{}, x.flushError(err)
	}
	if x.boundary != settings.BoundaryInterval {
		return time.Time{}, nil
	}
	return x.last.Add(x.interval), nil
}

func (x *exactlyOnce) submit(_ context.Context, seg *segment) error {
	x.cursor = 0
	if x.committer != nil {
		seg.metas = make([]connect.RecordMetadata, len(seg.out))
	}
	topic := ""
	for i := range seg.out {
		if t := seg.out[i].Topic; t != topic {
			topic = t
			if t == x.s.clients.topic {
				// A task that reads its offsets would wait for its own open transaction.
				return &connect.Error{Msg: "Source tasks may not produce to their own offsets topics when exactly-once support is enabled"}
			}
		}
	}
	return nil
}

func (x *exactlyOnce) send(ctx context.Context, seg *segment, n int) (int, error) {
	if err := x.beginTransaction(); err != nil {
		return 0, err
	}
	tx, from := x.tx, seg.sent
	err := x.s.clients.producer.SendAsync(ctx, seg.out[from:from+n], func(acks []kafka.Ack) { x.acked(tx, seg, from, acks) })
	taken := takenOf(n, err)
	tx.size += int64(taken)
	for i := from; i < from+taken; i++ {
		r := &seg.records[seg.recordOf(i)]
		if p := x.offsets.find(r); !p.untracked {
			x.offsets.commit(p, r.SourceOffset)
		}
	}
	if taken > 0 {
		x.tellLater(seg, seg.recordOf(from+taken-1)+1)
	}
	return taken, err
}

// acked runs in the producer's goroutines.
func (x *exactlyOnce) acked(tx *transaction, seg *segment, from int, acks []kafka.Ack) {
	written, topic := 0, ""
	tx.mu.Lock()
	failed := false
	for i := range acks {
		a := &acks[i]
		if a.Err != nil {
			if tx.err == nil {
				tx.err, failed = a.Err, true
			}
			continue
		}
		written++
		if seg.metas != nil {
			seg.metas[from+a.Index] = a.Meta
		}
		if t := a.Meta.Topic; x.s.tracker != nil && t != topic {
			topic = t
			x.s.tracker.track(t)
		}
	}
	tx.mu.Unlock()
	x.s.counters.SourceRecordWriteTotal.Add(int64(written))
	x.s.counters.SourceRecordActiveCount.Add(-int64(len(acks)))
	if failed {
		x.s.interruptPoll()
	}
}

// tellLater notes records of the segment up to a limit, in order.
func (x *exactlyOnce) tellLater(seg *segment, limit int) {
	if x.committer == nil {
		return
	}
	out := x.cursorOut(seg)
	for ; x.cursor < limit; x.cursor++ {
		t := toldRecord{record: &seg.records[x.cursor]}
		if out < len(seg.out) && seg.recordOf(out) == x.cursor {
			t.meta = &seg.metas[out]
			out++
		}
		x.told = append(x.told, t)
	}
}

// cursorOut returns the first element of out that comes from the cursor or later.
func (x *exactlyOnce) cursorOut(seg *segment) int {
	if seg.index == nil {
		return x.cursor
	}
	out := 0
	for out < len(seg.index) && int(seg.index[out]) < x.cursor {
		out++
	}
	return out
}

func (x *exactlyOnce) segmentSent(ctx context.Context, seg *segment, b *boundary) error {
	x.tellLater(seg, seg.done)
	if b == nil {
		return nil
	}
	return x.endTransaction(ctx, b.abort)
}

func (x *exactlyOnce) batchSent(ctx context.Context) error {
	switch x.boundary {
	case settings.BoundaryInterval:
		if now := time.Now(); now.Before(x.last.Add(x.interval)) {
			return nil
		}
		x.last = time.Now()
	case settings.BoundaryConnector:
		return x.endAsAsked(ctx)
	case settings.BoundaryPoll:
	}
	return x.commit(ctx)
}

// endAsAsked ends the transaction if the task has asked for it.
func (x *exactlyOnce) endAsAsked(ctx context.Context) error {
	commit, abort, err := x.s.boundaries.takeBatch()
	if err != nil || !commit && !abort {
		return err
	}
	return x.endTransaction(ctx, abort)
}

// endTransaction commits; if abort is set, the offsets alone: or else the task would see
// the records that it does not want again.
func (x *exactlyOnce) endTransaction(ctx context.Context, abort bool) error {
	if abort {
		if err := x.abort(ctx); err != nil {
			return err
		}
	}
	return x.commit(ctx)
}

func (x *exactlyOnce) abort(ctx context.Context) error {
	if x.tx == nil {
		x.s.log.Warn("Ignoring request by task to abort transaction as the current transaction is empty")
		return nil
	}
	x.s.log.Info("Aborting transaction as requested by connector", zap.Int64("records", x.tx.size))
	if err := x.s.clients.producer.AbortTransaction(ctx); err != nil {
		return x.flushError(err)
	}
	x.tx = nil
	for i := range x.told {
		x.told[i].meta = nil // left out
	}
	return nil
}

func (x *exactlyOnce) beginTransaction() error {
	if x.tx != nil {
		return nil
	}
	if err := x.s.clients.producer.BeginTransaction(); err != nil {
		return err
	}
	x.tx = &transaction{}
	return nil
}

// commit writes the offsets into the transaction and commits it.
func (x *exactlyOnce) commit(ctx context.Context) error {
	began := time.Now()
	x.offsets.drainTo(x.writer)
	if x.tx != nil || !x.writer.empty() {
		if err := x.commitTransaction(ctx); err != nil {
			x.s.counters.committed(time.Since(began), err)
			return x.flushError(err)
		}
	}
	x.s.counters.committed(time.Since(began), nil)
	if x.committer != nil {
		for i := range x.told {
			x.s.tellRecord(ctx, x.committer, x.told[i].record, x.told[i].meta)
		}
		clear(x.told)
		x.told = x.told[:0]
	}
	x.s.tellCommitted(ctx)
	return nil
}

func (x *exactlyOnce) commitTransaction(ctx context.Context) error {
	if err := x.beginTransaction(); err != nil {
		return err
	}
	tx := x.tx
	if !x.writer.empty() {
		if err := x.writer.flush(ctx); err != nil {
			return err
		}
	}
	if err := tx.failure(); err != nil {
		return err
	}
	if err := x.s.clients.producer.CommitTransaction(ctx); err != nil {
		if tx.failure() == nil {
			// Whether it is committed is not known: the next task's InitTransactions ends
			// it, one way or the other, before that task reads its offsets.
			x.tx = nil
		}
		return err
	}
	x.tx = nil
	x.s.counters.transaction(tx.size)
	return nil
}

// pause commits, because a transaction would time out while nothing happens. One whose
// end is up to the task stays open, as in the JVM; what the task has asked for a batch
// must wait until all of the batch is sent.
func (x *exactlyOnce) pause(ctx context.Context) error {
	switch {
	case x.boundary != settings.BoundaryConnector:
		return x.commit(ctx)
	case x.s.batch.open:
		return nil
	}
	return x.endAsAsked(ctx)
}

// end commits what was sent, unless the task failed, or where the transaction ends is up
// to the task and it has not said so. What is left open is aborted, so that nobody waits for
// it; an abandoned task is past that, too.
func (x *exactlyOnce) end(ctx context.Context, failed bool) error {
	var err error
	switch {
	case ctx.Err() != nil:
		return nil
	case failed:
	case x.boundary != settings.BoundaryConnector:
		err = x.commit(ctx)
	case !x.s.batch.open:
		err = x.endAsAsked(ctx)
	}
	if x.tx != nil {
		ctx, cancel := context.WithTimeout(ctx, x.s.flushTimeout)
		defer cancel()
		if e := x.s.clients.producer.AbortTransaction(ctx); e != nil {
			x.s.log.Warn("could not abort the open transaction; it ends after transaction.timeout.ms or when the task is started again", zap.Error(e))
		}
		x.tx = nil
	}
	return err
}

func (x *exactlyOnce) flushError(err error) error {
	return x.wrap("Failed to flush offsets and/or records for task "+x.s.id.String(), err)
}

func (x *exactlyOnce) wrap(msg string, err error) error {
	if errors.Is(err, kafka.ErrInvalidProducerEpoch) {
		msg = fmt.Sprintf("The task %s was unable to finish writing records to Kafka before its producer transaction expired. "+
			"It may be necessary to reconfigure this connector in order for it to run healthily with exactly-once support. "+
			"Options for this include: tune the connector's producer configuration for higher throughput, "+
			"increase the transaction timeout for the connector's producers, "+
			"decrease the offset commit interval (if using interval-based transaction boundaries), "+
			"or use the 'poll' transaction boundary (if the connector is not already configured to use it).", x.s.id)
	}
	return &connect.Error{Msg: msg, Err: err}
}
