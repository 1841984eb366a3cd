package kafka

import (
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/connect"
)

// batch is a run of records of one partition that are sent, acknowledged or failed
// together. Its slabs are reused: in the steady state a record costs no allocation.
// Guarded by Producer.mu, but a sealed batch is read by its request without it.
type batch struct {
	records   []sarama.Record
	origins   []origin
	headers   []sarama.RecordHeader // what the records' Headers point to
	pointers  []*sarama.RecordHeader
	keys      []byte // header keys
	ordered   []*sarama.Record
	wire      *sarama.RecordBatch // made by seal, kept for retries
	size      int                 // an upper bound of its bytes without compression
	urgent    bool                // does not wait for linger.ms
	full      bool                // takes no more records
	uncertain bool                // an attempt ended without an answer: it may have been written
	linger    time.Time           // linger.ms is over
	deadline  time.Time           // delivery.timeout.ms is over
	attempts  int                 // requests that failed

	sequenced bool // id and sequence are set: a retry must have the same
	id        producerID
	sequence  int32
}

// origin tells where a record of a batch came from.
type origin struct {
	call  *sendCall
	index int   // in the records of the call
	time  int64 // ms
}

// sendCall is one Send or SendAsync.
type sendCall struct {
	acked  func([]Ack)
	urgent bool
	over   bool // given up by its caller, who is not told any more; guarded by Producer.mu
}

// Sizes in the record batch format, as Java's DefaultRecordBatch and DefaultRecord
// have them.
const (
	batchOverhead  = 61
	recordOverhead = 21
	headerOverhead = 10
)

