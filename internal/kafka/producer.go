package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// Producer writes records with acks=all (unless acks says otherwise), in order per
// partition. It is safe for concurrent use.
//
// A record waits in the queue of its partition. A partition has one request under
// way at a time, a broker too, so order holds over retries; records handed over
// meanwhile go out together. Delivery is at least once: a request whose answer was
// lost is sent again.
type Producer struct {
	settings *producerSettings
	log      *zap.Logger
	cluster  *cluster

	ctx    context.Context //nolint:containedctx // the life of the background goroutines
	cancel context.CancelFunc
	wg     sync.WaitGroup
	wake   chan struct{} // the sender has something to do

	looking chan struct{} // held by who asks for metadata

	mu     sync.Mutex
	closed bool
	calls  int           // Sends under way
	idle   chan struct{} // closed when closed and calls is 0
	topics map[string]*producerTopic
	queues map[connect.TopicPartition]*sendQueue
	busy   map[int32]bool // brokers with a request under way
}

// producerTopic is what the producer knows of a topic.
type producerTopic struct {
	meta topicMeta
	at   time.Time // when it was looked up; zero: to be looked up again
}

// NewProducer returns a producer with Java producer properties. It does not
// connect: Send does.
func NewProducer(ctx context.Context, props map[string]string, log *zap.Logger) (*Producer, error) {
	r := newPropReader(props)
	s := readProducerSettings(r)
	if err := r.err(); err != nil {
		return nil, err
	}
	cl, err := newCluster(ctx, s.clientSettings, log)
	if err != nil {
		return nil, err
	}
	p := &Producer{
		settings: s, log: log, cluster: cl,
		wake: make(chan struct{}, 1), looking: make(chan struct{}, 1), idle: make(chan struct{}),
		topics: map[string]*producerTopic{}, queues: map[connect.TopicPartition]*sendQueue{}, busy: map[int32]bool{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Go(p.run)
	return p, nil
}

// Send writes the records and returns when all are acknowledged, or with the first
// error. Records of one partition are written in the order given, and after those
// of earlier Sends. When ctx ends, what was not sent yet is dropped; a request that
// is under way may still succeed, but is not repeated; the records' bytes must not
// be changed then.
func (p *Producer) Send(ctx context.Context, records ...ProducerRecord) error {
	if len(records) == 0 {
		return nil
	}
	if !p.enter() {
		return ErrClosed
	}
	defer p.leave()
	pendings, err := p.prepare(ctx, records)
	if err != nil {
		return err
	}
	call := &sendCall{left: len(pendings), done: make(chan struct{})}
	deadline := time.Now().Add(p.settings.deliveryTimeout)
	p.mu.Lock()
	for _, r := range pendings {
		r.call, r.deadline = call, deadline
		q := p.queues[r.tp]
		if q == nil {
			q = &sendQueue{tp: r.tp}
			p.queues[r.tp] = q
		}
		q.items = append(q.items, r)
	}
	p.mu.Unlock()
	signal(p.wake)
	select {
	case <-call.done:
		return call.err
	case <-ctx.Done():
		p.abandon(call)
		return fmt.Errorf("send to topic %s: %w", records[0].Topic, context.Cause(ctx))
	case <-p.ctx.Done():
		p.abandon(call)
		return ErrClosed
	}
}

func (p *Producer) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.calls++
	return true
}

func (p *Producer) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls--
	if p.closed && p.calls == 0 {
		close(p.idle)
	}
}

