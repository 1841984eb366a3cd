package plugin

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"pgregory.net/rapid"
)

func TestVersionRangesAreThoseOfTheJVM(t *testing.T) {
	f, err := os.Open("testdata/java/versions.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	n := 0
	for lines.Scan() {
		var want struct {
			Range, Text string
			Error       *string
			Versions    []string
			Contains    []bool
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		n++
		r, err := ParseVersionRange(want.Range)
		if want.Error != nil || err != nil {
			if err == nil || want.Error == nil || err.Error() != *want.Error {
				t.Errorf("%q: %v, JVM %v", want.Range, err, want.Error)
			}
			continue
		}
		if r.String() != want.Text {
			t.Errorf("%q is written %q, JVM %q", want.Range, r, want.Text)
		}
		for i, v := range want.Versions {
			if r.Contains(v) != want.Contains[i] {
				t.Errorf("%q contains %q: JVM %v", want.Range, v, want.Contains[i])
			}
		}
	}
	if n < 300 || lines.Err() != nil {
		t.Errorf("%d lines, %v", n, lines.Err())
	}
}

func TestTheOrderOfVersionsTurnsRound(t *testing.T) {
	version := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9]{1,30}([.-]?(0|1|rc|alpha|ga|x|sp|b2)){0,5}`))
	rapid.Check(t, func(rt *rapid.T) {
		a, b := version.Draw(rt, "a"), version.Draw(rt, "b")
		if compareVersions(a, b) != -compareVersions(b, a) || compareVersions(a, a) != 0 {
			rt.Errorf("%q and %q: %d and %d", a, b, compareVersions(a, b), compareVersions(b, a))
		}
	})
}

func FuzzParseVersionRange(f *testing.F) {
	for _, s := range []string{"", "1.0", "[1.0,2.0)", "(,1],[2,)", "[", "]", "1,2", "[[1]]", "[1]x"} {
		f.Add(s, "1.0")
	}
	f.Fuzz(func(t *testing.T, text, version string) {
		r, err := ParseVersionRange(text)
		if err != nil {
			return
		}
		r.Contains(version)
		if again, err := ParseVersionRange(r.String()); err != nil && len(r.parts) == 1 || err == nil && again.String() != r.String() {
			t.Errorf("%q is written %q and read as %q, %v", text, r, again, err)
		}
	})
}
