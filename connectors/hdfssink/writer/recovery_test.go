package writer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/faultfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/writer"
)

// committedUpTo returns a store on which a worker has committed 8 records and left.
func committedUpTo8(t *testing.T) filesystem.FS {
	t.Helper()
	fs := memfs.New()
	w := newWorker(t, fs, 0).open()
	must(t, w.run(8))
	w.close()
	return fs
}

// next opens the partition once more and returns where it wants to go on, -1 for nowhere.
func nextOffset(t *testing.T, fs filesystem.FS) int64 {
	t.Helper()
	w := newWorker(t, fs, 0).open()
	defer w.close()
	if o, ok := w.context.seek[tp]; ok {
		return o
	}
	return -1
}

func TestRecoveryTakesTheLargestOfLogAndNames(t *testing.T) {
	const log = "/logs/t/3/log"
	for _, c := range []struct {
		name string
		do   func(t *testing.T, fs filesystem.FS)
		want int64
	}{
		{"nothing was changed", func(*testing.T, filesystem.FS) {}, 8},
		{"the log is gone", func(t *testing.T, fs filesystem.FS) { must(t, fs.Remove(t.Context(), log)) }, 8},
		{"the logs are gone", func(t *testing.T, fs filesystem.FS) { must(t, fs.Remove(t.Context(), "/logs")) }, 8},
		{"only log.1 is there", func(t *testing.T, fs filesystem.FS) {
			must(t, fs.Remove(t.Context(), log+".1"))
			must(t, fs.Rename(t.Context(), log, log+".1"))
		}, 8},
		{"an empty log lies before log.1", func(t *testing.T, fs filesystem.FS) {
			must(t, fs.Remove(t.Context(), log+".1"))
			must(t, fs.Rename(t.Context(), log, log+".1"))
			f, err := fs.Create(t.Context(), log)
			must(t, err)
			must(t, f.Close())
		}, 8},
		{"older files were moved away", func(t *testing.T, fs filesystem.FS) {
			for _, f := range readCommitted(t, fs)[:2] {
				must(t, fs.Rename(t.Context(), f.path, "/moved-"+path.Base(f.path)))
			}
		}, 8},
		{"all files were moved away", func(t *testing.T, fs filesystem.FS) {
			must(t, fs.Rename(t.Context(), "/topics/t", "/moved"))
		}, 8},
		{"files and logs are gone", func(t *testing.T, fs filesystem.FS) {
			must(t, fs.Remove(t.Context(), "/logs"))
			must(t, fs.Remove(t.Context(), "/topics"))
		}, -1},
		{"a file beyond the log", func(t *testing.T, fs filesystem.FS) {
			f, err := fs.Create(t.Context(), "/topics/t/deep/down/t+3+0000000008+0000000019.txt")
			must(t, err)
			must(t, f.Close())
		}, 20},
		{"files of others", func(t *testing.T, fs filesystem.FS) {
			for _, name := range []string{"t+4+20+29.txt", "u+3+20+29.txt", "t+3+20.txt", "t+3+20+29.snappy.txt", "_SUCCESS"} {
				f, err := fs.Create(t.Context(), "/topics/t/"+name)
				must(t, err)
				must(t, f.Close())
			}
		}, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := committedUpTo8(t)
				c.do(t, fs)
				for range 3 { // each opening leaves what the next one needs
					if got := nextOffset(t, fs); got != c.want {
						t.Fatalf("goes on at %d, want %d", got, c.want)
					}
				}
			})
		})
	}
}

// Nobody knows whether the files of the last block were renamed before the crash. The
// group's offset decides, which was committed after the renames.
func TestMovedFilesAreNotWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memfs.NewStore()
		w := newWorker(t, store.Client(), 0).open()
		must(t, w.run(8))
		defer w.close()
		fs := store.CrashClone(rand.New(rand.NewPCG(1, 1))).Client()
		must(t, fs.Rename(t.Context(), "/topics/t", "/moved"))
		w = newWorker(t, fs, 8) // the group's offset
		w.open()
		if o, ok := w.context.seek[tp]; ok {
			t.Errorf("seeks to %d", o)
		}
		if o, ok := w.p.Next(); ok {
			t.Errorf("would commit %d", o)
		}
		must(t, w.run(16))
		w.close()
		for _, f := range readCommitted(t, fs) {
			if f.Start < 8 {
				t.Errorf("%s was written again", f.path)
			}
		}
	})
}

