package group

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/storage"
)

// said is the status of some items in the words of a worker.
func said(state connect.State, worker string, generation int32, items ...connect.TaskID) map[connect.TaskID]storage.Status {
	out := map[connect.TaskID]storage.Status{}
	for _, i := range items {
		out[i] = storage.Status{State: state, WorkerID: worker, Generation: int(generation)}
	}
	return out
}

// three is a settled group of three, with nine tasks.
func three(t *testing.T) (s *script, leader, leaving *peer) {
	s = &script{t: t, board: newBoard(t)}
	config := clusterOf(10, map[string]int{"c": 8})
	leader, leaving = s.join("a:1", "sessioned", config), s.join("b:1", "sessioned", config)
	s.join("c:1", "sessioned", config)
	s.settle()
	if leaving.worker.last.Generation == 0 || s.board.count("b:1") != 3 {
		t.Fatalf("b runs %d", s.board.count("b:1"))
	}
	return s, leader, leaving
}

func TestAWorkerThatStopsHandsOverAtOnce(t *testing.T) {
	s, leader, leaving := three(t)
	had := s.leave(leaving)
	leader.worker.statuses = said(connect.StateUnassigned, "b:1", s.generation, had...)
	s.rebalance()
	if d := leader.worker.last.Delay; d != 0 || len(s.board.by) != 9 {
		t.Errorf("delay %v, runs %v", d, s.board)
	}
	for _, p := range s.peers {
		if n := len(p.worker.last.RevokedConnectors) + len(p.worker.last.RevokedTasks); n != 0 {
			t.Errorf("%s had to give up %d", p.id, n)
		}
	}
	if leader.worker.asked != 1 {
		t.Errorf("the statuses were read %d times", leader.worker.asked)
	}

	// It comes back three seconds later, under another member id, at the same address. Its
	// UNASSIGNED of old says nothing about what it gets now.
	back := s.join("b:1", "sessioned", leader.worker.config)
	s.settle()
	if n := s.board.count("b:1"); n < 2 {
		t.Errorf("b runs %d: %v", n, s.board)
	}
	gone := s.leave(back)
	s.rebalance()
	waiting := 0
	for _, i := range gone {
		if leader.worker.statuses[i].Generation < int(s.generation)-2 {
			if _, runs := s.board.by[i]; !runs {
				waiting++
			}
		}
	}
	if d := leader.worker.last.Delay; d != time.Minute || waiting == 0 {
		t.Errorf("a crash right after the return: delay %v, %d wait", d, waiting)
	}
}

func TestAWorkerThatCrashesIsWaitedFor(t *testing.T) {
	s, leader, leaving := three(t)
	had := s.leave(leaving)
	leader.worker.statuses = said(connect.StateRunning, "b:1", s.generation, had...)
	s.rebalance()
	if d := leader.worker.last.Delay; d != time.Minute || len(s.board.by) != 6 {
		t.Errorf("delay %v, runs %v", d, s.board)
	}
}

// A leader that does not know what was assigned assigns everything, as the JVM does; it
// must not take an old word for a new one later.
func TestANewLeaderKnowsTheTenures(t *testing.T) {
	s, leader, leaving := three(t)
	s.leave(leader)
	leaving.worker.statuses = nil
	s.settle() // b leads now
	leader = s.peers[0]
	if leader.id != "b:1" || s.board.count("b:1")+s.board.count("c:1") != 9 {
		t.Fatalf("%s leads, runs %v", leader.id, s.board)
	}
	c := s.peers[1]
	had := s.leave(c)
	for _, tc := range []struct {
		generation int32
		delay      time.Duration
	}{{0, time.Minute}, {s.generation, 0}} {
		leader.worker.statuses = said(connect.StateUnassigned, "c:1", tc.generation, had...)
		s.rebalance()
		if d := leader.worker.last.Delay; (d == 0) != (tc.delay == 0) {
			t.Errorf("UNASSIGNED of generation %d: delay %v, want %v", tc.generation, d, tc.delay)
		}
	}
}

func TestAStatusTopicThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, leader, leaving := three(t)
		had := s.leave(leaving)
		leader.worker.statuses = said(connect.StateUnassigned, "b:1", s.generation, had...)
		leader.worker.hangs = true
		began := time.Now()
		s.rebalance()
		if took := time.Since(began); took != statusTime || leader.worker.last.Delay != time.Minute || len(s.board.by) != 6 {
			t.Errorf("took %v, delay %v, runs %v", took, leader.worker.last.Delay, s.board)
		}
		// The leader asks for another rebalance soon, which looks again.
		leader.worker.hangs = false
		leader.membership.takeRejoins()
		time.Sleep(statusPause)
		synctest.Wait()
		if r := leader.membership.takeRejoins(); len(r) != 1 {
			t.Fatalf("asked for %v", r)
		}
		s.rebalance()
		if leader.worker.last.Delay != 0 || len(s.board.by) != 9 {
			t.Errorf("delay %v, runs %v", leader.worker.last.Delay, s.board)
		}
	})
}

