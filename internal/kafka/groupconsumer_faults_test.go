package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
)

func TestGroupConsumerLosesItsPartitions(t *testing.T) {
	for _, strategy := range []string{assignorPackage + "RangeAssignor", cooperativeClass} {
		t.Run(strategy, func(t *testing.T) {
			c := groupCluster(t)
			c.Topic("t", 1)
			produceTo(c, 1, "a", 3)
			var inLost atomic.Value
			p := startPump(t, groupProps(c, strategyKey, strategy, "session.timeout.ms", "500"), topicT, func(p *pump) {
				p.onEvent = func(ctx context.Context, kind string, tps []connect.TopicPartition) error {
					if kind == "lost" {
						inLost.Store(p.CommitSync(ctx, map[connect.TopicPartition]int64{tps[0]: 3}))
					}
					return nil
				}
			})
			p.awaitRecords(t, 3)
			c.FailOnce(kmsg.Heartbeat, kerr.UnknownMemberID)
			p.awaitFirstEvents(t, "assigned[t-0]", "lost[t-0]", "assigned[t-0]")
			if err, _ := inLost.Load().(error); !errors.Is(err, ErrCommitFailed) {
				t.Errorf("commit in Lost: %v", err)
			}
			p.awaitRecords(t, 6) // from the start again: nothing was committed
		})
	}
}

func TestGroupConsumerSurvivesAnOutage(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 3)
	produceTo(c, 3, "a", 5)
	p := startPump(t, groupProps(c), topicT, commitPositions)
	p.awaitRecords(t, 15)
	for id := range int32(3) {
		c.Down(id)
	}
	eventually(t, "the coordinator to be given up", func() bool { return p.member.knownCoordinator() == nil })
	failed := make(chan error, 1)
	p.do(t, func(context.Context) {
		p.CommitAsync(map[connect.TopicPartition]int64{tp("t", 0): 5}, func(err error) { failed <- err })
	})
	if err := receive(t, "the callback", failed); !Retriable(err) {
		t.Errorf("commit during the outage: %v", err)
	}
	for id := range int32(3) {
		c.Up(id)
	}
	produceTo(c, 3, "b", 5)
	p.awaitRecords(t, 30)
	p.awaitEvents(t, "assigned[t-0 t-1 t-2]") // as in Java: nothing was lost
	p.do(t, func(ctx context.Context) {
		if err := p.CommitSync(ctx, map[connect.TopicPartition]int64{tp("t", 0): 10}); err != nil {
			t.Error(err)
		}
	})
	if got := committedIn(c, "t")[0]; got != 10 {
		t.Errorf("committed %d", got)
	}
	for part := range int32(3) {
		want := append(values(fmt.Sprint("a", part, "-"), 5), values(fmt.Sprint("b", part, "-"), 5)...)
		if got := p.read(tp("t", part)); !slices.Equal(got, want) {
			t.Errorf("partition %d: %q", part, got)
		}
	}
}

func TestGroupConsumerCommitErrors(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 1)
	for _, test := range []struct {
		code *kerr.Error
		// what errors.Is and Retriable say of the asynchronous commit
		kind      error
		retriable bool
		event     string // that follows
	}{
		{kerr.CoordinatorLoadInProgress, nil, true, ""},
		{kerr.CoordinatorNotAvailable, nil, true, ""},
		{kerr.NotCoordinator, nil, true, ""},
		{kerr.RequestTimedOut, ErrTimeout, true, ""},
		{kerr.UnknownTopicOrPartition, ErrUnknownTopic, true, ""},
		{kerr.OffsetMetadataTooLarge, nil, false, ""},
		{kerr.GroupAuthorizationFailed, ErrAuthorization, false, ""},
		{kerr.TopicAuthorizationFailed, ErrAuthorization, false, ""},
		{kerr.RebalanceInProgress, ErrRebalanceInProgress, false, "revoked[t-0]"},
		{kerr.IllegalGeneration, ErrCommitFailed, false, "lost[t-0]"},
		{kerr.UnknownMemberID, ErrCommitFailed, false, "lost[t-0]"},
	} {
		t.Run(test.code.Message, func(t *testing.T) {
			t.Parallel()
			group := "g-" + test.code.Message
			session := "30000"
			if test.code == kerr.UnknownMemberID {
				session = "1000" // of the id that is thrown away
			}
			p := startPump(t, groupProps(c, "group.id", group, "session.timeout.ms", session), topicT, nil)
			p.awaitFirstEvents(t, "assigned[t-0]")
			fail := func() {
				c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: group, Err: test.code})
			}
			got := make(chan error, 1)
			fail()
			p.do(t, func(context.Context) {
				p.CommitAsync(map[connect.TopicPartition]int64{tp("t", 0): 1}, func(err error) { got <- err })
			})
			err := receive(t, "the callback", got)
			if err == nil || test.kind != nil && !errors.Is(err, test.kind) || Retriable(err) != test.retriable {
				t.Errorf("commit: %v (retriable: %v)", err, Retriable(err))
			}
			if test.retriable {
				if !strings.HasPrefix(err.Error(), "Offset commit failed with a retriable exception.") {
					t.Errorf("text %v", err)
				}
				fail()
				p.do(t, func(ctx context.Context) { // CommitSync tries again
					if err := p.CommitSync(ctx, map[connect.TopicPartition]int64{tp("t", 0): 2}); err != nil {
						t.Error(err)
					}
				})
			}
			if test.event != "" {
				p.awaitFirstEvents(t, "assigned[t-0]", test.event, "assigned[t-0]")
			} else if events := p.eventList(); len(events) != 1 {
				t.Errorf("events %q", events)
			}
		})
	}
}

