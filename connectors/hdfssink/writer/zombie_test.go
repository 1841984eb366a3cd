package writer_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/faultfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/writer"
)

// zombie runs two workers on one store: the second takes over while the first is in the
// middle of something, and the first goes on as if nothing had happened.
func TestZombieWritesNothing(t *testing.T) {
	for _, at := range []string{"with open files", "idle", "after its commit"} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memfs.NewStore()
				watched := faultfs.New(store.Client())
				old := newWorker(t, watched, 0).open()
				must(t, old.step(map[string]int{"with open files": 6, "idle": 0, "after its commit": 4}[at], 100))
				fresh := newWorker(t, store.Client(), old.group).open()
				must(t, fresh.step(3, 100))
				calls := len(watched.Trace())
				for range 20 { // less than a minute of the zombie's clock
					must(t, old.step(3, 100))
				}
				for _, c := range watched.Trace()[calls:] {
					if c.Op == faultfs.Rename || c.Op == faultfs.Remove {
						t.Errorf("the zombie did: %s", c)
					}
				}
				if _, ok := old.p.Next(); ok && at != "idle" {
					t.Error("the zombie still tells offsets to commit")
				}
				must(t, fresh.run(20))
				old.close()
				fresh.close()
				// Temp files that the zombie began and may not delete are left to the next owner.
				newWorker(t, store.Client(), 20).open().close()
				checkOnce(t, store.Client(), 20)
			})
		})
	}
}

// The first worker stops right before the nth of its calls; the second takes over, works
// and, in half of the cases, leaves; then the first wakes up.
func TestZombieAtEachCall(t *testing.T) {
	var calls int
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New(memfs.New())
		w := newWorker(t, fs, 0).open()
		must(t, w.run(8))
		calls = len(fs.Trace())
		w.close()
	})
	for n := range calls {
		for _, leaves := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				store := memfs.NewStore()
				var old *worker
				var fresh *worker
				fs := &paused{FS: store.Client(), at: int64(n), do: func() {
					fresh = newWorker(t, store.Client(), old.group).open()
					must(t, fresh.run(8))
					if leaves {
						fresh.close()
					}
				}}
				old = newWorker(t, fs, 0)
				old.open()
				for range 12 {
					if err := old.step(3, 8); err != nil {
						t.Fatal(err)
					}
				}
				if err := once(t, store.Client(), 8); err != nil {
					t.Errorf("woken at call %d, the other left: %v: %v", n, leaves, err)
				}
				old.close()
				if fresh != nil {
					fresh.close()
				}
				// Whoever comes next finds everything in order.
				next := newWorker(t, store.Client(), 8).open()
				must(t, next.run(12))
				next.close()
				checkOnce(t, store.Client(), 12)
			})
		}
	}
}

// A partition that stays assigned after it was taken over is the group's owner after
// all: it takes the log back. Two connectors on one log end with an error.
func TestFencedPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memfs.NewStore()
		a := newWorker(t, store.Client(), 0).open()
		must(t, a.step(6, 100))
		b := newWorker(t, store.Client(), a.group).open()
		must(t, b.step(6, 100))
		for range 5 {
			must(t, a.step(6, 100)) // finds out
		}
		b.close()
		a.now += 60_000
		must(t, a.run(20))
		a.close()
		checkOnce(t, store.Client(), 20)
	})
	synctest.Test(t, func(t *testing.T) {
		store := memfs.NewStore()
		a := newWorker(t, store.Client(), 0).open()
		b := newWorker(t, store.Client(), 0).open()
		defer a.close()
		defer b.close()
		for range 200 {
			for _, w := range []*worker{a, b} {
				w.now += 10_000
				if err := w.step(2, 1000); err != nil {
					if !strings.Contains(err.Error(), "Two connectors share logs.dir") {
						t.Fatal(err)
					}
					return
				}
			}
		}
		if err := once(t, store.Client(), a.group); err != nil && !errors.Is(err, errNotDone) {
			t.Log("without an error both must have progressed exactly once:", err)
		}
	})
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenNeedsNoTreeTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New(memfs.New(), faultfs.On(faultfs.List).Nth(1).Fail())
		w := newWorker(t, fs, 0)
		w.p.Open(t.Context(), writer.NewTree(fs, w.cfg.CallTimeout))
		must(t, w.run(4))
		w.close()
		checkOnce(t, filesystem.FS(fs), 4)
	})
}
