package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

const (
	cooperativeClass = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
	strategyKey      = "partition.assignment.strategy"
)

func TestGroupConsumerGoesOnWhereItCommitted(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 2)
	produceTo(c, 2, "a", 5)
	p := startPump(t, groupProps(c), topicT, commitPositions)
	p.awaitRecords(t, 10)
	p.stop()
	if p.closeErr != nil {
		t.Error(p.closeErr)
	}
	p.awaitEvents(t, "assigned[t-0 t-1]", "revoked[t-0 t-1]")
	if got := committedIn(c, "t"); !maps.Equal(got, map[int32]int64{0: 5, 1: 5}) {
		t.Errorf("committed %v", got)
	}
	if n := len(c.GroupInfo("g").Members); n != 0 {
		t.Errorf("%d members stayed", n)
	}
	produceTo(c, 2, "b", 3)
	q := startPump(t, groupProps(c), topicT, nil)
	q.awaitRecords(t, 6)
	for part := range int32(2) {
		if got, want := q.read(tp("t", part)), values(fmt.Sprint("b", part, "-"), 3); !slices.Equal(got, want) {
			t.Errorf("partition %d: %q", part, got)
		}
	}
	if errs := append(p.errors(), q.errors()...); len(errs) > 0 {
		t.Error(errs)
	}
}

func TestGroupConsumerEagerRebalance(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 4)
	produceTo(c, 4, "a", 5)
	a := startPump(t, groupProps(c), topicT, commitPositions)
	a.awaitRecords(t, 20)
	commits := make(chan int, 8) // the number of events at each commit
	c.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		commits <- len(a.eventList())
		return nil, nil, false
	})
	b := startPump(t, groupProps(c), topicT, nil)
	eventually(t, "both to own two", func() bool { return len(a.Assignment()) == 2 && len(b.Assignment()) == 2 })
	all := append(a.Assignment(), b.Assignment()...)
	slices.SortFunc(all, connect.TopicPartition.Compare)
	if fmt.Sprint(all) != "[t-0 t-1 t-2 t-3]" {
		t.Errorf("assigned %v", all)
	}
	a.awaitEvents(t, "assigned[t-0 t-1 t-2 t-3]", "revoked[t-0 t-1 t-2 t-3]", "assigned"+fmt.Sprint(a.Assignment()))
	b.awaitEvents(t, "assigned"+fmt.Sprint(b.Assignment()))
	if len(commits) != 1 || <-commits != 2 {
		t.Error("there was not one commit, within Revoked")
	}
	produceTo(c, 4, "b", 1)
	eventually(t, "the new records", func() bool { return a.count()+b.count() == 24 })
	if a.count() != 22 {
		t.Errorf("%d records read by the first, %d by the second", a.count(), b.count())
	}
	a.stop()
	eventually(t, "the second to own all", func() bool { return len(b.Assignment()) == 4 })
}

func TestGroupConsumerCooperativeRebalance(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 4)
	produceTo(c, 4, "a", 5)
	props := groupProps(c, strategyKey, cooperativeClass)
	a := startPump(t, props, topicT, commitPositions)
	a.awaitRecords(t, 20)
	b := startPump(t, props, topicT, nil)
	eventually(t, "both to own two", func() bool { return len(a.Assignment()) == 2 && len(b.Assignment()) == 2 })
	kept, moved := a.Assignment(), b.Assignment()
	eventually(t, "the last round", func() bool { return a.lastEvent() == "assigned[]" && len(a.eventList()) >= 3 })
	events := a.eventList()
	if events[0] != "assigned[t-0 t-1 t-2 t-3]" || events[1] != "revoked"+fmt.Sprint(moved) {
		t.Errorf("events %q, kept %v, moved %v", events, kept, moved)
	}
	for _, e := range events[2:] {
		if e != "assigned[]" {
			t.Errorf("event %q", e)
		}
	}
	eventually(t, "the last event of the second", func() bool { return b.lastEvent() == "assigned"+fmt.Sprint(moved) })
	// The first round gives it nothing, and goes unnoticed if the second begins at once.
	for _, e := range b.eventList()[:len(b.eventList())-1] {
		if e != "assigned[]" {
			t.Errorf("event of the second %q", e)
		}
	}
	produceTo(c, 4, "b", 1)
	eventually(t, "the new records", func() bool { return a.count()+b.count() == 24 })
	if a.count() != 22 {
		t.Errorf("%d records read by the first, %d by the second", a.count(), b.count())
	}
}

