package writer_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connectors/hdfssink/writer"
)

func TestCommittedNameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := writer.CommittedName{
			Topic:     rapid.StringMatching(`[a-zA-Z0-9._\-]{1,40}`).Draw(t, "topic"),
			Partition: rapid.Int32Min(0).Draw(t, "partition"),
			Start:     rapid.Int64Min(0).Draw(t, "start"),
			End:       rapid.Int64Min(0).Draw(t, "end"),
			Extension: rapid.SampledFrom([]string{"", ".avro", ".json", ".txt"}).Draw(t, "extension"),
		}
		text := want.Format(rapid.IntRange(0, 20).Draw(t, "width"))
		got, ok := writer.ParseCommittedName(text)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Fatalf("%s: %v %s", text, ok, diff)
		}
	})
}

func FuzzParseCommittedName(f *testing.F) {
	for _, s := range []string{"t+0+0000000000+0000000009.avro", "t+0+1+2", "a.b-c_d+12+3+4.txt", "+0+0+0", "t+0+1+2.", "t+-1+1+2.a", "t+0+1+99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := writer.ParseCommittedName(s)
		if !ok {
			return
		}
		again, ok := writer.ParseCommittedName(n.Format(0))
		if !ok || again != n {
			t.Fatalf("%q is %+v, and then %+v", s, n, again)
		}
	})
}

func TestNamesOfOthers(t *testing.T) {
	for _, s := range []string{"", "t", "t+0+1", "t+0+1+2+3", "t+0+1+2.a.b", "t+0+1+2.", "t+0+1+2.a-b", "t t+0+1+2", "t+x+1+2", "t+0+-1+2",
		"t+0+1+", "t+4294967296+1+2", "t+0+1+9223372036854775808", "t+0+1_0+2", "+0+1+2.avro"} {
		if n, ok := writer.ParseCommittedName(s); ok {
			t.Errorf("%q is taken as %+v", s, n)
		}
	}
}

func TestNameIsTheJVMs(t *testing.T) {
	n := writer.CommittedName{Topic: "orders", Partition: 1, Start: 100, End: 102, Extension: ".json"}
	for width, want := range map[int]string{10: "orders+1+0000000100+0000000102.json", 2: "orders+1+100+102.json", 0: "orders+1+100+102.json"} {
		if got := n.Format(width); got != want {
			t.Errorf("width %d: %s, want %s", width, got, want)
		}
	}
}
