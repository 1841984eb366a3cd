package protocol

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/java/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return fromHex(t, string(b))
}

// exampleAssignment is connector c and its task 0 for a sessioned member, made by hand
// from the JVM's schema.
func exampleAssignment(t testing.TB) []byte {
	return fromHex(t, `0002 0000 0002 6d31 000b 687474703a2f2f683a312f 0000000000000005
		00000001 0001 63 00000002 ffffffff 00000000 00000000 00000000`)
}

func TestMetadataBytes(t *testing.T) {
	owned := &Assignment{LeaderID: "m1", LeaderURL: "http://h:1/", ConfigOffset: 5, Connectors: []string{"c"},
		Tasks: []connect.TaskID{{Connector: "c"}}}
	alloc := `0000 0002 6d31 000b 687474703a2f2f683a312f 0000000000000005
		00000001 0001 63 00000002 ffffffff 00000000 00000000 00000000`
	for _, c := range []struct {
		name    string
		version Version
		state   WorkerState
		want    []byte
	}{
		{"a fresh worker, as the JVM sends it", Sessioned, WorkerState{URL: "http://127.0.0.1:39083/", ConfigOffset: -1},
			golden(t, "metadata-sessioned-fresh.hex")},
		{"the allocation takes the version of the metadata", Sessioned, WorkerState{URL: "u", ConfigOffset: 7, Allocation: owned},
			fromHex(t, "0002 0001 75 0000000000000007 00000038 0002"+alloc)},
		{"compatible", Compatible, WorkerState{URL: "u", ConfigOffset: 7, Allocation: owned},
			fromHex(t, "0001 0001 75 0000000000000007 00000038 0001"+alloc)},
		{"eager has no allocation", Eager, WorkerState{URL: "u", ConfigOffset: 7, Allocation: owned},
			fromHex(t, "0000 0001 75 0000000000000007")},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := AppendMetadata(nil, c.version, c.state)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(c.want, got) {
				t.Fatalf("want %x\ngot  %x", c.want, got)
			}
			want := c.state
			if c.version == Eager {
				want.Allocation = nil
			} else if want.Allocation != nil {
				a := *want.Allocation
				a.Version = c.version
				want.Allocation = &a
			}
			back, err := ReadMetadata(got)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, back); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAssignmentBytes(t *testing.T) {
	base := Assignment{Version: Sessioned, LeaderID: "m1", LeaderURL: "http://h:1/", ConfigOffset: 5,
		Connectors: []string{"c"}, Tasks: []connect.TaskID{{Connector: "c"}}}
	with := func(f func(*Assignment)) Assignment { a := base; f(&a); return a }
	head := "0002 6d31 000b 687474703a2f2f683a312f 0000000000000005 "
	for _, c := range []struct {
		name string
		a    Assignment
		want []byte
	}{
		{"sessioned", base, exampleAssignment(t)},
		{"compatible differs in the version only", with(func(a *Assignment) { a.Version = Compatible }),
			append([]byte{0, 1}, exampleAssignment(t)[2:]...)},
		{"eager ends after the assignment", with(func(a *Assignment) { a.Version = Eager }),
			fromHex(t, "0000 0000 "+head+"00000001 0001 63 00000002 ffffffff 00000000")},
		{"revocation, delay and error", with(func(a *Assignment) {
			a.Err, a.Delay = ConfigMismatch, 300*time.Second
			a.Connectors, a.Tasks = nil, nil
			a.RevokedTasks = []connect.TaskID{{Connector: "d", Task: 2}}
		}), fromHex(t, "0002 0001 "+head+"00000000 00000001 0001 64 00000001 00000002 000493e0")},
		{"connectors first, then tasks in list order", with(func(a *Assignment) {
			a.Connectors = []string{"b", "a"}
			a.Tasks = []connect.TaskID{{Connector: "c", Task: 1}, {Connector: "a", Task: 0}, {Connector: "c", Task: 0}}
		}), fromHex(t, "0002 0000 "+head+`00000003 0001 62 00000001 ffffffff 0001 61 00000002 ffffffff 00000000
			0001 63 00000002 00000001 00000000 00000000 00000000`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := AppendAssignment(nil, c.a)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(c.want, got) {
				t.Fatalf("want %x\ngot  %x", c.want, got)
			}
		})
	}
}

func TestFieldsMissingAtTheEndHaveDefaults(t *testing.T) {
	full := exampleAssignment(t)
	none := Assignment{Version: Sessioned, LeaderID: "m1", LeaderURL: "http://h:1/", ConfigOffset: 5}
	assigned := none
	assigned.Connectors, assigned.Tasks = []string{"c"}, []connect.TaskID{{Connector: "c"}}
	for _, c := range []struct {
		name string
		b    []byte
		want Assignment
	}{
		{"nothing after the offset", full[:29], none},
		{"a null assignment", append(bytes.Clone(full[:29]), 0xff, 0xff, 0xff, 0xff), none},
		{"nothing after the assignment", full[:len(full)-8], assigned},
		{"no delay", full[:len(full)-4], assigned},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadAssignment(c.b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	full := exampleAssignment(t)
	for _, c := range []struct {
		name, want string
		b          []byte
	}{
		{"nothing", "error reading field 'version'", nil},
		{"a negative version", "Unsupported subscription version: -1", []byte{0xff, 0xff, 0, 0}},
		{"an end within the leader", "error reading field 'leader'", full[:7]},
		{"an end within the offset", "error reading field 'config-offset'", full[:25]},
		{"a count beyond the bytes", "error reading field 'assignment'", append(bytes.Clone(full[:29]), 0x7f, 0xff, 0xff, 0xff)},
		{"a negative count of tasks", "error reading field 'tasks'", append(bytes.Clone(full[:36]), 0x80, 0, 0, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadAssignment(c.b)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want an error with %q, got %v", c.want, err)
			}
		})
	}
}

func TestHigherVersionsAreReadLeniently(t *testing.T) {
	b := append(golden(t, "metadata-sessioned-fresh.hex"), 1, 2, 3)
	b[1] = 9
	got, err := ReadMetadata(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(WorkerState{URL: "http://127.0.0.1:39083/", ConfigOffset: -1}, got); d != "" {
		t.Error(d)
	}
}

func TestTextsTooLongForTheWireAreRefused(t *testing.T) {
	long := strings.Repeat("x", 1<<15)
	if _, err := AppendMetadata(nil, Sessioned, WorkerState{URL: long}); err == nil {
		t.Error("want an error for a long URL")
	}
	if _, err := AppendAssignment(nil, Assignment{Connectors: []string{long}}); err == nil {
		t.Error("want an error for a long connector name")
	}
}

func TestProtocolNames(t *testing.T) {
	for text, want := range map[string][]Version{
		"eager": {Eager}, "Compatible": {Compatible, Eager}, "SESSIONED": {Sessioned, Compatible, Eager},
	} {
		got, err := Offered(text)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(text, d)
		}
		for _, v := range got {
			if back, err := VersionOf(strings.ToUpper(v.Name())); err != nil || back != v {
				t.Errorf("VersionOf(%s): want %d, got %d, %v", v.Name(), v, back, err)
			}
		}
	}
	if _, err := Offered("lazy"); err == nil || !strings.Contains(err.Error(), "Invalid Connect protocol compatibility") {
		t.Errorf("want the JVM's message, got %v", err)
	}
	if _, err := VersionOf("range"); err == nil {
		t.Error("want an error for a foreign protocol")
	}
}

func genAssignment(t *rapid.T) Assignment {
	name := rapid.StringN(1, 8, 20)
	task := rapid.Custom(func(t *rapid.T) connect.TaskID {
		return connect.TaskID{Connector: name.Draw(t, "connector"), Task: rapid.IntRange(0, 1<<31-1).Draw(t, "task")}
	})
	id := func(s string) string { return s }
	a := Assignment{
		Version:           Version(rapid.SampledFrom([]int16{1, 2}).Draw(t, "version")),
		Err:               rapid.Int16().Draw(t, "err"),
		LeaderID:          name.Draw(t, "leader"),
		LeaderURL:         name.Draw(t, "url"),
		ConfigOffset:      rapid.Int64().Draw(t, "offset"),
		Connectors:        rapid.SliceOfNDistinct(name, 0, 5, id).Draw(t, "connectors"),
		RevokedConnectors: rapid.SliceOfNDistinct(name, 0, 5, id).Draw(t, "revoked connectors"),
		Delay:             time.Duration(rapid.Int32Min(0).Draw(t, "delay")) * time.Millisecond,
	}
	// Tasks in wire order: the readers group by connector.
	for _, c := range a.Connectors {
		for n := range rapid.IntRange(0, 3).Draw(t, "tasks") {
			a.Tasks = append(a.Tasks, connect.TaskID{Connector: c, Task: n})
		}
	}
	if len(a.RevokedConnectors) == 0 {
		a.RevokedTasks = rapid.SliceOfN(task, 0, 1).Draw(t, "revoked tasks")
	}
	return a
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genAssignment(t)
		s := WorkerState{URL: rapid.StringN(0, 10, 20).Draw(t, "worker url"), ConfigOffset: rapid.Int64().Draw(t, "offset"), Allocation: &a}
		b, err := AppendMetadata(nil, a.Version, s)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ReadMetadata(b)
		if err != nil {
			t.Fatal(err)
		}
		if back.URL != s.URL || back.ConfigOffset != s.ConfigOffset {
			t.Fatalf("want %+v, got %+v", s, back)
		}
		if d := cmp.Diff(a, *back.Allocation, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

// FuzzReadAssignment: never panics, and what was read is written and read back equally.
func FuzzReadAssignment(f *testing.F) {
	f.Add(exampleAssignment(f))
	f.Add(fromHex(f, "0000 0001 0000 0000 0000000000000005 ffffffff"))
	f.Add(fromHex(f, "0001 0001 0000 0000 0000000000000005 ffffffff ffffffff 00000001"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ReadAssignment(b)
		if err != nil {
			return
		}
		if n := len(a.Connectors) + len(a.Tasks) + len(a.RevokedConnectors) + len(a.RevokedTasks); n > len(b)/4 {
			t.Fatalf("%d items out of %d bytes", n, len(b))
		}
		if a.Version == Eager {
			a.Version = Compatible // keeps all fields
		}
		first, err := AppendAssignment(nil, a)
		if err != nil {
			t.Skip() // replaced UTF-8 can outgrow a STRING
		}
		again, err := ReadAssignment(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := AppendAssignment(nil, again)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Fatalf("not stable:\n%x\n%x", first, second)
		}
	})
}

// FuzzReadMetadata: as FuzzReadAssignment.
func FuzzReadMetadata(f *testing.F) {
	f.Add(golden(f, "metadata-sessioned-fresh.hex"))
	f.Add(append(golden(f, "metadata-sessioned-fresh.hex")[:33], append([]byte{0, 0, 0, 0x38}, exampleAssignment(f)...)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadMetadata(b)
		if err != nil {
			return
		}
		first, err := AppendMetadata(nil, Sessioned, s)
		if err != nil {
			t.Skip()
		}
		again, err := ReadMetadata(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := AppendMetadata(nil, Sessioned, again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("not stable (%v):\n%x\n%x", err, first, second)
		}
	})
}
