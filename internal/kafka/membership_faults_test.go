package kafka

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/internal/kafkatest"
)

func TestMembershipJoinErrors(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.FindCoordinator} {
		for _, code := range []*kerr.Error{
			kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator,
			kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress,
		} {
			if key == kmsg.FindCoordinator && code != kerr.CoordinatorLoadInProgress && code != kerr.CoordinatorNotAvailable {
				continue
			}
			t.Run(key.Name()+"/"+code.Message, func(t *testing.T) {
				t.Parallel()
				c := groupCluster(t)
				fault := c.FailOnce(key, code)
				cfg := memberConfig()
				cfg.SessionTimeout = time.Second // of the id that is thrown away
				m := startMember(t, c, cfg, nil)
				m.awaitJoins(t, 1)
				c.Await(fault, 1)
				if p := m.lastPrepare(); p.lost {
					t.Error("lost what it never had")
				}
			})
		}
	}
}

func TestMembershipFatalErrors(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.FindCoordinator} {
		for _, code := range []*kerr.Error{
			kerr.GroupAuthorizationFailed, kerr.FencedInstanceID, kerr.InconsistentGroupProtocol,
			kerr.InvalidSessionTimeout, kerr.GroupMaxSizeReached,
		} {
			ends := code == kerr.GroupAuthorizationFailed || code == kerr.FencedInstanceID && key != kmsg.FindCoordinator || key == kmsg.JoinGroup
			if !ends {
				continue
			}
			t.Run(key.Name()+"/"+code.Message, func(t *testing.T) {
				t.Parallel()
				c := groupCluster(t)
				c.FailOnce(key, code)
				m := startMember(t, c, memberConfig(), nil)
				err := receive(t, "the end of Run", m.done)
				var broker *BrokerError
				if !errors.As(err, &broker) || broker.Code != code.Code || !strings.Contains(err.Error(), " g: ") {
					t.Errorf("Run returned %v", err)
				}
				if (code == kerr.GroupAuthorizationFailed) != errors.Is(err, ErrAuthorization) {
					t.Errorf("kind of %v", err)
				}
			})
		}
	}
}

func TestMembershipHeartbeatErrors(t *testing.T) {
	for _, test := range []struct {
		code               *kerr.Error
		rejoins, lost, new bool
	}{
		{kerr.RebalanceInProgress, true, false, false},
		{kerr.IllegalGeneration, true, true, false},
		{kerr.UnknownMemberID, true, true, true},
		{kerr.NotCoordinator, false, false, false},
		{kerr.CoordinatorNotAvailable, false, false, false},
		{kerr.CoordinatorLoadInProgress, false, false, false},
	} {
		t.Run(test.code.Message, func(t *testing.T) {
			t.Parallel()
			c := groupCluster(t)
			cfg := memberConfig()
			if test.new {
				cfg.SessionTimeout = time.Second // of the id that is thrown away
			}
			m := startMember(t, c, cfg, nil)
			m.awaitJoins(t, 1)
			before := m.Generation()
			fault := c.FailOnce(kmsg.Heartbeat, test.code)
			c.Await(fault, 1)
			if !test.rejoins {
				beats := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, Count: -1})
				c.Await(beats, 3)
				if m.joinCount() != 1 || m.Generation() != before {
					t.Errorf("generation %+v after %+v", m.Generation(), before)
				}
				return
			}
			m.awaitJoins(t, 2)
			p := m.lastPrepare()
			if p.lost != test.lost || test.lost == (p.last == before) {
				t.Errorf("prepared with %+v", p)
			}
			if got := m.lastJoin().gen; (got.MemberID != before.MemberID) != test.new {
				t.Errorf("member id %s, was %s", got.MemberID, before.MemberID)
			}
		})
	}
}

// moveCoordinator gives the group to another broker and observes the heartbeats there.
func moveCoordinator(c *kafkatest.Cluster) *kfake.FaultHandle {
	was := c.CoordinatorFor("g")
	for c.CoordinatorFor("g") == was {
		c.RehashCoordinators()
	}
	return c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Nodes: []int32{c.CoordinatorFor("g")}, Observe: true, Count: -1})
}

func TestMembershipFollowsTheCoordinator(t *testing.T) {
	c := groupCluster(t)
	m := startMember(t, c, memberConfig(), nil)
	m.awaitJoins(t, 1)
	gen := m.Generation()
	c.Await(moveCoordinator(c), 3)
	if m.joinCount() != 1 || m.Generation() != gen {
		t.Errorf("%d joins, generation %+v, was %+v", m.joinCount(), m.Generation(), gen)
	}
}

// hangHeartbeat waits for the next heartbeat, which gets no answer, ever.
func hangHeartbeat(t *testing.T, c *kafkatest.Cluster) {
	t.Helper()
	hung := make(chan struct{})
	c.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(hung)
		return nil, nil, true
	})
	receive(t, "a heartbeat", hung)
}

func TestMembershipSurvivesAHungHeartbeat(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.SessionTimeout = 500 * time.Millisecond
	m := startMember(t, c, cfg, nil)
	m.awaitJoins(t, 1)
	hangHeartbeat(t, c)
	found := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Observe: true, Count: -1})
	beats := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, Count: -1})
	c.Await(found, 1)
	c.Await(beats, 2)
}

