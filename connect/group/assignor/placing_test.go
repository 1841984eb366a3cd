package assignor

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// placed is a cluster whose members lack some connectors.
type placed struct {
	*cluster
	// lacks has, by member, the connectors that it cannot run.
	lacks map[string]map[string]bool
	// shy members have not told what they lack; what they have they keep, and get no more
	// than nobody else can surely run.
	shy map[string]bool
	// released are lost items that nobody runs; asked counts the questions.
	released set
	asked    int
	moves    int // items given to members in all rounds
}

func newPlaced(maxDelay time.Duration) *placed {
	return &placed{cluster: newCluster(maxDelay), lacks: map[string]map[string]bool{}, shy: map[string]bool{}, released: set{}}
}

func (c *placed) canRun(member, connector string) Answer {
	switch {
	case c.shy[member]:
		return Unsure
	case c.lacks[member][connector]:
		return No
	}
	return Yes
}

func (c *placed) round() Result {
	c.generation++
	res := c.assignor.Assign(Round{
		Now: c.now, LastCompleted: c.completed, Generation: c.generation, Configured: c.configured, Owned: c.owned, CanRun: c.canRun,
		Released: func(lost []Item) []Item {
			c.asked++
			return slices.DeleteFunc(lost, func(i Item) bool { return !c.released.has(i) })
		},
	})
	c.completed = c.generation
	for id := range c.owned {
		if !c.deaf[id] {
			c.moves += len(res.Assigned[id])
			c.owned[id] = append(without(c.owned[id], newSet(res.Revoked[id])), res.Assigned[id]...)
		}
	}
	c.deaf = map[string]bool{}
	return res
}

// settle rebalances as members would, and counts the rounds.
func (c *placed) settle() (rounds int) {
	for rounds = 1; rounds < 100; rounds++ {
		res := c.round()
		revoked := false
		for _, items := range res.Revoked {
			revoked = revoked || len(items) > 0
		}
		if !revoked && res.Delay == 0 {
			break
		}
		if !revoked {
			c.now += res.Delay
		}
	}
	return rounds
}

// able returns who may have an item: all, when nobody can run it.
func (c *placed) able(i Item) []string {
	all := sortedKeys(c.owned)
	ids := append(c.saying(i, Yes), c.saying(i, Unsure)...)
	if len(ids) == 0 {
		return all
	}
	return ids
}

// sure returns who may be given an item.
func (c *placed) sure(i Item) []string {
	if ids := c.saying(i, Yes); len(ids) > 0 {
		return ids
	}
	return c.able(i)
}

func (c *placed) saying(i Item, a Answer) (ids []string) {
	for _, id := range sortedKeys(c.owned) {
		if c.canRun(id, i.Connector) == a {
			ids = append(ids, id)
		}
	}
	return ids
}

type failer interface {
	Fatalf(format string, args ...any)
}

// checkPlaced: everything runs once, where it can, and no chain of moves would make the
// group more even.
func (c *placed) checkPlaced(t failer) {
	running := set{}
	for id, items := range c.owned {
		for _, i := range items {
			if running.has(i) {
				t.Fatalf("%v runs twice, once on %s", i, id)
			}
			running[i] = struct{}{}
			if !slices.Contains(c.able(i), id) {
				t.Fatalf("%v is on %s, it can run on %v", i, id, c.able(i))
			}
		}
	}
	if d := cmp.Diff(newSet(c.configured), running); d != "" {
		t.Fatalf("configured and running differ:\n%s", d)
	}
	for _, kind := range []bool{true, false} {
		for from := range c.owned {
			reached := map[string]bool{from: true}
			for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
				for _, i := range c.owned[queue[0]] {
					if IsConnector(i) != kind {
						continue
					}
					for _, to := range c.sure(i) {
						if !reached[to] {
							reached[to] = true
							queue = append(queue, to)
						}
					}
				}
			}
			for to := range reached {
				high, low := (&load{items: c.owned[from]}).count(kind), (&load{items: c.owned[to]}).count(kind)
				if high > low+1 {
					t.Fatalf("connectors %v: %s has %d and %s %d: %v", kind, from, high, to, low, c.owned)
				}
			}
		}
	}
}

func (c *placed) drawLacks(t *rapid.T, member string) {
	lacks := map[string]bool{}
	for n := range 10 {
		if rapid.IntRange(0, 2).Draw(t, "lacks") == 0 {
			lacks[fmt.Sprintf("c%d", n)] = true
		}
	}
	c.lacks[member] = lacks
}

