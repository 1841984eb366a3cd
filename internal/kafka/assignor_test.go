package kafka

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect"
)

// members of text such as "a:t,u b:t".
func members(text string) []subscriber {
	var out []subscriber
	for f := range strings.FieldsSeq(text) {
		id, topics, _ := strings.Cut(f, ":")
		s := subscriber{id: id, subscription: &subscription{generation: noGeneration}}
		if name, instance, ok := strings.Cut(id, "/"); ok {
			s.id, s.instance = name, instance
		}
		if topics != "" {
			s.topics = strings.Split(topics, ",")
		}
		out = append(out, s)
	}
	return out
}

// show formats an assignment as "a=[t-0] b=[]".
func show(a map[string][]connect.TopicPartition) string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(a)) {
		out = append(out, id+"="+fmt.Sprint(a[id]))
	}
	return strings.Join(out, " ")
}

// TestRangeAndRoundRobin has the examples of the Java classes' documentation, and the
// order of static members.
func TestRangeAndRoundRobin(t *testing.T) {
	for _, test := range []struct {
		assign  func(map[string]int32, []subscriber) map[string][]connect.TopicPartition
		members string
		counts  map[string]int32
		want    string
	}{
		{assignRange, "C0:t0,t1 C1:t0,t1", map[string]int32{"t0": 3, "t1": 3}, "C0=[t0-0 t0-1 t1-0 t1-1] C1=[t0-2 t1-2]"},
		{assignRange, "b:t a:t c:t", map[string]int32{"t": 7}, "a=[t-0 t-1 t-2] b=[t-3 t-4] c=[t-5 t-6]"},
		{assignRange, "a:t b:t c:u", map[string]int32{"t": 1, "u": 0}, "a=[t-0] b=[] c=[]"},
		{assignRange, "a:t z/i1:t y/i2:t", map[string]int32{"t": 3}, "a=[t-2] y=[t-1] z=[t-0]"},
		{assignRange, "a: b:t,t", map[string]int32{"t": 2}, "a=[] b=[t-0 t-1]"},
		{assignRoundRobin, "C0:t0,t1 C1:t0,t1", map[string]int32{"t0": 3, "t1": 3}, "C0=[t0-0 t0-2 t1-1] C1=[t0-1 t1-0 t1-2]"},
		{
			assignRoundRobin, "C0:t0 C1:t0,t1 C2:t0,t1,t2", map[string]int32{"t0": 1, "t1": 2, "t2": 3},
			"C0=[t0-0] C1=[t1-0] C2=[t1-1 t2-0 t2-1 t2-2]",
		},
		{assignRoundRobin, "a:x b:t", map[string]int32{"t": 2}, "a=[] b=[t-0 t-1]"},
	} {
		if got := show(test.assign(test.counts, members(test.members))); got != test.want {
			t.Errorf("%s of %v: %s, want %s", test.members, test.counts, got, test.want)
		}
	}
}

type assignFunc = func(map[string]int32, []subscriber) map[string][]connect.TopicPartition

func drawGroup(t *rapid.T) (map[string]int32, []subscriber) {
	counts := map[string]int32{}
	topics := []string{"t0", "t1", "t2", "t3"}[:rapid.IntRange(1, 4).Draw(t, "topics")]
	for _, topic := range topics {
		counts[topic] = rapid.Int32Range(0, 12).Draw(t, topic)
	}
	equal := rapid.Bool().Draw(t, "equal subscriptions")
	var group []subscriber
	for i := range rapid.IntRange(1, 7).Draw(t, "members") {
		s := subscriber{id: fmt.Sprint("m", i), subscription: &subscription{generation: noGeneration, topics: topics}}
		if !equal {
			s.topics = rapid.SliceOfNDistinct(rapid.SampledFrom(append(topics, "missing")), 0, -1, rapid.ID).Draw(t, s.id)
		}
		group = append(group, s)
	}
	return counts, group
}

