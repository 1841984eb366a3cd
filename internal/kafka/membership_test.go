package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/internal/kafkatest"
)

// prepared is a call of JoinPrepare.
type prepared struct {
	last Generation
	lost bool
}

// joinedCall is a call of Joined.
type joinedCall struct {
	gen        Generation
	assignment string
}

// member is a Membership with a handler that writes down what it is told, and, as
// the leader, gives every member its own id.
type member struct {
	*Membership
	stop func() // ends Run and waits
	done chan error

	mu        sync.Mutex
	prepares  []prepared
	joins     []joinedCall
	led       []int // sizes of the group when leading
	lostCoord int
	onPrepare func(ctx context.Context, lost bool) error
	onJoined  func(ctx context.Context, gen Generation) error
}

func (h *member) Protocols(context.Context) ([]GroupProtocol, error) {
	return []GroupProtocol{{"second", []byte("b")}, {"first", []byte("a")}}, nil
}

func (h *member) JoinPrepare(ctx context.Context, last Generation, lost bool) error {
	h.mu.Lock()
	h.prepares = append(h.prepares, prepared{last, lost})
	fn := h.onPrepare
	h.mu.Unlock()
	if fn != nil {
		return fn(ctx, lost)
	}
	return nil
}

func (h *member) Assign(_ context.Context, gen Generation, members []GroupMember) (map[string][]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.led = append(h.led, len(members))
	out := map[string][]byte{}
	for _, m := range members {
		out[m.ID] = []byte(m.ID + " " + string(m.Metadata) + " " + gen.Protocol)
	}
	return out, nil
}

func (h *member) Joined(ctx context.Context, gen Generation, assignment []byte) error {
	h.mu.Lock()
	h.joins = append(h.joins, joinedCall{gen, string(assignment)})
	fn := h.onJoined
	h.mu.Unlock()
	if fn != nil {
		return fn(ctx, gen)
	}
	return nil
}

func (h *member) CoordinatorLost(context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lostCoord++
}

// toldOfLoss returns how often CoordinatorLost was called.
func (h *member) toldOfLoss() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lostCoord
}

func (h *member) joinCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.joins)
}

func (h *member) lastJoin() joinedCall {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.joins) == 0 {
		return joinedCall{}
	}
	return h.joins[len(h.joins)-1]
}

func (h *member) lastPrepare() prepared {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.prepares[len(h.prepares)-1]
}

