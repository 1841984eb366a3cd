package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// run sends what is queued until the producer is closed.
func (p *Producer) run() {
	timer := time.NewTimer(idleWait)
	defer timer.Stop()
	for {
		p.tellRefused()
		w := p.plan(time.Now())
		p.tell(w.told)
		for _, r := range w.requests {
			p.wg.Go(func() { p.send(r) })
		}
		if len(w.missing) > 0 {
			p.wg.Go(func() { p.findLeaders(w.missing) })
		}
		if w.askID {
			p.wg.Go(p.obtainID)
		}
		if len(w.join) > 0 {
			p.wg.Go(func() { p.addPartitions(w.join) })
		}
		timer.Reset(max(w.wait, time.Millisecond))
		select {
		case <-p.wake:
		case <-timer.C:
		case <-p.ctx.Done():
			return
		}
	}
}

// produceRequest is one request to one broker.
type produceRequest struct {
	broker int32
	queues []*sendQueue
	size   int
	req    *sarama.ProduceRequest
}

// work is what there is to do now.
type work struct {
	requests []*produceRequest
	missing  []*producerTopic // leaders to be looked up
	told     []settlement
	askID    bool         // a producer id is needed
	join     []*sendQueue // to be added to the transaction
	wait     time.Duration
}

// request returns the request to a broker, begun if need be.
func (w *work) request(p *Producer, broker int32) *produceRequest {
	for _, r := range w.requests {
		if r.broker == broker {
			return r
		}
	}
	r := &produceRequest{broker: broker, req: p.newRequest()}
	w.requests = append(w.requests, r)
	return r
}

func (w *work) within(d time.Duration) { w.wait = min(w.wait, d) }

// plan takes the first batches of all queues whose partition and broker are free.
func (p *Producer) plan(now time.Time) *work {
	w := &work{wait: idleWait}
	p.mu.Lock()
	defer p.mu.Unlock()
	kept, first := 0, -1
	n := len(p.active)
	for i := range n {
		q := p.active[(p.turn+i)%n]
		if q.inFlight {
			continue
		}
		if stopped := p.stoppedLocked(); stopped != nil {
			w.told = append(w.told, p.failQueueLocked(q, stopped)...)
		}
		p.expireLocked(w, q, now)
		if len(q.batches) > 0 && p.planQueueLocked(w, q, now) && first < 0 {
			first = (p.turn + i) % n // had to stay behind: the first next time
		}
	}
	for i, q := range p.active {
		if i == first {
			first = kept
		}
		if q.active = len(q.batches) > 0 || q.inFlight; q.active {
			p.active[kept] = q
			kept++
		}
	}
	clear(p.active[kept:])
	p.active = p.active[:kept]
	p.turn = max(first, 0)
	for _, r := range w.requests {
		p.busy[r.broker] = true
	}
	return w
}

// stoppedLocked tells why nothing may be sent any more, if so.
func (p *Producer) stoppedLocked() error {
	switch {
	case p.fatal != nil:
		return p.fatal
	case p.txn != nil:
		return p.txn.stopped()
	}
	return nil
}

// planQueueLocked puts the first batch of a queue into a request, if everything is
// there for it. behind tells that the request was full.
func (p *Producer) planQueueLocked(w *work, q *sendQueue, now time.Time) (behind bool) {
	b := q.batches[0]
	w.within(b.deadline.Sub(now))
	if due := q.retryAt.Sub(now); due > 0 {
		w.within(due)
		return false
	}
	if !p.readyLocked(q, b, now) {
		w.within(b.linger.Sub(now))
		return false
	}
	t := q.topic
	leader := t.leader(q.tp.Partition)
	lost := t.at.IsZero() || leader < 0
	if lost || now.After(t.refresh) {
		if !t.refreshing {
			t.refreshing = true
			w.missing = append(w.missing, t)
		}
		if lost {
			q.lookedUp = true
			p.pauseLocked(q, now)
			w.within(q.retryAt.Sub(now))
			return false
		}
	}
	if p.busy[leader] || !p.identifiedLocked(w, q) {
		return false // who is waited for wakes us
	}
	r := w.request(p, leader)
	if len(r.queues) > 0 && r.size+b.size > p.settings.maxRequestSize {
		return true
	}
	r.size += b.size
	r.queues = append(r.queues, q)
	q.inFlight = true
	p.numberLocked(q, b)
	r.req.AddBatch(q.tp.Topic, q.tp.Partition, b.seal(p.settings))
	return false
}

