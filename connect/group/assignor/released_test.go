package assignor

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// leave takes a member out that has stopped some of its work in order.
func (c *placed) leave(id string, stopped func(i Item) bool) (gone []Item) {
	gone = c.owned[id]
	for _, i := range gone {
		if stopped(i) {
			c.released[i] = struct{}{}
		}
	}
	delete(c.owned, id)
	return gone
}

func all(Item) bool { return true }

func TestReleasedWorkDoesNotWait(t *testing.T) {
	c := newPlaced(5 * time.Minute)
	c.configure([]string{"c:9"})
	c.owned = map[string][]Item{"a": nil, "b": nil, "c": nil}
	c.settle()
	before := clone(c.owned)
	gone := c.leave("b", all)
	if res := c.round(); res.Delay != 0 {
		t.Fatalf("delay %v", res.Delay)
	}
	for _, id := range []string{"a", "c"} {
		if !newSet(before[id]).isIn(newSet(c.owned[id])) {
			t.Errorf("%s gave something up: %v, then %v", id, before[id], c.owned[id])
		}
	}
	c.checkPlaced(t)

	// It comes back: no more moves than what it gets.
	c.released, c.moves = set{}, 0
	c.owned["b2"] = nil
	if n := c.settle(); n != 2 {
		t.Errorf("%d rounds", n)
	}
	c.checkPlaced(t)
	// The connector instance may stay where it is.
	if c.moves > len(gone) || c.moves < 3 {
		t.Errorf("%d items moved for %d", c.moves, len(gone))
	}
}

// A rolling restart, in which each worker comes back before the next stops, never waits.
func TestARollingRestartNeverWaits(t *testing.T) {
	c := newPlaced(5 * time.Minute)
	c.configure([]string{"c:12", "d:6"})
	for n := range 4 {
		c.owned[fmt.Sprintf("w%d", n)] = nil
	}
	c.settle()
	for n := range 4 {
		c.leave(fmt.Sprintf("w%d", n), all)
		c.moves = 0
		if res := c.round(); res.Delay != 0 {
			t.Fatalf("stop of w%d: delay %v", n, res.Delay)
		}
		c.released = set{}
		c.owned[fmt.Sprintf("x%d", n)] = nil
		began := c.now
		if c.settle(); c.now != began {
			t.Errorf("return of w%d: waited %v", n, c.now-began)
		}
		c.checkPlaced(t)
		if c.moves > 2*6 { // 20 items on 4 members: at most 6 go and come
			t.Errorf("restart of w%d: %d moves", n, c.moves)
		}
	}
}

func TestOnlyWhatIsNotReleasedWaits(t *testing.T) {
	c := newPlaced(time.Minute)
	c.configure([]string{"c:8"})
	c.owned = map[string][]Item{"a": nil, "b": nil}
	c.settle()
	hung := Item{}
	for _, i := range c.owned["b"] {
		if !IsConnector(i) {
			hung = i
		}
	}
	c.leave("b", func(i Item) bool { return i != hung })
	if res := c.round(); res.Delay != time.Minute {
		t.Errorf("delay %v", res.Delay)
	}
	if n := len(c.owned["a"]); n != len(c.configured)-1 || newSet(c.owned["a"]).has(hung) {
		t.Errorf("a has %d items: %v", n, c.owned["a"])
	}
	// A rebalance for another reason changes nothing, and does not start the delay anew.
	c.now += 20 * time.Second
	if res := c.round(); res.Delay != 40*time.Second || len(res.Assigned["a"]) != 0 {
		t.Errorf("delay %v, assigned %v", res.Delay, res.Assigned)
	}
	// The last one is released after all: the delay is off.
	c.released[hung] = struct{}{}
	c.now += 10 * time.Second
	if res := c.round(); res.Delay != 0 || !newSet(c.owned["a"]).has(hung) {
		t.Errorf("delay %v: %v", res.Delay, c.owned["a"])
	}
	c.checkPlaced(t)
}

// What nobody else can run is kept for the member that can, and given to it at once.
func TestReleasedWorkThatNobodyCanRunWaitsForOneThatCan(t *testing.T) {
	c := newPlaced(5 * time.Minute)
	c.configure([]string{"only:2", "any:2"})
	lacks := map[string]bool{"only": true}
	c.lacks["a"], c.lacks["b"] = lacks, nil
	c.owned = map[string][]Item{"a": nil, "b": nil}
	c.settle()
	c.leave("b", all)
	res := c.round()
	if res.Delay != 5*time.Minute || slices.ContainsFunc(c.owned["a"], func(i Item) bool { return i.Connector == "only" }) {
		t.Errorf("delay %v: %v", res.Delay, c.owned)
	}
	c.now += 3 * time.Second
	c.owned["b2"] = nil
	if res := c.round(); res.Delay != 0 || len(res.Assigned["b2"]) != 3 {
		t.Errorf("delay %v: %v", res.Delay, c.owned)
	}
	c.settle()
	c.checkPlaced(t)

	// Nobody comes back: then they fail somewhere, as in any group without the class.
	c.leave("b2", all)
	c.settle()
	if n := len(c.owned["a"]); n != len(c.configured) {
		t.Errorf("a has %v", c.owned["a"])
	}
}

func TestReleaseIsAskedOnlyWhenSomethingWouldWait(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Minute} {
		c := newPlaced(delay)
		c.configure([]string{"c:4"})
		c.owned = map[string][]Item{"a": nil, "b": nil}
		c.settle()
		c.deaf["a"] = true
		c.owned["a"] = nil // it missed what it was assigned
		c.settle()
		if c.asked != 0 {
			t.Errorf("max delay %v: asked %d times while nobody had left", delay, c.asked)
		}
		c.leave("b", all)
		c.round()
		if want := min(int(delay), 1); c.asked != want {
			t.Errorf("max delay %v: asked %d times", delay, c.asked)
		}
	}
}

// isIn reports whether all of s is in o.
func (s set) isIn(o set) bool { return len(s.minus(o)) == 0 }