// checkComplete: each partition that somebody wants has one owner, who wants it.
func checkComplete(t *rapid.T, counts map[string]int32, group []subscriber, got map[string][]connect.TopicPartition) {
	owners := map[connect.TopicPartition]string{}
	wanted := map[string]bool{}
	for _, m := range group {
		if _, ok := got[m.id]; !ok {
			t.Fatalf("%s has no entry in %s", m.id, show(got))
		}
		for _, tp := range got[m.id] {
			if owner, ok := owners[tp]; ok {
				t.Fatalf("%s belongs to %s and %s", tp, owner, m.id)
			}
			owners[tp] = m.id
			if !slices.Contains(m.topics, tp.Topic) || tp.Partition >= counts[tp.Topic] {
				t.Fatalf("%s got %s", m.id, tp)
			}
		}
		for _, topic := range m.topics {
			wanted[topic] = true
		}
	}
	total := 0
	for topic := range wanted {
		total += int(counts[topic])
	}
	if len(owners) != total || len(got) != len(group) {
		t.Fatalf("%d of %d partitions are assigned: %s", len(owners), total, show(got))
	}
}

// checkEven: no partition could move to a member that has at least two less.
func checkEven(t *rapid.T, group []subscriber, got map[string][]connect.TopicPartition) {
	for from, tps := range got {
		for _, tp := range tps {
			for _, to := range group {
				if slices.Contains(to.topics, tp.Topic) && len(got[to.id])+1 < len(tps) {
					t.Fatalf("%s of %s should belong to %s: %s", tp, from, to.id, show(got))
				}
			}
		}
	}
}

func TestAssignorsAreComplete(t *testing.T) {
	for name, assign := range map[string]assignFunc{
		"range": assignRange, "roundrobin": assignRoundRobin, "sticky": assignSticky, "cooperative": assignCooperative,
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				counts, group := drawGroup(t)
				got := assign(counts, group)
				checkComplete(t, counts, group, got)
				if name == "sticky" || name == "cooperative" {
					checkEven(t, group, got)
				}
				slices.Reverse(group)
				if again := assign(counts, group); show(again) != show(got) {
					t.Fatalf("%s, with members in another order %s", show(got), show(again))
				}
			})
		})
	}
}

// own makes members remember an assignment, as both sticky assignors do.
func own(group []subscriber, a map[string][]connect.TopicPartition, generation int32) {
	for i := range group {
		s := *group[i].subscription
		s.owned, s.generation = a[group[i].id], generation
		s.userData = stickyUserData(assignorState{assigned: s.owned, generation: generation})
		group[i].subscription = &s
	}
}

func moves(before, after map[string][]connect.TopicPartition) (gained map[string]int) {
	gained = map[string]int{}
	for id, tps := range after {
		for _, tp := range tps {
			if !slices.Contains(before[id], tp) {
				gained[id]++
			}
		}
	}
	return gained
}

func TestStickyAssignmentStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts, group := drawGroup(t)
		before := assignSticky(counts, group)
		own(group, before, 3)
		if again := assignSticky(counts, group); show(again) != show(before) {
			t.Fatalf("%s became %s", show(before), show(again))
		}
		if again := assignCooperative(counts, group); show(again) != show(before) {
			t.Fatalf("%s became %s", show(before), show(again))
		}
	})
}

// TestStickyMovesLittle: with equal subscriptions, when a member leaves only its
// partitions move, and when one comes, partitions move to it only.
func TestStickyMovesLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := map[string]int32{"t0": rapid.Int32Range(0, 30).Draw(t, "t0"), "t1": rapid.Int32Range(0, 30).Draw(t, "t1")}
		var group []subscriber
		for i := range rapid.IntRange(2, 8).Draw(t, "members") {
			group = append(group, members(fmt.Sprintf("m%d:t0,t1", i))...)
		}
		before := assignSticky(counts, group)
		own(group, before, 1)

		gone := rapid.IntRange(0, len(group)-1).Draw(t, "leaves")
		left := slices.Delete(slices.Clone(group), gone, gone+1)
		after := assignSticky(counts, left)
		checkComplete(t, counts, left, after)
		checkEven(t, left, after)
		n := 0
		for _, k := range moves(before, after) {
			n += k
		}
		if n != len(before[group[gone].id]) {
			t.Fatalf("%d moves when %s left: %s became %s", n, group[gone].id, show(before), show(after))
		}

		grown := append(slices.Clone(group), members("new:t0,t1")...)
		after = assignSticky(counts, grown)
		checkComplete(t, counts, grown, after)
		checkEven(t, grown, after)
		for id, k := range moves(before, after) {
			if id != "new" && k > 0 {
				t.Fatalf("%s gained %d when another came: %s became %s", id, k, show(before), show(after))
			}
		}
	})
}

