package kafka

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
)

// topics returns what is subscribed to, sorted. With a match, the first call looks up
// all topics; later ones know what watchTopics found.
func (g *GroupConsumer) topics(ctx context.Context) ([]string, error) {
	if len(g.sub.Topics) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(g.sub.Topics))), nil
	}
	for attempt := 0; ; attempt++ {
		g.mu.Lock()
		matched := g.matched
		g.mu.Unlock()
		if matched != nil {
			return matched, nil
		}
		_, err := g.lookAtTopics(ctx)
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case final(err):
			return nil, err
		}
		if err := sleep(ctx, backoff(g.settings.retryBackoff, g.settings.retryBackoffMax, attempt)); err != nil {
			return nil, err
		}
	}
}

// mayRead fails for topics that are subscribed to by name and may not even be seen: the leader
// would take them for missing, and all members would wait for ever (Java: every member's
// metadata throws TopicAuthorizationException). Other failures are left to who comes next.
func (g *GroupConsumer) mayRead(ctx context.Context) error {
	if len(g.sub.Topics) == 0 {
		return nil
	}
	meta, err := g.inner.cluster.metadata(ctx, g.sub.Topics...)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(meta)) {
		if errors.Is(meta[name].err, ErrAuthorization) {
			errs = append(errs, meta[name].err)
		}
	}
	return errors.Join(errs...)
}

// partitionCounts looks up topics for the leader; what does not exist, or may not be
// seen, has 0. It goes on until it succeeds.
func (g *GroupConsumer) partitionCounts(ctx context.Context, topics []string) (map[string]int32, error) {
	counts := make(map[string]int32, len(topics))
	if len(topics) == 0 {
		return counts, nil // metadata would take none for all
	}
	for attempt := 0; ; attempt++ {
		meta, err := g.inner.cluster.metadata(ctx, topics...)
		switch {
		case err == nil:
			for _, t := range topics {
				if counts[t] = int32(len(meta[t].partitions)); counts[t] == 0 {
					g.log.Warn("a subscribed topic has no partitions, or may not be seen", zap.String("topic", t), zap.Error(meta[t].err))
				}
			}
			return counts, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case final(err):
			return nil, err
		}
		if err := sleep(ctx, backoff(g.settings.retryBackoff, g.settings.retryBackoffMax, attempt)); err != nil {
			return nil, err
		}
	}
}

// minRefresh keeps metadata.max.age.ms=0 from asking without a pause.
const minRefresh = 10 * time.Millisecond

// watchTopics asks for a rebalance when the topics that match change, and, at the
// leader, when a topic of the group gets partitions (Java: metadata.max.age.ms).
// While a topic of the group does not exist, it looks more often.
func (g *GroupConsumer) watchTopics() {
	missing := false
	for failures := 0; ; {
		wait := g.settings.metadataMaxAge
		switch {
		case failures > 0:
			wait = backoff(g.settings.retryBackoff, g.settings.retryBackoffMax, failures-1)
		case missing:
			wait = min(wait, g.settings.retryBackoffMax)
		}
		t := time.NewTimer(max(wait, minRefresh))
		select {
		case <-g.topicsChanged: // by a rebalance: look after the usual time
			t.Stop()
			missing = g.missesTopics()
			continue
		case <-t.C:
		case <-g.ctx.Done():
			t.Stop()
			return
		}
		var err error
		if missing, err = g.lookAtTopics(g.ctx); err != nil {
			failures++
			continue
		}
		failures = 0
	}
}

func (g *GroupConsumer) missesTopics() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(slices.Collect(maps.Values(g.snapshot)), 0)
}

// lookAtTopics compares the metadata with what the group knows. missing: a topic of
// the group does not exist.
func (g *GroupConsumer) lookAtTopics(ctx context.Context) (missing bool, err error) {
	g.mu.Lock()
	names := slices.Sorted(maps.Keys(g.snapshot))
	g.mu.Unlock()
	byMatch := len(g.sub.Topics) == 0
	switch {
	case byMatch:
		names = nil // all
	case len(names) == 0:
		return false, nil
	}
	meta, err := g.inner.cluster.metadata(ctx, names...)
	if err != nil {
		return false, err
	}
	if byMatch {
		g.rematch(meta)
	}
	return g.compareSnapshot(meta), nil
}

// rematch takes over the topics that match.
func (g *GroupConsumer) rematch(meta map[string]topicMeta) {
	matched := []string{}
	for name, t := range meta {
		hidden := t.internal && g.settings.excludeInternal || errors.Is(t.err, ErrUnknownTopic)
		if !hidden && g.sub.wants(name) {
			matched = append(matched, name)
		}
	}
	slices.Sort(matched)
	g.mu.Lock()
	had := g.matched
	g.matched = matched
	g.mu.Unlock()
	if had != nil && !slices.Equal(had, matched) {
		g.log.Info("the topics that match the subscription changed", zap.Strings("from", had), zap.Strings("to", matched))
		g.member.Rejoin("the subscription has changed since the member joined")
	}
}

func (g *GroupConsumer) compareSnapshot(meta map[string]topicMeta) (missing bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, count := range g.snapshot {
		now := int32(len(meta[name].partitions))
		if now == count || meta[name].err != nil && now == 0 && !errors.Is(meta[name].err, ErrUnknownTopic) {
			missing = missing || now == 0
			continue
		}
		g.log.Info("the number of partitions changed", zap.String("topic", name), zap.Int32("from", count), zap.Int32("to", now))
		g.snapshot = nil // the next assignment makes another
		g.member.Rejoin("cached metadata has changed since the beginning of the rebalance")
		return false
	}
	return missing
}