func TestMembershipWaitsLongForJoin(t *testing.T) {
	c := groupCluster(t)
	free := make(chan struct{})
	slow := startMember(t, c, memberConfig(), func(h *member) {
		h.onPrepare = func(ctx context.Context, _ bool) error {
			if h.joinCount() == 0 {
				return nil
			}
			return wait(ctx, free)
		}
	}, "client.id", "slow")
	slow.awaitJoins(t, 1)
	joins := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Observe: true, Count: -1})
	m := startMember(t, c, memberConfig(), nil, "request.timeout.ms", "100")
	c.Await(joins, 2) // the second one waits for the slow member
	select {
	case <-time.After(400 * time.Millisecond):
	case err := <-m.done:
		t.Fatal(err)
	}
	if joins.Hits() != 2 {
		t.Errorf("%d JoinGroup requests: one was given up", joins.Hits())
	}
	close(free)
	m.awaitJoins(t, 1)
	slow.awaitJoins(t, 2)
}

func TestMembershipRejoinsAfterALostConnection(t *testing.T) {
	c := groupCluster(t)
	free := make(chan struct{})
	slow := startMember(t, c, memberConfig(), func(h *member) {
		h.onPrepare = func(ctx context.Context, _ bool) error {
			if h.joinCount() == 0 {
				return nil
			}
			return wait(ctx, free)
		}
	}, "client.id", "slow")
	slow.awaitJoins(t, 1)
	joins := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Observe: true, Count: -1})
	m := startMember(t, c, memberConfig(), nil)
	c.Await(joins, 2)
	c.Cut(c.CoordinatorFor("g"))
	c.Await(joins, 3)
	close(free)
	m.awaitJoins(t, 1)
}

func TestMembershipLosesTheCoordinator(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.SessionTimeout = 300 * time.Millisecond
	m := startMember(t, c, cfg, nil)
	m.awaitJoins(t, 1)
	for id := range int32(3) {
		c.Down(id)
	}
	eventually(t, "CoordinatorLost", func() bool { return m.toldOfLoss() == 1 })
	if m.Generation() != (Generation{}) {
		t.Error("there is a generation without a coordinator")
	}
	for id := range int32(3) {
		c.Up(id)
	}
	m.awaitJoins(t, 2)
	if p := m.lastPrepare(); !p.lost {
		t.Errorf("prepared with %+v", p)
	}
	if m.toldOfLoss() != 1 {
		t.Error("told more than once")
	}
}

func TestMembershipKeepsAShortOutageToItself(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.SessionTimeout = 30 * time.Second
	m := startMember(t, c, cfg, nil)
	m.awaitJoins(t, 1)
	for id := range int32(3) {
		c.Down(id)
	}
	eventually(t, "the coordinator to be given up", func() bool { return m.knownCoordinator() == nil })
	for id := range int32(3) {
		c.Up(id)
	}
	beats := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, Count: -1})
	c.Await(beats, 2)
	if m.joinCount() != 1 || m.toldOfLoss() != 0 {
		t.Errorf("%d joins, told %d times", m.joinCount(), m.toldOfLoss())
	}
}

func TestMembershipWatchesTheHandler(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.SessionTimeout, cfg.RebalanceTimeout = time.Second, 2*time.Second
	reasons := make(chan string, 4)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
		reasons <- *r.(*kmsg.LeaveGroupRequest).Members[0].Reason
		return true
	}})
	free := make(chan struct{})
	m := startMember(t, c, cfg, func(h *member) {
		h.onJoined = func(ctx context.Context, _ Generation) error {
			if h.joinCount() > 1 {
				return nil
			}
			return wait(ctx, free)
		}
	})
	m.awaitJoins(t, 1)
	beats := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, Count: -1})
	c.Await(beats, 5)
	if reason := receive(t, "LeaveGroup", reasons); reason != "worker poll timeout has expired." {
		t.Errorf("reason %q", reason)
	}
	close(free)
	m.awaitJoins(t, 2)
	if p := m.lastPrepare(); !p.lost {
		t.Errorf("prepared with %+v", p)
	}
}

func TestMembershipIsLostDuringPrepare(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.SessionTimeout = time.Second // of the id that is thrown away
	m := startMember(t, c, cfg, func(h *member) {
		h.onPrepare = func(_ context.Context, lost bool) error {
			if h.joinCount() == 1 && !lost {
				h.mu.Lock()
				m := h.Membership
				h.mu.Unlock()
				c.FailOnce(kmsg.Heartbeat, kerr.UnknownMemberID)
				eventually(t, "the loss", m.wasLost)
			}
			return nil
		}
	})
	m.awaitJoins(t, 1)
	m.Rejoin("test")
	m.awaitJoins(t, 2)
	m.mu.Lock()
	defer m.mu.Unlock()
	var lost []bool
	for _, p := range m.prepares {
		lost = append(lost, p.lost)
	}
	if !slices.Equal(lost, []bool{false, false, true}) {
		t.Errorf("JoinPrepare was called with lost = %v", lost)
	}
}
