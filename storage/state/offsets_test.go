package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect/data"
)

func TestKeysThatAreNobodysAreTold(t *testing.T) {
	for key, want := range map[string]string{
		"what": "offset key", `{"a":1}`: "should be an array", `["a"]`: "1 elements", `[1,{}]`: "should be a string",
		`["a",[]]`: "should be an object", `["a",null]`: "", `["a",{}]`: "",
	} {
		o := NewOffsets()
		err := o.Apply([]byte(key), []byte("{}"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %s", key, err, want)
		}
		if err := o.Apply([]byte(key), []byte("[]")); err != nil {
			t.Errorf("%s is told again: %v", key, err)
		}
		if o.Len() != 1 {
			t.Errorf("%s is not kept", key)
		}
		_ = o.Apply([]byte(key), nil)
		if o.Len() != 0 || len(o.sources) != 0 {
			t.Errorf("%s is left: %v", key, o)
		}
	}
	if err := NewOffsets().Apply(nil, []byte("{}")); err == nil {
		t.Error("no key is no error")
	}
}

func TestDistinctPartitions(t *testing.T) {
	m := func(pairs ...any) *data.Map {
		m := data.NewLinkedMap(2)
		for i := 0; i < len(pairs); i += 2 {
			m.Put(pairs[i], pairs[i+1])
		}
		return m
	}
	got := DistinctPartitions([]*data.Map{
		m("a", int64(1), "b", "x"), m("b", "x", "a", int64(1)), m("a", 1.0, "b", "x"), m("a", int64(1)), m(), m("a", nil), m(),
	})
	var text []string
	for _, p := range got {
		text = append(text, p.String())
	}
	if diff := cmp.Diff([]string{"{a=1, b=x}", "{a=1.0, b=x}", "{a=1}", "{}", "{a=null}"}, text); diff != "" {
		t.Error(diff)
	}
}

// The state is that of two plain maps, and a clone goes its own way.
func TestOffsetsAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, want := NewOffsets(), map[string]string{}
		var frozen *Offsets
		var frozenWant map[string]string
		for range rapid.IntRange(0, 40).Draw(t, "n") {
			key := fmt.Sprintf(`["c%d",{"p":%d}]`, rapid.IntRange(0, 2).Draw(t, "connector"), rapid.IntRange(0, 3).Draw(t, "partition"))
			if rapid.Bool().Draw(t, "tombstone") {
				delete(want, key)
				_ = o.Apply([]byte(key), nil)
			} else {
				value := rapid.String().Draw(t, "value")
				want[key] = value
				_ = o.Apply([]byte(key), []byte(value))
			}
			if frozen == nil && rapid.Bool().Draw(t, "clone") {
				frozen, frozenWant = o.Clone(), maps.Clone(want)
			}
		}
		check(t, o, want)
		if frozen != nil {
			check(t, frozen, frozenWant)
		}
	})
}

func check(t *rapid.T, o *Offsets, want map[string]string) {
	got := map[string]string{}
	var keys []string
	for k, v := range o.All() {
		got[k] = string(v)
		keys = append(keys, k)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if !slices.IsSorted(keys) {
		t.Fatalf("not in order: %q", keys)
	}
	for c := range 3 {
		var expect, text []string
		for p := range 4 {
			if _, ok := want[fmt.Sprintf(`["c%d",{"p":%d}]`, c, p)]; ok {
				expect = append(expect, fmt.Sprintf("{p=%d}", p))
			}
		}
		for _, p := range o.Partitions(fmt.Sprintf("c%d", c)) {
			text = append(text, p.String())
		}
		slices.Sort(text)
		if diff := cmp.Diff(expect, text); diff != "" {
			t.Fatal(diff)
		}
	}
}
