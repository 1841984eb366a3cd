package kafka

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/internal/kafkatest"
)

// javasPauses are the defaults of the pauses.
var javasPauses = []string{
	"retry.backoff.ms", "100", "retry.backoff.max.ms", "1000", "reconnect.backoff.ms", "50", "reconnect.backoff.max.ms", "1000",
}

// spreads checks that lookups of the coordinator come after growing pauses, the first ones
// at once, after 100, 200 and 400 ms, less the jitter.
func spreads(t *testing.T, c *kafkatest.Cluster, fails func()) {
	t.Helper()
	found := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Observe: true, Count: -1})
	began := time.Now()
	fails()
	c.Await(found, 5)
	const least = (100 + 200 + 400) * time.Millisecond * 8 / 10
	if took := time.Since(began); took < least {
		t.Errorf("5 lookups within %v", took)
	}
}

// Brokers name a coordinator that has died until the controller has noticed.
func TestMembershipDoesNotBesiegeADeadCoordinator(t *testing.T) {
	c := groupCluster(t)
	m := startMember(t, c, memberConfig(), nil, javasPauses...)
	m.awaitJoins(t, 1)
	gen, coord := m.Generation(), c.CoordinatorFor("g")
	spreads(t, c, func() { c.Down(coord) })
	c.Up(coord)
	beats := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, Count: -1})
	c.Await(beats, 3)
	if m.joinCount() != 1 || m.Generation() != gen || m.toldOfLoss() != 0 {
		t.Errorf("%d joins, generation %+v, was %+v, told %d times", m.joinCount(), m.Generation(), gen, m.toldOfLoss())
	}
}

func TestMembershipDoesNotBesiegeADeadCoordinatorToJoin(t *testing.T) {
	c := groupCluster(t)
	c.Down(c.CoordinatorFor("g"))
	var m *member
	spreads(t, c, func() { m = startMember(t, c, memberConfig(), nil, javasPauses...) })
	c.Up(c.CoordinatorFor("g"))
	m.awaitJoins(t, 1)
}

// A broker that is not the coordinator any more is named until all have heard of the move.
func TestMembershipDoesNotBesiegeAFormerCoordinator(t *testing.T) {
	c := groupCluster(t)
	m := startMember(t, c, memberConfig(), nil, javasPauses...)
	m.awaitJoins(t, 1)
	var stale *kfake.FaultHandle
	spreads(t, c, func() {
		stale = c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.NotCoordinator, Count: -1})
	})
	stale.Remove()
	beats := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, Count: -1})
	c.Await(beats, 2)
	if m.joinCount() != 1 {
		t.Errorf("%d joins", m.joinCount())
	}
}

// The consumers of sink tasks keep their partitions, as in Java, and read on afterwards.
func TestGroupConsumerDoesNotBesiegeADeadCoordinator(t *testing.T) {
	c := groupCluster(t)
	c.Topic("t", 3)
	produceTo(c, 3, "a", 5)
	p := startPump(t, groupProps(c, javasPauses...), topicT, commitPositions)
	p.awaitRecords(t, 15)
	coord := c.CoordinatorFor("g")
	spreads(t, c, func() { c.Down(coord) })
	c.Up(coord)
	produceTo(c, 3, "b", 5)
	p.awaitRecords(t, 30)
	p.awaitEvents(t, "assigned[t-0 t-1 t-2]")
	p.stop()
	if p.closeErr != nil {
		t.Error(p.closeErr)
	}
	if got := committedIn(c, "t")[0]; got != 10 {
		t.Errorf("committed %d", got)
	}
}

// A real move is followed at once, however long the pauses are.
func TestMembershipFollowsAMoveAtOnce(t *testing.T) {
	c := groupCluster(t)
	m := startMember(t, c, memberConfig(), nil, "retry.backoff.ms", "60000", "retry.backoff.max.ms", "60000",
		"reconnect.backoff.ms", "60000", "reconnect.backoff.max.ms", "60000")
	m.awaitJoins(t, 1)
	c.Await(moveCoordinator(c), 2)
}

