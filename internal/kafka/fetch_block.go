package kafka

import (
	"reflect"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/connect"
)

// block is what one response had for one partition, less what is not for the
// reader: control records, aborted transactions, offsets below the wanted one.
type block struct {
	segments []segment
	next     int64     // the position after the block
	response *response // whose memory it holds
	reset    bool      // not data: here the position fell out of the log
}

// response stands for the memory of one FetchResponse.
type response struct{ _ byte }

// segment is a run of records: a v2 batch as sarama decoded it, or records of an
// old message set, already converted.
type segment struct {
	records []*sarama.Record
	base    int64 // offset of delta 0
	time    int64 // ms, timestamp of delta 0
	kind    connect.TimestampType

	old []Record
}

func (s *segment) len() int { return len(s.records) + len(s.old) }

// done tells that nothing is left to be delivered.
func (b *block) done() bool { return len(b.segments) == 0 }

// fill copies the next records into out and returns how many. Header slices are
// cut from hs.
func (b *block) fill(out []Record, hs *headerSlab) int {
	n := 0
	for n < len(out) && len(b.segments) > 0 {
		s := &b.segments[0]
		if s.old != nil {
			k := copy(out[n:], s.old)
			s.old = s.old[k:]
			n += k
		} else {
			n += s.fill(out[n:], hs)
		}
		if s.len() == 0 {
			b.segments[0] = segment{} // lets the decoded records go
			b.segments = b.segments[1:]
		}
	}
	return n
}

func (s *segment) fill(out []Record, hs *headerSlab) int {
	n := min(len(out), len(s.records))
	appended := s.kind == connect.LogAppendTime
	for i, r := range s.records[:n] {
		o := &out[i]
		o.Offset = s.base + r.OffsetDelta
		o.Timestamp = s.time
		if !appended {
			o.Timestamp += int64(r.TimestampDelta / time.Millisecond)
		}
		o.TimestampType = s.kind
		o.Key, o.Value = r.Key, r.Value
		o.Headers = nil
		if len(r.Headers) > 0 {
			o.Headers = hs.convert(r.Headers)
		}
	}
	s.records = s.records[n:]
	return n
}

// headerSlab holds the headers of one Poll and the names seen lately, so that
// headers cost no allocation each.
type headerSlab struct {
	buf   []Header
	names map[string]string
}

// maxHeaderNames bounds the names kept; names are few in practice.
const maxHeaderNames = 256

func (h *headerSlab) reset() {
	clear(h.buf)
	h.buf = h.buf[:0]
}

func (h *headerSlab) convert(in []*sarama.RecordHeader) []Header {
	start := len(h.buf)
	for _, r := range in {
		name, ok := h.names[string(r.Key)]
		if !ok {
			name = string(r.Key)
			if h.names == nil || len(h.names) >= maxHeaderNames {
				h.names = make(map[string]string)
			}
			h.names[name] = name
		}
		h.buf = append(h.buf, Header{Key: name, Value: r.Value})
	}
	return h.buf[start:len(h.buf):len(h.buf)]
}

// newBlock turns the answer for one partition into a block of the records from
// offset on. complete is false when the answer holds only a part of a batch.
func newBlock(fb *sarama.FetchResponseBlock, offset int64, isolation sarama.IsolationLevel, resp *response) (b *block, complete bool) {
	b = &block{next: offset, response: resp}
	complete = !fb.Partial
	aborted := newAborted(fb, isolation)
	for _, set := range fb.RecordsSet {
		switch {
		case set.RecordBatch != nil:
			rb := set.RecordBatch
			if rb.PartialTrailingRecord {
				return b, len(b.segments) > 0
			}
			hidden := aborted.hides(rb)
			if !hidden && !rb.Control {
				b.addBatch(rb, offset)
			}
			b.next = max(b.next, rb.LastOffset()+1)
		case set.MsgSet != nil:
			b.addMessages(set.MsgSet, offset)
		}
	}
	if len(fb.RecordsSet) == 0 && complete {
		b.next = max(b.next, afterEmptyBatches(fb))
	}
	return b, complete
}

