package audit

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func open(t *testing.T, o Options) *Log {
	t.Helper()
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // some tests break it
	return l
}

func read(t *testing.T, path string) (entries []Entry) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		entries = append(entries, e)
	}
	return entries
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func change(connector string) Entry {
	return Entry{Time: at, User: "ada", Auth: "basic", Method: "PUT", Path: "/connectors/" + connector + "/config", Connector: connector, Status: 200}
}

func TestALineIsJSONWithNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, Options{Path: path})
	e := change("a\nb")
	e.ConfigKeys, e.ForwardedFrom, e.RequestID, e.Remote, e.DurationMS = []string{"name", "topics"}, "http://w1/", "r", "1.2.3.4:5", 7
	l.Write(e)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"time":"2026-01-02T03:04:05Z","request_id":"r","user":"ada","auth":"basic","remote":"1.2.3.4:5","method":"PUT","path":"/connectors/a\nb/config",` +
		`"connector":"a\nb","status":200,"duration_ms":7,"forwarded_from":"http://w1/","config_keys":["name","topics"]}` + "\n"
	if string(text) != want {
		t.Errorf("got  %swant %s", text, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestTheFileIsRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, Options{Path: path, MaxBytes: 400, MaxFiles: 2})
	for i := range 20 {
		l.Write(change(fmt.Sprint("c", i)))
	}
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 3 {
		t.Fatalf("%v, %v", names, err)
	}
	n := 19
	for _, name := range []string{path, path + ".1", path + ".2"} {
		entries := read(t, name)
		if info, err := os.Stat(name); err != nil || info.Size() > 400 || len(entries) == 0 {
			t.Errorf("%s: %v, %v, %d lines", name, info, err, len(entries))
		}
		for i := len(entries) - 1; i >= 0; i-- {
			if want := fmt.Sprint("c", n); entries[i].Connector != want {
				t.Errorf("%s: %s, want %s", name, entries[i].Connector, want)
			}
			n--
		}
	}
	// It goes on with a file that is there.
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := len(read(t, path))
	l = open(t, Options{Path: path})
	l.Write(change("again"))
	if entries := read(t, path); len(entries) != before+1 {
		t.Errorf("%d lines, want %d", len(entries), before+1)
	}
}

func TestAFileThatOthersRotateIsOpenedAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, Options{Path: path})
	l.Write(change("a"))
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	l.Write(change("b"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l.Write(change("c"))
	if old, now := read(t, path+".old"), read(t, path); len(old) != 1 || len(now) != 1 || now[0].Connector != "c" {
		t.Errorf("%v %v", old, now)
	}
}

// broken makes a path that cannot be opened: its folder is gone.
func broken(t *testing.T, path string) (repair func()) {
	t.Helper()
	dir := filepath.Dir(path)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChangesAreRefusedUntilAllLinesAreWritten(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	path := filepath.Join(t.TempDir(), "d", "audit")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l := open(t, Options{Path: path, Refuse: true, Log: zap.New(core)})
	if err := l.Ready(); err != nil {
		t.Fatal(err)
	}
	repair := broken(t, path)
	if err := l.Ready(); err == nil {
		t.Error("ready without a file")
	}
	// These were under way.
	l.Write(change("a"))
	l.Write(change("b"))
	if err := l.Ready(); err == nil {
		t.Error("ready with lines that wait")
	}
	if n := logs.FilterMessageSnippet("cannot be written").Len(); n != 2 || !strings.Contains(logs.All()[0].ContextMap()["line"].(string), `"connector":"a"`) {
		t.Errorf("%d lines are in the log: %v", n, logs.All())
	}
	repair()
	if err := l.Ready(); err != nil {
		t.Error(err)
	}
	l.Write(change("c"))
	entries := read(t, path)
	if len(entries) != 3 || entries[0].Connector != "a" || entries[1].Connector != "b" || entries[2].Connector != "c" {
		t.Errorf("%+v", entries)
	}
	if logs.FilterMessageSnippet("written again").Len() != 1 {
		t.Error("the log does not tell that it works again")
	}
}

func TestChangesGoOnIfSo(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	path := filepath.Join(t.TempDir(), "d", "audit")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l := open(t, Options{Path: path, Log: zap.New(core)})
	repair := broken(t, path)
	if err := l.Ready(); err != nil {
		t.Error(err)
	}
	l.Write(change("a"))
	repair()
	l.Write(change("b"))
	if entries := read(t, path); len(entries) != 1 || entries[0].Connector != "b" || logs.FilterMessageSnippet("cannot be written").Len() != 1 {
		t.Errorf("%+v, %v", entries, logs.All())
	}
}

// A disk that is full tears a line; what follows must be whole.
func TestATornLineDoesNotSpoilTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	f := file{path: path}
	if err := f.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.f.WriteString(`{"time":`); err != nil {
		t.Fatal(err)
	}
	f.torn = true
	if err := f.write([]byte("{}\n"), true); err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "{\"time\":\n{}\n" {
		t.Errorf("%q", text)
	}
}

func TestAFloodOfDeniedRequestsIsCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, Options{Path: path})
	denied := change("x")
	denied.Status, denied.Denied = 401, "no"
	for range maxDenied + 30 {
		l.Write(denied)
	}
	l.Write(change("a")) // changes are always written
	denied.Time = at.Add(time.Second)
	l.Write(denied)
	entries := read(t, path)
	if len(entries) != maxDenied+2 || entries[maxDenied].Suppressed != 30 || entries[maxDenied].Connector != "a" || entries[maxDenied+1].Suppressed != 0 {
		t.Errorf("%d lines, the last ones %+v", len(entries), entries[len(entries)-2:])
	}
}

func TestWhatClientsMakeLongIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, Options{Path: path})
	e := change(strings.Repeat("c", 1<<20))
	for i := range 5000 {
		e.ConfigKeys = append(e.ConfigKeys, fmt.Sprint(i, strings.Repeat("k", 5000)))
		e.Groups = append(e.Groups, "g")
	}
	l.Write(e)
	text, err := os.ReadFile(path)
	if err != nil || len(text) > 1<<19 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if got := read(t, path)[0]; len(got.ConfigKeys) != maxNames+1 || got.ConfigKeys[maxNames] != "… and 4800 more" || len(e.ConfigKeys[0]) < 5000 {
		t.Errorf("%d keys", len(got.ConfigKeys))
	}
}

func TestTheLogTakesTheLines(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	l := open(t, Options{Log: zap.New(core)})
	l.Write(change("a"))
	if err := l.Ready(); err != nil || logs.Len() != 1 || !strings.HasPrefix(logs.All()[0].Message, `{"time":`) {
		t.Errorf("%v, %v", err, logs.All())
	}
}

func TestAPathThatCannotBeOpenedIsToldAtOnce(t *testing.T) {
	if _, err := Open(Options{Path: "/nowhere/audit", Log: zap.NewNop()}); err == nil || !strings.Contains(err.Error(), "/nowhere/audit") {
		t.Error(err)
	}
}

func TestLinesOfManyRequestsAreWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l := open(t, Options{Path: path, MaxBytes: 2000, MaxFiles: 1000})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 25 {
				l.Write(change(fmt.Sprintf("%d-%d", i, j)))
			}
		})
	}
	all.Wait()
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range names {
		for _, e := range read(t, name) {
			seen[e.Connector] = true
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d lines", len(seen))
	}
}
