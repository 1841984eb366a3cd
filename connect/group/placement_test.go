package group

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// plugins answers for the workers of a script: which classes each has.
type plugins struct {
	mu     sync.Mutex
	has    map[string][]string // classes, by worker; class@version
	fail   map[string]error
	late   map[string]time.Duration
	asked  []string
	silent map[string]bool // never answer
}

func newPlugins() *plugins {
	return &plugins{has: map[string][]string{}, fail: map[string]error{}, late: map[string]time.Duration{}, silent: map[string]bool{}}
}

// infos is what a worker answers.
func infos(classes ...string) (all []api.PluginInfo) {
	for _, c := range classes {
		class, version, _ := strings.Cut(c, "@")
		all = append(all, api.PluginInfo{Class: class, Type: "sink", Version: version})
	}
	return all
}

func (p *plugins) ask(ctx context.Context, url string) ([]api.PluginInfo, error) {
	p.mu.Lock()
	id := workerID(url)
	p.asked = append(p.asked, id)
	classes, err, late, silent := p.has[id], p.fail[id], p.late[id], p.silent[id]
	p.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	select {
	case <-time.After(late):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return infos(classes...), err
}

func (p *plugins) takeAsked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.asked
	p.asked = nil
	slices.Sort(a)
	return a
}

const (
	hdfs  = "io.example.HdfsSinkConnector"
	files = "io.example.FileStreamSourceConnector"
)

// classed is clusterOf with classes: connectors have two tasks each.
func classed(offset int64, classes map[string]string) *storage.ClusterConfig {
	c := &storage.ClusterConfig{Offset: offset, ByName: map[string]*storage.ConnectorState{}}
	for name, class := range classes {
		c.ByName[name] = &storage.ConnectorState{Config: map[string]string{"connector.class": class}, TaskCount: 2}
	}
	return c
}

// placing is a script whose members can be asked for their plugins.
func placing(t *testing.T) (*script, *plugins) {
	p := newPlugins()
	s := &script{t: t, board: newBoard(t)}
	s.change = func(id string, o *Options) { o.Plugins, o.OwnPlugins = p.ask, infos(p.has[id]...) }
	return s, p
}

// where returns who runs the connector and the tasks of a connector, without repetitions.
func (b *board) where(connector string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := map[string]bool{}
	for i, w := range b.by {
		if i.Connector == connector {
			ids[w] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

func TestConnectorsGoWhereTheyCanRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["a"], p.has["b"], p.has["c"] = []string{hdfs}, []string{hdfs, files}, []string{files}
		config := classed(5, map[string]string{"h": hdfs, "f": "FileStreamSource", "either": hdfs, "x": "com.example.Nobody", "p": "${file:x:y}"})
		a := s.join("a", "sessioned", config)
		for _, id := range []string{"b", "c"} {
			s.join(id, "sessioned", config)
			p.late[id] = 2 * firstAnswers
		}
		s.rebalance() // nobody has answered yet
		if n := len(s.board.by); n != 15 {
			t.Fatalf("%d items run", n)
		}
		time.Sleep(2 * firstAnswers)
		synctest.Wait()
		if d := cmp.Diff([]string{"b", "c"}, p.takeAsked()); d != "" {
			t.Errorf("asked:\n%s", d)
		}
		if len(a.membership.takeRejoins()) == 0 {
			t.Fatal("the answers changed nothing")
		}
		s.settle()
		for connector, want := range map[string][]string{"h": {"a", "b"}, "either": {"a", "b"}, "f": {"b", "c"}} {
			for _, w := range s.board.where(connector) {
				if !slices.Contains(want, w) {
					t.Errorf("%s runs on %v, it can on %v", connector, s.board.where(connector), want)
				}
			}
		}
		if n := len(s.board.by); n != 15 {
			t.Errorf("%d items run", n)
		}
		// Nobody is asked twice, and nothing moves any more.
		a.membership.takeRejoins()
		before := s.board.String()
		s.rebalance()
		synctest.Wait()
		if rejoins := a.membership.takeRejoins(); s.board.String() != before || len(p.takeAsked()) != 0 || len(rejoins) != 0 {
			t.Errorf("before %s, after %s, rejoins %v", before, s.board, rejoins)
		}
		h, ok := a.member.Holders("HdfsSink", "")
		if d := cmp.Diff(Holders{Have: []string{"http://a/", "http://b/"}, Lack: []string{"http://c/"}}, h); d != "" || !ok {
			t.Errorf("who has HdfsSink: %v\n%s", ok, d)
		}
		if _, ok := s.peers[1].member.Holders(hdfs, ""); ok {
			t.Error("a follower claims to know")
		}
	})
}

