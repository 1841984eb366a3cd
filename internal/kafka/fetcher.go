package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"
)

// fetcher fetches from one broker: one request at a time, over a connection of its
// own. While Poll hands out one response, the next is fetched and decoded; then it
// waits. It ends when its broker has no partition left.
type fetcher struct {
	c    *Consumer
	id   int32
	wake chan struct{}

	node *node // of the goroutine

	// probe is set after an answer that could not be decoded as a whole: its
	// partitions are asked for one by one, to find the bad one. Guarded by c.mu.
	probe []*partition
}

func (f *fetcher) kick() { signal(f.wake) }

// fetcherLocked returns the fetcher of a broker, started if need be.
func (c *Consumer) fetcherLocked(id int32) *fetcher {
	f := c.fetchers[id]
	if f == nil {
		f = &fetcher{c: c, id: id, wake: make(chan struct{}, 1)}
		c.fetchers[id] = f
		if c.ctx.Err() == nil {
			c.wg.Go(f.run)
		}
	}
	return f
}

// asked is one partition of a request, as it was when the request was made.
type asked struct {
	p          *partition
	generation uint64
	offset     int64
}

func (f *fetcher) run() {
	defer func() {
		if f.node != nil {
			f.node.disconnect()
		}
	}()
	for {
		req, parts, wait, ended := f.plan(time.Now())
		if ended {
			return
		}
		if req == nil {
			if !f.rest(wait) {
				return
			}
			continue
		}
		resp, err := f.fetch(req)
		if f.c.ctx.Err() != nil {
			return
		}
		f.handle(parts, resp, err, time.Now())
		// sarama would hold the next request back, too, but deaf to Close.
		if resp != nil && resp.ThrottleTime > 0 && sleep(f.c.ctx, resp.ThrottleTime) != nil {
			return
		}
	}
}

// rest waits until there may be something to fetch; false means the end.
func (f *fetcher) rest(wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-f.wake:
	case <-t.C:
	case <-f.c.ctx.Done():
		return false
	}
	return true
}

// idleWait bounds rest when nothing is due; every change kicks.
const idleWait = time.Minute

// plan decides on the next request: all partitions of the broker that can go on,
// unless two responses wait for Poll already. Paused partitions neither count nor
// are fetched, so they cannot hold up the others.
func (f *fetcher) plan(now time.Time) (req *sarama.FetchRequest, parts []asked, wait time.Duration, ended bool) {
	c := f.c
	c.mu.Lock()
	defer c.mu.Unlock()
	wait = idleWait
	mine := 0
	var held [2]*response
	for _, p := range c.parts {
		if p.leader == unknown || p.source(now) != f.id {
			continue
		}
		mine++
		if p.paused {
			continue
		}
		for _, b := range p.queue {
			switch {
			case b.response == nil || b.response == held[0] || b.response == held[1]:
			case held[0] == nil:
				held[0] = b.response
			default:
				held[1] = b.response
			}
		}
		if !p.resolved() || p.stopped {
			continue
		}
		if due := p.retryAt.Sub(now); due > 0 {
			wait = min(wait, due)
			continue
		}
		parts = append(parts, asked{p, p.generation, p.next})
	}
	switch {
	case mine == 0:
		delete(c.fetchers, f.id)
		return nil, nil, 0, true
	case len(parts) == 0 || held[1] != nil:
		return nil, nil, wait, false
	}
	parts = f.probeOneLocked(parts)
	return f.request(parts), parts, 0, false
}

// probeOneLocked narrows a request to one suspect, if there are any.
func (f *fetcher) probeOneLocked(parts []asked) []asked {
	for len(f.probe) > 0 {
		suspect := f.probe[0]
		f.probe = f.probe[1:]
		for _, a := range parts {
			if a.p == suspect {
				return []asked{a}
			}
		}
	}
	return parts
}

