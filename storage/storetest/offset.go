package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
)

// RunOffsets runs the suite for offset stores. open makes a place for offsets and returns
// a function that gives stores upon it, not started yet, of which the suite has one started
// at a time. The first call finds the place empty, later ones what is there.
func RunOffsets(t *testing.T, open func(t *testing.T) func() storage.OffsetStore) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s storage.OffsetStore)
	}{
		{"an offset is there when the put returns", putOffsets},
		{"tombstones", offsetTombstones},
		{"the last of equal keys wins", offsetOrder},
		{"bytes stay as they are", offsetBytes},
		{"keys as the JVM writes them", offsetKeys},
		{"source partitions of connectors with odd names", offsetPartitions},
		{"one source partition under two keys", twoKeys},
		{"keys that are nobody's", strangeKeys},
		{"the caller's bytes stay the caller's", offsetCopies},
		{"puts and gets at the same time", concurrentOffsets},
		{"calls whose context is over", cancelledOffsets},
		{"nothing to do, and nothing to do it with", emptyPuts},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)()
			must(t, s.Start(t.Context()))
			t.Cleanup(func() { must(t, s.Stop(context.Background())) })
			tt.run(t, s)
		})
	}
	t.Run("life of a store", func(t *testing.T) { lifeOfOffsets(t, open(t)) })
	t.Run("a restart", func(t *testing.T) { restartOffsets(t, open(t)) })
}

// Partition returns a source partition of pairs of name and value.
func Partition(pairs ...any) *data.Map {
	m := data.NewMap(len(pairs) / 2)
	for i := 0; i < len(pairs); i += 2 {
		m.Put(pairs[i], pairs[i+1])
	}
	return m
}

// OffsetKey returns the key of a source partition of pairs of name and value.
func OffsetKey(t testing.TB, connector string, pairs ...any) string {
	t.Helper()
	key, err := records.OffsetKey(connector, Partition(pairs...))
	must(t, err)
	return string(key)
}

// Offsets makes entries of pairs of key and value; "-" is a tombstone.
func Offsets(pairs ...string) []storage.OffsetEntry {
	var out []storage.OffsetEntry
	for i := 0; i < len(pairs); i += 2 {
		e := storage.OffsetEntry{Key: []byte(pairs[i]), Value: []byte(pairs[i+1])}
		if pairs[i+1] == "-" {
			e.Value = nil
		}
		out = append(out, e)
	}
	return out
}

// GetOffsets returns the values of keys as text; keys without one are missing.
func GetOffsets(t testing.TB, s storage.OffsetStore, keys ...string) map[string]string {
	t.Helper()
	raw := make([][]byte, len(keys))
	for i, k := range keys {
		raw[i] = []byte(k)
	}
	found, err := s.Get(t.Context(), raw...)
	must(t, err)
	out := map[string]string{}
	for k, v := range found {
		if v == nil {
			t.Errorf("the value of %s is nil", k)
		}
		out[k] = string(v)
	}
	return out
}

// SourcePartitions returns the partitions of a connector as Java's text, sorted.
func SourcePartitions(t testing.TB, s storage.OffsetStore, connector string) []string {
	t.Helper()
	found, err := s.Partitions(t.Context(), connector)
	must(t, err)
	out := make([]string, len(found))
	for i, p := range found {
		out[i] = p.String()
	}
	slices.Sort(out)
	return out
}

const (
	k1 = `["a",{"f":"1"}]`
	k2 = `["a",{"f":"2"}]`
	k3 = `["b",{"f":"1"}]`
)

func putOffsets(t *testing.T, s storage.OffsetStore) {
	ctx := t.Context()
	equal(t, map[string]string{}, GetOffsets(t, s, k1, k2))
	must(t, s.Put(ctx, Offsets(k1, `{"o":1}`, k3, `{"o":3}`)...))
	equal(t, map[string]string{k1: `{"o":1}`, k3: `{"o":3}`}, GetOffsets(t, s, k1, k2, k3, k1))
	must(t, s.Put(ctx, Offsets(k1, `{"o":2}`)...))
	equal(t, map[string]string{k1: `{"o":2}`}, GetOffsets(t, s, k1))
	equal(t, map[string]string{}, GetOffsets(t, s))
	equal(t, []string{"{f=1}"}, SourcePartitions(t, s, "a"))
}

