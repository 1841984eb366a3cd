package kafka

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect"
)

// assignor is one of the Java client's partition assignors. Racks (KIP-881) are
// passed on to Java leaders, but not looked at here: who gets what is the leader's
// choice, and any is right.
type assignor struct {
	name        string // in the group protocol
	class       string // in partition.assignment.strategy
	cooperative bool
	// assign deals out the partitions 0..count-1 of each topic. Every member has an
	// entry in the result.
	assign func(counts map[string]int32, members []subscriber) map[string][]connect.TopicPartition
	// userData is what goes along with a subscription; nil: nothing.
	userData func(s assignorState) []byte
}

// assignorState is what a member remembers for its assignors (Java: onAssignment).
type assignorState struct {
	assigned   []connect.TopicPartition // in the last generation
	generation int32                    // of it; -1: none yet
}

// subscriber is a member of the group, for an assignor.
type subscriber struct {
	id, instance string
	*subscription
}

// compare orders as Java's MemberInfo: static members first, by their instance id.
func (s subscriber) compare(o subscriber) int {
	switch {
	case s.instance != "" && o.instance != "":
		return strings.Compare(s.instance, o.instance)
	case s.instance != "":
		return -1
	case o.instance != "":
		return 1
	}
	return strings.Compare(s.id, o.id)
}

const assignorPackage = "org.apache.kafka.clients.consumer."

// assignorOf returns the assignor with a Java class name.
func assignorOf(class string) (assignor, bool) {
	for _, a := range []assignor{
		{name: "range", class: assignorPackage + "RangeAssignor", assign: assignRange},
		{name: "roundrobin", class: assignorPackage + "RoundRobinAssignor", assign: assignRoundRobin},
		{name: "sticky", class: assignorPackage + "StickyAssignor", assign: assignSticky, userData: stickyUserData},
		{
			name: "cooperative-sticky", class: assignorPackage + "CooperativeStickyAssignor", cooperative: true,
			assign: assignCooperative, userData: cooperativeUserData,
		},
	} {
		if a.class == class {
			return a, true
		}
	}
	return assignor{}, false
}

func emptyAssignment(members []subscriber) map[string][]connect.TopicPartition {
	out := make(map[string][]connect.TopicPartition, len(members))
	for _, m := range members {
		out[m.id] = nil
	}
	return out
}

// subscribersByTopic returns who wants each topic that exists, in Java's order.
func subscribersByTopic(counts map[string]int32, members []subscriber) map[string][]subscriber {
	out := map[string][]subscriber{}
	for _, m := range slices.SortedFunc(slices.Values(members), subscriber.compare) {
		for _, t := range slices.Compact(slices.Sorted(slices.Values(m.topics))) {
			if counts[t] > 0 {
				out[t] = append(out[t], m)
			}
		}
	}
	return out
}

// assignRange gives each member a run of partitions per topic; the first members get
// one more where it does not come out even (Java: RangeAssignor).
func assignRange(counts map[string]int32, members []subscriber) map[string][]connect.TopicPartition {
	out := emptyAssignment(members)
	byTopic := subscribersByTopic(counts, members)
	for _, topic := range slices.Sorted(maps.Keys(byTopic)) {
		wanting := byTopic[topic]
		n := int32(len(wanting))
		each, extra := counts[topic]/n, counts[topic]%n
		next := int32(0)
		for i, m := range wanting {
			run := each
			if int32(i) < extra {
				run++
			}
			for range run {
				out[m.id] = append(out[m.id], connect.TopicPartition{Topic: topic, Partition: next})
				next++
			}
		}
	}
	return out
}

// assignRoundRobin deals all partitions in order, one to each member in turn that
// wants the topic (Java: RoundRobinAssignor).
func assignRoundRobin(counts map[string]int32, members []subscriber) map[string][]connect.TopicPartition {
	out := emptyAssignment(members)
	order := slices.SortedFunc(slices.Values(members), subscriber.compare)
	byTopic := subscribersByTopic(counts, members)
	next := 0
	for _, topic := range slices.Sorted(maps.Keys(byTopic)) {
		for p := range counts[topic] {
			for !slices.Contains(order[next%len(order)].topics, topic) {
				next++
			}
			m := order[next%len(order)]
			out[m.id] = append(out[m.id], connect.TopicPartition{Topic: topic, Partition: p})
			next++
		}
	}
	return out
}

// stickyUserData is StickyAssignor's memory: the last assignment and its generation.
func stickyUserData(s assignorState) []byte {
	if s.generation == noGeneration {
		return nil
	}
	return binary.BigEndian.AppendUint32(appendPartitions(nil, s.assigned), uint32(s.generation))
}

// cooperativeUserData is the generation alone; what is owned is in the subscription.
func cooperativeUserData(s assignorState) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(s.generation))
}

// claim is what a member says it owns, and since when.
type claim struct {
	subscriber
	generation int32
	owned      []connect.TopicPartition
}

