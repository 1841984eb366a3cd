package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// Consumer fetches batches of partitions that are given to it by hand: no group,
// no commits. All methods but Wake belong to one goroutine; fetching goes on in
// the background, at most one response per broker ahead.
//
// One goroutine per broker fetches (fetcher), one looks up leaders and start
// offsets (resolver). They share the partitions under one mutex and never hold it
// while they wait for the network.
type Consumer struct {
	settings *consumerSettings
	log      *zap.Logger
	cluster  *cluster

	ctx    context.Context //nolint:containedctx // the life of the background goroutines
	cancel context.CancelFunc
	wg     sync.WaitGroup

	wake chan struct{} // Wake
	data chan struct{} // Poll has something to look at
	seek chan struct{} // the resolver has something to look up

	mu         sync.Mutex
	parts      map[connect.TopicPartition]*partition
	ready      []*partition // with queued blocks, in the order they came
	fetchers   map[int32]*fetcher
	resolved   chan struct{} // closed and replaced when a position was found
	clusterErr error         // no broker lets us in

	// Of the last Poll, for the caller's goroutine.
	records []Record
	batches []Batch
	headers headerSlab
}

// Special start offsets.
const (
	OffsetEarliest int64 = -2
	OffsetLatest   int64 = -1
	// OffsetReset starts where auto.offset.reset says.
	OffsetReset int64 = -3
)

