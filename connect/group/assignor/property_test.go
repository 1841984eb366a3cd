package assignor

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// checkRound: what a round hands out is nobody else's, and no item has two owners.
func checkRound(t *rapid.T, before map[string][]Item, configured []Item, res Result) {
	holders := map[Item]string{}
	for id, items := range before {
		for _, i := range items {
			holders[i] = id
		}
	}
	owner := map[Item]string{}
	for id, items := range res.Owners {
		for _, i := range items {
			if other, twice := owner[i]; twice {
				t.Fatalf("%v is given to %s and %s", i, other, id)
			}
			owner[i] = id
			if !newSet(configured).has(i) {
				t.Fatalf("%s is left with %v, which is not configured", id, i)
			}
		}
	}
	for id, items := range res.Assigned {
		for _, i := range items {
			if other, held := holders[i]; held {
				t.Fatalf("%v is assigned to %s before %s has given it up", i, id, other)
			}
		}
	}
	for id, items := range res.Revoked {
		mine := newSet(before[id])
		for _, i := range items {
			// A lost item can be given to a candidate and taken back for balance at once.
			if _, held := holders[i]; held && !mine.has(i) {
				t.Fatalf("%v is revoked from %s, which does not have it", i, id)
			}
		}
	}
}

func clone(m map[string][]Item) map[string][]Item {
	out := map[string][]Item{}
	for id, items := range m {
		out[id] = append([]Item(nil), items...)
	}
	return out
}

func drawConnectors(t *rapid.T) (specs []string) {
	for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 0, 6, func(i int) int { return i }).Draw(t, "connectors") {
		specs = append(specs, fmt.Sprintf("c%d:%d", n, rapid.IntRange(0, 7).Draw(t, "tasks")))
	}
	return specs
}

// TestAnyHistoryEndsBalanced plays random joins, losses, config changes, missed
// assignments, failed rounds and new leaders, and lets the group settle.
func TestAnyHistoryEndsBalanced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster(rapid.SampledFrom([]time.Duration{0, time.Second, 5 * time.Minute}).Draw(t, "max delay"))
		c.configure(drawConnectors(t))
		c.owned["w0"] = nil
		born := 1
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			ids := sortedKeys(c.owned)
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0:
				c.owned[fmt.Sprintf("w%d", born)] = nil
				born++
			case 1:
				if len(ids) > 1 {
					delete(c.owned, rapid.SampledFrom(ids).Draw(t, "lost"))
				}
			case 2:
				c.configure(drawConnectors(t))
			case 3:
				c.deaf[rapid.SampledFrom(ids).Draw(t, "deaf")] = true
			case 4:
				c.now += time.Duration(rapid.IntRange(0, 400_000).Draw(t, "ms")) * time.Millisecond
			case 5:
				c.assignor = NewIncremental(c.maxDelay)
			case 6: // as a member does after an unreachable coordinator
				c.owned[rapid.SampledFrom(ids).Draw(t, "reset")] = nil
			}
			before := clone(c.owned)
			res := c.round()
			checkRound(t, before, c.configured, res)
		}
		rounds, _ := c.settle()
		if rounds == 100 {
			t.Fatal("the group never comes to rest")
		}
		// A loss may have been noticed in the last of these rounds only.
		c.settle()
		checkComplete(t, c)

		before := clone(c.owned)
		res := c.round()
		if d := cmp.Diff(before, c.owned); d != "" || res.Delay != 0 {
			t.Fatalf("a round without changes moved work (delay %v):\n%s", res.Delay, d)
		}
	})
}

// checkComplete: everything runs exactly once and nobody has two more than another.
func checkComplete(t *rapid.T, c *cluster) {
	running := set{}
	for _, kind := range []bool{true, false} {
		least, most := 1<<30, 0
		for _, items := range c.owned {
			n := (&load{items: items}).count(kind)
			least, most = min(least, n), max(most, n)
		}
		if most-least > 1 {
			t.Fatalf("not balanced: %v", c.owned)
		}
	}
	for id, items := range c.owned {
		for _, i := range items {
			if running.has(i) {
				t.Fatalf("%v runs twice, once on %s", i, id)
			}
			running[i] = struct{}{}
		}
	}
	if d := cmp.Diff(newSet(c.configured), running); d != "" {
		t.Fatalf("configured and running differ:\n%s", d)
	}
}

func TestEagerDealsEverythingOnceAndEvenly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster(0)
		c.configure(drawConnectors(t))
		for n := range rapid.IntRange(1, 5).Draw(t, "members") {
			c.owned[fmt.Sprintf("w%d", n)] = nil
		}
		ids := sortedKeys(c.owned)
		c.owned = Eager(ids, c.configured)
		total := 0
		for _, items := range c.owned {
			total += len(items)
		}
		if total != len(c.configured) {
			t.Fatalf("want %d items, got %d", len(c.configured), total)
		}
		for n, item := range newSet(c.configured).sorted() {
			if !newSet(c.owned[ids[n%len(ids)]]).has(item) {
				t.Fatalf("%v is not with member %d", item, n%len(ids))
			}
		}
	})
}

func TestEagerExample(t *testing.T) {
	c := newCluster(0)
	c.configure([]string{"b:2", "a:1"})
	got := Eager([]string{"m2", "m1"}, c.configured)
	want := map[string][]Item{
		"m1": {Connector("a"), {Connector: "a", Task: 0}, {Connector: "b", Task: 1}},
		"m2": {Connector("b"), {Connector: "b", Task: 0}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
