package filestore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/state"
	"github.com/penstock-io/penstock/storage/storetest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOffsetStore(t *testing.T) {
	storetest.RunOffsets(t, func(t *testing.T) func() storage.OffsetStore {
		path := filepath.Join(t.TempDir(), "connect.offsets")
		return func() storage.OffsetStore { return NewOffsetStore(path, zap.NewNop()) }
	})
}

// start opens a store that is stopped with the test.
func start(t *testing.T, path string) *OffsetStore {
	t.Helper()
	s := NewOffsetStore(path, zap.NewNop())
	must(t, s.Start(t.Context()))
	t.Cleanup(func() { must(t, s.Stop(context.Background())) })
	return s
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func place(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "offsets")
	must(t, os.WriteFile(path, []byte(content), 0o640))
	return path
}

func golden(t *testing.T, name string) string {
	t.Helper()
	return contents(t, filepath.Join("testdata", "java", name))
}

func TestTheFileCanBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	s := start(t, path)
	must(t, s.Put(t.Context(), storetest.Offsets(
		`["b",{"f":"x"}]`, `{"position":42}`, `["a",{"g":1.0}]`, `{"s":"ü<&\u0001"}`, "\xff", "", `["a", {}]`, "null")...))
	equal(t, `{"format":"penstock-offsets","version":1,"offsets":[
{"keyBase64":"WyJhIiwge31d","valueBase64":"bnVsbA=="},
{"key":["a",{"g":1.0}],"value":{"s":"ü<&\u0001"}},
{"key":["b",{"f":"x"}],"value":{"position":42}},
{"keyBase64":"/w==","valueBase64":""}
]}
`, contents(t, path))
	equal(t, []string{"offsets", "offsets.lock"}, files(t, filepath.Dir(path)))
	must(t, s.Put(t.Context(), storetest.Offsets(`["b",{"f":"x"}]`, "-", `["a",{"g":1.0}]`, "-", "\xff", "-", `["a", {}]`, "-")...))
	equal(t, "{\"format\":\"penstock-offsets\",\"version\":1,\"offsets\":[\n]}\n", contents(t, path))
}

// Somebody's tool may format the file: it means the same.
func TestAFormattedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	s := start(t, path)
	pairs := []string{`["a",{"x":1.0,"y":"A <"}]`, `{"o":[1,{"p":2}]}`, `["a", {}]`, ` 1 `}
	must(t, s.Put(t.Context(), storetest.Offsets(pairs...)...))
	must(t, s.Stop(t.Context()))
	var out bytes.Buffer
	must(t, json.Indent(&out, []byte(contents(t, path)), "", "\t"))
	must(t, os.WriteFile(path, out.Bytes(), 0o644))
	equal(t, map[string]string{pairs[0]: pairs[1], pairs[2]: pairs[3]}, storetest.GetOffsets(t, start(t, path), pairs[0], pairs[2]))
}

func TestFilesOfTheJVM(t *testing.T) {
	one := `["local-file-source",{"filename":"/tmp/test.txt"}]`
	many := map[string]string{
		one: `{"position":42}`, `["mm2",{"cluster":"a","partition":0,"topic":"t"}]`: `{"offset":7}`,
		"[\"ümlaut 漢\",{\"a\":null}]": `{"x":"\u0001"}`, `["s",{"n":1}]`: `{"shared":true}`, `["s",{"n":2}]`: `{"shared":true}`,
		"\x00\xff\n": "",
	}
	for i := range 300 {
		many[fmt.Sprintf(`["many",{"i":%d}]`, i)] = fmt.Sprintf(`{"o":%d}`, 2*i)
	}
	for name, want := range map[string]map[string]string{
		"empty.bin":  {},
		"one.bin":    {one: `{"position":42}`},
		"worker.bin": {one: `{"position":32}`, `["verifiable",{"id":0}]`: `{"seqno":41}`},
		"many.bin":   many,
	} {
		t.Run(name, func(t *testing.T) {
			path := place(t, golden(t, name))
			s := start(t, path)
			got := map[string]string{}
			for k, v := range s.offsets.All() {
				got[k] = string(v)
			}
			equal(t, want, got)
			equal(t, golden(t, name), contents(t, path)) // reading changes nothing

			must(t, s.Put(t.Context(), storetest.Offsets(one, "1")...))
			equal(t, golden(t, name), contents(t, path+".jvm"))
			equal(t, []string{"offsets", "offsets.jvm", "offsets.lock"}, files(t, filepath.Dir(path)))
			must(t, s.Put(t.Context(), storetest.Offsets(one, "2")...))
			equal(t, golden(t, name), contents(t, path+".jvm"))
			must(t, s.Stop(t.Context()))

			s = start(t, path)
			want[one] = "2"
			got = map[string]string{}
			for k, v := range s.offsets.All() {
				got[k] = string(v)
			}
			equal(t, want, got)
		})
	}
}