// TestAnyHistoryEndsPlaced plays joins, losses, orderly leaves, config changes, missed
// assignments, new leaders, and members that tell late what they can run.
func TestAnyHistoryEndsPlaced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newPlaced(rapid.SampledFrom([]time.Duration{0, time.Second, 5 * time.Minute}).Draw(t, "max delay"))
		c.configure(drawConnectors(t))
		born := 0
		join := func() {
			id := fmt.Sprintf("w%d", born)
			born++
			c.owned[id] = nil
			c.drawLacks(t, id)
			c.shy[id] = rapid.Bool().Draw(t, "shy")
		}
		join()
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			ids := sortedKeys(c.owned)
			switch rapid.IntRange(0, 8).Draw(t, "step") {
			case 0, 1:
				join()
			case 2, 3:
				if len(ids) > 1 {
					id := rapid.SampledFrom(ids).Draw(t, "gone")
					if rapid.Bool().Draw(t, "in order") {
						for _, i := range c.owned[id] {
							c.released[i] = struct{}{}
						}
					}
					delete(c.owned, id)
				}
			case 4:
				c.configure(drawConnectors(t))
			case 5:
				c.deaf[rapid.SampledFrom(ids).Draw(t, "deaf")] = true
			case 6:
				c.now += time.Duration(rapid.IntRange(0, 400_000).Draw(t, "ms")) * time.Millisecond
			case 7:
				c.assignor = NewIncremental(c.maxDelay)
			case 8:
				c.shy[rapid.SampledFrom(ids).Draw(t, "tells")] = false
			}
			before := clone(c.owned)
			res := c.round()
			checkRound(t, before, c.configured, res)
			c.checkAssigned(t, res)
			c.released = set{} // what is assigned runs again
		}
		// A loss may have been noticed in the last of the rounds only.
		if n := c.settle() + c.settle(); n > 16 {
			t.Fatalf("%d rounds to come to rest", n)
		}
		c.checkPlaced(t)
		c.shy = map[string]bool{}
		if n := c.settle() + c.settle(); n > 16 {
			t.Fatalf("%d rounds to come to rest when all have told", n)
		}
		c.checkPlaced(t)

		before := clone(c.owned)
		res := c.round()
		if d := cmp.Diff(before, c.owned); d != "" || res.Delay != 0 {
			t.Fatalf("a round without changes moved work (delay %v):\n%s", res.Delay, d)
		}
	})
}

// checkAssigned: what is handed out can run where it goes.
func (c *placed) checkAssigned(t failer, res Result) {
	for id, items := range res.Assigned {
		for _, i := range items {
			if !slices.Contains(c.sure(i), id) {
				t.Fatalf("%v is given to %s, it should go to %v", i, id, c.sure(i))
			}
		}
	}
}

// TestOneChangeTakesTwoRounds: from rest, whatever happens, what has to move is taken away
// in one round and given out in the next, and that is the end of it.
func TestOneChangeTakesTwoRounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newPlaced(0)
		c.configure(drawConnectors(t))
		members := rapid.IntRange(1, 6).Draw(t, "members")
		for n := range members {
			id := fmt.Sprintf("w%d", n)
			c.owned[id] = nil
			c.drawLacks(t, id)
			c.shy[id] = rapid.IntRange(0, 3).Draw(t, "shy") == 0
		}
		c.settle()
		c.checkPlaced(t)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			before, configured := clone(c.owned), newSet(c.configured)
			ids := sortedKeys(c.owned)
			if rapid.Bool().Draw(t, "configure") {
				c.configure(drawConnectors(t))
			}
			switch rapid.IntRange(0, 3).Draw(t, "change") {
			case 0:
				id := fmt.Sprintf("w%d", members)
				members++
				c.owned[id] = nil
				c.drawLacks(t, id)
			case 1:
				if len(ids) > 1 {
					delete(c.owned, rapid.SampledFrom(ids).Draw(t, "gone"))
				}
			case 2:
				c.shy[rapid.SampledFrom(ids).Draw(t, "tells")] = false
			}
			first, second := c.round(), c.round()
			c.checkAssigned(t, first)
			c.checkAssigned(t, second)
			third := c.round()
			for id := range c.owned {
				if len(second.Revoked[id])+len(third.Revoked[id])+len(third.Assigned[id]) > 0 {
					t.Fatalf("from %v with %v to %v: %s goes on, revoked %v, then %v, assigned %v",
						before, configured, c.owned, id, second.Revoked[id], third.Revoked[id], third.Assigned[id])
				}
			}
			c.checkPlaced(t)
		}
	})
}