// wait is what a handler method does that is stuck.
func wait(ctx context.Context, free <-chan struct{}) error {
	select {
	case <-free:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// memberConfig has times that a machine under load does not exceed. Where a broker
// has to find out by itself that a member is gone, tests make the session shorter.
func memberConfig() MembershipConfig {
	return MembershipConfig{
		GroupID: "g", ProtocolType: "connect", SessionTimeout: 20 * time.Second,
		RebalanceTimeout: 30 * time.Second, HeartbeatInterval: 20 * time.Millisecond,
	}
}

func groupCluster(t testing.TB, opts ...kfake.Opt) *kafkatest.Cluster {
	return kafkatest.New(t, append([]kfake.Opt{kfake.GroupMinSessionTimeout(100 * time.Millisecond)}, opts...)...)
}

// startMember runs a membership until its stop or the end of the test.
func startMember(t testing.TB, c *kafkatest.Cluster, cfg MembershipConfig, tune func(*member), props ...string) *member {
	t.Helper()
	h := &member{done: make(chan error, 1)}
	m, err := NewMembership(t.Context(), c.Props(props...), cfg, h, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	h.Membership = m
	if tune != nil {
		tune(h)
	}
	h.stop = background(t, func(ctx context.Context) { h.done <- m.Run(ctx) })
	return h
}

func (h *member) awaitJoins(t testing.TB, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("join %d", n), func() bool { return h.joinCount() >= n })
}

func TestMembershipOfOne(t *testing.T) {
	c := groupCluster(t)
	var requests []kmsg.Request
	var mu sync.Mutex
	c.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.LeaveGroup}, Observe: true, Count: -1,
		When: func(r kmsg.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			requests = append(requests, r)
			return true
		},
	})
	beats := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, Count: -1})
	m := startMember(t, c, memberConfig(), nil)
	m.awaitJoins(t, 1)
	c.Await(beats, 3)

	gen := m.Generation()
	join := m.lastJoin()
	if gen == (Generation{}) || gen != join.gen || gen.LeaderID != gen.MemberID || gen.Protocol != "second" {
		t.Errorf("generation %+v, told %+v", gen, join.gen)
	}
	if want := gen.MemberID + " b second"; join.assignment != want {
		t.Errorf("assignment %q, want %q", join.assignment, want)
	}
	if p := m.lastPrepare(); p != (prepared{}) {
		t.Errorf("first JoinPrepare got %+v", p)
	}
	m.stop()
	if err := <-m.done; err != nil {
		t.Error(err)
	}
	if info := c.GroupInfo("g"); len(info.Members) != 0 {
		t.Errorf("the member did not leave: %+v", info.Members)
	}
	mu.Lock()
	defer mu.Unlock()
	if j, ok := requests[0].(*kmsg.JoinGroupRequest); !ok || j.Version != 8 || j.SessionTimeoutMillis != 20_000 || j.RebalanceTimeoutMillis != 30_000 || j.ProtocolType != "connect" {
		t.Errorf("first request %+v", requests[0])
	}
	leave, ok := requests[len(requests)-1].(*kmsg.LeaveGroupRequest)
	if !ok || len(leave.Members) != 1 || leave.Members[0].MemberID != gen.MemberID || *leave.Members[0].Reason != "the consumer is being closed" {
		t.Errorf("last request %+v", requests[len(requests)-1])
	}
}

func TestMembershipOfThree(t *testing.T) {
	c := groupCluster(t)
	members := []*member{}
	for i := range 3 {
		members = append(members, startMember(t, c, memberConfig(), nil, "client.id", fmt.Sprint("m", i)))
	}
	stable := func(n int, of []*member) func() bool {
		return func() bool {
			gen := of[0].Generation()
			if gen == (Generation{}) {
				return false
			}
			leaders := 0
			for _, m := range of {
				g := m.Generation()
				if g.ID != gen.ID || g.LeaderID != gen.LeaderID || m.lastJoin().gen != g || !strings.HasPrefix(m.lastJoin().assignment, g.MemberID) {
					return false
				}
				if g.LeaderID == g.MemberID {
					leaders++
					m.mu.Lock()
					leads := m.led[len(m.led)-1] == n
					m.mu.Unlock()
					if !leads {
						return false
					}
				}
			}
			return leaders == 1
		}
	}
	eventually(t, "a group of three", stable(3, members))
	before := members[0].Generation()
	// Followers leave: kfake names two leaders when the leader does.
	slices.SortFunc(members, func(a, b *member) int {
		return btoi(b.Generation().MemberID == before.LeaderID) - btoi(a.Generation().MemberID == before.LeaderID)
	})
	members[2].stop()
	eventually(t, "a group of two", stable(2, members[:2]))
	if p := members[0].lastPrepare(); p.lost || p.last.ID < before.ID || p.last.MemberID != before.LeaderID {
		t.Errorf("prepared with %+v, was %+v", p, before)
	}
	members[0].Rejoin("because") // of the leader: brokers answer followers from memory
	eventually(t, "another generation", func() bool {
		return stable(2, members[:2])() && members[0].Generation().ID >= before.ID+2
	})
	members[0].stop()
	eventually(t, "the leader's follower alone", stable(1, members[1:2]))
}