// The temp files of a complete block vanish before they are renamed: the records are
// read again, and the block in the log does not hide that.
func TestLostTempFilesAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memfs.NewStore()
		removed := false
		fs := &beforeRename{FS: store.Client(), do: func(from string) {
			if !removed && strings.Contains(from, "+tmp") {
				removed = true
				must(t, store.Client().Remove(t.Context(), "/topics/+tmp"))
			}
		}}
		w := newWorker(t, fs, 0).open()
		must(t, w.run(8))
		w.close()
		checkOnce(t, fs, 8)
	})
}

type beforeRename struct {
	filesystem.FS
	do func(from string)
}

func (b *beforeRename) Rename(ctx context.Context, from, to string) error {
	b.do(from)
	return b.FS.Rename(ctx, from, to)
}

func TestStoreThatIsDownIsTriedAgainWithoutBusyLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := faultfs.On(faultfs.Any).Times(0).Fail()
		fs := faultfs.New(memfs.New(), down)
		w := newWorker(t, fs, 0).open()
		for range 100 {
			must(t, w.step(3, 100)) // 60 ms of a back-off of 100 ms
		}
		if n := len(fs.Trace()); n < 25 || n > 45 {
			t.Errorf("%d calls in 6 s with a back-off of 100 ms", n)
		}
		if !w.context.paused[tp] {
			t.Error("the partition is not paused")
		}
		fs.Clear()
		must(t, w.run(8))
		fs.Add(down)
		must(t, w.step(5, 13))
		must(t, w.step(5, 13))
		if next, ok := w.p.Next(); !ok || next != 8 {
			t.Errorf("to commit: %d %v, want 8", next, ok)
		}
		fs.Clear()
		must(t, w.run(16))
		w.close()
		checkOnce(t, fs, 16)
	})
}

func TestBadRecordIsReported(t *testing.T) {
	bad := func(o int64) string {
		if o == 2 || o == 5 {
			return fmt.Sprint("bad", o)
		}
		return fmt.Sprint(o)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, memfs.New(), 0).open()
		defer w.close()
		w.value = bad
		err := w.run(8)
		var de *connect.DataError
		if !errors.As(err, &de) {
			t.Fatalf("tolerance none: %v", err)
		}
		for _, want := range []string{"bad record (topic t, partition 3, offset 2, key null)", "errors.tolerance=all"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		fs := memfs.New()
		w := newWorker(t, fs, 0).open()
		w.context.tolerate = true
		w.value = bad
		must(t, w.run(10))
		w.close()
		if diff := cmp.Diff([]int64{2, 5}, w.context.errant); diff != "" {
			t.Error(diff)
		}
		checkOnce(t, fs, 10, 2, 5)
	})
}

func TestOnlyBadRecordsLeaveNoFilesAndAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := memfs.New()
		w := newWorker(t, fs, 0, func(c *writer.Config) { c.Partitioner, c.MaxOpenFiles = byOffset(100), 5 }).open()
		w.context.tolerate = true
		w.value = func(int64) string { return "bad" }
		must(t, w.run(60))
		if n := len(tree(t, fs, "/topics/+tmp")); n > 5 {
			t.Errorf("%d temp files are open", n)
		}
		w.close()
		checkOnce(t, fs, 0)
	})
}

func TestTopicThatWasCreatedAgainIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, committedUpTo8(t), 0).open()
		defer w.close()
		delete(w.context.seek, tp) // Kafka does not have offset 8 and resets to 0
		err := w.step(3, 100)
		if err == nil || !strings.Contains(err.Error(), "records up to offset 7 are committed already") {
			t.Errorf("got %v", err)
		}
	})
}

func TestRecordsThatComeTwiceAreWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := memfs.New()
		w := newWorker(t, fs, 0).open()
		must(t, w.step(3, 3))
		w.position = 0
		must(t, w.run(8))
		w.close()
		checkOnce(t, fs, 8)
	})
}

func TestCommittedFileOfTheSameNameIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := memfs.New()
		w := newWorker(t, fs, 0, func(c *writer.Config) { c.Partitioner = byOffset(1) }).open()
		f, err := fs.Create(t.Context(), "/topics/t/p=0/t+3+0000000000+0000000003.txt")
		must(t, err)
		f.Write([]byte("0\n1\n2\n3\n"))
		must(t, f.Close())
		must(t, w.run(8))
		w.close()
		checkOnce(t, fs, 8)
	})
}

func TestRenamedTopicIsRefused(t *testing.T) {
	w := newWorker(t, memfs.New(), 0).open()
	defer w.close()
	rec := record(0, "0")
	rec.Topic = "renamed"
	err := w.p.Put(t.Context(), []connect.SinkRecord{rec}, w.now)
	if err == nil || !strings.Contains(err.Error(), "RegexRouter") {
		t.Errorf("got %v", err)
	}
}