func TestAMemberThatDoesNotAnswerCanRunAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["a"], p.has["b"] = []string{files}, []string{files}
		p.silent["b"] = true
		config := classed(5, map[string]string{"h": hdfs})
		a := s.join("a", "sessioned", config)
		s.join("b", "sessioned", config)
		s.rebalance()
		if len(a.membership.takeRejoins()) == 0 {
			// The leader itself lacks it; whether b has it is not known.
			s.settle()
		}
		if d := cmp.Diff([]string{"b"}, s.board.where("h")); d != "" {
			t.Errorf("h runs on:\n%s", d)
		}
		// A question ends after five seconds and is repeated, less and less often.
		time.Sleep(askTimeout + firstAskPause + askTimeout + 2*firstAskPause + time.Millisecond)
		synctest.Wait()
		if n := len(p.takeAsked()); n != 3 {
			t.Errorf("asked %d times", n)
		}
		p.mu.Lock()
		p.silent["b"], p.fail["b"] = false, errors.New("connection refused")
		p.mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(p.takeAsked()); n < 55 || n > 70 {
			t.Errorf("asked %d times in an hour", n)
		}
		if h, _ := a.member.Holders(hdfs, ""); len(h.Unknown) != 1 {
			t.Errorf("%+v", h)
		}
		// b goes: nobody asks it any more.
		s.leave(s.peers[1])
		s.rebalance()
		synctest.Wait()
		p.takeAsked()
		time.Sleep(time.Hour)
		if asked := p.takeAsked(); len(asked) != 0 {
			t.Errorf("asked %v", asked)
		}
	})
}

// An answer that comes while the group rebalances counts at the end of the rebalance.
func TestAnAnswerDuringARebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["a"], p.has["b"], p.has["c"] = []string{files}, []string{files}, []string{hdfs}
		p.late["b"], p.late["c"] = 4*time.Second, 4*time.Second
		config := classed(5, map[string]string{"h": hdfs, "i": hdfs})
		a := s.join("a", "sessioned", config)
		s.join("b", "sessioned", config)
		s.join("c", "sessioned", config)
		s.settle()
		if s.board.count("b") == 0 {
			t.Fatal("b got nothing")
		}
		if err := (*handler)(a.member).JoinPrepare(t.Context(), a.membership.gen, false); err != nil {
			t.Fatal(err)
		}
		a.membership.takeRejoins()
		time.Sleep(10 * time.Second) // the others take their time
		synctest.Wait()
		if rejoins := a.membership.takeRejoins(); len(rejoins) != 0 {
			t.Errorf("a rebalance under way was asked for again: %v", rejoins)
		}
		s.settle()
		if s.board.count("b") != 0 || s.board.count("c") != 6 {
			t.Errorf("runs %v", s.board)
		}
	})
}