// A crash after the copy and before the new file finds the old one again.
func TestMigrationGoesOnAfterACrash(t *testing.T) {
	path := place(t, golden(t, "one.bin"))
	must(t, os.WriteFile(path+".jvm", []byte("half"), 0o600))
	must(t, os.WriteFile(path+".tmp", []byte("{\"format\":\"pen"), 0o600))
	s := start(t, path)
	must(t, s.Put(t.Context(), storetest.Offsets("1", "1")...))
	equal(t, golden(t, "one.bin"), contents(t, path+".jvm"))
	equal(t, []string{"offsets", "offsets.jvm", "offsets.lock"}, files(t, filepath.Dir(path)))
	equal(t, 2, s.offsets.Len())
}

func TestAnEmptyFileHasNoOffsets(t *testing.T) {
	equal(t, 0, start(t, place(t, "")).offsets.Len())
}

func TestADamagedFileIsRefused(t *testing.T) {
	head := `{"format":"penstock-offsets","version":1,"offsets":[`
	java := golden(t, "one.bin")
	at := func(i int, b byte) string { return java[:i] + string([]byte{b}) + java[i+1:] }
	for _, tt := range []struct{ name, content, want string }{
		{"cut off", head + "\n{\"key\":[\"a\",{}]", "the JSON document ends before it is complete"},
		{"binary", "\x00\x01\xff\xfe", "it is neither JSON in UTF-8 nor a file of a JVM worker"},
		{"text", "position=42\n", "not JSON at byte 1"},
		{"a broken line", head + "\n{\"key\":[\"a\",{}],\"value\":{\"o\":1}\n{}]}", "not JSON at byte 86"},
		{"a list", "[]", "at byte 1"},
		{"another format", `{"format":"x","version":1,"offsets":[]}`, `"format" should be "penstock-offsets" but is "x"`},
		{"a newer version", `{"format":"penstock-offsets","version":2,"offsets":[]}`, "this worker knows version 1 only"},
		{"no offsets", `{"format":"penstock-offsets","version":1}`, `no field "offsets"`},
		{"an unknown field", head + `{"key":1,"value":1,"vale":1}]}`, `unknown field "vale"`},
		{"no key", head + `{"value":1}]}`, "key of offset 1: it is missing"},
		{"no value", head + `{"key":[1],"value":null}]}`, `value of offset 1, key "[1]": it is missing`},
		{"two values", head + `{"key":1,"value":1,"valueBase64":""}]}`, "value of offset 1, key \"1\": it is there twice"},
		{"bad base64", head + `{"keyBase64":"!","value":1}]}`, "key of offset 1: not base64"},
		{"a key twice", head + `{"key":[1,2],"value":1},{"key":[1, 2],"value":2}]}`, `offset 2 has the same key as an earlier one: "[1,2]"`},
		{"two documents", head + "]}{}", "something follows the end"},
		{"Java: another class", golden(t, "linked.bin"), "an object of class java.util.HashMap is missing"},
		{"Java: strings", golden(t, "strings.bin"), "entry 1 of 1: type code 0x74 where a byte array should be"},
		{"Java: cut off", java[:len(java)-5], "15 bytes should follow, but the file has 11 more"},
		{"Java: without its end", java[:len(java)-1], "at byte 179: the file ends where the end of the map should be"},
		{"Java: more follows", java + "x", "something follows the map"},
		{"Java: another version", at(3, 4), "the start of a stream of version 5 is missing"},
		{"Java: too many entries", at(0x4d, 0x7f), "entry 2 of 2130706433"},
		{"Java: a negative number of entries", at(0x4d, 0xff), "the map has -"},
		{"Java: a long array", at(0x64, 0x7f), "2130706482 bytes should follow, but the file has"},
		{"Java: a negative array", at(0x64, 0xff), "-16777166 bytes should follow"},
		{"Java: a wrong reference", at(0x9f, 0x07), "the class of byte arrays is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := place(t, tt.content)
			err := NewOffsetStore(path, zap.NewNop()).Start(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v\nwant %s", err, tt.want)
			}
			for _, part := range []string{"offset file " + path + " (offset.storage.file.filename) is damaged: ", "Restore it from a backup"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
			equal(t, tt.content, contents(t, path))
			// The lock is free again.
			must(t, os.Remove(path))
			start(t, path)
		})
	}
}

func TestAFileHasOneWorker(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	first := start(t, path)
	must(t, first.Put(t.Context(), storetest.Offsets("1", "1")...))
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(path, link))
	for _, name := range []string{path, link} {
		err := NewOffsetStore(name, zap.NewNop()).Start(t.Context())
		if err == nil || !strings.Contains(err.Error(), "is used by another worker") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	must(t, first.Stop(t.Context()))
	second := start(t, link)
	must(t, second.Put(t.Context(), storetest.Offsets("1", "2")...))
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, error %v", info, err)
	}
	if !strings.Contains(contents(t, path), `{"key":1,"value":2}`) {
		t.Error("the link's target was not written")
	}
}