func (f *fetcher) request(parts []asked) *sarama.FetchRequest {
	s := f.c.settings
	req := &sarama.FetchRequest{
		Version:      12,
		MaxWaitTime:  int32(s.maxWait / time.Millisecond),
		MinBytes:     s.minBytes,
		MaxBytes:     s.maxBytes,
		Isolation:    s.isolation,
		SessionEpoch: -1, // no fetch session
		RackID:       s.rack,
	}
	// AddBlock puts the partitions into maps: their order on the wire, and so who
	// is served first when fetch.max.bytes is short, is random. That is fair.
	for _, a := range parts {
		limit := a.p.maxBytes
		if a.p.suspects > 0 {
			limit = 1 // one batch
		}
		req.AddBlock(a.p.Topic, a.p.Partition, a.offset, limit, a.p.epoch)
	}
	return req
}

// fetch sends the request over the fetcher's own connection, renewed when the
// broker's address changed.
func (f *fetcher) fetch(req *sarama.FetchRequest) (*sarama.FetchResponse, error) {
	known := f.c.cluster.node(f.id)
	if known == nil {
		return nil, &connectionError{fmt.Sprintf("broker %d", f.id), errors.New("it is not part of the cluster any more")}
	}
	if f.node == nil || f.node.addr != known.addr {
		if f.node != nil {
			f.node.disconnect()
		}
		f.node = newNode(f.id, known.addr, f.c.settings.clientSettings, known.group)
	}
	var resp *sarama.FetchResponse
	err := f.node.use(f.c.ctx, func(b *sarama.Broker) (err error) {
		resp, err = b.Fetch(req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// handle takes in an answer, or the lack of one.
func (f *fetcher) handle(parts []asked, resp *sarama.FetchResponse, err error, now time.Time) {
	if err == nil && resp.ErrorCode != 0 {
		err = brokerError(sarama.KError(resp.ErrorCode), "")
	}
	held := new(response)
	blocks := make([]*block, len(parts))
	complete := make([]bool, len(parts))
	if err == nil {
		for i, a := range parts { // outside the lock: it looks at every record
			if fb := resp.GetBlock(a.p.Topic, a.p.Partition); fb != nil && fb.Err == sarama.ErrNoError {
				blocks[i], complete[i] = newBlock(fb, a.offset, f.c.settings.isolation, held)
			}
		}
	}
	c := f.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		f.failedLocked(parts, err, now)
		return
	}
	for i, a := range parts {
		if c.parts[a.p.TopicPartition] != a.p || a.p.generation != a.generation {
			continue // sought, removed or reset meanwhile
		}
		fb := resp.GetBlock(a.p.Topic, a.p.Partition)
		switch {
		case fb == nil:
			f.retryLocked(a.p, errIncomplete, now)
		case fb.Err != sarama.ErrNoError:
			f.errorLocked(a, fb.Err, now)
		case fb.PreferredReadReplica != unknown && fb.PreferredReadReplica != f.id:
			a.p.replica, a.p.replicaUntil = fb.PreferredReadReplica, now.Add(c.settings.metadataMaxAge)
			if c.cluster.node(a.p.replica) == nil {
				a.p.loseLeader() // the resolver learns the address
			}
			c.kickLocked(a.p)
		default:
			f.receivedLocked(a, blocks[i], complete[i])
		}
	}
}

// receivedLocked queues what came for a partition.
func (f *fetcher) receivedLocked(a asked, b *block, complete bool) {
	p := a.p
	p.succeeded()
	if b.next > a.offset {
		p.next = b.next
		f.c.pushLocked(p, b)
		if p.suspects > 0 {
			p.suspects--
		}
		p.maxBytes = f.c.settings.maxPartitionBytes
		return
	}
	if complete {
		return
	}
	// Not even one batch fits. Brokers send the first batch of an answer whole, so
	// this is an old broker or a batch whose records end too early.
	if p.maxBytes >= maxFetchBytes {
		f.c.stopLocked(p, &FetchError{p.TopicPartition, a.offset, errors.New("the record batch is damaged: it ends within a record")})
		return
	}
	p.suspects = 0
	p.maxBytes = min(p.maxBytes*2, maxFetchBytes)
}

// errorLocked handles the error code of one partition (Java: FetchCollector).
func (f *fetcher) errorLocked(a asked, code sarama.KError, now time.Time) {
	c, p := f.c, a.p
	err := brokerError(code, "")
	switch code { //nolint:exhaustive // the rest is unexpected
	case sarama.ErrOffsetOutOfRange:
		switch {
		case p.replica != unknown: // only the leader knows for sure
			p.replica = unknown
			c.kickLocked(p)
		case c.settings.reset.none:
			c.stopLocked(p, &OffsetOutOfRangeError{p.TopicPartition, a.offset})
		default:
			p.stopped = true
			c.pushLocked(p, &block{reset: true})
		}
	case sarama.ErrNotLeaderForPartition, sarama.ErrReplicaNotAvailable, sarama.ErrKafkaStorageError,
		sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch, sarama.ErrOffsetNotAvailable,
		sarama.ErrLeaderNotAvailable, sarama.ErrUnknownTopicOrPartition, unknownTopicID:
		p.loseLeader()
		f.retryLocked(p, err, now)
		signal(c.seek)
	case sarama.ErrTopicAuthorizationFailed:
		c.stopLocked(p, &FetchError{p.TopicPartition, a.offset, c.settings.denied(err, onTopic(p.Topic, "Read"))})
	case sarama.ErrInvalidMessage:
		c.stopLocked(p, &FetchError{p.TopicPartition, a.offset, fmt.Errorf("Encountered corrupt message when fetching offset %d for topic-partition %s: %w", a.offset, p.TopicPartition, err)}) //nolint:staticcheck // Java's wording
	default:
		if !retriableCode(code) && code != sarama.ErrUnknown {
			c.stopLocked(p, &FetchError{p.TopicPartition, a.offset, fmt.Errorf("Unexpected error code %d while fetching: %w", int16(code), err)}) //nolint:staticcheck // Java's wording
			return
		}
		f.retryLocked(p, err, now)
	}
}

// retryLocked lets a partition pause after a failure; the log tells when the failure changes.
func (f *fetcher) retryLocked(p *partition, err error, now time.Time) {
	p.failed(f.c.settings.clientSettings, now)
	if text := err.Error(); text != p.lastErr {
		p.lastErr = text
		f.c.log.Info("fetching failed, trying again", zap.String("topic", p.Topic), zap.Int32("partition", p.Partition),
			zap.Int64("offset", p.next), zap.Int32("broker", f.id), zap.Error(err))
	}
}

// suspectAnswers is how many batches of a partition are fetched one by one after an
// answer that could not be decoded.
const suspectAnswers = 64

// failedLocked handles a request that failed as a whole.
func (f *fetcher) failedLocked(parts []asked, err error, now time.Time) {
	c := f.c
	var undecodable *undecodableError
	if errors.As(err, &undecodable) {
		f.undecodableLocked(parts, err, now)
		return
	}
	for _, a := range parts {
		if c.parts[a.p.TopicPartition] != a.p || a.p.generation != a.generation {
			continue
		}
		if errors.Is(err, ErrAuthentication) {
			c.stopLocked(a.p, &FetchError{a.p.TopicPartition, a.offset, err})
			continue
		}
		a.p.loseLeader()
		f.retryLocked(a.p, err, now)
	}
	signal(c.seek)
}

// undecodableLocked finds the bad partition of a bad answer, then its bad batch, so
// that everything before it is delivered and the error names it.
func (f *fetcher) undecodableLocked(parts []asked, err error, now time.Time) {
	if len(parts) > 1 {
		for _, a := range parts {
			f.probe = append(f.probe, a.p)
			a.p.suspects = suspectAnswers
		}
		return
	}
	a := parts[0]
	if f.c.parts[a.p.TopicPartition] != a.p || a.p.generation != a.generation {
		return
	}
	single := a.p.suspects > 0
	a.p.suspects = suspectAnswers
	if !single || a.p.failures < 2 { // bytes may have changed on their way
		f.retryLocked(a.p, err, now)
		f.probe = append(f.probe, a.p)
		return
	}
	f.c.stopLocked(a.p, &FetchError{a.p.TopicPartition, a.offset, fmt.Errorf("Record batch for partition %s at offset %d is invalid, cause: %w", a.p.TopicPartition, a.offset, err)}) //nolint:staticcheck // Java's wording
}