// kill ends a member as kill -9 does: it says nothing to anybody.
func (h *member) kill(t testing.TB) {
	h.cluster.close()
	if err := receive(t, "the end of the killed member", h.done); !errors.Is(err, ErrClosed) {
		t.Errorf("killed member: %v", err)
	}
}

func TestMembershipEvictsItsGhost(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.SessionTimeout, cfg.RebalanceTimeout = 5*time.Minute, 5*time.Minute
	cfg.EvictOwnClientID = true
	ghost := startMember(t, c, cfg, nil, "client.id", "w1")
	ghost.awaitJoins(t, 1)
	other := startMember(t, c, cfg, nil, "client.id", "w2")
	eventually(t, "a group of two", func() bool {
		return ghost.Generation() != Generation{} && ghost.Generation().ID == other.Generation().ID
	})
	ghost.kill(t)

	leaves := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Observe: true, Count: -1})
	again := startMember(t, c, cfg, nil, "client.id", "w1")
	eventually(t, "the group without its ghost", func() bool {
		return again.Generation() != Generation{} && again.Generation().ID == other.Generation().ID
	})
	if leaves.Hits() != 1 {
		t.Errorf("%d members were removed", leaves.Hits())
	}
	info := c.GroupInfo("g")
	if len(info.Members) != 2 || slices.ContainsFunc(info.Members, func(m kfake.GroupMember) bool { return m.MemberID == ghost.lastJoin().gen.MemberID }) {
		t.Errorf("members %+v", info.Members)
	}
}

func TestMembershipJoinsWithoutEviction(t *testing.T) {
	for name, prepare := range map[string]func(c *kafkatest.Cluster, cfg *MembershipConfig){
		"not allowed to describe": func(c *kafkatest.Cluster, _ *MembershipConfig) {
			c.FailOnce(kmsg.DescribeGroups, kerr.GroupAuthorizationFailed)
		},
		"not allowed to remove": func(c *kafkatest.Cluster, _ *MembershipConfig) {
			c.FailOnce(kmsg.LeaveGroup, kerr.GroupAuthorizationFailed)
		},
		"off": func(_ *kafkatest.Cluster, cfg *MembershipConfig) { cfg.EvictOwnClientID = false },
		"another client.id": func(_ *kafkatest.Cluster, cfg *MembershipConfig) {
			cfg.GroupID = "g" // the ghost has the client.id "test"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := groupCluster(t)
			cfg := memberConfig()
			cfg.SessionTimeout = 300 * time.Millisecond // of the ghost, too
			cfg.EvictOwnClientID = true
			ghost := startMember(t, c, cfg, nil, "client.id", "test")
			ghost.awaitJoins(t, 1)
			id := ghost.Generation().MemberID
			ghost.kill(t)
			gone := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Resource: id, Observe: true, Count: -1})
			prepare(c, &cfg)
			client := "test"
			if name == "another client.id" {
				client = "other"
			}
			m := startMember(t, c, cfg, nil, "client.id", client)
			m.awaitJoins(t, 1)
			if name != "not allowed to remove" && gone.Hits() != 0 {
				t.Error("the ghost was removed")
			}
		})
	}
}

// TestMembershipWaitsLongForJoin: the read time-out of JoinGroup is beyond the
// rebalance timeout, whatever request.timeout.ms is.
func TestMembershipLeavesAndRejoins(t *testing.T) {
	c := groupCluster(t)
	m := startMember(t, c, memberConfig(), nil)
	m.awaitJoins(t, 1)
	before := m.Generation()
	reasons := make(chan string, 1)
	c.ControlKey(int16(kmsg.LeaveGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.DropControl()
		reasons <- *r.(*kmsg.LeaveGroupRequest).Members[0].Reason
		return nil, nil, false
	})
	start := time.Now()
	m.LeaveAndRejoin("taking too long to read the log", 300*time.Millisecond)
	if reason := receive(t, "LeaveGroup", reasons); reason != "taking too long to read the log" {
		t.Errorf("reason %q", reason)
	}
	eventually(t, "no members", func() bool { return len(c.GroupInfo("g").Members) == 0 })
	if m.Generation() != (Generation{}) {
		t.Error("there is a generation after leaving")
	}
	m.awaitJoins(t, 2)
	if d := time.Since(start); d < 300*time.Millisecond {
		t.Errorf("rejoined after %s", d)
	}
	if p, gen := m.lastPrepare(), m.Generation(); !p.lost || gen.MemberID == before.MemberID {
		t.Errorf("prepared with %+v, generation %+v", p, gen)
	}
}

