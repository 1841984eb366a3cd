package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// pending is one record that is not acknowledged yet.
type pending struct {
	tp       connect.TopicPartition
	record   *ProducerRecord
	time     int64
	size     int
	call     *sendCall
	deadline time.Time // delivery.timeout.ms
}

// sendCall is one Send. Its fields are guarded by Producer.mu; err is read after done.
type sendCall struct {
	left int
	err  error
	over bool // done or given up by its caller
	done chan struct{}
}

func (c *sendCall) settle(err error) {
	if c.over {
		return
	}
	c.left--
	if err != nil {
		c.err = err
	}
	if c.left == 0 || err != nil {
		c.over = true
		close(c.done)
	}
}

// sendQueue holds the records of one partition in order.
type sendQueue struct {
	tp       connect.TopicPartition
	items    []*pending
	inFlight int // that many at the head are in a request
	limit    int // records per batch, after MESSAGE_TOO_LARGE; 0 = any number
	retryAt  time.Time
	failures int // in a row, of whatever kind: sets the pause
	attempts int // failed requests of the head: counts against retries
	lastErr  error
}

// recordSize is an upper bound of what a record takes in a batch of its own, as
// Java's DefaultRecordBatch.sizeInBytes has it.
func recordSize(r *ProducerRecord) int {
	const batchOverhead, recordOverhead = 61, 21
	n := batchOverhead + recordOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 10 + len(h.Key) + len(h.Value)
	}
	return n
}

// abandon takes back the records of a Send that nobody waits for.
func (p *Producer) abandon(call *sendCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	call.over = true
	for _, q := range p.queues {
		q.dropOver()
	}
}

// dropOver removes records of finished calls, but not from a request under way.
func (q *sendQueue) dropOver() {
	kept := q.items[:q.inFlight]
	for _, it := range q.items[q.inFlight:] {
		if !it.call.over {
			kept = append(kept, it)
		}
	}
	clear(q.items[len(kept):])
	q.items = kept
}