// NewConsumer returns a consumer without partitions. It honours the Java consumer
// properties (isolation.level, auto.offset.reset, fetch.*, max.partition.fetch.bytes,
// max.poll.records, client.rack …). It does not connect: Poll does.
func NewConsumer(ctx context.Context, props map[string]string, log *zap.Logger) (*Consumer, error) {
	r := newPropReader(props)
	s := readConsumerSettings(r)
	if err := r.err(); err != nil {
		return nil, err
	}
	cl, err := newCluster(ctx, s.clientSettings, log)
	if err != nil {
		return nil, err
	}
	c := &Consumer{
		settings: s, log: log, cluster: cl,
		wake: make(chan struct{}, 1), data: make(chan struct{}, 1), seek: make(chan struct{}, 1),
		parts:    map[connect.TopicPartition]*partition{},
		fetchers: map[int32]*fetcher{},
		resolved: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	log.Debug("consumer buffers at most two responses per broker",
		zap.Int32("fetch.max.bytes", s.maxBytes), zap.Int32("max.partition.fetch.bytes", s.maxPartitionBytes),
		zap.Int("max.poll.records", s.maxPollRecords))
	c.wg.Go(c.resolve)
	return c, nil
}

// signal tells a goroutine that there is something to do, unless it was told already.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Add starts fetching partitions from the given offsets. A partition that is there
// already goes on at the new offset.
func (c *Consumer) Add(offsets map[connect.TopicPartition]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tp, offset := range offsets {
		p := c.parts[tp]
		if p == nil {
			p = newPartition(tp, c.settings.maxPartitionBytes)
			c.parts[tp] = p
		}
		p.seek(offset)
		c.kickLocked(p)
	}
}

// addPaused is Add for new partitions, which are paused. Unlike the other methods it
// may be called beside Poll.
func (c *Consumer) addPaused(offsets map[connect.TopicPartition]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tp, offset := range offsets {
		p := newPartition(tp, c.settings.maxPartitionBytes)
		p.paused = true
		c.parts[tp] = p
		p.seek(offset)
		c.kickLocked(p)
	}
}

// Remove stops fetching partitions and drops what was fetched of them.
func (c *Consumer) Remove(tps ...connect.TopicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tp := range tps {
		if p := c.parts[tp]; p != nil {
			p.seek(p.position) // answers on their way are for nobody
			delete(c.parts, tp)
			c.kickLocked(p) // its fetcher may have nothing left to do
		}
	}
}

// Seek goes on at offset (or one of the special ones); what was fetched before is
// dropped. Nothing happens for a partition that is not there.
func (c *Consumer) Seek(tp connect.TopicPartition, offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.parts[tp]; p != nil {
		p.seek(offset)
		c.kickLocked(p)
	}
}

// Pause keeps Poll from returning records of the partitions, and keeps their fetched data.
func (c *Consumer) Pause(tps ...connect.TopicPartition) { c.setPaused(tps, true) }

// Resume ends Pause.
func (c *Consumer) Resume(tps ...connect.TopicPartition) { c.setPaused(tps, false) }

func (c *Consumer) setPaused(tps []connect.TopicPartition, paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tp := range tps {
		if p := c.parts[tp]; p != nil && p.paused != paused {
			p.paused = paused
			c.kickLocked(p)
		}
	}
}

// kickLocked makes whoever works for the partition look at it again.
func (c *Consumer) kickLocked(p *partition) {
	if !p.resolved() || p.leader == unknown {
		signal(c.seek)
		return
	}
	c.fetcherLocked(p.source(time.Now())).kick()
}

// Position returns the offset of the next record Poll would return: it also moves
// over control records, aborted transactions and compaction gaps. It asks the
// broker where the start offset was not resolved yet.
func (c *Consumer) Position(ctx context.Context, tp connect.TopicPartition) (int64, error) {
	for {
		c.mu.Lock()
		p := c.parts[tp]
		if p == nil {
			c.mu.Unlock()
			return 0, fmt.Errorf("position of %s: the partition is not assigned to this consumer", tp)
		}
		position, resolved := p.position, c.resolved
		err := c.clusterErr
		if err == nil && !p.resolved() {
			if err = p.err; err != nil {
				p.stopped, p.err = false, nil
				signal(c.seek) // looked up again, for the next call
			}
		}
		c.mu.Unlock()
		switch {
		case position >= 0:
			return position, nil
		case err != nil:
			return 0, err
		}
		select {
		case <-resolved:
		case <-ctx.Done():
			return 0, fmt.Errorf("look up the position of %s: %w", tp, context.Cause(ctx))
		case <-c.ctx.Done():
			return 0, ErrClosed
		}
	}
}

// Poll returns what was fetched, at most max.poll.records, waiting up to timeout
// for the first record. Batches and records are valid until the next Poll.
// It returns early, with nothing, after Wake and when a position moved without a
// record (over transaction markers, aborted records or gaps). Errors concern one
// partition or all of them and are returned after what was fetched before them.
func (c *Consumer) Poll(ctx context.Context, timeout time.Duration) ([]Batch, error) {
	c.release()
	var timer *time.Timer
	for {
		select {
		case <-c.wake:
			return nil, nil
		case <-c.ctx.Done():
			return nil, ErrClosed
		default:
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		moved, err := c.take()
		if len(c.batches) > 0 {
			return c.batches, nil
		}
		if moved || err != nil || timeout <= 0 {
			return nil, err
		}
		if timer == nil {
			timer = time.NewTimer(timeout)
			defer timer.Stop()
		}
		select {
		case <-c.data:
		case <-c.wake:
			return nil, nil
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-c.ctx.Done():
			return nil, ErrClosed
		}
	}
}

// release lets go of the records of the last Poll: what they point into is the
// memory of a whole response.
func (c *Consumer) release() {
	clear(c.records)
	c.records = c.records[:0]
	clear(c.batches)
	c.batches = c.batches[:0]
	c.headers.reset()
}

// take moves queued records to the result of Poll. moved tells that a position
// changed; err is the error of a partition that has nothing else.
func (c *Consumer) take() (moved bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.records == nil {
		c.records = make([]Record, 0, min(c.settings.maxPollRecords, 4096))
	}
	keep := c.ready[:0]
	for i, p := range c.ready {
		if len(c.records) == c.settings.maxPollRecords {
			keep = append(keep, c.ready[i:]...)
			break
		}
		if !p.paused && len(p.queue) > 0 {
			moved = c.drain(p) || moved
		}
		if p.inReady = len(p.queue) > 0; p.inReady {
			keep = append(keep, p)
		}
	}
	clear(c.ready[len(keep):])
	c.ready = keep
	if len(c.batches) > 0 {
		return moved, nil
	}
	return moved, c.errorLocked()
}

// drain moves records of one partition, up to max.poll.records in all.
func (c *Consumer) drain(p *partition) (moved bool) {
	start := len(c.records)
	before, generation := p.position, p.generation
	for len(p.queue) > 0 && len(c.records) < c.settings.maxPollRecords {
		b := p.queue[0]
		if b.reset {
			c.resetLocked(p)
			break
		}
		for !b.done() && len(c.records) < c.settings.maxPollRecords {
			c.records = c.fillFrom(b, c.records)
		}
		if n := len(c.records); n > start {
			p.position = c.records[n-1].Offset + 1
		}
		if !b.done() {
			break
		}
		p.position = b.next
		p.queue[0] = nil
		p.queue = append(p.queue[:0], p.queue[1:]...)
		c.kickLocked(p)
	}
	if len(c.records) > start {
		c.batches = append(c.batches, Batch{
			TopicPartition: p.TopicPartition,
			Records:        c.records[start:len(c.records):len(c.records)],
		})
	}
	return p.position != before || p.generation != generation
}

// fillFrom appends records of b up to max.poll.records. The slice grows in steps,
// so that a huge max.poll.records costs nothing.
func (c *Consumer) fillFrom(b *block, records []Record) []Record {
	n := len(records)
	if n == cap(records) {
		grown := make([]Record, n, min(2*n, c.settings.maxPollRecords))
		copy(grown, records)
		// Batches made already keep pointing to the old array, which stays valid.
		records = grown
	}
	free := records[n:min(cap(records), c.settings.maxPollRecords)]
	return records[:n+b.fill(free, &c.headers)]
}

// errorLocked returns the next error that Poll owes, and makes its partition go on.
func (c *Consumer) errorLocked() error {
	for _, p := range c.parts {
		if p.err == nil || len(p.queue) > 0 || p.paused {
			continue
		}
		err := p.err
		p.stopped, p.err = false, nil
		p.failed(c.settings.clientSettings, time.Now())
		c.kickLocked(p)
		return err
	}
	return c.clusterErr
}

// resetLocked applies auto.offset.reset to a partition whose position fell out of the log.
func (c *Consumer) resetLocked(p *partition) {
	c.log.Info("position is out of range, resetting it as auto.offset.reset says",
		zap.String("topic", p.Topic), zap.Int32("partition", p.Partition), zap.Int64("offset", p.position))
	p.seek(OffsetReset)
	c.kickLocked(p)
}

// pushLocked queues a block for Poll.
func (c *Consumer) pushLocked(p *partition, b *block) {
	p.queue = append(p.queue, b)
	if !p.inReady {
		p.inReady = true
		c.ready = append(c.ready, p)
	}
	signal(c.data)
}

// stopLocked hands an error to Poll.
func (c *Consumer) stopLocked(p *partition, err error) {
	p.stop(err)
	signal(c.data)
	c.announceLocked()
}

// announceLocked wakes those who wait in Position.
func (c *Consumer) announceLocked() {
	close(c.resolved)
	c.resolved = make(chan struct{})
}

// Wake makes a Poll that waits return; without one, the next Poll.
func (c *Consumer) Wake() { signal(c.wake) }

// Close stops fetching, waits for the background goroutines and releases the connections.
func (c *Consumer) Close() error {
	c.cancel()
	c.cluster.close()
	c.wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.parts)
	c.ready = nil
	return nil
}

// errIncomplete is a broker's answer without a part that was asked for.
var errIncomplete = errors.New("the broker did not answer for this partition")