// TestMembershipWatchesTheHandler: heartbeats go on while the handler works, but not
// beyond the rebalance timeout.
// TestMembershipIsLostDuringPrepare: JoinPrepare is called again, with lost.
func TestMembershipRejoinDuringARebalanceIsNotForgotten(t *testing.T) {
	c := groupCluster(t)
	m := startMember(t, c, memberConfig(), func(h *member) {
		h.onJoined = func(_ context.Context, _ Generation) error {
			if h.joinCount() < 3 {
				h.Rejoin("once more")
			}
			return nil
		}
	})
	m.awaitJoins(t, 3)
	beats := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, Count: -1})
	c.Await(beats, 2)
	if n := m.joinCount(); n != 3 {
		t.Errorf("%d joins", n)
	}
}

func TestMembershipEndsWithTheHandlersError(t *testing.T) {
	c := groupCluster(t)
	boom := errors.New("boom")
	m := startMember(t, c, memberConfig(), func(h *member) {
		h.onJoined = func(context.Context, Generation) error { return boom }
	})
	if err := receive(t, "the end of Run", m.done); !errors.Is(err, boom) {
		t.Error(err)
	}
	if n := len(c.GroupInfo("g").Members); n != 0 {
		t.Errorf("%d members stayed", n)
	}
}

// After a rebalance heartbeats begin often, since another one may follow, and end up at
// heartbeat.interval.ms.
func TestMembershipBeatsOftenAfterARebalance(t *testing.T) {
	joined := time.Now()
	m := &Membership{joined: joined, cfg: MembershipConfig{HeartbeatInterval: 3 * time.Second}}
	var pauses []time.Duration
	for at := time.Duration(0); at < 10*time.Second; {
		pause := m.beatPauseLocked(joined.Add(at))
		pauses = append(pauses, pause)
		at += pause
	}
	const ms = time.Millisecond
	want := []time.Duration{100 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3000 * ms, 3000 * ms, 3000 * ms}
	if !slices.Equal(pauses, want) {
		t.Errorf("pauses %v, want %v", pauses, want)
	}
	m.cfg.HeartbeatInterval = 50 * ms
	if pause := m.beatPauseLocked(joined); pause != 50*ms {
		t.Errorf("pause %v, above the interval", pause)
	}
}

// A member hears of the second half of a rebalance long before heartbeat.interval.ms is over.
func TestMembershipHearsSoonOfTheNextRebalance(t *testing.T) {
	c := groupCluster(t)
	cfg := memberConfig()
	cfg.HeartbeatInterval = 15 * time.Second
	first := startMember(t, c, cfg, nil, "client.id", "m1")
	first.awaitJoins(t, 1)
	began := time.Now()
	second := startMember(t, c, cfg, nil, "client.id", "m2")
	eventually(t, "a group of two", func() bool {
		g := first.Generation()
		return g != (Generation{}) && g.ID == second.Generation().ID
	})
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("the second member joined after %v", d)
	}
}

func TestMembershipChecksItsConfig(t *testing.T) {
	cfg := MembershipConfig{SessionTimeout: time.Second, HeartbeatInterval: time.Second}
	_, err := NewMembership(t.Context(), map[string]string{}, cfg, nil, testLog(t))
	for _, want := range []string{"bootstrap.servers", "group.id", "Heartbeat must be set lower than the session timeout"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}