func TestGroupConsumerSeeksAndPauses(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 2)
	produceTo(c, 2, "a", 5)
	p := startPump(t, groupProps(c), topicT, func(p *pump) {
		p.onEvent = func(ctx context.Context, kind string, _ []connect.TopicPartition) error {
			if kind != "assigned" {
				return nil
			}
			p.Pause(tp("t", 1))
			p.Seek(tp("t", 0), 3)
			pos, err := p.Position(ctx, tp("t", 1))
			if pos != 0 {
				t.Errorf("position %d of the other partition", pos)
			}
			return err
		}
	})
	p.awaitRecords(t, 2)
	if got := p.read(tp("t", 0)); !slices.Equal(got, []string{"a0-3", "a0-4"}) {
		t.Errorf("after Seek: %q", got)
	}
	if got := p.read(tp("t", 1)); got != nil {
		t.Errorf("paused: %q", got)
	}
	p.do(t, func(ctx context.Context) {
		p.Resume(tp("t", 1))
		if pos, err := p.Position(ctx, tp("t", 0)); pos != 5 || err != nil {
			t.Errorf("position %d, %v", pos, err)
		}
		if _, err := p.Position(ctx, tp("t", 7)); err == nil {
			t.Error("there is a position of a partition that is not ours")
		}
	})
	p.awaitRecords(t, 7)
	p.do(t, func(context.Context) { p.Seek(tp("t", 1), OffsetEarliest) })
	p.awaitRecords(t, 12)
}

func TestGroupConsumerWithoutResetPolicy(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 1)
	produceTo(c, 1, "a", 3)
	var inAssigned atomic.Value
	p := startPump(t, groupProps(c, "auto.offset.reset", "none"), topicT, func(p *pump) {
		p.onEvent = func(ctx context.Context, kind string, tps []connect.TopicPartition) error {
			if kind == "assigned" {
				_, err := p.Position(ctx, tps[0])
				inAssigned.Store(err)
			}
			return nil
		}
	})
	var none *NoOffsetError
	eventually(t, "Poll to tell", func() bool {
		errs := p.errors()
		return len(errs) > 1 && errors.As(errs[0], &none)
	})
	if err, _ := inAssigned.Load().(error); !errors.As(err, &none) || none.Partition != 0 {
		t.Errorf("position in Assigned: %v", err)
	}
	p.do(t, func(context.Context) { p.Seek(tp("t", 0), 1) })
	p.awaitRecords(t, 2)
}

func TestGroupConsumerCommits(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 1)
	p := startPump(t, groupProps(c), topicT, nil)
	p.awaitEvents(t, "assigned[t-0]")
	requests := observe[*kmsg.OffsetCommitRequest](c)
	var order []int
	p.do(t, func(ctx context.Context) {
		for i := range 3 {
			p.CommitAsync(map[connect.TopicPartition]int64{tp("t", 0): int64(i)}, func(err error) {
				if err != nil {
					t.Error(err)
				}
				order = append(order, i)
			})
		}
		if err := p.CommitSync(ctx, map[connect.TopicPartition]int64{tp("t", 0): 9}); err != nil {
			t.Error(err)
		}
		if err := p.CommitSync(ctx, nil); err != nil {
			t.Error(err)
		}
		if err := p.CommitSync(ctx, map[connect.TopicPartition]int64{tp("t", 0): -1}); err == nil || !strings.Contains(err.Error(), "Invalid offset: -1") {
			t.Errorf("negative offset: %v", err)
		}
	})
	p.do(t, func(context.Context) {
		if !slices.Equal(order, []int{0, 1, 2}) {
			t.Errorf("callbacks in the order %v", order)
		}
	})
	if got := committedIn(c, "t")[0]; got != 9 {
		t.Errorf("committed %d: the order was not kept", got)
	}
	all := requests()
	if len(all) != 4 {
		t.Fatalf("%d requests", len(all))
	}
	part := all[0].Topics[0].Partitions[0]
	if all[0].Generation < 1 || all[0].MemberID == "" || part.LeaderEpoch != -1 {
		t.Errorf("request %+v", all[0])
	}
}