// TestCooperativeTakesTwoRounds: what another member owns is given to nobody; after
// all rounds the assignment is complete and even.
func TestCooperativeTakesTwoRounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts, group := drawGroup(t)
		own(group, assignSticky(counts, group), 1)
		_, newcomers := drawGroup(t)
		for i := range newcomers {
			newcomers[i].id = "n" + newcomers[i].id
		}
		group = append(group, newcomers...)
		for generation := int32(2); ; generation++ {
			got := assignCooperative(counts, group)
			stable := true
			for _, m := range group {
				for _, tp := range got[m.id] {
					for _, o := range group {
						if o.id != m.id && slices.Contains(o.owned, tp) {
							t.Fatalf("%s was given to %s, %s still has it", tp, m.id, o.id)
						}
					}
				}
				stable = stable && len(m.owned) == len(got[m.id])
			}
			own(group, got, generation)
			if stable {
				checkComplete(t, counts, group, got)
				checkEven(t, group, got)
				return
			}
			if generation > 5 {
				t.Fatalf("no end: %s", show(got))
			}
		}
	})
}

// TestStickyClaims: the latest generation decides, and nobody keeps what two claim.
func TestStickyClaims(t *testing.T) {
	counts := map[string]int32{"t": 4}
	group := members("a:t b:t c:t d:t")
	claim := func(i int, generation int32, owned string) {
		group[i].owned, group[i].generation = tps(owned), generation
	}
	claim(0, 5, "t-0")
	claim(1, 4, "t-0 t-1")
	claim(2, 5, "t-2")
	claim(3, 5, "t-2 t-3 t-9 gone-1")
	got := assignCooperative(counts, group)
	if !slices.Contains(got["a"], tp("t", 0)) || !slices.Contains(got["b"], tp("t", 1)) || !slices.Contains(got["d"], tp("t", 3)) {
		t.Errorf("assigned %s", show(got))
	}
}

// TestAssignorUserData has the layouts of the Java classes.
func TestAssignorUserData(t *testing.T) {
	none := assignorState{generation: noGeneration}
	some := assignorState{generation: 7, assigned: tps("t-0 t-2")}
	if got := stickyUserData(none); got != nil {
		t.Errorf("sticky, at first: %x", got)
	}
	if got, want := hex.EncodeToString(stickyUserData(some)), "00000001"+"000174"+"00000002"+"00000000"+"00000002"+"00000007"; got != want {
		t.Errorf("sticky: %s, want %s", got, want)
	}
	if got := hex.EncodeToString(cooperativeUserData(none)); got != "ffffffff" {
		t.Errorf("cooperative, at first: %s", got)
	}
	if got := hex.EncodeToString(cooperativeUserData(some)); got != "00000007" {
		t.Errorf("cooperative: %s", got)
	}
	// The first version of StickyAssignor had no generation.
	group := members("a:t b:t")
	group[1].userData = appendPartitions(nil, tps("t-0"))
	if got := show(assignSticky(map[string]int32{"t": 2}, group)); got != "a=[t-1] b=[t-0]" {
		t.Errorf("assigned %s", got)
	}
	group[1].userData = []byte{1, 2, 3}
	checkNoPanic := assignSticky(map[string]int32{"t": 2}, group)
	if len(checkNoPanic["a"]) != 1 || len(checkNoPanic["b"]) != 1 {
		t.Errorf("assigned %s", show(checkNoPanic))
	}
	// A subscription of version 1 tells its generation in the user data only.
	group = members("a:t b:t")
	group[0].owned, group[0].userData = tps("t-0"), []byte{0, 0, 0, 9}
	group[1].owned, group[1].generation = tps("t-0"), 8
	if got := assignCooperative(map[string]int32{"t": 1}, group); show(got) != "a=[t-0] b=[]" {
		t.Errorf("assigned %s", show(got))
	}
}