func TestGroupConsumerLeavesWhenNotPolled(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 1)
	leaves := observe[*kmsg.LeaveGroupRequest](c)
	p := startPump(t, groupProps(c, "max.poll.interval.ms", "200"), topicT, nil)
	p.awaitEvents(t, "assigned[t-0]")
	p.do(t, func(context.Context) {
		eventually(t, "the member to leave", func() bool { return len(c.GroupInfo("g").Members) == 0 })
		if err := p.CommitSync(t.Context(), map[connect.TopicPartition]int64{tp("t", 0): 1}); !errors.Is(err, ErrCommitFailed) {
			t.Errorf("commit after leaving: %v", err)
		}
	})
	p.awaitEvents(t, "assigned[t-0]", "lost[t-0]", "assigned[t-0]")
	if reason := *leaves()[0].Members[0].Reason; reason != "consumer poll timeout has expired." {
		t.Errorf("reason %q", reason)
	}
}

func TestGroupConsumerStaysWhilePolled(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 1)
	p := startPump(t, groupProps(c, "max.poll.interval.ms", "150"), topicT, nil)
	p.awaitEvents(t, "assigned[t-0]")
	p.do(t, func(ctx context.Context) {
		if batches, err := p.Poll(ctx, 500*time.Millisecond); len(batches) > 0 || err != nil {
			t.Error(batches, err)
		}
	})
	p.awaitEvents(t, "assigned[t-0]")
}

func TestGroupConsumerEvictsItsGhost(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 2)
	props := groupProps(c, "client.id", "connector-consumer-c-0", "session.timeout.ms", "300000", "max.poll.interval.ms", "300000")
	ghost := startPump(t, props, topicT, func(p *pump) { p.ghost = true })
	ghost.awaitEvents(t, "assigned[t-0 t-1]")
	ghost.stop()
	if n := len(c.GroupInfo("g").Members); n != 1 {
		t.Fatalf("%d members", n)
	}
	p := startPump(t, props, topicT, nil)
	p.awaitEvents(t, "assigned[t-0 t-1]")

	props[EvictOwnClientIDProperty] = "false"
	both := startPump(t, props, topicT, nil)
	eventually(t, "both to own one", func() bool { return len(p.Assignment()) == 1 && len(both.Assignment()) == 1 })
	p.awaitEvents(t, "assigned[t-0 t-1]", "revoked[t-0 t-1]", "assigned"+fmt.Sprint(p.Assignment()))
}

func TestGroupConsumerReturnsTheListenersError(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 1)
	boom := errors.New("boom")
	p := startPump(t, groupProps(c), topicT, func(p *pump) {
		p.onEvent = func(context.Context, string, []connect.TopicPartition) error { return boom }
	})
	p.awaitError(t, boom)
	p.do(t, func(context.Context) { p.member.Rejoin("test") })
	p.awaitEvents(t, "assigned[t-0]", "revoked[t-0]", "assigned[t-0]")
	p.stop()
	if !errors.Is(p.closeErr, boom) {
		t.Errorf("Close returned %v", p.closeErr)
	}
}

func TestGroupConsumerClosesWithoutBrokers(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 1)
	p := startPump(t, groupProps(c), topicT, func(p *pump) { p.ghost = true })
	p.awaitEvents(t, "assigned[t-0]")
	for id := range int32(3) {
		c.Down(id)
	}
	p.stop() // within the bound, or the test hangs
	p.awaitEvents(t, "assigned[t-0]", "revoked[t-0]")

	never, err := NewGroupConsumer(t.Context(), groupProps(c), topicT, &pump{}, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := never.Poll(t.Context(), 50*time.Millisecond); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := never.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestGroupConsumerFatalErrors(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 1)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	p := startPump(t, groupProps(c), topicT, nil)
	p.awaitError(t, ErrAuthorization)
}

func TestGroupConsumerFetchesCommittedOffsets(t *testing.T) {
	for _, code := range []*kerr.Error{
		kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.UnstableOffsetCommit,
		kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed,
	} {
		t.Run(code.Message, func(t *testing.T) {
			t.Parallel()
			c := groupCluster(t)
			c.Topic("t", 1)
			produceTo(c, 1, "a", 3)
			fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g", Err: code})
			p := startPump(t, groupProps(c), topicT, nil)
			if code == kerr.GroupAuthorizationFailed || code == kerr.TopicAuthorizationFailed {
				p.awaitError(t, ErrAuthorization)
				return
			}
			p.awaitRecords(t, 3)
			if fault.Hits() != 1 {
				t.Errorf("the fault was met %d times", fault.Hits())
			}
			p.awaitEvents(t, "assigned[t-0]")
		})
	}
}

func TestGroupConsumerGivesUpLocating(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 2)
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g", Err: kerr.UnstableOffsetCommit, Count: -1})
	a := startPump(t, groupProps(c), topicT, nil)
	c.Await(fault, 2)
	b := startPump(t, groupProps(c), topicT, nil)
	eventually(t, "a group of two", func() bool {
		info := c.GroupInfo("g")
		return info.State == "Stable" && len(info.Members) == 2
	})
	fault.Remove()
	eventually(t, "one partition each", func() bool { return len(a.Assignment()) == 1 && len(b.Assignment()) == 1 })
	a.awaitEvents(t, "assigned"+fmt.Sprint(a.Assignment()))
}
