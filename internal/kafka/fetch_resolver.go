package kafka

import (
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// resolve runs until Close: it finds the leaders of partitions that have none and
// the offsets of those that start at a special one, and looks at all leaders anew
// every metadata.max.age.ms.
func (c *Consumer) resolve() {
	age := c.settings.metadataMaxAge
	if age <= 0 {
		age = time.Hour * 24 * 365
	}
	refresh := time.NewTicker(age)
	defer refresh.Stop()
	for {
		select {
		case <-c.seek:
		case <-refresh.C:
		case <-c.ctx.Done():
			return
		}
		s := c.settings
		for attempt := 0; ; attempt++ {
			err := c.resolveOnce()
			c.noteResolved(err, attempt)
			if err == nil && !c.unresolved() {
				break
			}
			if sleep(c.ctx, backoff(s.retryBackoff, s.retryBackoffMax, attempt)) != nil {
				return
			}
		}
	}
}

// noteResolved keeps an error that concerns all partitions for Poll.
func (c *Consumer) noteResolved(err error, attempt int) {
	if c.ctx.Err() != nil {
		return
	}
	if err != nil && attempt == 0 {
		c.log.Warn("looking up partition leaders or offsets failed, trying again", zap.Error(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clusterErr = nil
	if errors.Is(err, ErrAuthentication) {
		c.clusterErr = err
		signal(c.data)
		c.announceLocked()
	}
}

// unresolved tells whether a partition lacks leader or offset. One whose error
// waits for Poll does not count: it is looked up when Poll has told of it.
func (c *Consumer) unresolved() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.parts {
		if !p.stopped && (p.leader == unknown || !p.resolved()) {
			return true
		}
	}
	return false
}

func (c *Consumer) resolveOnce() error {
	topics := map[string]struct{}{}
	c.mu.Lock()
	for tp := range c.parts {
		topics[tp.Topic] = struct{}{}
	}
	c.mu.Unlock()
	if len(topics) == 0 {
		return nil
	}
	meta, err := c.cluster.metadata(c.ctx, slices.Sorted(maps.Keys(topics))...)
	if err != nil {
		return err
	}
	return c.findOffsets(meta, c.applyLeaders(meta))
}

// lookup is a partition whose offset is to be found.
type lookup struct {
	p          *partition
	generation uint64
}

// applyLeaders takes over the leaders and returns the partitions that need an offset.
func (c *Consumer) applyLeaders(meta map[string]topicMeta) map[connect.TopicPartition]lookup {
	c.mu.Lock()
	defer c.mu.Unlock()
	lookups := map[connect.TopicPartition]lookup{}
	for tp, p := range c.parts {
		t, asked := meta[tp.Topic]
		if !asked || p.stopped {
			continue
		}
		if t.err != nil && final(t.err) {
			c.stopLocked(p, &FetchError{tp, p.position, t.err})
			continue
		}
		m, ok := t.partitions[tp.Partition]
		if !ok || m.leader < 0 {
			c.noLeader(p, t.err)
			continue
		}
		if p.leader != m.leader || p.epoch != m.epoch {
			p.replica = unknown
		}
		p.leader, p.epoch = m.leader, m.epoch
		switch {
		case p.resolved():
			c.kickLocked(p)
		case c.settings.reset.none && p.position == OffsetReset:
			c.stopLocked(p, &NoOffsetError{tp})
		default:
			lookups[tp] = lookup{p, p.generation}
		}
	}
	return lookups
}

// noLeader logs, once, why a partition cannot be fetched.
func (c *Consumer) noLeader(p *partition, err error) {
	p.loseLeader()
	text := "the partition does not exist"
	if err != nil {
		text = err.Error()
	}
	if text != p.lastErr {
		p.lastErr = text
		c.log.Warn("partition has no leader, waiting for one", zap.String("topic", p.Topic),
			zap.Int32("partition", p.Partition), zap.String("error", text))
	}
}

// findOffsets resolves OffsetEarliest, OffsetLatest and OffsetReset.
func (c *Consumer) findOffsets(meta map[string]topicMeta, lookups map[connect.TopicPartition]lookup) error {
	if len(lookups) == 0 {
		return nil
	}
	now := time.Now()
	want := make(map[connect.TopicPartition]int64, len(lookups))
	latest := make(map[connect.TopicPartition]int64)
	c.mu.Lock()
	for tp, l := range lookups {
		if want[tp] = l.p.position; l.p.position == OffsetReset {
			want[tp] = c.settings.reset.at(now)
		}
	}
	c.mu.Unlock()
	found, err := c.cluster.listOffsetsAt(c.ctx, meta, want, c.settings.isolation)
	for tp, o := range found {
		if o.offset < 0 { // by_duration, and no record is that young
			latest[tp] = OffsetLatest
			delete(found, tp)
		}
	}
	if len(latest) > 0 {
		ends, endErr := c.cluster.listOffsetsAt(c.ctx, meta, latest, c.settings.isolation)
		maps.Copy(found, ends)
		err = errors.Join(err, endErr)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for tp, o := range found {
		l := lookups[tp]
		if c.parts[tp] != l.p || l.p.generation != l.generation {
			continue
		}
		l.p.position, l.p.next = o.offset, o.offset
		c.log.Debug("start offset found", zap.String("topic", tp.Topic), zap.Int32("partition", tp.Partition), zap.Int64("offset", o.offset))
		c.kickLocked(l.p)
	}
	c.announceLocked()
	if err != nil && final(err) && !errors.Is(err, ErrAuthentication) && c.ctx.Err() == nil {
		for tp, l := range lookups {
			if _, ok := found[tp]; !ok && c.parts[tp] == l.p && l.p.generation == l.generation {
				c.stopLocked(l.p, &FetchError{tp, l.p.position, err})
			}
		}
	}
	return err
}