// TestGroupConsumerStaysWhilePolled: a Poll that waits longer than
// max.poll.interval.ms is no reason to leave.
func TestGroupConsumerFollowsMatchingTopics(t *testing.T) {
	c := groupCluster(t)
	c.Topic("in-a", 1)
	c.Topic("other", 1)
	sub := Subscription{Match: func(topic string) bool { return strings.HasPrefix(topic, "in-") }}
	p := startPump(t, groupProps(c, "metadata.max.age.ms", "30", strategyKey, cooperativeClass), sub, nil)
	p.awaitEvents(t, "assigned[in-a-0]")
	c.Topic("in-b", 2)
	p.awaitEvents(t, "assigned[in-a-0]", "assigned[in-b-0 in-b-1]")
}

func TestGroupConsumerFollowsPartitionCounts(t *testing.T) {
	c := groupCluster(t)
	p := startPump(t, groupProps(c, "metadata.max.age.ms", "30"), topicT, nil)
	p.awaitEvents(t, "assigned[]")
	c.Topic("t", 1)
	p.awaitEvents(t, "assigned[]", "assigned[t-0]")
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.Bootstrap(), ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewCreatePartitionsRequest()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = "t", 3
	req.Topics = append(req.Topics, topic)
	if _, err := req.RequestWith(t.Context(), cl); err != nil {
		t.Fatal(err)
	}
	p.awaitEvents(t, "assigned[]", "assigned[t-0]", "revoked[t-0]", "assigned[t-0 t-1 t-2]")
}

func TestGroupConsumerStaticMember(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 2)
	props := groupProps(c, "group.instance.id", "i1")
	p := startPump(t, props, topicT, nil)
	p.awaitEvents(t, "assigned[t-0 t-1]")
	p.stop()
	if n := len(c.GroupInfo("g").Members); n != 1 {
		t.Fatalf("%d members: a static one does not leave", n)
	}
	q := startPump(t, props, topicT, nil)
	q.awaitEvents(t, "assigned[t-0 t-1]")
	if m := c.GroupInfo("g").Members; len(m) != 1 || *m[0].InstanceID != "i1" {
		t.Errorf("members %+v", m)
	}
	// A third with the same instance id fences the second.
	third := startPump(t, props, topicT, nil)
	third.awaitEvents(t, "assigned[t-0 t-1]")
	eventually(t, "the second to be told", func() bool { return len(q.errors()) > 0 })
	err := q.errors()[0]
	if codeOf(err) != 82 || !strings.Contains(err.Error(), "group.instance.id") {
		t.Errorf("Poll returned %v", err)
	}
	q.awaitEvents(t, "assigned[t-0 t-1]", "lost[t-0 t-1]")
}

func TestGroupConsumerWake(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 1)
	g, err := NewGroupConsumer(t.Context(), groupProps(c), topicT, &pump{}, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	g.Wake()
	for range 2 { // before Poll, then within
		if batches, err := g.Poll(t.Context(), time.Hour); batches != nil || err != nil {
			t.Error(batches, err)
		}
		go g.Wake()
	}
	if _, err := g.Poll(t.Context(), time.Hour); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errTest) })
	if _, err := g.Poll(ctx, time.Hour); !errors.Is(err, errTest) {
		t.Errorf("Poll returned %v", err)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := g.Poll(t.Context(), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("Poll after Close: %v", err)
	}
}

var errTest = errors.New("the test's reason")