func TestPlacesWhereNoFileCanBe(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "missing", "offsets"): "Its directory must exist",
		dir:                                      "is not a regular file",
	} {
		err := NewOffsetStore(path, zap.NewNop()).Start(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), Property) {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// What a failed write would have stored is neither shown nor stored.
func TestAFailedWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	s := start(t, path)
	must(t, s.Put(t.Context(), storetest.Offsets("1", "1")...))
	before := contents(t, path)
	must(t, os.Mkdir(path+".tmp", 0o755)) // in the way
	err := s.Put(t.Context(), storetest.Offsets("1", "2", "3", "3")...)
	if err == nil || !strings.Contains(err.Error(), "write 2 offsets to file "+path) {
		t.Errorf("error %v", err)
	}
	equal(t, before, contents(t, path))
	equal(t, map[string]string{"1": "1"}, storetest.GetOffsets(t, s, "1", "3"))
	must(t, os.Remove(path+".tmp"))
	must(t, s.Put(t.Context(), storetest.Offsets("3", "4")...))
	equal(t, map[string]string{"1": "1", "3": "4"}, storetest.GetOffsets(t, s, "1", "3"))
}

func TestACopyOfTheJVMsFileThatCannotBeMade(t *testing.T) {
	path := place(t, golden(t, "one.bin"))
	s := start(t, path)
	must(t, os.Mkdir(path+".jvm", 0o755))
	if err := s.Put(t.Context(), storetest.Offsets("1", "2")...); err == nil || !strings.Contains(err.Error(), "keep a copy of the JVM worker's file") {
		t.Errorf("error %v", err)
	}
	equal(t, golden(t, "one.bin"), contents(t, path)) // not replaced without the copy
	must(t, os.Remove(path+".jvm"))
	must(t, s.Put(t.Context(), storetest.Offsets("1", "2")...))
	equal(t, golden(t, "one.bin"), contents(t, path+".jvm"))
}

func TestTheSizeIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	s := NewOffsetStore(path, zap.NewNop())
	s.max = 200
	must(t, s.Start(t.Context()))
	must(t, s.Put(t.Context(), storetest.Offsets("1", "1")...))
	err := s.Put(t.Context(), storetest.Offsets("2", strings.Repeat("2", 200))...)
	if err == nil || !strings.Contains(err.Error(), "more than 200: use distributed mode") {
		t.Errorf("error %v", err)
	}
	equal(t, map[string]string{"1": "1"}, storetest.GetOffsets(t, s, "1", "2"))
	must(t, s.Stop(t.Context()))
	must(t, os.WriteFile(path, make([]byte, 201), 0o644))
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "has more than 200 bytes") {
		t.Errorf("error %v", err)
	}
}

func TestTheModeStays(t *testing.T) {
	path := place(t, golden(t, "one.bin"))
	s := start(t, path)
	must(t, s.Put(t.Context(), storetest.Offsets("1", "1")...))
	for _, name := range []string{path, path + ".jvm"} {
		info, err := os.Stat(name)
		must(t, err)
		equal(t, os.FileMode(0o640), info.Mode())
	}
}

func TestStrangeKeysAreLogged(t *testing.T) {
	path := place(t, `{"format":"penstock-offsets","version":1,"offsets":[{"key":"strange","value":1},{"key":["a",{}],"value":{}}]}`)
	core, logs := observer.New(zap.WarnLevel)
	s := NewOffsetStore(path, zap.New(core))
	must(t, s.Start(t.Context()))
	defer s.Stop(context.Background())
	equal(t, 1, logs.Len())
	equal(t, map[string]string{`"strange"`: "1"}, storetest.GetOffsets(t, s, `"strange"`))
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Map(rapid.String(), func(s string) []byte { b, _ := json.Marshal([]string{s}); return b }),
			rapid.SliceOf(rapid.Byte()), rapid.Just([]byte("null")), rapid.Just([]byte(`{"a":1}`)), rapid.Just([]byte(" 1")))
		offsets := state.NewOffsets()
		want := map[string]string{}
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			k, v := text.Draw(t, "key"), text.Draw(t, "value")
			if k == nil {
				k = []byte{}
			}
			if v == nil {
				v = []byte{}
			}
			_ = offsets.Apply(k, v)
			want[string(k)] = string(v)
		}
		entries, err := decodeDocument(encodeDocument(offsets))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, e := range entries {
			if e.Value == nil {
				t.Errorf("the value of %q is nil", e.Key)
			}
			got[string(e.Key)] = string(e.Value)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"empty.bin", "one.bin", "worker.bin", "linked.bin", "strings.bin"} {
		content, err := os.ReadFile(filepath.Join("testdata", "java", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte(`{"format":"penstock-offsets","version":1,"offsets":[{"key":["a",{}],"value":{}},{"keyBase64":"/w==","valueBase64":""}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		decode := decodeDocument
		if isJavaStream(content) {
			decode = decodeJavaMap
		}
		entries, err := decode(content)
		if err != nil {
			return
		}
		offsets := state.NewOffsets()
		for _, e := range entries {
			if e.Key == nil {
				t.Fatal("a key is nil")
			}
			_ = offsets.Apply(e.Key, e.Value)
		}
		again, err := decodeDocument(encodeDocument(offsets))
		if err != nil || len(again) != offsets.Len() {
			t.Fatalf("%d offsets became %d: %v", offsets.Len(), len(again), err)
		}
	})
}