// prepare checks the records and chooses their partitions.
func (p *Producer) prepare(ctx context.Context, records []ProducerRecord) ([]*pending, error) {
	out := make([]*pending, len(records))
	sticky := map[string]int32{} // records without key: one partition per Send and topic
	now := time.Now().UnixMilli()
	for i := range records {
		r := &records[i]
		item := &pending{record: r, time: r.Timestamp, size: recordSize(r)}
		if item.time == connect.NoTimestamp {
			item.time = now
		}
		if item.time < 0 {
			return nil, fmt.Errorf("Invalid timestamp: %d. Timestamp should always be non-negative or null.", r.Timestamp) //nolint:staticcheck // Java's wording
		}
		if item.size > p.settings.maxRequestSize {
			return nil, fmt.Errorf("The message is %d bytes when serialized which is larger than %d, which is the value of the max.request.size configuration. (topic %s)", //nolint:staticcheck // Java's wording
				item.size, p.settings.maxRequestSize, r.Topic)
		}
		n, err := p.partitionCount(ctx, r.Topic)
		if err != nil {
			return nil, err
		}
		item.tp = connect.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		switch {
		case r.Partition >= n:
			return nil, fmt.Errorf("Invalid partition given with record: %d is not in the range [0...%d) of topic %s", r.Partition, n, r.Topic) //nolint:staticcheck // Java's wording
		case r.Partition >= 0:
		case r.Key != nil:
			item.tp.Partition = partitionForKey(r.Key, n)
		default:
			chosen, ok := sticky[r.Topic]
			if !ok {
				chosen = p.anyPartition(r.Topic, n)
				sticky[r.Topic] = chosen
			}
			item.tp.Partition = chosen
		}
		out[i] = item
	}
	return out, nil
}

// anyPartition picks a partition for records without key, one with a leader if possible.
func (p *Producer) anyPartition(topic string, n int32) int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	start := rand.Int32N(n)
	for i := range n {
		id := (start + i) % n
		if t := p.topics[topic]; t != nil && t.meta.partitions[id].leader >= 0 {
			return id
		}
	}
	return start
}

// partitionCount returns how many partitions a topic has, waiting up to
// max.block.ms for the topic to be known.
func (p *Producer) partitionCount(ctx context.Context, topic string) (int32, error) {
	if n := p.knownPartitions(topic); n > 0 {
		return n, nil
	}
	limit := p.settings.maxBlock
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errMaxBlock)
	defer cancel()
	var last error
	for attempt := 0; ; attempt++ {
		last = p.lookUp(ctx, topic)
		if n := p.knownPartitions(topic); n > 0 {
			return n, nil
		}
		if ctx.Err() == nil && final(last) {
			return 0, fmt.Errorf("look up topic %s: %w", topic, last)
		}
		if sleep(ctx, backoff(p.settings.retryBackoff, p.settings.retryBackoffMax, attempt)) == nil {
			continue
		}
		if errors.Is(context.Cause(ctx), errMaxBlock) {
			return 0, fmt.Errorf("Topic %s not present in metadata after %d ms (max.block.ms): %w: %w", topic, limit.Milliseconds(), ErrTimeout, last) //nolint:staticcheck // Java's wording
		}
		return 0, fmt.Errorf("look up topic %s: %w", topic, context.Cause(ctx))
	}
}

var errMaxBlock = errors.New("max.block.ms is over")

func (p *Producer) knownPartitions(topic string) int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.topics[topic]
	if t == nil || time.Since(t.at) > p.settings.metadataMaxAge {
		return 0
	}
	return int32(len(t.meta.partitions))
}

// lookUp asks for the metadata of topics, one caller at a time.
func (p *Producer) lookUp(ctx context.Context, topics ...string) error {
	select {
	case p.looking <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-p.looking }()
	found, err := p.cluster.metadata(ctx, topics...)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, topic := range topics {
		t := found[topic]
		if t.err != nil || len(t.partitions) == 0 {
			errs = append(errs, fmt.Errorf("topic %s: %w", topic, t.err))
			continue
		}
		p.topics[topic] = &producerTopic{meta: t, at: time.Now()}
	}
	return joinRetriable(errs)
}

// Close waits for the Sends under way, for request.timeout.ms at most, and releases
// the connections.
func (p *Producer) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		if p.calls == 0 {
			close(p.idle)
		}
	}
	p.mu.Unlock()
	t := time.NewTimer(p.settings.requestTimeout)
	defer t.Stop()
	select {
	case <-p.idle:
	case <-t.C:
	}
	p.cancel()
	p.cluster.close()
	p.wg.Wait()
	return nil
}