// TestGroupConsumerAmongOthers shares groups with an independent client, which speaks
// the protocols of the Java client.
func TestGroupConsumerAmongOthers(t *testing.T) {
	for _, test := range []struct {
		strategy string
		balancer kgo.GroupBalancer
	}{
		{assignorPackage + "RangeAssignor", kgo.RangeBalancer()},
		{assignorPackage + "RoundRobinAssignor", kgo.RoundRobinBalancer()},
		{assignorPackage + "StickyAssignor", kgo.StickyBalancer()},
		{cooperativeClass, kgo.CooperativeStickyBalancer()},
	} {
		for _, first := range []string{"ours", "theirs"} {
			t.Run(test.balancer.ProtocolName()+"/"+first+" first", func(t *testing.T) {
				t.Parallel()
				c := groupCluster(t)
				c.Topic("t", 6)
				props := groupProps(c, strategyKey, test.strategy)
				var ours *pump
				if first == "ours" {
					ours = startPump(t, props, topicT, commitPositions)
					eventually(t, "all", func() bool { return len(ours.Assignment()) == 6 })
				}
				startOther(t, c, test.balancer)
				if first == "theirs" {
					eventually(t, "their six", func() bool {
						info := c.GroupInfo("g")
						return info != nil && info.NumAssigned() == 6
					})
					ours = startPump(t, props, topicT, commitPositions)
				}
				eventually(t, "three each", func() bool {
					info := c.GroupInfo("g")
					return info.State == "Stable" && len(info.Members) == 2 && info.NumAssigned() == 6 &&
						info.Members[0].NumAssigned() == 3 && len(ours.Assignment()) == 3
				})
			})
		}
	}
}

func startOther(t *testing.T, c *kafkatest.Cluster, balancer kgo.GroupBalancer) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.Bootstrap(), ",")...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"),
		kgo.Balancers(balancer), kgo.HeartbeatInterval(20*time.Millisecond), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	background(t, func(ctx context.Context) {
		for ctx.Err() == nil {
			cl.PollFetches(ctx)
		}
	})
}

func TestGroupConsumerProperties(t *testing.T) {
	props := map[string]string{
		"bootstrap.servers": "h:1", "session.timeout.ms": "1000", "heartbeat.interval.ms": "1000",
		strategyKey: "org.example.MyAssignor", "max.poll.interval.ms": "0", "group.instance.id": "", EvictOwnClientIDProperty: "maybe",
	}
	_, err := NewGroupConsumer(t.Context(), props, topicT, nil, testLog(t))
	for _, want := range []string{
		"group.id", "Heartbeat must be set lower than the session timeout", "Class org.example.MyAssignor could not be found",
		"max.poll.interval.ms: Value must be at least 1", "group.instance.id", EvictOwnClientIDProperty,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	read := func(pairs ...string) *groupSettings {
		m := map[string]string{"bootstrap.servers": "h:1", "group.id": "g"}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return readGroupSettings(newPropReader(m))
	}
	names := func(s *groupSettings) (out []string) {
		for _, a := range s.assignors {
			out = append(out, a.name)
		}
		return out
	}
	s := read()
	if fmt.Sprint(names(s)) != "[range cooperative-sticky]" || s.cooperative || s.evict || s.session != 45*time.Second ||
		s.heartbeat != 3*time.Second || s.maxPollInterval != 5*time.Minute {
		t.Errorf("defaults %+v", s)
	}
	if s := read("client.id", "x", strategyKey, cooperativeClass); !s.evict || !s.cooperative {
		t.Errorf("settings %+v", s)
	}
	if s := read(strategyKey, cooperativeClass+", "+assignorPackage+"StickyAssignor"); s.cooperative || len(s.assignors) != 2 {
		t.Errorf("settings %+v", s)
	}
}

// TestGroupConsumerGivesUpLocating: offsets that cannot be fetched do not hold up the
// next rebalance.
// TestGroupConsumerOfOldBrokers: 2.1 is the oldest that the Java client 4 talks to.
func TestGroupConsumerOfOldBrokers(t *testing.T) {
	for name, versions := range map[string]*kversion.Versions{"2.1": kversion.V2_1_0(), "2.4": kversion.V2_4_0(), "3.0": kversion.V3_0_0()} {
		t.Run(name, func(t *testing.T) {
			c := groupCluster(t, kfake.MaxVersions(versions))
			c.Topic("t", 2)
			produceTo(c, 2, "a", 3)
			p := startPump(t, groupProps(c, "client.id", "x"), topicT, commitPositions)
			p.awaitRecords(t, 6)
			p.stop()
			if got := committedIn(c, "t"); !maps.Equal(got, map[int32]int64{0: 3, 1: 3}) {
				t.Errorf("committed %v", got)
			}
			if n := len(c.GroupInfo("g").Members); n != 0 {
				t.Errorf("%d members stayed", n)
			}
			produceTo(c, 2, "b", 1)
			q := startPump(t, groupProps(c), topicT, nil)
			q.awaitRecords(t, 2)
		})
	}
}
