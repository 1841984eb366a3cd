package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// producerTopic is what the producer knows of a topic. It stays as long as the
// producer, for its queues carry the sequence numbers. Guarded by Producer.mu.
type producerTopic struct {
	name       string
	meta       topicMeta
	at         time.Time // when it was looked up; zero: leaders must be looked up again
	refresh    time.Time // when it is to be looked up anew, beside sending (metadata.max.age.ms)
	refreshing bool      // it is being looked up
	queues     []*sendQueue

	// Records without key go to one partition until batch.size bytes are together
	// (Java: BuiltInPartitioner, KIP-794), so that batches fill.
	sticky      int32
	stickyBytes int
}

// leader returns the broker of a partition, -1 when there is none now.
func (t *producerTopic) leader(partition int32) int32 {
	m, ok := t.meta.partitions[partition]
	if !ok {
		return unknown
	}
	return m.leader
}

// update takes over metadata.
func (t *producerTopic) update(m topicMeta, now time.Time) {
	t.meta, t.at = m, now
	for n := int32(len(t.queues)); n < int32(len(m.partitions)); n++ {
		t.queues = append(t.queues, &sendQueue{tp: connect.TopicPartition{Topic: t.name, Partition: n}, topic: t, id: noProducerID})
	}
	if t.sticky < 0 || t.leader(t.sticky) < 0 {
		t.restick()
	}
}

// restick chooses the next partition for records without key: the less loaded of
// two that have a leader, which keeps clear of slow brokers.
func (t *producerTopic) restick() {
	t.stickyBytes = 0
	t.sticky = t.anyPartition()
	if other := t.anyPartition(); len(t.queues[other].batches) < len(t.queues[t.sticky].batches) {
		t.sticky = other
	}
}

func (t *producerTopic) anyPartition() int32 {
	n := int32(len(t.meta.partitions))
	start := rand.Int32N(n)
	for i := range n {
		if id := (start + i) % n; t.leader(id) >= 0 {
			return id
		}
	}
	return start
}

// stick returns the partition for a record without key.
func (t *producerTopic) stick(size, batchSize int) int32 {
	id := t.sticky
	if t.stickyBytes += size; t.stickyBytes >= batchSize {
		t.restick()
	}
	return id
}

// topic returns a topic and how many partitions it has, waiting up to max.block.ms
// for it to be known. The broker may create it (auto.create.topics.enable), as for
// Java's producer.
func (p *Producer) topic(ctx context.Context, name string) (*producerTopic, int32, error) {
	if t, n := p.knownTopic(name); n > 0 {
		return t, n, nil
	}
	ctx, cancel := p.blocking(ctx)
	defer cancel()
	var last error
	for attempt := 0; ; attempt++ {
		failed, err := p.lookUp(ctx, name)
		if t, n := p.knownTopic(name); n > 0 {
			return t, n, nil
		}
		if err == nil {
			err = failed[name]
		}
		if ctx.Err() == nil && final(err) {
			return nil, 0, fmt.Errorf("look up topic %s: %w", name, err)
		}
		if ctx.Err() == nil {
			last = err
		}
		if sleep(ctx, backoff(p.settings.retryBackoff, p.settings.retryBackoffMax, attempt)) == nil {
			continue
		}
		if errors.Is(context.Cause(ctx), errMaxBlock) {
			err = fmt.Errorf("Topic %s not present in metadata after %d ms. (max.block.ms): %w", name, p.settings.maxBlock.Milliseconds(), ErrTimeout) //nolint:staticcheck // Java's wording
			if last != nil {
				err = fmt.Errorf("%w; the last failure: %w", err, last)
			}
			return nil, 0, err
		}
		return nil, 0, fmt.Errorf("look up topic %s: %w", name, context.Cause(ctx))
	}
}

func (p *Producer) knownTopic(name string) (*producerTopic, int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.topics[name]
	if t == nil {
		return nil, 0
	}
	return t, int32(len(t.queues))
}

// lookUp asks for the metadata of topics, one caller at a time. failed has the topics
// that have no partitions, and why.
func (p *Producer) lookUp(ctx context.Context, topics ...string) (failed map[string]error, err error) {
	select {
	case p.looking <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-p.looking }()
	found, err := p.cluster.metadataOf(ctx, true, topics...)
	if err != nil {
		return nil, err
	}
	p.mayNotCreate(ctx, found)
	failed = map[string]error{}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range topics {
		m, answered := found[name]
		switch {
		case !answered:
			failed[name] = errIncomplete
			continue
		case m.err != nil:
			failed[name] = m.err
			continue
		case len(m.partitions) == 0:
			failed[name] = errNoPartitions
			continue
		}
		t := p.topics[name]
		if t == nil {
			t = &producerTopic{name: name, sticky: unknown}
			p.topics[name] = t
		}
		t.update(m, now)
		t.refresh = now.Add(p.settings.metadataMaxAge)
	}
	return failed, nil
}

// mayNotCreate corrects the right that is missing: a topic that the broker would create is
// refused with the code of one that may not be written to.
func (p *Producer) mayNotCreate(ctx context.Context, found map[string]topicMeta) {
	for name, m := range found {
		if !errors.Is(m.err, ErrAuthorization) {
			continue
		}
		there, err := p.cluster.metadata(ctx, name)
		var answer *AuthorizationError
		if err == nil && errors.Is(there[name].err, ErrUnknownTopic) && errors.As(m.err, &answer) {
			answer.Right, answer.Hint = "Create", ", or create the topic"
		}
	}
}

var errNoPartitions = errors.New("the broker names no partitions yet")

// findLeaders looks up topics for the sender, which repeats it with growing pauses.
func (p *Producer) findLeaders(topics []*producerTopic) {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.name
	}
	failed, err := p.lookUp(p.ctx, names...)
	if p.ctx.Err() != nil {
		return
	}
	if err != nil || len(failed) > 0 {
		p.log.Warn("looking up partition leaders failed", zap.Strings("topics", names), zap.Error(err), zap.Any("failed", failed))
	}
	var told []settlement
	p.mu.Lock()
	for _, t := range topics {
		t.refreshing = false
		if pause := time.Now().Add(p.settings.retryBackoffMax); t.refresh.Before(pause) {
			t.refresh = pause
		}
		cause := err
		if cause == nil {
			cause = failed[t.name]
		}
		told = append(told, p.lookedUpLocked(t, cause)...)
	}
	p.mu.Unlock()
	p.tell(told)
	signal(p.wake)
}

// lookedUpLocked lets the queues of a topic go on, or fails them.
func (p *Producer) lookedUpLocked(t *producerTopic, err error) (told []settlement) {
	for _, q := range t.queues {
		if q.inFlight {
			continue
		}
		switch {
		case err == nil && q.lookedUp && t.leader(q.tp.Partition) >= 0:
			q.retryAt, q.lookedUp = time.Time{}, false
		case err != nil && final(err) && len(q.batches) > 0:
			told = append(told, p.failQueueLocked(q, fmt.Errorf("send to %s: %w", q.tp, err))...)
		case err != nil:
			q.lastErr = err
		}
	}
	return told
}