func offsetTombstones(t *testing.T, s storage.OffsetStore) {
	ctx := t.Context()
	must(t, s.Put(ctx, Offsets(k1, `{"o":1}`, k2, `{"o":2}`, k3, `{"o":3}`)...))
	must(t, s.Put(ctx, Offsets(k1, "-", k3, "-", `["a",{"f":"unknown"}]`, "-")...))
	equal(t, map[string]string{k2: `{"o":2}`}, GetOffsets(t, s, k1, k2, k3))
	equal(t, []string{"{f=2}"}, SourcePartitions(t, s, "a"))
	equal(t, []string{}, SourcePartitions(t, s, "b"))
	must(t, s.Put(ctx, Offsets(k1, `{"o":9}`)...))
	equal(t, map[string]string{k1: `{"o":9}`}, GetOffsets(t, s, k1))
	equal(t, []string{"{f=1}", "{f=2}"}, SourcePartitions(t, s, "a"))
}

func offsetOrder(t *testing.T, s storage.OffsetStore) {
	ctx := t.Context()
	must(t, s.Put(ctx, Offsets(k1, "1", k1, "2", k2, "1", k1, "3", k2, "-")...))
	equal(t, map[string]string{k1: "3"}, GetOffsets(t, s, k1, k2))
	must(t, s.Put(ctx, Offsets(k1, "-", k1, "4")...))
	for i := range 50 {
		must(t, s.Put(ctx, Offsets(k2, fmt.Sprint(i))...))
	}
	equal(t, map[string]string{k1: "4", k2: "49"}, GetOffsets(t, s, k1, k2))
}

func offsetBytes(t *testing.T, s storage.OffsetStore) {
	pairs := []string{
		`["a",{"x":1,"y":2}]`, `{"o":1}`, `["a",{"y":2,"x":1}]`, `{"o": 1}`, `["a", {"x":1,"y":2}]`, "{\n}",
		`["a",{"x":1.0,"y":2}]`, `{"o":1.0,"o":2}`, `["a",{"x":"\u0041"}]`, `{"o":"\u0041<>&"}`, `["a",{"x":"A"}]`, `{"o":"A<>&"}`,
		`["a",{"x":1e2}]`, `100000000000000000000000000.000`, `["a",{"x":"` + "\u2028\x7f" + `"}]`, "\"\u2028\U0001f600\"",
		`["a",{"z":0}]`, "", `["a",{"z":1}]`, "null", `["a",{"z":2}]`, "\x00\xff\xfe not JSON", "\xff\x00", "{}", "", "no key text", "null", "1",
	}
	must(t, s.Put(t.Context(), Offsets(pairs...)...))
	for i := 0; i < len(pairs); i += 2 {
		equal(t, map[string]string{pairs[i]: pairs[i+1]}, GetOffsets(t, s, pairs[i]))
	}
}

// The keys are those of MirrorMaker 2 and of the file source, as the JVM worker writes them.
func offsetKeys(t *testing.T, s storage.OffsetStore) {
	for key, made := range map[string]string{
		`["my-src",{"cluster":"src","partition":3,"topic":"t"}]`:             OffsetKey(t, "my-src", "topic", "t", "partition", int32(3), "cluster", "src"),
		`["my-src",{"sourceClusterAlias":"a","targetClusterAlias":"b"}]`:     OffsetKey(t, "my-src", "targetClusterAlias", "b", "sourceClusterAlias", "a"),
		`["my-src",{"partition":0,"topic":"t","group":"g"}]`:                 OffsetKey(t, "my-src", "group", "g", "topic", "t", "partition", int64(0)),
		`["local-file-source",{"filename":"/tmp/test.txt"}]`:                 OffsetKey(t, "local-file-source", "filename", "/tmp/test.txt"),
		`["my-src",{"b":true,"s":"ü","d":1.0,"f":2.5,"l":9007199254740993}]`: OffsetKey(t, "my-src", "l", int64(9007199254740993), "f", float32(2.5), "d", 1.0, "s", "ü", "b", true),
	} {
		must(t, s.Put(t.Context(), Offsets(key, `{"offset":7}`)...))
		equal(t, map[string]string{made: `{"offset":7}`}, GetOffsets(t, s, made))
	}
	equal(t, []string{
		"{b=true, s=ü, d=1.0, f=2.5, l=9007199254740993}", "{cluster=src, partition=3, topic=t}",
		"{partition=0, topic=t, group=g}", "{sourceClusterAlias=a, targetClusterAlias=b}",
	}, SourcePartitions(t, s, "my-src"))
}