// assignSticky balances with as few moves as possible (Java: StickyAssignor).
func assignSticky(counts map[string]int32, members []subscriber) map[string][]connect.TopicPartition {
	claims := make([]claim, len(members))
	for i, m := range members {
		claims[i] = claim{subscriber: m, generation: noGeneration}
		r := wireReader{data: m.userData}
		owned := r.partitions()
		if r.err != nil {
			continue // nothing, or not to be understood: as a new member
		}
		claims[i].owned = owned
		if len(r.data) >= 4 { // its version 0 has no generation
			claims[i].generation = r.int32()
		}
	}
	return balance(counts, claims)
}

// assignCooperative is assignSticky, but what has another owner now is given to
// nobody: it is free in the next rebalance (Java: CooperativeStickyAssignor).
func assignCooperative(counts map[string]int32, members []subscriber) map[string][]connect.TopicPartition {
	claims := make([]claim, len(members))
	owners := map[connect.TopicPartition]map[string]bool{}
	for i, m := range members {
		claims[i] = claim{subscriber: m, generation: m.generation, owned: m.owned}
		if m.generation == noGeneration && len(m.userData) >= 4 {
			r := wireReader{data: m.userData}
			claims[i].generation = r.int32()
		}
		for _, tp := range m.owned {
			if owners[tp] == nil {
				owners[tp] = map[string]bool{}
			}
			owners[tp][m.id] = true
		}
	}
	out := balance(counts, claims)
	for id, tps := range out {
		out[id] = slices.DeleteFunc(tps, func(tp connect.TopicPartition) bool {
			return len(owners[tp]) > 0 && !owners[tp][id]
		})
	}
	return out
}

// balance is the sticky algorithm: everybody keeps what is theirs, free partitions go
// to whoever has least, and then partitions move from the fullest members as long
// as that evens out. Unlike Java's it has no special case for equal subscriptions;
// the result is as even, and moves no more.
func balance(counts map[string]int32, claims []claim) map[string][]connect.TopicPartition {
	members := make([]subscriber, len(claims))
	for i, c := range claims {
		members[i] = c.subscriber
	}
	b := balancer{byTopic: subscribersByTopic(counts, members), out: emptyAssignment(members)}
	b.keep(counts, claims)
	b.dealRest(counts)
	for b.even(members) {
	}
	for _, tps := range b.out {
		slices.SortFunc(tps, connect.TopicPartition.Compare)
	}
	return b.out
}

type balancer struct {
	byTopic map[string][]subscriber
	out     map[string][]connect.TopicPartition
	kept    map[connect.TopicPartition]bool
}

// keep gives every partition to the member that claims it, of several to the one
// with the latest generation; to none if that is not clear.
func (b *balancer) keep(counts map[string]int32, claims []claim) {
	type owner struct {
		id         string
		generation int32
	}
	owners := map[connect.TopicPartition]owner{}
	for _, c := range claims {
		for _, tp := range c.owned {
			if tp.Partition < 0 || tp.Partition >= counts[tp.Topic] || !slices.Contains(c.topics, tp.Topic) {
				continue
			}
			had, claimed := owners[tp]
			switch {
			case !claimed || c.generation > had.generation:
				owners[tp] = owner{c.id, c.generation}
			case c.generation == had.generation && c.id != had.id:
				owners[tp] = owner{"", c.generation}
			}
		}
	}
	b.kept = map[connect.TopicPartition]bool{}
	for tp, o := range owners {
		if o.id != "" {
			b.out[o.id] = append(b.out[o.id], tp)
			b.kept[tp] = true
		}
	}
}

// dealRest gives free partitions away, those that few may have first.
func (b *balancer) dealRest(counts map[string]int32) {
	topics := slices.SortedFunc(maps.Keys(b.byTopic), func(x, y string) int {
		return cmp.Or(len(b.byTopic[x])-len(b.byTopic[y]), strings.Compare(x, y))
	})
	for _, topic := range topics {
		for p := range counts[topic] {
			tp := connect.TopicPartition{Topic: topic, Partition: p}
			if !b.kept[tp] {
				id := b.emptiest(topic)
				b.out[id] = append(b.out[id], tp)
			}
		}
	}
}

func (b *balancer) emptiest(topic string) string {
	return slices.MinFunc(b.byTopic[topic], func(x, y subscriber) int { return len(b.out[x.id]) - len(b.out[y.id]) }).id
}

// even makes the one move that helps most, from the fullest member that can give, and
// tells if there was one. Each lowers the sum of the squares of the loads, so this
// comes to an end.
func (b *balancer) even(members []subscriber) (moved bool) {
	order := slices.SortedFunc(slices.Values(members), func(x, y subscriber) int {
		return cmp.Or(len(b.out[y.id])-len(b.out[x.id]), x.compare(y))
	})
	for _, from := range order {
		tps := b.out[from.id]
		// What was only just dealt moves first: nobody misses it.
		slices.SortFunc(tps, func(x, y connect.TopicPartition) int {
			return cmp.Or(btoi(b.kept[x])-btoi(b.kept[y]), y.Compare(x))
		})
		for i, tp := range tps {
			if to := b.emptiest(tp.Topic); len(b.out[to])+1 < len(tps) {
				b.out[to] = append(b.out[to], tp)
				b.out[from.id] = slices.Delete(tps, i, i+1)
				return true
			}
		}
	}
	return false
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
