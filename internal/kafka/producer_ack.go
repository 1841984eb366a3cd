package kafka

import (
	"github.com/penstock-io/penstock/connect"
)

// settlement is the outcome of a batch that was taken off its queue.
type settlement struct {
	tp      connect.TopicPartition
	batch   *batch
	err     error
	offset  int64      // of the first record; -1: not known
	time    int64      // of the log, when it sets times; else -1
	queue   *sendQueue // is free again when it was told; nil: it was not in a request
	recycle bool       // no request holds the batch
}

// refusal is a record that was not taken because it cannot be sent.
type refusal struct {
	call *sendCall
	ack  Ack
}

// refuseLocked lets the sender tell of a record that cannot be sent: acks never come
// from a goroutine that calls the producer, which may hold locks.
func (p *Producer) refuseLocked(call *sendCall, index int, r *ProducerRecord, err error) {
	p.open++
	p.unfit = append(p.unfit, refusal{call, Ack{
		Index: index, Err: err,
		Meta: connect.RecordMetadata{TopicPartition: connect.TopicPartition{Topic: r.Topic, Partition: r.Partition}, Offset: connect.NoOffset, Timestamp: r.Timestamp},
	}})
	if p.txn != nil {
		p.txn.recordFailed(err)
	}
}

// tellRefused tells of records that were refused.
func (p *Producer) tellRefused() {
	p.mu.Lock()
	refused := p.unfit
	p.unfit = nil
	p.mu.Unlock()
	if len(refused) == 0 {
		return
	}
	p.ackMu.Lock()
	for start := 0; start < len(refused); {
		call := refused[start].call
		var acks []Ack
		for ; start < len(refused) && refused[start].call == call; start++ {
			acks = append(acks, refused[start].ack)
		}
		call.acked(acks)
	}
	p.ackMu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open -= len(refused)
	p.notifyLocked()
}

// tell acknowledges batches and frees what they held. The queue of a batch that was
// in a request is locked until then, so that acks of a partition stay in order.
func (p *Producer) tell(list []settlement) {
	if len(list) == 0 {
		return
	}
	p.ackMu.Lock()
	for i := range list {
		list[i].tell()
	}
	p.ackMu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range list {
		s := &list[i]
		p.open -= len(s.batch.records)
		p.used -= int64(s.batch.size - batchOverhead)
		if s.queue != nil {
			s.queue.inFlight = false
		}
		if s.recycle {
			s.batch.recycle()
		}
	}
	p.notifyLocked()
}

// tell calls back each call that has records in the batch.
func (s *settlement) tell() {
	acks := make([]Ack, len(s.batch.origins))
	start := 0
	for i, o := range s.batch.origins {
		a := &acks[i]
		a.Index, a.Err = o.index, s.err
		a.Meta = connect.RecordMetadata{TopicPartition: s.tp, Offset: connect.NoOffset, Timestamp: o.time}
		if s.offset >= 0 {
			a.Meta.Offset = s.offset + int64(i)
		}
		if s.time >= 0 {
			a.Meta.Timestamp = s.time
		}
		if i+1 == len(acks) || s.batch.origins[i+1].call != o.call {
			o.call.acked(acks[start : i+1 : i+1])
			start = i + 1
		}
	}
}