// readyLocked tells whether a batch need not wait for more records.
func (p *Producer) readyLocked(q *sendQueue, b *batch, now time.Time) bool {
	return b.urgent || b.full || b.attempts > 0 || len(q.batches) > 1 || b.size >= p.settings.batchSize ||
		p.flushes > 0 || p.hungry > 0 || p.closed || !now.Before(b.linger)
}

func (p *Producer) pauseLocked(q *sendQueue, now time.Time) {
	q.retryAt = now.Add(backoff(p.settings.retryBackoff, p.settings.retryBackoffMax, q.failures))
	q.failures++
}

func (p *Producer) newRequest() *sarama.ProduceRequest {
	req := &sarama.ProduceRequest{
		Version:      10,
		RequiredAcks: p.settings.acks,
		Timeout:      int32(p.settings.requestTimeout / time.Millisecond),
	}
	if p.txn != nil {
		req.TransactionalID = &p.txn.id
	}
	return req
}

// expireLocked fails batches whose delivery.timeout.ms is over.
func (p *Producer) expireLocked(w *work, q *sendQueue, now time.Time) {
	for len(q.batches) > 0 && !q.batches[0].deadline.After(now) {
		b, last := q.batches[0], q.lastErr
		err := fmt.Errorf("Expiring %d record(s) for %s:%d ms has passed since batch creation (delivery.timeout.ms): %w", //nolint:staticcheck // Java's wording
			len(b.records), q.tp, p.settings.deliveryTimeout.Milliseconds(), ErrTimeout)
		if last == nil {
			last = p.idErr
		}
		if last != nil {
			err = fmt.Errorf("%w; the last failure: %w", err, last)
		}
		w.told = append(w.told, p.failHeadLocked(q, err))
	}
}

// failQueueLocked fails all batches of a queue that is not in a request.
func (p *Producer) failQueueLocked(q *sendQueue, err error) (told []settlement) {
	for len(q.batches) > 0 {
		told = append(told, p.failHeadLocked(q, err))
	}
	return told
}

// failHeadLocked gives the first batch of a queue up.
func (p *Producer) failHeadLocked(q *sendQueue, err error) settlement {
	s := q.settleLocked(err)
	s.recycle = p.ctx.Err() == nil
	if s.batch.uncertain {
		p.sequenceLostLocked()
	}
	if p.txn != nil {
		p.txn.recordFailed(err)
	}
	return s
}

// send does one request and settles its queues.
func (p *Producer) send(r *produceRequest) {
	var resp *sarama.ProduceResponse
	var err error
	if n := p.cluster.node(r.broker); n == nil {
		err = &connectionError{fmt.Sprintf("broker %d", r.broker), errors.New("it is not part of the cluster any more")}
	} else {
		resp, err = ask(p.ctx, n, func(b *sarama.Broker) (*sarama.ProduceResponse, error) { return b.Produce(r.req) })
	}
	var told []settlement
	p.mu.Lock()
	for _, q := range r.queues {
		if s, over := p.answeredLocked(q, resp, err); over {
			s.queue = q
			told = append(told, s)
		}
	}
	p.mu.Unlock()
	p.tell(told)
	if resp != nil && resp.ThrottleTime > 0 {
		_ = sleep(p.ctx, resp.ThrottleTime) // sarama would hold the next request back, too, but deaf to Close
	}
	p.mu.Lock()
	delete(p.busy, r.broker)
	p.mu.Unlock()
	signal(p.wake)
}