func offsetPartitions(t *testing.T, s storage.OffsetStore) {
	names := []string{"a", "A", "a-b", "a,b", `a","b`, `"`, `\`, "a b", " ", "", "ü/漢\U0001f600", "status-connector-a", `{"a":1}`, "null", "a\nb", "%2F"}
	var entries []storage.OffsetEntry
	for i, n := range names {
		for _, f := range []any{"x", int64(i), nil, true, 1.5} {
			entries = append(entries, storage.OffsetEntry{Key: []byte(OffsetKey(t, n, "f", f, "of", n)), Value: []byte("{}")})
		}
	}
	must(t, s.Put(t.Context(), entries...))
	for i, n := range names {
		want := []string{"{f=x, of=" + n + "}", fmt.Sprintf("{f=%d, of=%s}", i, n), "{f=null, of=" + n + "}", "{f=true, of=" + n + "}", "{f=1.5, of=" + n + "}"}
		slices.Sort(want)
		equal(t, want, SourcePartitions(t, s, n))
	}
	equal(t, []string{}, SourcePartitions(t, s, "b"))
	// An empty partition is one; a missing one is not.
	must(t, s.Put(t.Context(), Offsets(`["c",{}]`, "{}", `["d",null]`, "{}")...))
	equal(t, []string{"{}"}, SourcePartitions(t, s, "c"))
	equal(t, []string{}, SourcePartitions(t, s, "d"))
}

func twoKeys(t *testing.T, s storage.OffsetStore) {
	one, other := `["a",{"x":1,"y":2}]`, `["a",{"y":2,"x":1}]`
	must(t, s.Put(t.Context(), Offsets(one, "1", other, "2")...))
	equal(t, 1, len(SourcePartitions(t, s, "a")))
	must(t, s.Put(t.Context(), Offsets(one, "-")...))
	equal(t, 1, len(SourcePartitions(t, s, "a"))) // the other still has an offset
	must(t, s.Put(t.Context(), Offsets(other, "-")...))
	equal(t, 0, len(SourcePartitions(t, s, "a")))
}

func strangeKeys(t *testing.T, s storage.OffsetStore) {
	keys := []string{"what", "{}", "[]", `["a"]`, `["a",{},1]`, `[1,{}]`, `["a",1]`, `[null,{"f":1}]`, "\xff", `["a",{"f":1}`}
	for _, k := range keys {
		must(t, s.Put(t.Context(), Offsets(k, "{}")...))
	}
	equal(t, len(keys), len(GetOffsets(t, s, keys...)))
	equal(t, []string{}, SourcePartitions(t, s, "a"))
	for _, k := range keys {
		must(t, s.Put(t.Context(), Offsets(k, "-")...))
	}
	equal(t, 0, len(GetOffsets(t, s, keys...)))
}

func offsetCopies(t *testing.T, s storage.OffsetStore) {
	ctx := t.Context()
	entries := Offsets(k1, "value")
	must(t, s.Put(ctx, entries...))
	copy(entries[0].Key, "XXXXX")
	copy(entries[0].Value, "XXXXX")
	found, err := s.Get(ctx, []byte(k1))
	must(t, err)
	equal(t, "value", string(found[k1]))
	copy(found[k1], "YYYYY")
	delete(found, k1)
	equal(t, map[string]string{k1: "value"}, GetOffsets(t, s, k1))
	partitions, err := s.Partitions(ctx, "a")
	must(t, err)
	partitions[0].Put("f", "changed")
	equal(t, []string{"{f=1}"}, SourcePartitions(t, s, "a"))
}

func concurrentOffsets(t *testing.T, s storage.OffsetStore) {
	var wg sync.WaitGroup
	for c := range 4 {
		name := fmt.Sprintf("c%d", c)
		wg.Go(func() {
			for i := range 10 {
				value := fmt.Sprint(i)
				var entries []storage.OffsetEntry
				for p := range 5 {
					entries = append(entries, Offsets(fmt.Sprintf(`["%s",{"p":%d}]`, name, p), value)...)
				}
				if err := s.Put(t.Context(), entries...); err != nil {
					t.Error(err)
				}
				found, err := s.Get(t.Context(), entries[0].Key, entries[4].Key)
				if err != nil || string(found[string(entries[0].Key)]) != value || string(found[string(entries[4].Key)]) != value {
					t.Errorf("%s: its own put of %s is not there: %s, error %v", name, value, found, err)
				}
				if got, err := s.Partitions(t.Context(), name); len(got) != 5 {
					t.Errorf("%s: partitions %v, error %v", name, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func cancelledOffsets(t *testing.T, s storage.OffsetStore) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the task was stopped")
	cancel(gone)
	_, getErr := s.Get(ctx, []byte(k1))
	_, partitionsErr := s.Partitions(ctx, "a")
	for name, err := range map[string]error{"get": getErr, "partitions": partitionsErr, "put": s.Put(ctx, Offsets(k1, "1")...)} {
		if !errors.Is(err, gone) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	equal(t, map[string]string{}, GetOffsets(t, s, k1))
}

func emptyPuts(t *testing.T, s storage.OffsetStore) {
	must(t, s.Put(t.Context()))
	if err := s.Put(t.Context(), append(Offsets(k1, "1"), storage.OffsetEntry{Value: []byte("{}")})...); err == nil {
		t.Error("an offset without a key was taken")
	}
	equal(t, map[string]string{}, GetOffsets(t, s, k1))
}

func lifeOfOffsets(t *testing.T, open func() storage.OffsetStore) {
	ctx := t.Context()
	s := open()
	if s.Put(ctx, Offsets(k1, "1")...) == nil {
		t.Error("a put before the start succeeded")
	}
	must(t, s.Start(ctx))
	if s.Start(ctx) == nil {
		t.Error("the store was started twice")
	}
	must(t, s.Put(ctx, Offsets(k1, "1")...))
	must(t, s.Stop(ctx))
	if s.Put(ctx, Offsets(k1, "2")...) == nil {
		t.Error("a put after the stop succeeded")
	}
	if _, err := s.Get(ctx, []byte(k1)); err == nil {
		t.Error("a get after the stop succeeded")
	}
	if _, err := s.Partitions(ctx, "a"); err == nil {
		t.Error("partitions after the stop")
	}
	must(t, s.Stop(ctx))
}

func restartOffsets(t *testing.T, open func() storage.OffsetStore) {
	ctx := t.Context()
	s := open()
	must(t, s.Start(ctx))
	must(t, s.Put(ctx, Offsets(k1, "1", k2, "2", k3, "3")...))
	must(t, s.Put(ctx, Offsets(k2, "-", k1, "4", "\xff", "\xff", "strange", "")...))
	must(t, s.Stop(ctx))
	for range 2 {
		s = open()
		must(t, s.Start(ctx))
		equal(t, map[string]string{k1: "4", k3: "3", "\xff": "\xff", "strange": ""}, GetOffsets(t, s, k1, k2, k3, "\xff", "strange"))
		equal(t, []string{"{f=1}"}, SourcePartitions(t, s, "a"))
		must(t, s.Stop(ctx))
	}
	s = open()
	must(t, s.Start(ctx))
	must(t, s.Put(ctx, Offsets(k3, "-", k2, "5")...))
	must(t, s.Stop(ctx))
	s = open()
	must(t, s.Start(ctx))
	equal(t, map[string]string{k1: "4", k2: "5"}, GetOffsets(t, s, k1, k2, k3))
	must(t, s.Stop(ctx))
}