// TestWithoutLimitsNothingIsDifferent plays the same history with members that are known
// to be able to run everything, or equally unable, and without placement.
func TestWithoutLimitsNothingIsDifferent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		delay := rapid.SampledFrom([]time.Duration{0, time.Second, 5 * time.Minute}).Draw(t, "max delay")
		plain, c := newCluster(delay), newPlaced(delay)
		nobody := map[string]bool{"c1": true, "c4": true}
		born := 0
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			ids := sortedKeys(plain.owned)
			switch step := rapid.IntRange(0, 4).Draw(t, "step"); {
			case step <= 1 || len(ids) == 0:
				id := fmt.Sprintf("w%d", born)
				born++
				plain.owned[id], c.owned[id], c.lacks[id] = nil, nil, nobody
			case step == 2 && len(ids) > 1:
				id := rapid.SampledFrom(ids).Draw(t, "lost")
				delete(plain.owned, id)
				delete(c.owned, id)
			case step == 3:
				plain.configure(drawConnectors(t))
				c.configured = plain.configured
			case step == 4:
				d := time.Duration(rapid.IntRange(0, 400_000).Draw(t, "ms")) * time.Millisecond
				plain.now += d
				c.now += d
			}
			if d := cmp.Diff(plain.round(), c.round()); d != "" {
				t.Fatalf("without (-) and with (+) placement:\n%s", d)
			}
		}
	})
}

func TestAnItemMovesInTwoRoundsWhenItsMemberTells(t *testing.T) {
	c := newPlaced(5 * time.Minute)
	c.configure([]string{"only:4", "any:2"})
	c.owned = map[string][]Item{"a": nil, "b": nil}
	c.shy["a"] = true
	c.shy["b"], c.lacks["b"] = true, map[string]bool{"only": true}
	c.settle() // nobody has told anything: as in any group
	c.shy["a"] = false
	if c.settle(); len(c.owned["b"]) == 0 {
		t.Fatal("what b had was taken away before it told")
	}
	wrong := slices.ContainsFunc(c.owned["b"], func(i Item) bool { return i.Connector == "only" })
	if !wrong {
		t.Fatalf("nothing is misplaced: %v", c.owned)
	}
	c.shy["b"] = false
	res := c.round()
	for _, i := range res.Revoked["b"] {
		if i.Connector != "only" {
			t.Errorf("%v was taken from b", i)
		}
	}
	if c.round(); slices.ContainsFunc(c.owned["b"], func(i Item) bool { return i.Connector == "only" }) {
		t.Errorf("after two rounds: %v", c.owned)
	}
	c.settle()
	c.checkPlaced(t)
}

// A leader that has just been elected knows its own classes only. What nobody runs goes
// where it surely can; what runs stays.
func TestNothingNewGoesToAMemberThatHasNotToldWhileAnotherHasTheClass(t *testing.T) {
	c := newPlaced(0)
	c.configure([]string{"ours:2", "theirs:1"})
	c.lacks = map[string]map[string]bool{"a": {"theirs": true}, "b": {"ours": true}}
	c.owned = map[string][]Item{"a": nil, "b": nil}
	c.settle()
	c.checkPlaced(t)
	c.configure([]string{"ours:2", "theirs:1", "more ours:3", "more theirs:1"})
	c.lacks = map[string]map[string]bool{"a": {"theirs": true, "more theirs": true}, "b": {"ours": true, "more ours": true}}
	c.shy["b"], c.assignor = true, NewIncremental(0)
	before := clone(c.owned)
	c.settle()
	for id, connectors := range map[string][]string{"a": {"ours", "more ours"}, "b": {"theirs", "more theirs"}} {
		if d := cmp.Diff(newSet(without(before[id], newSet(c.owned[id]))), set{}); d != "" {
			t.Errorf("%s has lost:\n%s", id, d)
		}
		for _, i := range c.owned[id] {
			if !slices.Contains(connectors, i.Connector) {
				t.Errorf("%v is on %s", i, id)
			}
		}
	}
	c.checkPlaced(t)

	c.shy["b"] = false
	c.settle()
	c.checkPlaced(t)
}

// A chain: b must give a task of y to c, before it can take one of x from a.
func TestWorkMovesAlongAChain(t *testing.T) {
	c := newPlaced(0)
	c.configure([]string{"x:6", "y:3"})
	c.lacks = map[string]map[string]bool{"a": {"y": true}, "c": {"x": true}}
	c.owned = map[string][]Item{"a": nil, "b": nil}
	c.settle()
	c.owned["c"] = nil
	if n := c.settle(); n > 5 {
		t.Errorf("%d rounds", n)
	}
	c.checkPlaced(t)
}

func TestEagerPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newPlaced(0)
		c.configure(drawConnectors(t))
		for n := range rapid.IntRange(1, 5).Draw(t, "members") {
			id := fmt.Sprintf("w%d", n)
			c.owned[id] = nil
			c.drawLacks(t, id)
		}
		c.owned = EagerPlaced(sortedKeys(c.owned), c.configured, c.canRun)
		total := 0
		for id, items := range c.owned {
			total += len(items)
			for _, i := range items {
				if !slices.Contains(c.able(i), id) {
					t.Fatalf("%v is on %s, it can run on %v", i, id, c.able(i))
				}
			}
		}
		if total != len(c.configured) {
			t.Fatalf("want %d items, got %d", len(c.configured), total)
		}
	})
}
