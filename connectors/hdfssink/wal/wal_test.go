package wal

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// javaLogs are logs that the JVM connector wrote, by their path below testdata/java.
func javaLogs(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/java/*/*.log*")
	if err != nil || len(paths) == 0 {
		t.Fatal("no golden logs", err)
	}
	logs := map[string][]byte{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		logs[strings.TrimPrefix(filepath.ToSlash(p), "testdata/java/")] = b
	}
	return logs
}

func TestReadJavaLogs(t *testing.T) {
	// Offsets are those of the names in the last complete block.
	want := map[string]string{
		"begin-only/1-after-kill.log":                       "3 files, the last ends at 5",
		"begin-one-entry/1-after-kill.log":                  "3 files, the last ends at 5",
		"entries-no-end/1-after-kill.log":                   "3 files, the last ends at 5",
		"end-no-rename/1-after-kill.log":                    "3 files, the last ends at 11",
		"end-all-renames/2-after-restart.log.1":             "3 files, the last ends at 11",
		"first-begin/1-after-kill.log":                      "0 files",
		"first-commit-end-no-dir/1-after-kill.log":          "3 files, the last ends at 5",
		"clean-3-commits-restart/1-after-stop.log":          "3 files, the last ends at 17",
		"clean-3-commits-restart/3-after-4th-commit.log":    "3 files, the last ends at 23",
		"clean-3-commits-restart/3-after-4th-commit.log.1":  "3 files, the last ends at 17",
		"uncommitted-records/1-after-kill.log":              "3 files, the last ends at 5",
		"clean-3-commits-restart/2-after-restart.log.1":     "3 files, the last ends at 17",
		"clean-3-commits-restart/4-after-2nd-restart.log.1": "3 files, the last ends at 23",
	}
	for name, b := range javaLogs(t) {
		c, err := Read(bytes.NewReader(b), nil)
		if err != nil || c.Damage != nil {
			t.Errorf("%s: %v, damage %v", name, err, c.Damage)
			continue
		}
		got := fmt.Sprintf("%d files", len(c.Last))
		if len(c.Last) > 0 {
			last := 0
			for _, e := range c.Last {
				end := e.Final[strings.LastIndexByte(e.Final, '+')+1:]
				n, err := strconv.Atoi(strings.TrimSuffix(end, ".json"))
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				last = max(last, n)
			}
			got += fmt.Sprint(", the last ends at ", last)
		}
		if w := want[name]; w != "" && got != w {
			t.Errorf("%s has %s, want %s", name, got, w)
		}
	}
}

// rewrite reads a log record by record and writes it with our encoder, marking where the
// JVM opened it for append.
func rewrite(t *testing.T, b []byte) []byte {
	t.Helper()
	p := parser{r: bufio.NewReader(bytes.NewReader(b))}
	if err := p.header(); err != nil {
		t.Fatal(err)
	}
	e := encoder{marker: p.marker}
	out := e.header(nil)
	for {
		start := p.pos
		key, value, err := p.record()
		if err != nil {
			if rest := len(b) - len(out); rest == syncSize {
				out = e.sync(out) // opened for append, and closed
			}
			return out
		}
		// A mark at a shorter distance was made by opening the log.
		marked := p.pos-start > int64(8+textSize(key)+textSize(value))
		if marked && e.pos < e.lastSync+syncInterval {
			out = e.sync(out)
		}
		out = e.record(out, key, value)
	}
}

func TestEncoderWritesTheBytesOfJavaLogs(t *testing.T) {
	for name, want := range javaLogs(t) {
		if got := rewrite(t, want); !bytes.Equal(got, want) {
			t.Errorf("%s is written differently:\n%s", name, cmp.Diff(want, got))
		}
	}
}

func TestBlockHasMarksEvery2000Bytes(t *testing.T) {
	e := encoder{marker: Marker{1, 2, 3}}
	b := e.header(nil)
	var want []Entry
	for i := range 40 {
		want = append(want, Entry{Temp: fmt.Sprintf("%0200d", i), Final: fmt.Sprintf("%0100d", i)})
	}
	b = e.block(b, true, want[:1])
	b = e.block(b, true, want)
	if e.pos != int64(len(b)) {
		t.Errorf("position %d after %d bytes", e.pos, len(b))
	}
	mark := append([]byte{0xff, 0xff, 0xff, 0xff}, e.marker[:]...)
	if n := bytes.Count(b, mark); n != 2+len(b)/2300 {
		t.Errorf("%d sync marks in %d bytes", n, len(b))
	}
	if bytes.Contains(b, append(append([]byte{}, mark...), mark...)) {
		t.Error("two sync marks in a row end the log for the JVM")
	}
	c, err := Read(bytes.NewReader(b), nil)
	if err != nil || c.Damage != nil {
		t.Fatal(err, c.Damage)
	}
	if diff := cmp.Diff(want, c.Last); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[:1], c.Previous); diff != "" {
		t.Error(diff)
	}
}

func genBlocks(t *rapid.T) [][]Entry {
	text := rapid.StringN(0, 300, 400)
	entry := rapid.Custom(func(t *rapid.T) Entry {
		return Entry{Temp: "/" + text.Draw(t, "temp"), Final: text.Draw(t, "final")}
	})
	return rapid.SliceOfN(rapid.SliceOfN(entry, 1, 5), 0, 6).Draw(t, "blocks")
}

func TestCutLogReplaysItsCompleteBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blocks := genBlocks(t)
		e := encoder{marker: newMarker()}
		b := e.header(nil)
		ends := []int{}
		for _, block := range blocks {
			b = e.block(b, rapid.Bool().Draw(t, "reopened"), block)
			ends = append(ends, len(b))
		}
		cut := rapid.IntRange(0, len(b)).Draw(t, "cut")
		c, err := Read(bytes.NewReader(b[:cut]), nil)
		if err != nil {
			t.Fatal(err)
		}
		var want []Entry
		for i, end := range ends {
			if end <= cut {
				want = blocks[i]
			}
		}
		if diff := cmp.Diff(want, c.Last); diff != "" {
			t.Fatalf("cut at %d of %d: %s", cut, len(b), diff)
		}
		clean := cut == headerSize
		for _, end := range ends {
			clean = clean || cut == end
		}
		if clean && c.Damage != nil || cut < headerSize && c.Damage == nil {
			t.Fatalf("cut at %d: damage %v", cut, c.Damage)
		}
	})
}

func TestOlderHasEntriesWhoseTempNameDidNotComeAgain(t *testing.T) {
	e := encoder{marker: newMarker()}
	b := e.header(nil)
	b = e.block(b, false, []Entry{{"a", "a0"}, {"b", "b0"}, {"own", "o0"}})
	b = e.block(b, false, []Entry{{"a", "a1"}, {"c", "c1"}})
	for i := range 300 { // more than is kept uncompacted
		b = e.block(b, false, []Entry{{"d", fmt.Sprint("d", i)}})
	}
	b = e.block(b, false, []Entry{{"a", "a2"}})
	c, err := Read(bytes.NewReader(b), func(e Entry) bool { return e.Temp != "own" })
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{{"b", "b0"}, {"c", "c1"}, {"d", "d299"}}
	if diff := cmp.Diff(want, c.Older); diff != "" {
		t.Error(diff)
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"PAR1 and so on, longer than a header":  "not a WALFile",
		"XX":                                    "not a WALFile",
		"WAL\x01 and so on, longer than header": "version 1",
		"WAL\x01":                               "version 1",
	} {
		_, err := Read(strings.NewReader(text), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, b := range javaLogs(f) {
		f.Add(b, 100)
		f.Add(b, len(b)-3)
	}
	f.Add([]byte("WAL\x00"), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		whole, err := Read(bytes.NewReader(b), func(Entry) bool { return true })
		if err != nil {
			return
		}
		// What was read is written and read again.
		if len(whole.Last) > 0 {
			e := encoder{marker: newMarker()}
			again, err := Read(bytes.NewReader(e.block(e.header(nil), true, whole.Last)), nil)
			if err != nil || again.Damage != nil && len(whole.Last) < 10 {
				t.Fatal(err, again.Damage)
			}
		}
		// A prefix never tells more blocks than the whole.
		if cut < 0 || cut > len(b) {
			return
		}
		part, err := Read(bytes.NewReader(b[:cut]), nil)
		if err == nil && len(part.Last) > 0 && len(whole.Last) == 0 {
			t.Fatal("a prefix has a block that the whole has not")
		}
	})
}
