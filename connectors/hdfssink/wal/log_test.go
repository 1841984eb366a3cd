package wal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/faultfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
)

const logPath = "/logs/t/0/log"

// take takes the log and returns the last block that it told.
func take(t *testing.T, fs filesystem.FS) (*Log, []Entry, error) {
	t.Helper()
	var last []Entry
	l, err := Take(t.Context(), Options{FS: fs, Path: logPath, Timeout: time.Second,
		Replay: func(_ context.Context, c *Contents) (Kept, error) {
			last = c.Last
			return Kept{Block: c.Last, Settled: true}, nil
		}})
	return l, last, err
}

func mustTake(t *testing.T, fs filesystem.FS, want ...Entry) *Log {
	t.Helper()
	l, last, err := take(t, fs)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("last block: %s", diff)
	}
	return l
}

func commit(t *testing.T, l *Log, entries ...Entry) {
	t.Helper()
	if err := l.Commit(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, fs filesystem.FS, p string, b []byte) {
	t.Helper()
	f, err := fs.Create(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(b)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, fs filesystem.FS, p string) []byte {
	t.Helper()
	r, err := fs.Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var e1, e2, e3 = Entry{"t1", "f1"}, Entry{"t2", "f2"}, Entry{"t3", "f3"}

func TestLogKeepsTheLastBlockAcrossTakes(t *testing.T) {
	store := memfs.NewStore()
	fs := store.Client()
	l := mustTake(t, fs)
	commit(t, l, e1)
	commit(t, l, e2, e3)
	l.Close()
	for range 3 { // without a commit the log is rotated each time and still knows
		l = mustTake(t, fs, e2, e3)
		l.Close()
	}
	commit(t, mustTake(t, fs, e2, e3), e1)
	mustTake(t, store.Client(), e1)
}

func TestLogOfADeadWriterIsTaken(t *testing.T) {
	store := memfs.NewStore()
	first := store.Client()
	commit(t, mustTake(t, first), e1)
	// It still has the lease.
	mustTake(t, store.Client(), e1)
}

func TestFormerWriterIsFenced(t *testing.T) {
	store := memfs.NewStore()
	first := mustTake(t, store.Client())
	commit(t, first, e1)
	second := mustTake(t, store.Client(), e1)
	if err := first.Commit(t.Context(), []Entry{e2}); !errors.Is(err, ErrTakenOver) {
		t.Errorf("commit after the take-over: %v", err)
	}
	if err := first.Verify(t.Context()); !errors.Is(err, ErrTakenOver) {
		t.Errorf("verify after the take-over: %v", err)
	}
	commit(t, second, e3)
	second.Close()
	mustTake(t, store.Client(), e3)
}

// The former writer sleeps between the close and the append of a commit, while it has no
// lease; the new one comes, commits and leaves.
func TestFormerWriterThatHadNoLeaseIsFenced(t *testing.T) {
	store := memfs.NewStore()
	under := store.Client()
	var awake func()
	first := mustTake(t, &hooked{FS: under, append: func() {
		if awake != nil {
			awake()
		}
	}})
	commit(t, first, e1)
	awake = func() {
		awake = nil
		second := mustTake(t, store.Client(), e2)
		commit(t, second, e3) // of the same length
		second.Close()
	}
	if err := first.Commit(t.Context(), []Entry{e2}); !errors.Is(err, ErrTakenOver) {
		t.Errorf("commit: %v", err)
	}
	first.Close()
	mustTake(t, store.Client(), e3)
}

// hooked calls functions before Append and Rename.
type hooked struct {
	filesystem.FS
	append, rename func()
}

func (h *hooked) Rename(ctx context.Context, from, to string) error {
	if h.rename != nil {
		h.rename()
	}
	return h.FS.Rename(ctx, from, to)
}

func (h *hooked) Append(ctx context.Context, p string) (filesystem.File, error) {
	h.append()
	return h.FS.Append(ctx, p)
}

func TestEndedLeaseIsNoTakeOver(t *testing.T) {
	store := memfs.NewStore()
	l := mustTake(t, store.Client())
	commit(t, l, e1)
	// As HDFS does with a client that it has not heard of for long.
	if err := store.Client().RecoverLease(t.Context(), logPath); err != nil {
		t.Fatal(err)
	}
	err := l.Commit(t.Context(), []Entry{e2})
	if err == nil || errors.Is(err, ErrTakenOver) {
		t.Errorf("commit: %v", err)
	}
}

func TestLog1SpeaksWhenTheLogIsEmpty(t *testing.T) {
	full := func() []byte {
		e := encoder{marker: Marker{7}}
		return e.block(e.header(nil), false, []Entry{e1})
	}()
	for name, log := range map[string][]byte{"no log": nil, "empty log": {}, "three bytes": []byte("WAL"),
		"header": full[:headerSize], "cut block": full[:len(full)-2]} {
		t.Run(name, func(t *testing.T) {
			fs := memfs.New()
			write(t, fs, logPath+".1", full)
			if log != nil {
				write(t, fs, logPath, log)
			}
			mustTake(t, fs, e1).Close()
			if got := readAll(t, fs, logPath+".1"); string(got) != string(full) {
				t.Error("log.1 was given up for a log that says nothing")
			}
			mustTake(t, fs, e1).Close()
		})
	}
}

func TestForeignFileIsLeftAlone(t *testing.T) {
	fs := memfs.New()
	write(t, fs, logPath, []byte("something else of a user"))
	_, _, err := take(t, fs)
	var format *FormatError
	if !errors.As(err, &format) {
		t.Errorf("take: %v", err)
	}
	if got := readAll(t, fs, logPath); string(got) != "something else of a user" {
		t.Errorf("the file is now %q", got)
	}
}

// Each call of a take fails once; a second take knows the same.
func TestTakeMayFailAnywhere(t *testing.T) {
	prepare := func(t *testing.T) *memfs.Store {
		store := memfs.NewStore()
		l := mustTake(t, store.Client())
		commit(t, l, e1)
		return store // the writer died
	}
	trace := func() []faultfs.Call {
		fs := faultfs.New(prepare(t).Client())
		mustTake(t, fs, e1)
		return fs.Trace()
	}()
	for n, call := range trace {
		for _, action := range []faultfs.Action{faultfs.FailBefore, faultfs.FailAfter, faultfs.FailHalf} {
			store := prepare(t)
			fs := faultfs.New(store.Client(), faultfs.At(n).Do(action))
			l, _, err := take(t, fs)
			if err == nil {
				l.Close()
			}
			l, last, err := take(t, fs)
			if err != nil || !cmp.Equal(last, []Entry{e1}) {
				t.Errorf("%s at call %d (%s): %v, %v", action, n, call, last, err)
				continue
			}
			commit(t, l, e2)
			mustTake(t, store.Client(), e2)
		}
	}
}

// While the new writer takes the log, the former one is between two commits: it gets the
// lease once more and commits a last block before the log is moved away from it.
func TestTakeSeesABlockThatCameWhileItRead(t *testing.T) {
	store := memfs.NewStore()
	asleep, awake, done := make(chan struct{}), make(chan struct{}), make(chan error)
	first := &hooked{FS: store.Client(), append: func() {}}
	old := mustTake(t, first)
	commit(t, old, e1)
	first.append = func() {
		first.append = func() {}
		close(asleep)
		<-awake
	}
	go func() {
		err := old.Commit(t.Context(), []Entry{e2})
		if err == nil {
			err = old.Commit(t.Context(), []Entry{e3})
		}
		done <- err
	}()
	<-asleep
	next := &hooked{FS: store.Client(), append: func() {}, rename: func() {
		close(awake)
		if err := <-done; err != nil {
			t.Errorf("the former writer: %v", err)
		}
	}}
	mustTake(t, next, e3)
	if err := old.Commit(t.Context(), []Entry{e1}); !errors.Is(err, ErrTakenOver) {
		t.Errorf("commit after the take-over: %v", err)
	}
}

func TestLogNeverHasTwoMarksInARow(t *testing.T) {
	fs := memfs.New()
	for n := range 6 {
		l, _, err := take(t, fs)
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			commit(t, l, e1, e2)
		}
		if n%2 == 0 {
			l.Settle()
		} else {
			l.Close()
		}
		for _, p := range []string{logPath, logPath + ".1"} {
			if _, err := fs.Stat(t.Context(), p); err != nil {
				continue // log.1 is not there yet
			}
			b := readAll(t, fs, p)
			mark := append([]byte{0xff, 0xff, 0xff, 0xff}, b[4:headerSize]...)
			if bytes.Contains(b, append(mark[:syncSize:syncSize], mark...)) {
				t.Errorf("%s after round %d ends early for the JVM", p, n)
			}
		}
	}
}

func TestSettledLog(t *testing.T) {
	fs := memfs.New()
	read := func() Contents {
		c, err := Read(bytes.NewReader(readAll(t, fs, logPath)), nil)
		if err != nil || c.Damage != nil {
			t.Fatal(err, c.Damage)
		}
		return c
	}
	l := mustTake(t, fs)
	commit(t, l, e1)
	l.Close()
	if read().Settled {
		t.Error("settled without knowing")
	}
	l = mustTake(t, fs, e1)
	if !read().Settled {
		t.Error("the block that was kept is not settled")
	}
	commit(t, l, e2)
	if err := l.Settle(); err != nil {
		t.Fatal(err)
	}
	if c := read(); !c.Settled || !cmp.Equal(c.Last, []Entry{e2}) {
		t.Errorf("after Settle: %+v", c)
	}
}