// answeredLocked settles the first batch of a queue, or leaves it there to be sent again.
func (p *Producer) answeredLocked(q *sendQueue, resp *sarama.ProduceResponse, err error) (s settlement, over bool) {
	b := q.batches[0]
	if err == nil && resp == nil { // acks=0
		return p.writtenLocked(q, nil), true
	}
	if err == nil {
		block := resp.GetBlock(q.tp.Topic, q.tp.Partition)
		switch {
		case block == nil:
			err = errIncomplete
		case block.Err == sarama.ErrNoError, block.Err == sarama.ErrDuplicateSequenceNumber:
			return p.writtenLocked(q, block), true
		case block.Err == sarama.ErrMessageSizeTooLarge && len(b.records) > 1:
			p.splitLocked(q, b)
			return settlement{}, false
		default:
			err = p.blockError(q.tp.Topic, block)
		}
	}
	b.uncertain = b.uncertain || uncertain(err)
	if p.ctx.Err() == nil && p.stoppedLocked() == nil && b.attempts < p.settings.retries && (!final(err) || p.renumberLocked(b, err)) {
		p.retryLocked(q, b, err)
		return settlement{}, false
	}
	if p.ctx.Err() != nil {
		return p.failHeadLocked(q, ErrClosed), true
	}
	p.sendFailedLocked(err)
	return p.failHeadLocked(q, fmt.Errorf("send to %s: %w", q.tp, err)), true
}

// blockError is what a broker says of one partition.
func (p *Producer) blockError(topic string, block *sarama.ProduceResponseBlock) error {
	text := sequenceText(block.Err) // says more than the broker does
	switch {
	case text != "":
	case block.ErrorMessage != nil && *block.ErrorMessage != "":
		text = *block.ErrorMessage
	case len(block.RecordErrors) > 0 && block.RecordErrors[0].BatchIndexErrorMessage != nil:
		text = *block.RecordErrors[0].BatchIndexErrorMessage
	}
	needs := []need{onTopic(topic, "Write"), onCluster()}
	if p.txn != nil {
		needs = append(needs, onTransactionalID(p.txn.id))
	}
	return p.settings.denied(brokerError(block.Err, text), needs...)
}

// uncertain tells whether the records may have been written in spite of an error.
func uncertain(err error) bool {
	var broker *BrokerError
	if errors.As(err, &broker) {
		switch sarama.KError(broker.Code) { //nolint:exhaustive // the others are said before writing
		case sarama.ErrRequestTimedOut, sarama.ErrNotEnoughReplicasAfterAppend, sarama.ErrKafkaStorageError, sarama.ErrUnknown:
			return true
		}
		return false
	}
	var encode sarama.PacketEncodingError
	return !errors.As(err, &encode) && !errors.Is(err, ErrUnsupported)
}

// writtenLocked takes the first batch off as written.
func (p *Producer) writtenLocked(q *sendQueue, block *sarama.ProduceResponseBlock) settlement {
	b := q.batches[0]
	if b.sequenced && q.id == b.id {
		q.sequence = nextSequence(b.sequence, len(b.records))
	}
	s := q.settleLocked(nil)
	s.recycle = true
	s.time = -1
	if block != nil {
		s.offset = block.Offset
		if !block.Timestamp.IsZero() {
			s.time = block.Timestamp.UnixMilli()
		}
	}
	return s
}

// splitLocked halves a batch that the broker finds too large. Nothing of it was written.
func (p *Producer) splitLocked(q *sendQueue, b *batch) {
	q.limit = max(b.size/2, batchOverhead)
	half := b.halve(p.settings)
	b.urgent = true
	q.batches = append(q.batches, nil)
	copy(q.batches[2:], q.batches[1:])
	q.batches[1] = half
	q.inFlight = false
}

// retryLocked leaves the first batch to be sent again.
func (p *Producer) retryLocked(q *sendQueue, b *batch, err error) {
	q.topic.at = time.Time{} // the leader may have moved
	if text := err.Error(); q.lastErr == nil || text != q.lastErr.Error() {
		p.log.Warn("sending failed, trying again", logPartition(q.tp, b.attempts+1, err)...)
	}
	q.inFlight, q.lastErr = false, err
	if b.changeable() {
		n, bytes := b.dropOver()
		p.open -= n
		p.used -= int64(bytes)
		if len(b.records) == 0 {
			q.batches = q.batches[1:]
			p.notifyLocked()
			return
		}
	}
	p.pauseLocked(q, time.Now())
	b.attempts++
}
