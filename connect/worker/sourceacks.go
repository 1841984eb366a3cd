package worker

import (
	"context"
	"sync"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/kafka"
)

// maxSubmitted bounds the records of a task that were sent and whose offsets are not
// committable yet, besides the producer's buffer.memory: a partition that hangs must not
// let the others run away from it, because everything since then is kept.
const maxSubmitted = 1 << 16

// submitted is a record that was sent, in the queue of its source partition.
type submitted struct {
	partition *sourcePartition
	offset    *data.Map
	next      *submitted
	record    *connect.SourceRecord   // nil: nobody wants to hear of it
	meta      *connect.RecordMetadata // where it was written; nil: it was not, or nobody asks
	settled   bool                    // it does not hold up the queue any more
	dropped   bool                    // it was not to be sent: its offset is not committed
}

// submittedRecords knows which records are on their way to Kafka and how far each source
// partition may be committed: up to its first record that was not acknowledged (Java:
// SubmittedRecords). It is safe for concurrent use; one goroutine may wait at a time.
type submittedRecords struct {
	tolerate bool // failed records count as acknowledged
	notify   bool // the task wants to know of every record
	counters *sourceCounters
	topics   topicTracker // nil: off

	mu         sync.Mutex
	partitions *partitionTable
	held       int            // in queues, or waiting to be told to the task
	inFlight   int            // with the producer
	ready      []*submitted   // to be told to the task, in order
	failures   []failedRecord // to be reported
	err        error          // the first failure that is not tolerated

	changed chan struct{} // something was settled, capacity 1
	work    chan struct{} // there is something to tell or to report, capacity 1
	failed  func()        // called when err is set; it must not block
}

type failedRecord struct {
	record *connect.SourceRecord
	err    error
}

func newSubmittedRecords(connector string, tolerate, notify bool, c *sourceCounters) *submittedRecords {
	return &submittedRecords{
		tolerate: tolerate, notify: notify, counters: c, partitions: newPartitionTable(connector),
		changed: make(chan struct{}, 1), work: make(chan struct{}, 1), failed: func() {},
	}
}

// submit puts the records of a segment into the queues, in order. They hold up their
// partitions from then on, sent or not.
func (s *submittedRecords) submit(seg *segment) {
	seg.submitted = make([]submitted, len(seg.out))
	if s.notify {
		seg.metas = make([]connect.RecordMetadata, len(seg.out))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.notify && seg.index == nil { // nothing was dropped
		for i := range seg.out {
			s.enqueue(&seg.submitted[i], &seg.records[i])
		}
		return
	}
	next := 0
	for i := range seg.done {
		if next < len(seg.out) && seg.recordOf(next) == i {
			s.enqueue(&seg.submitted[next], &seg.records[i])
			next++
		} else if s.notify {
			s.enqueue(&submitted{settled: true, dropped: true}, &seg.records[i])
		}
	}
	if s.notify {
		s.tell()
	}
}

func (s *submittedRecords) enqueue(sub *submitted, r *connect.SourceRecord) {
	p := s.partitions.find(r)
	sub.partition, sub.offset = p, r.SourceOffset
	if s.notify || s.tolerate {
		sub.record = r
	}
	if p.head == nil {
		p.head = sub
	} else {
		p.tail.next = sub
	}
	p.tail = sub
	s.held++
	if sub.settled && p.head == sub {
		s.advance(p)
	}
}

// taken counts records that the producer has, or, when n is negative, gave back.
func (s *submittedRecords) taken(n int) {
	s.mu.Lock()
	s.inFlight += n
	s.mu.Unlock()
}

// settle takes acknowledgements of records of a segment; from is the place in it that
// their indices count from. It runs in the producer's goroutines.
func (s *submittedRecords) settle(seg *segment, from int, acks []kafka.Ack) {
	s.mu.Lock()
	written, topic := 0, ""
	before := s.err
	for i := range acks {
		a, n := &acks[i], from+acks[i].Index
		sub := &seg.submitted[n]
		switch {
		case a.Err == nil:
			written++
			if s.notify {
				seg.metas[n] = a.Meta
				sub.meta = &seg.metas[n]
			}
			if t := a.Meta.Topic; s.topics != nil && t != topic {
				topic = t
				s.topics.track(t)
			}
		case s.tolerate:
			s.failures = append(s.failures, failedRecord{sub.record, a.Err})
		default:
			if s.err == nil {
				s.err = a.Err
			}
			continue // nothing after it may be committed
		}
		sub.settled = true
		if sub.partition.head == sub {
			s.advance(sub.partition)
		}
	}
	s.inFlight -= len(acks)
	failed := before == nil && s.err != nil
	s.tell()
	s.mu.Unlock()
	s.counters.SourceRecordWriteTotal.Add(int64(written))
	s.counters.SourceRecordActiveCount.Add(-int64(len(acks)))
	signal(s.changed)
	if failed {
		s.failed()
	}
}

// advance takes the settled records off the head of a queue.
func (s *submittedRecords) advance(p *sourcePartition) {
	for p.head != nil && p.head.settled {
		sub := p.head
		p.head = sub.next
		sub.next = nil
		if !sub.dropped {
			s.partitions.commit(p, sub.offset)
		}
		if s.notify {
			s.ready = append(s.ready, sub)
		} else {
			s.held--
		}
	}
	if p.head == nil {
		p.tail = nil
		s.partitions.list(p)
	}
}

// tell wakes who tells the task and reports failures.
func (s *submittedRecords) tell() {
	if len(s.ready) > 0 || len(s.failures) > 0 {
		signal(s.work)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take returns what is to be told and to be reported.
func (s *submittedRecords) take() ([]*submitted, []failedRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready, failures := s.ready, s.failures
	s.ready, s.failures = nil, nil
	return ready, failures
}

// told counts records that the task was told of.
func (s *submittedRecords) told(n int) {
	s.mu.Lock()
	s.held -= n
	s.mu.Unlock()
	signal(s.changed)
}

func (s *submittedRecords) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// awaitRoom waits until another segment may be submitted; it ends early after a failure.
func (s *submittedRecords) awaitRoom(ctx context.Context) error {
	return s.await(ctx, func() bool { return s.held < maxSubmitted || s.err != nil })
}

// awaitAll waits until the producer has no record any more.
func (s *submittedRecords) awaitAll(ctx context.Context) error {
	return s.await(ctx, func() bool { return s.inFlight == 0 })
}

func (s *submittedRecords) await(ctx context.Context, reached func() bool) error {
	for {
		s.mu.Lock()
		ok := reached()
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.changed:
		}
	}
}

// drainTo moves committable offsets to w.
func (s *submittedRecords) drainTo(w *offsetWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partitions.drainTo(w)
}
