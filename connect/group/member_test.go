package group

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/internal/kafka"
)

// What the group is told of is assigned to somebody at once.
func TestTheListenerHearsOfConfigsBeforeTheGroup(t *testing.T) {
	s := &script{t: t, board: newBoard(t)}
	configs := clusterOf(10, map[string]int{"c": 2})
	a := s.join("a", "sessioned", configs)
	if _, err := (*handler)(a.member).Protocols(t.Context()); err != nil || a.worker.joining != configs {
		t.Errorf("joining with %v, %v", a.worker.joining, err)
	}
}

func TestProtocolsAreOffered(t *testing.T) {
	for setting, want := range map[string][]string{
		"sessioned": {"sessioned", "compatible", "default"}, "Compatible": {"compatible", "default"}, "eager": {"default"},
	} {
		s := &script{t: t, board: newBoard(t)}
		p := s.join("a", setting, clusterOf(7, nil))
		protocols, err := (*handler)(p.member).Protocols(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range protocols {
			names = append(names, o.Name)
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", setting, diff)
		}
		if m := p.metadata(t); m.URL != "http://a/" || m.ConfigOffset != 7 || m.Allocation != nil {
			t.Errorf("metadata: %+v", m)
		}
	}
	if _, err := newMember(Options{Protocol: "later"}, nil); err == nil || !strings.Contains(err.Error(), "connect.protocol") {
		t.Errorf("got %v", err)
	}
}

func TestASecondMemberTakesItsShare(t *testing.T) {
	s := &script{t: t, board: newBoard(t)}
	configs := clusterOf(10, map[string]int{"c": 4, "d": 1})
	a := s.join("a", "sessioned", configs)
	s.rebalance()
	want := Assignment{Generation: 1, MemberID: "a", ProtocolName: "sessioned", Version: 2, LeaderID: "a", LeaderURL: "http://a/",
		IsLeader: true, ConfigOffset: 10, Connectors: []string{"c", "d"},
		Tasks: []connect.TaskID{{Connector: "c"}, {Connector: "c", Task: 1}, {Connector: "c", Task: 2}, {Connector: "c", Task: 3}, {Connector: "d"}}}
	if diff := cmp.Diff(want, a.worker.last); diff != "" {
		t.Fatalf("alone (-want +got):\n%s", diff)
	}
	b := s.join("b", "sessioned", configs)
	s.rebalance()
	// The first round only takes away.
	if n := len(a.worker.last.RevokedConnectors) + len(a.worker.last.RevokedTasks); n != 3 || s.board.count("b") != 0 {
		t.Fatalf("%d revoked, b runs %d", n, s.board.count("b"))
	}
	s.rebalance()
	if s.board.count("a") != 4 || s.board.count("b") != 3 || len(a.worker.last.RevokedTasks) != 0 {
		t.Errorf("a runs %d, b runs %d: %+v", s.board.count("a"), s.board.count("b"), s.board.by)
	}
	if b.worker.last.IsLeader || b.worker.last.LeaderURL != "http://a/" {
		t.Errorf("b: %+v", b.worker.last)
	}
	// The leader knows who runs what; b does not.
	for item, owner := range s.board.by {
		if got := a.member.OwnerURL(item); got != "http://"+owner+"/" {
			t.Errorf("owner of %v is %q, want %s", item, got, owner)
		}
		if got := b.member.OwnerURL(item); got != "" {
			t.Errorf("b names %q", got)
		}
	}
	a.membership.gen = kafka.Generation{} // a rebalance is under way
	if got := a.member.OwnerURL(assignor.Connector("c")); got != "" {
		t.Errorf("named %q during a rebalance", got)
	}
}

func TestEagerMembersGiveUpEverything(t *testing.T) {
	s := &script{t: t, board: newBoard(t)}
	configs := clusterOf(10, map[string]int{"c": 2})
	a := s.join("a", "eager", configs)
	s.rebalance()
	a.worker.takeEvents()
	s.join("b", "sessioned", configs)
	s.rebalance()
	if diff := cmp.Diff([]string{"stop [c--1 c-0 c-1]", "assigned generation 2"}, a.worker.takeEvents()); diff != "" {
		t.Errorf("a (-want +got):\n%s", diff)
	}
	if s.board.count("a") != 2 || s.board.count("b") != 1 {
		t.Errorf("runs: %v", s.board.by)
	}
	for _, p := range s.peers {
		if p.worker.last.Version != 0 || p.worker.last.ProtocolName != "default" {
			t.Errorf("%s: %+v", p.id, p.worker.last)
		}
	}
}

// When an eager worker joins a cooperative group, what it gets must have stopped before.
func TestAnEagerMemberPullsTheOthersDown(t *testing.T) {
	s := &script{t: t, board: newBoard(t)}
	configs := clusterOf(10, map[string]int{"c": 3})
	a := s.join("a", "sessioned", configs)
	s.rebalance()
	s.join("b", "eager", configs)
	s.rebalance() // a cannot say what it runs, but the leader remembers
	if s.board.count("a") != 4 || len(a.worker.takeEvents()) != 2 || len(a.membership.takeRejoins()) != 1 {
		t.Errorf("runs: %v", s.board.by)
	}
	s.rebalance()
	if s.board.count("a") != 2 || s.board.count("b") != 2 {
		t.Errorf("runs: %v", s.board.by)
	}
	s.peers = s.peers[:1]
	s.board.stop("b", []connect.TaskID{{Connector: "c", Task: -1}, {Connector: "c"}, {Connector: "c", Task: 1}, {Connector: "c", Task: 2}})
	s.rebalance()
	if s.board.count("a") != 4 || a.worker.last.Version != 2 {
		t.Errorf("runs: %v, %+v", s.board.by, a.worker.last)
	}
}

func TestTheLeaderCatchesUp(t *testing.T) {
	old, current := clusterOf(10, map[string]int{"c": 1}), clusterOf(20, map[string]int{"c": 1, "d": 1})
	s := &script{t: t, board: newBoard(t)}
	a := s.join("a", "sessioned", old)
	s.rebalance()
	s.join("b", "sessioned", current)

	// It cannot: nobody gets anything, and what runs goes on.
	s.rebalance()
	for _, p := range s.peers {
		if l := p.worker.last; l.Err != 1 || l.ConfigOffset != 20 || l.LeaderURL != "http://a/" || len(l.RevokedTasks) != 0 {
			t.Errorf("%s: %+v", p.id, l)
		}
	}
	if a.worker.refreshes != 1 || s.board.count("a") != 2 || s.board.count("b") != 0 {
		t.Errorf("%d refreshes, runs %v", a.worker.refreshes, s.board.by)
	}
	if m := a.metadata(t); m.Allocation == nil || len(m.Allocation.Tasks) != 1 {
		t.Errorf("a does not report what it runs: %+v", m.Allocation)
	}

	a.worker.behind = current
	s.rebalance()
	if a.worker.last.Err != 0 || a.worker.last.ConfigOffset != 20 || s.board.count("a") != 2 || s.board.count("b") != 2 {
		t.Errorf("%+v, runs %v", a.worker.last, s.board.by)
	}
	// A fresh snapshot is enough when the store has caught up by itself.
	n := a.worker.refreshes
	a.worker.setConfig(clusterOf(30, map[string]int{"c": 1, "d": 1}))
	s.peers[1].worker.setConfig(clusterOf(30, map[string]int{"c": 1, "d": 1}))
	s.rebalance()
	if a.worker.refreshes != n || a.worker.last.ConfigOffset != 30 {
		t.Errorf("%d refreshes, %+v", a.worker.refreshes-n, a.worker.last)
	}
}

func TestDeletedConnectorsAreStopped(t *testing.T) {
	s := &script{t: t, board: newBoard(t)}
	a := s.join("a", "sessioned", clusterOf(10, map[string]int{"c": 1, "d": 1}))
	s.rebalance()
	a.worker.takeEvents()
	a.worker.setConfig(clusterOf(11, map[string]int{"d": 1}))
	s.rebalance()
	if diff := cmp.Diff([]string{"stop [c--1 c-0]", "assigned generation 2"}, a.worker.takeEvents()); diff != "" {
		t.Errorf("a (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"d"}, a.worker.last.Connectors); diff != "" {
		t.Errorf("assigned (-want +got):\n%s", diff)
	}
}

func TestALostCoordinatorStopsEverything(t *testing.T) {
	s := &script{t: t, board: newBoard(t)}
	a := s.join("a", "sessioned", clusterOf(10, map[string]int{"c": 1}))
	s.rebalance()
	(*handler)(a.member).CoordinatorLost(t.Context())
	if s.board.count("a") != 0 {
		t.Errorf("runs: %v", s.board.by)
	}
	if m := a.metadata(t); m.Allocation != nil {
		t.Errorf("reports %+v", m.Allocation)
	}
	a.worker.takeEvents()
	(*handler)(a.member).CoordinatorLost(t.Context())
	if e := a.worker.takeEvents(); len(e) != 0 {
		t.Errorf("the second time: %v", e)
	}
	s.rebalance()
	if s.board.count("a") != 2 {
		t.Errorf("runs: %v", s.board.by)
	}
}

// A cooperative member that was thrown out keeps running and says so.
func TestALostMembershipKeepsTheWork(t *testing.T) {
	s := &script{t: t, board: newBoard(t)}
	a := s.join("a", "sessioned", clusterOf(10, map[string]int{"c": 1}))
	s.rebalance()
	if err := (*handler)(a.member).JoinPrepare(t.Context(), kafka.Generation{}, true); err != nil {
		t.Fatal(err)
	}
	if m := a.metadata(t); m.Allocation == nil || len(m.Allocation.Connectors) != 1 || s.board.count("a") != 2 {
		t.Errorf("reports %+v, runs %v", m.Allocation, s.board.by)
	}
}

func TestCallsGoToTheMembership(t *testing.T) {
	s := &script{t: t, board: newBoard(t)}
	a := s.join("a", "sessioned", clusterOf(1, nil))
	a.member.Rejoin("news")
	a.member.LeaveFor("taking too long to read the log", 6*time.Second)
	if len(a.membership.rejoins) != 1 || a.membership.left != "taking too long to read the log for 6s" {
		t.Errorf("%+v", a.membership)
	}
}

func TestTheLogTellsOfEveryGeneration(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	s := &script{t: t, board: newBoard(t)}
	a := s.join("a", "sessioned", clusterOf(1, map[string]int{"c": 1}))
	a.member.o.Log = zap.New(core)
	s.rebalance()
	s.rebalance()
	lines := logs.Filter(func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, "Joined group") }).All()
	if len(lines) != 2 || !strings.Contains(lines[1].Message, "Joined group at generation 2 with protocol version 2 and got assignment: ") {
		t.Errorf("got %v", lines)
	}
}

func TestGarbageIsRefused(t *testing.T) {
	s := &script{t: t, board: newBoard(t)}
	h := (*handler)(s.join("a", "sessioned", clusterOf(1, nil)).member)
	gen := kafka.Generation{ID: 1, MemberID: "a", LeaderID: "a", Protocol: "sessioned"}
	if _, err := h.Assign(t.Context(), gen, []kafka.GroupMember{{ID: "b", Metadata: []byte{1}}}); err == nil || !strings.Contains(err.Error(), "member b") {
		t.Errorf("metadata: %v", err)
	}
	if err := h.Joined(t.Context(), gen, []byte{0, 2, 0}); err == nil || !strings.Contains(err.Error(), "generation 1") {
		t.Errorf("assignment: %v", err)
	}
	gen.Protocol = "range"
	if err := h.Joined(t.Context(), gen, nil); err == nil {
		t.Error("an unknown protocol")
	}
}