// run sends what is queued until Close.
func (p *Producer) run() {
	for {
		requests, missing, wait := p.plan(time.Now())
		for _, r := range requests {
			p.wg.Go(func() { p.send(r) })
		}
		if len(missing) > 0 {
			p.wg.Go(func() { p.findLeaders(missing) })
		}
		t := time.NewTimer(wait)
		select {
		case <-p.wake:
		case <-t.C:
		case <-p.ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// produceRequest is one request to one broker.
type produceRequest struct {
	broker int32
	queues []*sendQueue
	req    *sarama.ProduceRequest
}

// plan takes the heads of all queues whose partition and broker are free. missing
// are topics whose leaders must be looked up.
func (p *Producer) plan(now time.Time) (requests []*produceRequest, missing []string, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait = idleWait
	byBroker := map[int32]*produceRequest{}
	sizes := map[int32]int{}
	asked := map[string]bool{}
	for tp, q := range p.queues {
		if q.inFlight > 0 {
			continue
		}
		p.expire(q, now)
		if len(q.items) == 0 {
			delete(p.queues, tp)
			continue
		}
		wait = min(wait, q.items[0].deadline.Sub(now))
		if due := q.retryAt.Sub(now); due > 0 {
			wait = min(wait, due)
			continue
		}
		t := p.topics[tp.Topic]
		if t == nil || t.at.IsZero() || t.meta.partitions[tp.Partition].leader < 0 {
			if !asked[tp.Topic] {
				asked[tp.Topic] = true
				missing = append(missing, tp.Topic)
			}
			q.retryAt = now.Add(backoff(p.settings.retryBackoff, p.settings.retryBackoffMax, q.failures))
			q.failures++
			wait = min(wait, q.retryAt.Sub(now))
			continue
		}
		id := t.meta.partitions[tp.Partition].leader
		if p.busy[id] {
			continue // its answer wakes us
		}
		r := byBroker[id]
		if r == nil {
			r = &produceRequest{broker: id, req: p.newRequest()}
			byBroker[id] = r
			requests = append(requests, r)
		}
		if n := p.take(q, r, p.settings.maxRequestSize-sizes[id]); n > 0 {
			sizes[id] += n
		}
	}
	for id, r := range byBroker {
		p.busy[id] = len(r.queues) > 0
	}
	return requests, missing, max(wait, time.Millisecond)
}

func (p *Producer) newRequest() *sarama.ProduceRequest {
	return &sarama.ProduceRequest{
		Version:      10,
		RequiredAcks: p.settings.acks,
		Timeout:      int32(p.settings.requestTimeout / time.Millisecond),
	}
}

// take moves the head of a queue into a request, as far as it fits; at least one
// record if the request is empty.
func (p *Producer) take(q *sendQueue, r *produceRequest, room int) int {
	size, n := 0, 0
	for _, it := range q.items {
		if n > 0 && (size+it.size > max(p.settings.batchSize, 1) || q.limit > 0 && n >= q.limit) ||
			size+it.size > room && (n > 0 || len(r.queues) > 0) {
			break
		}
		size += it.size
		n++
	}
	if n == 0 {
		return 0
	}
	q.inFlight = n
	r.queues = append(r.queues, q)
	r.req.AddBatch(q.tp.Topic, q.tp.Partition, p.newBatch(q.items[:n]))
	return size
}

func (p *Producer) newBatch(items []*pending) *sarama.RecordBatch {
	first, last := items[0].time, items[0].time
	b := &sarama.RecordBatch{
		Version: 2, Codec: p.settings.compression, CompressionLevel: sarama.CompressionLevelDefault,
		PartitionLeaderEpoch: -1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		LastOffsetDelta: int32(len(items) - 1),
		Records:         make([]*sarama.Record, len(items)),
	}
	for i, it := range items {
		rec := &sarama.Record{
			OffsetDelta:    int64(i),
			TimestampDelta: time.Duration(it.time-first) * time.Millisecond,
			Key:            it.record.Key, Value: it.record.Value,
		}
		for _, h := range it.record.Headers {
			rec.Headers = append(rec.Headers, &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		b.Records[i] = rec
		last = max(last, it.time)
	}
	b.FirstTimestamp, b.MaxTimestamp = time.UnixMilli(first), time.UnixMilli(last)
	return b
}

// expire fails records whose delivery.timeout.ms is over.
func (p *Producer) expire(q *sendQueue, now time.Time) {
	n := 0
	for _, it := range q.items {
		if it.deadline.After(now) {
			break // deadlines grow along the queue
		}
		n++
	}
	if n > 0 {
		err := fmt.Errorf("Expiring %d record(s) for %s:%d ms has passed since batch creation (delivery.timeout.ms): %w", //nolint:staticcheck // Java's wording
			n, q.tp, p.settings.deliveryTimeout.Milliseconds(), ErrTimeout)
		if q.lastErr != nil {
			err = fmt.Errorf("%w; the last failure: %w", err, q.lastErr)
		}
		q.settle(n, err)
	}
	q.dropOver()
}

// settle takes n records off the head.
func (q *sendQueue) settle(n int, err error) {
	for _, it := range q.items[:n] {
		it.call.settle(err)
	}
	clear(q.items[:n])
	q.items = q.items[n:]
	q.inFlight = 0
	q.retryAt, q.failures, q.attempts, q.limit, q.lastErr = time.Time{}, 0, 0, 0, nil
}

// findLeaders looks up topics; plan repeats it with growing pauses.
func (p *Producer) findLeaders(topics []string) {
	err := p.lookUp(p.ctx, topics...)
	if p.ctx.Err() != nil {
		return
	}
	if err != nil {
		p.log.Warn("looking up partition leaders failed", zap.Strings("topics", topics), zap.Error(err))
	}
	p.mu.Lock()
	for tp, q := range p.queues {
		for _, t := range topics {
			if t != tp.Topic || q.inFlight > 0 {
				continue
			}
			switch {
			case err == nil:
				q.retryAt = time.Time{}
			case final(err):
				q.settle(len(q.items), fmt.Errorf("send to %s: %w", tp, err))
			default:
				q.lastErr = err
			}
		}
	}
	p.mu.Unlock()
	signal(p.wake)
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
	p.mu.Lock()
	for _, q := range r.queues {
		p.answered(q, resp, err)
	}
	p.mu.Unlock()
	if resp != nil && resp.ThrottleTime > 0 {
		_ = sleep(p.ctx, resp.ThrottleTime) // sarama would hold the next request back, too, but deaf to Close
	}
	p.mu.Lock()
	delete(p.busy, r.broker)
	p.mu.Unlock()
	signal(p.wake)
}

// answered settles the head of one queue, or leaves it there to be sent again.
func (p *Producer) answered(q *sendQueue, resp *sarama.ProduceResponse, err error) {
	n := q.inFlight
	retry := err != nil && !final(err)
	if err == nil && resp != nil {
		block := resp.GetBlock(q.tp.Topic, q.tp.Partition)
		switch {
		case block == nil:
			err, retry = errIncomplete, true
		case block.Err == sarama.ErrMessageSizeTooLarge && n > 1:
			q.inFlight, q.limit = 0, 1 // too large together: one by one
			return
		default:
			var text string
			if block.ErrorMessage != nil {
				text = *block.ErrorMessage
			}
			err, retry = brokerError(block.Err, text), retriableCode(block.Err)
		}
	}
	if err == nil {
		q.settle(n, nil)
		q.dropOver()
		return
	}
	if !retry || q.attempts >= p.settings.retries || p.ctx.Err() != nil {
		q.settle(n, fmt.Errorf("send to %s: %w", q.tp, err))
		return
	}
	if t := p.topics[q.tp.Topic]; t != nil {
		t.at = time.Time{} // the leader may have moved
	}
	p.log.Debug("sending failed, trying again", zap.String("topic", q.tp.Topic), zap.Int32("partition", q.tp.Partition),
		zap.Int("attempt", q.attempts+1), zap.Error(err))
	q.inFlight, q.lastErr = 0, err
	q.dropOver()
	q.retryAt = time.Now().Add(backoff(p.settings.retryBackoff, p.settings.retryBackoffMax, q.failures))
	q.failures++
	q.attempts++
}