// Only the link to the coordinator is cut, so that the others go on naming it: the broker
// gives our work away when the session is over.
func TestMembershipLosesACoordinatorThatIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		cut, heal func(c *kafkatest.Cluster, node int32)
	}{
		"refused": {(*kafkatest.Cluster).Down, (*kafkatest.Cluster).Up},
		"silent":  {(*kafkatest.Cluster).Mute, (*kafkatest.Cluster).Unmute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := groupCluster(t)
			cfg := memberConfig()
			cfg.SessionTimeout, cfg.HeartbeatInterval = time.Second, 300*time.Millisecond
			coord := c.CoordinatorFor("g")
			others := slices.Delete(c.ListenAddrs(), int(coord), int(coord)+1)
			m := startMember(t, c, cfg, nil, "request.timeout.ms", "60000", "bootstrap.servers", strings.Join(others, ","))
			m.awaitJoins(t, 1)
			test.cut(c, coord)
			eventually(t, "CoordinatorLost", func() bool { return m.toldOfLoss() == 1 })
			if m.Generation() != (Generation{}) {
				t.Error("there is a generation without a coordinator")
			}
			test.heal(c, coord)
			m.awaitJoins(t, 2)
			if p := m.lastPrepare(); !p.lost || m.toldOfLoss() != 1 {
				t.Errorf("prepared with %+v, told %d times", p, m.toldOfLoss())
			}
		})
	}
}

// The link is cut in the middle of a rebalance: an assignment that does not come must not
// keep the work running beside its successors either.
func TestMembershipLosesTheCoordinatorWhileItSynchronizes(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.SessionTimeout = time.Second
	m := startMember(t, c, cfg, nil, "request.timeout.ms", "60000")
	m.awaitJoins(t, 1)
	coord := c.CoordinatorFor("g")
	c.ControlKey(int16(kmsg.SyncGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.DropControl()
		c.Mute(coord)
		return nil, nil, false
	})
	m.Rejoin("test")
	eventually(t, "CoordinatorLost", func() bool { return m.toldOfLoss() == 1 })
	c.Unmute(coord)
	m.awaitJoins(t, 2)
}

// The link is cut before a rebalance, which then cannot connect.
func TestMembershipLosesTheCoordinatorWhileItJoins(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.SessionTimeout = time.Second
	coord := c.CoordinatorFor("g")
	m := startMember(t, c, cfg, func(h *member) {
		h.onPrepare = func(context.Context, bool) error {
			if h.joinCount() == 1 && h.toldOfLoss() == 0 {
				c.Down(coord)
				eventually(t, "the coordinator to be given up", func() bool { return h.knownCoordinator() == nil })
				c.Up(coord)
				c.Mute(coord)
			}
			return nil
		}
	}, "request.timeout.ms", "60000")
	m.awaitJoins(t, 1)
	m.Rejoin("test")
	eventually(t, "CoordinatorLost", func() bool { return m.toldOfLoss() == 1 })
	c.Unmute(coord)
	m.awaitJoins(t, 2)
}

// A member that waits for the others to join is not lost, though the coordinator has not
// answered for longer than a session.
func TestMembershipIsNotLostWhileOthersJoin(t *testing.T) {
	c := groupCluster(t)
	// kfake ends the session of a member that waits, which Kafka does not.
	c.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		r.(*kmsg.JoinGroupRequest).SessionTimeoutMillis = 20_000
		return nil, nil, false
	})
	cfg := memberConfig()
	cfg.SessionTimeout = 500 * time.Millisecond
	var refused *kfake.FaultHandle
	leader := startMember(t, c, cfg, func(h *member) {
		h.onPrepare = func(context.Context, bool) error {
			if h.joinCount() == 2 { // the others are not told of the rebalance either
				refused = c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.NotCoordinator, Count: -1})
				c.Await(refused, 4)
			}
			return nil
		}
	})
	leader.awaitJoins(t, 1)
	other := startMember(t, c, memberConfig(), nil, "client.id", "other")
	other.awaitJoins(t, 1)
	leader.awaitJoins(t, 2)
	joins := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Observe: true, Count: -1})
	leader.Rejoin("test")
	c.Await(joins, 1)
	select {
	case <-time.After(2 * cfg.SessionTimeout):
	case err := <-leader.done:
		t.Fatal(err)
	}
	if leader.joinCount() != 2 || leader.toldOfLoss() != 0 {
		t.Errorf("%d joins, told of a loss %d times", leader.joinCount(), leader.toldOfLoss())
	}
	refused.Remove()
	leader.awaitJoins(t, 3)
}
