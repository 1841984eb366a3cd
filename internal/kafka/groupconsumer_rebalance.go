package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// groupHandler is the GroupConsumer as its membership sees it (Java:
// ConsumerCoordinator). Its methods run in the membership's goroutine.
type groupHandler GroupConsumer

// Protocols offers every assignor, with what is owned.
func (h *groupHandler) Protocols(ctx context.Context) ([]GroupProtocol, error) {
	g := (*GroupConsumer)(h)
	topics, err := g.topics(ctx)
	if err == nil {
		err = g.mayRead(ctx)
	}
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	owned, state := sortedPartitions(g.owned), g.state
	g.mu.Unlock()
	s := subscription{topics: topics, owned: owned, generation: noGeneration, rack: g.settings.rack}
	if last := g.member.lastGeneration(); last != (Generation{}) {
		s.generation = last.ID
	}
	out := make([]GroupProtocol, len(g.settings.assignors))
	for i, a := range g.settings.assignors {
		s.userData = nil
		if a.userData != nil {
			s.userData = a.userData(state)
		}
		out[i] = GroupProtocol{Name: a.name, Metadata: s.encode()}
	}
	return out, nil
}

// JoinPrepare waits for Poll and has it revoke everything (eager), or what is not
// subscribed to any more (cooperative).
func (h *groupHandler) JoinPrepare(ctx context.Context, _ Generation, lost bool) error {
	g := (*GroupConsumer)(h)
	return g.inPoll(ctx, func(ctx context.Context) error {
		lost := lost || g.member.wasLost()
		tps := g.Assignment()
		if g.settings.cooperative && !lost {
			tps = slices.DeleteFunc(tps, func(tp connect.TopicPartition) bool { return g.sub.wants(tp.Topic) })
		}
		if len(tps) == 0 {
			return nil
		}
		return g.giveUp(ctx, tps, lost)
	})
}

// giveUp calls the listener and forgets partitions, whatever the listener says.
func (g *GroupConsumer) giveUp(ctx context.Context, tps []connect.TopicPartition, lost bool) error {
	defer g.disown(tps)
	if lost {
		g.log.Info("Giving away all assigned partitions as lost since generation/memberID has been reset", zap.Stringers("partitions", tps))
		return g.listen(func() error { return g.listener.Lost(ctx, tps) })
	}
	g.log.Info("Revoke previously assigned partitions", zap.Stringers("partitions", tps))
	return g.listen(func() error { return g.listener.Revoked(ctx, tps) })
}

// Assign is the leader's work.
func (h *groupHandler) Assign(ctx context.Context, gen Generation, members []GroupMember) (map[string][]byte, error) {
	g := (*GroupConsumer)(h)
	i := slices.IndexFunc(g.settings.assignors, func(a assignor) bool { return a.name == gen.Protocol })
	if i < 0 {
		return nil, fmt.Errorf("Coordinator selected invalid assignment protocol: %s", gen.Protocol)
	}
	subscribers := make([]subscriber, len(members))
	wanted := map[string]bool{}
	for i, m := range members {
		s, err := decodeSubscription(m.Metadata)
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", m.ID, err)
		}
		subscribers[i] = subscriber{id: m.ID, instance: m.InstanceID, subscription: s}
		for _, t := range s.topics {
			wanted[t] = true
		}
	}
	counts, err := g.partitionCounts(ctx, slices.Sorted(maps.Keys(wanted)))
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.snapshot = counts
	g.mu.Unlock()
	out := make(map[string][]byte, len(members))
	for id, tps := range g.settings.assignors[i].assign(counts, subscribers) {
		g.log.Debug("assignment", zap.String("member", id), zap.Stringers("partitions", tps))
		out[id] = encodeAssignment(tps, nil)
	}
	return out, nil
}