// afterEmptyBatches returns the offset behind batches without any record, which
// compaction leaves behind, or -1 when there were none. sarama drops such batches
// and keeps the offset to itself; without it, a reader that meets only such batches
// would ask for them for ever. TestPassesEmptyBatches fails if sarama renames it.
func afterEmptyBatches(fb *sarama.FetchResponseBlock) int64 {
	f := reflect.ValueOf(fb).Elem().FieldByName("recordsNextOffset")
	if !f.IsValid() || f.Kind() != reflect.Pointer || f.IsNil() || f.Elem().Kind() != reflect.Int64 {
		return -1
	}
	return f.Elem().Int()
}

func (b *block) addBatch(rb *sarama.RecordBatch, offset int64) {
	records := rb.Records
	// The first batch starts before the wanted offset unless that is its first.
	for len(records) > 0 && rb.FirstOffset+records[0].OffsetDelta < offset {
		records = records[1:]
	}
	if len(records) == 0 {
		return
	}
	s := segment{records: records, base: rb.FirstOffset, time: unixMilli(rb.FirstTimestamp)}
	if rb.LogAppendTime {
		s.time, s.kind = unixMilli(rb.MaxTimestamp), connect.LogAppendTime
	}
	b.segments = append(b.segments, s)
}

// addMessages converts records of formats v0 and v1, which brokers before 4.0 may
// still hold.
func (b *block) addMessages(set *sarama.MessageSet, offset int64) {
	var out []Record
	for _, wrapper := range set.Messages {
		inner := wrapper.Messages()
		base := int64(0)
		if len(inner) > 0 && wrapper.Msg.Version >= 1 {
			// Offsets within a compressed v1 message are relative; the wrapper has the last one.
			base = wrapper.Offset - inner[len(inner)-1].Offset
		}
		for _, m := range inner {
			r := Record{Offset: base + m.Offset, Key: m.Msg.Key, Value: m.Msg.Value}
			switch {
			case m.Msg.Version == 0:
				r.Timestamp, r.TimestampType = connect.NoTimestamp, connect.NoTimestampType
			case wrapper.Msg.LogAppendTime:
				r.Timestamp, r.TimestampType = unixMilli(wrapper.Msg.Timestamp), connect.LogAppendTime
			default:
				r.Timestamp = unixMilli(m.Msg.Timestamp)
			}
			b.next = max(b.next, r.Offset+1)
			if r.Offset >= offset {
				out = append(out, r)
			}
		}
	}
	if len(out) > 0 {
		b.segments = append(b.segments, segment{old: out})
	}
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return connect.NoTimestamp
	}
	return t.UnixMilli()
}

// abortedTxns follows the list of aborted transactions that comes with a
// read_committed answer (Java: CompletedFetch).
type abortedTxns struct {
	pending []*sarama.AbortedTransaction // by first offset
	open    map[int64]struct{}           // producers inside an aborted transaction
}

func newAborted(fb *sarama.FetchResponseBlock, isolation sarama.IsolationLevel) *abortedTxns {
	if isolation != sarama.ReadCommitted || len(fb.AbortedTransactions) == 0 {
		return nil
	}
	pending := slices.Clone(fb.AbortedTransactions)
	slices.SortFunc(pending, func(a, b *sarama.AbortedTransaction) int {
		switch {
		case a.FirstOffset < b.FirstOffset:
			return -1
		case a.FirstOffset > b.FirstOffset:
			return 1
		}
		return 0
	})
	return &abortedTxns{pending: pending, open: map[int64]struct{}{}}
}

// hides tells whether a batch belongs to an aborted transaction. Batches must come in order.
func (a *abortedTxns) hides(rb *sarama.RecordBatch) bool {
	if a == nil || rb.ProducerID < 0 {
		return false
	}
	for len(a.pending) > 0 && a.pending[0].FirstOffset <= rb.LastOffset() {
		a.open[a.pending[0].ProducerID] = struct{}{}
		a.pending = a.pending[1:]
	}
	if rb.Control {
		if isAbortMarker(rb) {
			delete(a.open, rb.ProducerID)
		}
		return true
	}
	_, hidden := a.open[rb.ProducerID]
	return hidden && rb.IsTransactional
}

// isAbortMarker reads the key of a control record: int16 version, int16 type (0 = abort).
func isAbortMarker(rb *sarama.RecordBatch) bool {
	if len(rb.Records) == 0 {
		return false
	}
	k := rb.Records[0].Key
	return len(k) >= 4 && k[2] == 0 && k[3] == 0
}