func TestWhatIsReleased(t *testing.T) {
	conn, t0, t1 := assignor.Connector("c"), connect.TaskID{Connector: "c"}, connect.TaskID{Connector: "c", Task: 1}
	lost := []connect.TaskID{conn, t0, t1}
	names := map[connect.TaskID]string{conn: "connector", t0: "t0", t1: "t1"}
	for _, tc := range []struct {
		name     string
		statuses string // of connector, t0 and t1: state worker generation
		want     []string
	}{
		{"all stopped", "UNASSIGNED b:1 7, UNASSIGNED b:1 7, UNASSIGNED b:1 5", []string{"connector", "t0", "t1"}},
		{"one hangs", "UNASSIGNED b:1 7, UNASSIGNED b:1 7, RUNNING b:1 5", []string{"connector", "t0"}},
		{"a crash", "RUNNING b:1 5, RUNNING b:1 5, RUNNING b:1 6", nil},
		{"paused", "PAUSED b:1 5, PAUSED b:1 5, PAUSED b:1 6", nil},
		{"restarting", "RUNNING b:1 5, RUNNING b:1 5, RESTARTING b:1 6", nil},
		{"a failed task stays failed", "UNASSIGNED b:1 7, FAILED b:1 5, UNASSIGNED b:1 7", []string{"connector", "t0", "t1"}},
		{"a crash with a failed task", "RUNNING b:1 7, FAILED b:1 5, RUNNING b:1 7", nil},
		{"nothing but failures", "FAILED b:1 7, FAILED b:1 5, FAILED b:1 7", []string{"connector", "t0", "t1"}},
		{"a stopped connector that was not told to leave", "STOPPED b:1 5, FAILED b:1 5, FAILED b:1 5", []string{"connector", "t0", "t1"}},
		{"never started, beside what was stopped", "UNASSIGNED b:1 7, -, UNASSIGNED a:1 4", []string{"connector", "t0", "t1"}},
		{"never started, nothing else", "-, -, UNASSIGNED a:1 4", nil},
		{"never started, beside what hangs", "UNASSIGNED b:1 7, -, RUNNING b:1 6", []string{"connector"}},
		{"an earlier tenure", "UNASSIGNED b:1 4, UNASSIGNED b:1 4, UNASSIGNED b:1 4", nil},
		{"an earlier failure", "RUNNING b:1 5, FAILED b:1 4, UNASSIGNED b:1 5", []string{"t1"}},
		{"another worker", "UNASSIGNED x:1 9, UNASSIGNED x:1 9, UNASSIGNED x:1 9", nil},
		{"another worker runs it", "UNASSIGNED b:1 7, RUNNING x:1 9, UNASSIGNED b:1 9", []string{"connector", "t0", "t1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tn := tenures{of: map[connect.TaskID]tenure{conn: {"b:1", 5}, t0: {"b:1", 5}, t1: {"b:1", 5}}}
			statuses := map[connect.TaskID]storage.Status{}
			for n, text := range splitList(tc.statuses) {
				var st storage.Status
				if m, err := fmt.Sscan(text, &st.State, &st.WorkerID, &st.Generation); m == 3 && err == nil {
					statuses[lost[n]] = st
				}
			}
			var got []string
			for _, i := range tn.released(lost, statuses) {
				got = append(got, names[i])
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	// What was never seen with anybody waits.
	tn := tenures{}
	tn.begin(3)
	if got := tn.released(lost, said(connect.StateUnassigned, "", 9, lost...)); got != nil {
		t.Errorf("without a tenure: %v", got)
	}
}

func splitList(s string) (out []string) {
	for len(s) > 0 {
		at := slices.Index([]byte(s), ',')
		if at < 0 {
			return append(out, s)
		}
		out, s = append(out, s[:at]), s[at+1:]
	}
	return out
}

func TestWorkerIDs(t *testing.T) {
	for address, want := range map[string]string{
		"http://10.0.0.5:8083/": "10.0.0.5:8083", "https://connect-1.example:443/": "connect-1.example:443", "http://[::1]:8083/": "[::1]:8083", "http://%zz/": "",
	} {
		if got := workerID(address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

func TestTenures(t *testing.T) {
	s, leader, leaving := three(t)
	tn := &leader.member.tenures
	for i, w := range s.board.by {
		if got := tn.of[i]; got.worker != w || got.since > s.generation {
			t.Errorf("%v: %+v, runs on %s", i, got, w)
		}
	}
	before := tn.of
	s.rebalance() // nothing changes, also the generations of what stays
	if d := cmp.Diff(before, tn.of, cmp.AllowUnexported(tenure{})); d != "" {
		t.Errorf("a quiet round:\n%s", d)
	}
	// Another leader has led a round: what is known of before may be wrong.
	tn.begin(s.generation + 3)
	if len(tn.of) != 0 {
		t.Errorf("kept %v", tn.of)
	}
	_ = leaving
}