// recordSize is an upper bound of what a record takes in a batch.
func recordSize(r *ProducerRecord) int {
	n := recordOverhead + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += headerOverhead + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

var batches = sync.Pool{New: func() any { return new(batch) }}

func newBatch(now time.Time, s *producerSettings) *batch {
	b := batches.Get().(*batch) //nolint:errcheck,forcetypeassert // nothing else is in the pool
	b.size = batchOverhead
	b.linger, b.deadline = now.Add(s.linger), now.Add(s.deliveryTimeout)
	return b
}

// keptRecords and keptBytes bound the slabs of batches that wait to be reused.
const (
	keptRecords = 8192
	keptBytes   = 64 << 10
)

// recycle gives the batch back. Nobody may hold it, a request neither.
func (b *batch) recycle() {
	if cap(b.records) > keptRecords || cap(b.pointers) > keptRecords || cap(b.keys) > keptBytes {
		return
	}
	clear(b.records)
	clear(b.origins)
	clear(b.headers)
	clear(b.pointers)
	clear(b.ordered)
	*b = batch{
		records: b.records[:0], origins: b.origins[:0], ordered: b.ordered[:0],
		headers: b.headers[:0], pointers: b.pointers[:0], keys: b.keys[:0],
	}
	batches.Put(b)
}

// add appends a record.
func (b *batch) add(r *ProducerRecord, o origin, size int) {
	n := len(b.records)
	if n < cap(b.records) {
		b.records = b.records[:n+1]
	} else {
		b.records = append(b.records, sarama.Record{})
	}
	rec := &b.records[n]
	rec.Key, rec.Value = r.Key, r.Value
	if len(r.Headers) > 0 {
		rec.Headers = b.addHeaders(r.Headers)
	}
	b.origins = append(b.origins, o)
	b.size += size
	b.urgent = b.urgent || o.call.urgent
}

// addHeaders copies headers to the slabs. When a slab grows, what points into the old
// one goes on doing so.
func (b *batch) addHeaders(hs []Header) []*sarama.RecordHeader {
	start := len(b.pointers)
	for i := range hs {
		from := len(b.keys)
		b.keys = append(b.keys, hs[i].Key...)
		b.headers = append(b.headers, sarama.RecordHeader{Key: b.keys[from:len(b.keys):len(b.keys)], Value: hs[i].Value})
		b.pointers = append(b.pointers, &b.headers[len(b.headers)-1])
	}
	return b.pointers[start:len(b.pointers):len(b.pointers)]
}

// seal makes what sarama sends.
func (b *batch) seal(s *producerSettings) *sarama.RecordBatch {
	if b.wire != nil {
		return b.wire
	}
	b.full = true
	first, last := b.origins[0].time, b.origins[0].time
	b.ordered = b.ordered[:0]
	for i := range b.records {
		rec, at := &b.records[i], b.origins[i].time
		rec.OffsetDelta = int64(i)
		rec.TimestampDelta = time.Duration(at-first) * time.Millisecond
		b.ordered = append(b.ordered, rec)
		last = max(last, at)
	}
	b.wire = &sarama.RecordBatch{
		Version: 2, Codec: s.compression, CompressionLevel: sarama.CompressionLevelDefault,
		PartitionLeaderEpoch: -1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		LastOffsetDelta: int32(len(b.records) - 1),
		Records:         b.ordered,
		FirstTimestamp:  time.UnixMilli(first), MaxTimestamp: time.UnixMilli(last),
	}
	if b.sequenced {
		b.wire.ProducerID, b.wire.ProducerEpoch, b.wire.FirstSequence = b.id.id, b.id.epoch, b.sequence
		b.wire.IsTransactional = s.transactionalID != ""
	}
	return b.wire
}

// unsequence lets the batch be numbered anew. It must be certain that it is not written.
func (b *batch) unsequence() { b.sequenced, b.wire = false, nil }

// changeable tells whether records may be taken out of a batch that waits: not when
// the broker may hold it under its sequence.
func (b *batch) changeable() bool { return !b.sequenced || !b.uncertain }

// dropOver removes the records of calls that were given up, and returns how many they
// were and how many bytes.
func (b *batch) dropOver() (n, bytes int) {
	kept := 0
	for i := range b.records {
		if b.origins[i].call.over {
			bytes += headersSize(b.records[i].Headers) + recordOverhead + len(b.records[i].Key) + len(b.records[i].Value)
			continue
		}
		b.records[kept], b.origins[kept] = b.records[i], b.origins[i]
		kept++
	}
	n = len(b.records) - kept
	if n == 0 {
		return 0, 0
	}
	clear(b.records[kept:])
	clear(b.origins[kept:])
	b.records, b.origins, b.wire = b.records[:kept], b.origins[:kept], nil
	b.size -= bytes
	return n, bytes
}

func headersSize(hs []*sarama.RecordHeader) int {
	n := 0
	for _, h := range hs {
		n += headerOverhead + len(h.Key) + len(h.Value)
	}
	return n
}

// halve moves the later half of the records to a new batch. The time of delivery runs on.
func (b *batch) halve(s *producerSettings) *batch {
	half := newBatch(time.Time{}, s)
	half.linger, half.deadline, half.urgent, half.full = b.linger, b.deadline, true, true
	mid := len(b.records) / 2
	for i := mid; i < len(b.records); i++ {
		half.records = append(half.records, b.records[i])
		half.origins = append(half.origins, b.origins[i])
		half.size += headersSize(b.records[i].Headers) + recordOverhead + len(b.records[i].Key) + len(b.records[i].Value)
	}
	clear(b.records[mid:])
	clear(b.origins[mid:])
	b.records, b.origins, b.full = b.records[:mid], b.origins[:mid], true
	b.size -= half.size - batchOverhead
	b.unsequence()
	// The headers of the second half point into the slabs of the first, which must
	// therefore not be overwritten: the halves are not reused for other records.
	b.headers, b.pointers, b.keys = nil, nil, nil
	return half
}

// sendQueue holds the batches of one partition in order. Guarded by Producer.mu.
type sendQueue struct {
	tp       connect.TopicPartition
	topic    *producerTopic
	batches  []*batch
	active   bool // in Producer.active
	inFlight bool // the first batch is in a request, or its acks are being told
	lookedUp bool // waits for a leader
	limit    int  // bytes per batch, after MESSAGE_TOO_LARGE; 0: as set
	retryAt  time.Time
	failures int // in a row, of whatever kind: sets the pause
	lastErr  error

	id       producerID // whose sequence it is
	sequence int32      // of the next batch
	txn      uint64     // the last transaction that the partition was added to
}

// append adds a record, to a new batch if need be. urge tells that the sender should look.
func (q *sendQueue) append(r *ProducerRecord, o origin, size int, now time.Time, s *producerSettings) (urge bool) {
	limit := s.batchLimit
	if q.limit > 0 {
		limit = min(limit, q.limit)
	}
	var b *batch
	if n := len(q.batches); n > 0 && !(n == 1 && q.inFlight) {
		b = q.batches[n-1]
	}
	if b == nil || b.full || b.size+size > limit {
		b = newBatch(now, s)
		q.batches = append(q.batches, b)
		urge = true
	}
	before := b.size
	b.add(r, o, size)
	return urge || before < s.batchSize && b.size >= s.batchSize
}

// settleLocked takes the first batch off, with the outcome err.
func (q *sendQueue) settleLocked(err error) settlement {
	b := q.batches[0]
	q.batches[0] = nil
	q.batches = q.batches[1:]
	q.retryAt, q.failures, q.lastErr, q.lookedUp = time.Time{}, 0, nil, false
	return settlement{tp: q.tp, batch: b, err: err, offset: connect.NoOffset}
}

// tooLarge is Java's RecordTooLargeException.
func tooLarge(topic string, size, limit int, key, what string) error {
	return fmt.Errorf("The message is %d bytes when serialized which is larger than %d, which is the value of the %s configuration. (topic %s) %s", //nolint:staticcheck // Java's wording
		size, limit, key, topic, what)
}