// A leader that has just been elected knows nobody's plugins but its own. What nobody runs
// must not come to a member that may lack its class, and fail there, while the leader has it.
func TestANewLeaderGivesNothingToAMemberThatMayLackIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["a"], p.has["b"], p.has["c"] = []string{hdfs, files}, []string{hdfs}, []string{files}
		config := classed(5, map[string]string{"h": hdfs, "f": files})
		s.join("a", "sessioned", config)
		b := s.join("b", "sessioned", config)
		c := s.join("c", "sessioned", config)
		s.settle()
		before := map[string]int{"b": s.board.count("b"), "c": s.board.count("c")}

		s.leave(s.peers[0]) // b leads now, and must do what a has done
		p.late["c"] = 2 * time.Second
		more := classed(6, map[string]string{"h": hdfs, "f": files, "h2": hdfs, "h3": hdfs, "h4": hdfs, "other": "com.example.Other"})
		b.worker.setConfig(more)
		c.worker.setConfig(more)
		s.settle()
		for connector, want := range map[string]string{"h": "b", "h2": "b", "h3": "b", "h4": "b", "f": "c"} {
			if d := cmp.Diff([]string{want}, s.board.where(connector)); d != "" {
				t.Errorf("%s runs on:\n%s", connector, d)
			}
		}
		if s.board.count("c") < before["c"] {
			t.Errorf("c lost what it had: %v, before %v", s.board, before)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if rejoins := b.membership.takeRejoins(); len(rejoins) != 1 {
			t.Errorf("rejoins: %q", rejoins)
		}
		s.settle()
		time.Sleep(time.Hour)
		if rejoins := b.membership.takeRejoins(); len(rejoins) != 0 {
			t.Errorf("rejoins: %q", rejoins)
		}
	})
}

// A member that got nothing because it had not answered gets its share when it has.
func TestAMemberThatWasPassedOverGetsItsShareLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["a"], p.has["b"] = []string{hdfs}, []string{hdfs}
		p.late["b"] = time.Second
		a := s.join("a", "sessioned", classed(5, map[string]string{"h": hdfs, "i": hdfs}))
		s.join("b", "sessioned", a.worker.config)
		s.settle()
		if s.board.count("a") != 6 {
			t.Fatalf("runs %v", s.board)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if rejoins := a.membership.takeRejoins(); len(rejoins) != 1 {
			t.Errorf("rejoins: %q", rejoins)
		}
		s.settle()
		if s.board.count("a") != 3 || s.board.count("b") != 3 {
			t.Errorf("runs %v", s.board)
		}
	})
}

// Answers that come at once save a second rebalance; those that do not hold nothing up.
func TestARebalanceWaitsAMomentForAnswersAndNeverAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["a"], p.has["b"], p.has["c"] = []string{hdfs}, []string{files}, []string{hdfs}
		p.late["b"], p.fail["c"] = firstAnswers/2, errors.New("connection refused")
		a := s.join("a", "sessioned", classed(5, map[string]string{"h": hdfs, "f": files}))
		s.join("b", "sessioned", a.worker.config)
		s.join("c", "sessioned", a.worker.config)
		took := func(what string, want time.Duration) {
			t.Helper()
			began := time.Now()
			s.rebalance()
			if got := time.Since(began); got != want {
				t.Errorf("%s: the rebalance took %v, want %v", what, got, want)
			}
		}
		took("b answers", firstAnswers/2)
		if d := cmp.Diff([]string{"b"}, s.board.where("f")); d != "" {
			t.Errorf("f runs on:\n%s", d)
		}
		if rejoins := a.membership.takeRejoins(); len(rejoins) != 0 {
			t.Errorf("rejoins: %q", rejoins)
		}
		took("nobody is new", 0)
		p.silent["d"] = true
		s.join("d", "sessioned", a.worker.config)
		took("d hangs", firstAnswers)
		took("d hangs on", 0)
	})
}

// A class alone is not enough: connector.plugin.version may rule a member out.
// Who checks a config waits for members that may have its class.
// A worker that comes back counts as what it was, until it has answered.
func TestARestartedWorkerIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["a"], p.has["b"] = []string{hdfs}, []string{files}
		config := classed(5, map[string]string{"h": hdfs})
		a := s.join("a", "sessioned", config)
		b := s.join("b", "sessioned", config)
		s.rebalance()
		synctest.Wait()
		s.settle()
		s.leave(b)
		s.rebalance()

		p.mu.Lock()
		p.late["b"], p.has["b"] = time.Second, []string{files, hdfs} // it has got a new plugin
		p.mu.Unlock()
		back := s.join("b", "sessioned", config)
		back.id = "b2" // another member id, the same address
		a.membership.takeRejoins()
		s.settle()
		if d := cmp.Diff([]string{"a"}, s.board.where("h")); d != "" {
			t.Errorf("h runs on:\n%s", d)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if rejoins := a.membership.takeRejoins(); len(rejoins) != 0 { // nothing is wrong; the next rebalance balances
			t.Errorf("rejoins: %v", rejoins)
		}
		s.settle()
		if n := s.board.count("b"); n == 0 {
			t.Errorf("runs %v", s.board)
		}
	})
}

func TestAFormerLeaderStopsAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.silent["b"] = true
		config := classed(5, map[string]string{"h": hdfs})
		a, b := s.join("a", "sessioned", config), s.join("b", "sessioned", config)
		s.rebalance()
		s.peers = []*peer{b, a} // b leads now
		s.rebalance()
		synctest.Wait()
		p.takeAsked()
		time.Sleep(time.Hour)
		synctest.Wait()
		for _, id := range p.takeAsked() {
			if id == "b" {
				t.Fatal("the former leader goes on asking b")
			}
		}
		if _, ok := a.member.Holders(hdfs, ""); ok {
			t.Error("the former leader claims to know")
		}
	})
}

func TestEagerGroupsArePlacedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["a"], p.has["b"] = []string{files}, []string{hdfs, files}
		config := classed(5, map[string]string{"h": hdfs, "f": files})
		s.join("a", "eager", config)
		s.join("b", "eager", config)
		s.rebalance()
		synctest.Wait()
		s.rebalance()
		if d := cmp.Diff([]string{"b"}, s.board.where("h")); d != "" || len(s.board.by) != 6 {
			t.Errorf("runs %v:\n%s", s.board, d)
		}
	})
}

func TestAddressesAreNotKeptForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		config := classed(5, nil)
		a := s.join("a", "sessioned", config)
		for n := range 200 {
			id := string(rune('b'+n%20)) + string(rune('a'+n/20))
			p.has[id] = []string{hdfs}
			other := s.join(id, "sessioned", config)
			s.rebalance()
			synctest.Wait()
			s.leave(other)
		}
		if n := len(a.member.placement.addresses); n > keptAddresses+5 {
			t.Errorf("%d addresses are kept", n)
		}
	})
}

// The owners are those of the members that remain when the delay of lost work runs: what
// waits is not misplaced.
func TestPlacementDoesNotDisturbTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["a"], p.has["b"], p.has["c"] = []string{files}, []string{hdfs, files}, []string{files}
		config := classed(5, map[string]string{"h": hdfs, "f": files, "g": files})
		a := s.join("a", "sessioned", config)
		b := s.join("b", "sessioned", config)
		s.join("c", "sessioned", config)
		s.rebalance()
		synctest.Wait()
		s.settle()
		had := s.leave(b) // killed
		a.membership.takeRejoins()
		for range 3 {
			s.rebalance()
			synctest.Wait()
			if rejoins := a.membership.takeRejoins(); a.worker.last.Delay == 0 || len(rejoins) != 0 || len(s.board.by) != 9-len(had) {
				t.Errorf("delay %v, rejoins %v, runs %v", a.worker.last.Delay, rejoins, s.board)
			}
			time.Sleep(10 * time.Second)
		}
		// Nobody else has the class: after the delay it fails somewhere, as in any group.
		time.Sleep(time.Minute)
		s.settle()
		if len(s.board.by) != 9 || len(s.board.where("h")) == 0 {
			t.Errorf("runs %v", s.board)
		}
		// It comes back after all: h goes home in two rounds.
		s.join("b", "sessioned", config).id = "b2"
		s.rebalance()
		s.rebalance()
		if d := cmp.Diff([]string{"b"}, s.board.where("h")); d != "" {
			t.Errorf("runs %v:\n%s", s.board, d)
		}
		s.settle()
		for _, i := range []connect.TaskID{assignor.Connector("h"), {Connector: "h"}, {Connector: "h", Task: 1}} {
			if s.board.by[i] != "b" {
				t.Errorf("%v runs on %s", i, s.board.by[i])
			}
		}
	})
}