// Joined finds the start offsets of what was gained, then has Poll revoke what was
// lost by this rebalance (cooperative) and tell the listener.
func (h *groupHandler) Joined(ctx context.Context, gen Generation, assignment []byte) error {
	g := (*GroupConsumer)(h)
	assigned := map[connect.TopicPartition]bool{}
	if len(assignment) > 0 {
		tps, err := decodeAssignment(assignment)
		if err != nil {
			return err
		}
		for _, tp := range tps {
			if !g.sub.wants(tp.Topic) {
				g.log.Warn("the assignment has a topic that is not subscribed to; joining again", zap.Stringer("partition", tp))
				g.member.Rejoin("received assignment doesn't match the current subscription")
				return nil
			}
			assigned[tp] = true
		}
	}
	g.mu.Lock()
	if gen.LeaderID != gen.MemberID {
		g.snapshot = nil
	}
	g.state = assignorState{assigned: sortedPartitions(assigned), generation: gen.ID}
	gained, dropped := difference(assigned, g.owned), difference(g.owned, assigned)
	g.mu.Unlock()
	signal(g.topicsChanged)
	ok, err := g.locate(ctx, gained)
	if err != nil || !ok {
		g.inner.Remove(gained...)
		return err
	}
	return g.inPoll(ctx, func(ctx context.Context) error { return g.takeOver(ctx, gained, dropped) })
}

// CoordinatorLost does nothing: as in Java, partitions are kept while there is no
// coordinator. The broker that comes back decides, at the next heartbeat.
func (h *groupHandler) CoordinatorLost(context.Context) {}

// difference returns what is in a and not in b, sorted.
func difference(a, b map[connect.TopicPartition]bool) []connect.TopicPartition {
	out := map[connect.TopicPartition]bool{}
	for tp := range a {
		if !b[tp] {
			out[tp] = true
		}
	}
	return sortedPartitions(out)
}

// takeOver ends a rebalance, in Poll's goroutine.
func (g *GroupConsumer) takeOver(ctx context.Context, gained, dropped []connect.TopicPartition) error {
	if g.member.wasLost() {
		g.inner.Remove(gained...) // JoinPrepare comes and loses the rest
		return nil
	}
	var errs []error
	if len(dropped) > 0 {
		errs = append(errs, g.giveUp(ctx, dropped, false))
		g.member.Rejoin("need to revoke partitions and re-join")
	}
	g.mu.Lock()
	for _, tp := range gained {
		g.owned[tp] = true
	}
	g.mu.Unlock()
	g.log.Info("Adding newly assigned partitions", zap.Stringers("partitions", gained))
	g.inner.Resume(gained...)
	errs = append(errs, g.listen(func() error { return g.listener.Assigned(ctx, gained) }))
	return errors.Join(errs...)
}

// locate adds partitions to the fetcher, paused, and finds their positions: what is
// committed, else what auto.offset.reset says. It goes on until it succeeds; false
// means that another rebalance makes it pointless. Where there is no position for
// good, Position and Poll tell why.
func (g *GroupConsumer) locate(ctx context.Context, tps []connect.TopicPartition) (bool, error) {
	if len(tps) == 0 {
		return true, nil
	}
	for attempt := 0; ; attempt++ {
		found, err := g.committed(ctx, tps)
		if err == nil {
			offsets := make(map[connect.TopicPartition]int64, len(tps))
			for _, tp := range tps {
				offsets[tp] = OffsetReset
				if offset, ok := found[tp]; ok {
					offsets[tp] = offset
				}
			}
			g.inner.addPaused(offsets)
			return g.awaitPositions(ctx, tps)
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if final(err) {
			return false, fmt.Errorf("fetch the committed offsets of group %s: %w", g.settings.groupID, err)
		}
		if attempt == 0 {
			g.log.Info("committed offsets cannot be fetched, trying again", zap.Error(err))
		}
		if err := sleep(ctx, backoff(g.settings.retryBackoff, g.settings.retryBackoffMax, attempt)); err != nil {
			return false, err
		}
		if g.member.rejoinWanted() {
			return false, nil
		}
	}
}

// awaitPositions waits for the start offsets, unless another rebalance is due.
func (g *GroupConsumer) awaitPositions(ctx context.Context, tps []connect.TopicPartition) (bool, error) {
	for _, tp := range tps {
		for {
			bounded, cancel := context.WithTimeout(ctx, time.Second)
			_, err := g.inner.Position(bounded, tp)
			waited := bounded.Err() != nil
			cancel()
			if err == nil || !waited {
				break // known, or never: Position told, and will tell again
			}
			if ctx.Err() != nil {
				return false, context.Cause(ctx)
			}
			if g.member.rejoinWanted() {
				return false, nil
			}
		}
	}
	return true, nil
}
