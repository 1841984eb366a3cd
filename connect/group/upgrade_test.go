package group

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
)

// level is the version that a group with these settings of connect.protocol speaks.
func level(protocols map[string]string) int16 {
	lowest := int16(2)
	for _, p := range protocols {
		switch p {
		case "eager":
			lowest = 0
		case "compatible":
			lowest = min(lowest, 1)
		}
	}
	return lowest
}

// restart stops a worker in order and starts it again with another connect.protocol, as
// the last of the group.
func (s *script) restart(p *peer, connectProtocol string) *peer {
	config := p.worker.config
	had := s.leave(p)
	for _, other := range s.peers {
		other.worker.statuses = said(connect.StateUnassigned, p.id, s.generation, had...)
	}
	s.settle()
	return s.join(p.id, connectProtocol, config)
}

// TestRollingUpgradeAndDowngrade: eager, compatible, sessioned and back, one worker after
// the other. The board fails the test when something runs twice.
func TestRollingUpgradeAndDowngrade(t *testing.T) {
	s := &script{t: t, board: newBoard(t)}
	config := clusterOf(10, map[string]int{"c": 8, "d": 2})
	protocols := map[string]string{}
	for n := range 3 {
		id := fmt.Sprintf("w%d:1", n)
		protocols[id] = "eager"
		s.join(id, "eager", config)
	}
	s.settle()
	for _, next := range []string{"compatible", "sessioned", "compatible", "eager", "sessioned", "eager"} {
		for range 3 {
			p := s.peers[0] // the leader goes first
			protocols[p.id] = next
			s.restart(p, next)
			s.settle()
			s.check(protocols, 12)
		}
	}
}

// report has every peer's status topic say what the board shows.
func (s *script) report() {
	statuses := map[connect.TaskID]storage.Status{}
	s.board.mu.Lock()
	for i, id := range s.board.by {
		maps.Copy(statuses, said(connect.StateRunning, id, s.generation, i))
	}
	s.board.mu.Unlock()
	for _, p := range s.peers {
		p.worker.statuses = statuses
	}
}

// TestANewLeaderTurnsAGroupToEager: the leader of a cooperative group leaves, and a worker
// that speaks eager only comes in the same rebalance. Whoever leads then has dealt nothing
// before; what the others run must not be started elsewhere while they still run it. The
// board fails the test when it is.
func TestANewLeaderTurnsAGroupToEager(t *testing.T) {
	for _, tc := range []struct {
		name                string
		newcomerLeads, mute bool
	}{{"a former follower leads", false, false}, {"the newcomer leads", true, false}, {"statuses cannot be read", false, true}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{t: t, board: newBoard(t)}
				config := clusterOf(10, map[string]int{"c": 8, "d": 2})
				for _, id := range []string{"a:1", "b:1", "c:1"} {
					s.join(id, "compatible", config)
				}
				s.settle()
				s.leave(s.peers[0])
				eager := s.join("d:1", "eager", config)
				if tc.newcomerLeads {
					s.peers = []*peer{eager, s.peers[0], s.peers[1]}
				}
				s.report()
				before := s.board.count("b:1")
				s.peers[0].worker.hangs = tc.mute
				s.rebalance()
				s.peers[0].worker.hangs = false
				if n := s.board.count("b:1"); n != before && !tc.mute {
					t.Errorf("b:1 had %d, has %d", before, n)
				}
				if len(s.peers[0].membership.takeRejoins()) != 1 {
					t.Error("no second round")
				}
				s.settle()
				for _, p := range s.peers {
					if n := s.board.count(p.id); n != 4 {
						t.Errorf("%s has %d items", p.id, n)
					}
				}
			})
		})
	}
}

func (s *script) check(protocols map[string]string, items int) {
	s.t.Helper()
	if n := len(s.board.by); n != items {
		s.t.Errorf("%v: %d of %d items run", protocols, n, items)
	}
	for _, p := range s.peers {
		if a := p.worker.last; a.Version != level(protocols) || a.LeaderURL != "http://"+s.peers[0].id+"/" || a.Delay != 0 {
			s.t.Errorf("%v: %s has %+v", protocols, p.id, a)
		}
		if n := s.board.count(p.id); n < items/len(s.peers)-1 || n > items/len(s.peers)+2 {
			s.t.Errorf("%v: %s runs %d items", protocols, p.id, n)
		}
	}
}

// TestAnyMixOfProtocolsRunsEverythingOnce joins and restarts workers with any settings.
func TestAnyMixOfProtocolsRunsEverythingOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &script{t: t, board: newBoard(t)}
		config := clusterOf(10, map[string]int{"c": 5, "d": 1})
		protocols := map[string]string{}
		draw := func() string {
			return rapid.SampledFrom([]string{"eager", "compatible", "sessioned"}).Draw(rt, "protocol")
		}
		for n := range rapid.IntRange(1, 8).Draw(rt, "steps") {
			if len(s.peers) < 2 || rapid.Bool().Draw(rt, "join") {
				id := fmt.Sprintf("w%d:1", n)
				protocols[id] = draw()
				s.join(id, protocols[id], config)
			} else {
				p := rapid.SampledFrom(s.peers).Draw(rt, "restart")
				protocols[p.id] = draw()
				s.restart(p, protocols[p.id])
			}
			s.settle()
			if n := len(s.board.by); n != 8 {
				rt.Fatalf("%v: %d of 8 items run: %v", protocols, n, s.board)
			}
			for _, p := range s.peers {
				if p.worker.last.Version != level(protocols) {
					rt.Fatalf("%v: %s has %+v", protocols, p.id, p.worker.last)
				}
			}
			if t.Failed() {
				rt.Fatalf("see above: %v", protocols)
			}
		}
	})
}
