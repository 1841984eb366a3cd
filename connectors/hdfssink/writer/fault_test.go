package writer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/faultfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
)

const faultRecords = 12

// scenario writes 12 records in two directories, restarted in between.
func scenario(t *testing.T, fs *faultfs.FS) (w *worker, err error) {
	w = newWorker(t, fs, 0).open()
	if err = w.run(6 + 2); err != nil {
		return w, err
	}
	w.close()
	w = newWorker(t, fs, w.group).open()
	return w, w.run(faultRecords)
}

// TestEachCallFailsOnce lets each call of a scenario to the store fail in each way, and
// then checks that every record is there once: at once for failures that the writer
// outlives, after a new start on what a crash leaves otherwise.
func TestEachCallFailsOnce(t *testing.T) {
	var trace []faultfs.Call
	synctest.Test(t, func(t *testing.T) {
		store := memfs.NewStore()
		fs := faultfs.New(store.Client())
		w, err := scenario(t, fs)
		if err != nil {
			t.Fatal(err)
		}
		w.close()
		checkOnce(t, store.Client(), faultRecords)
		trace = fs.Trace()
	})
	t.Logf("%d calls", len(trace))
	for _, action := range faultfs.Actions() {
		for n := range trace {
			t.Run(fmt.Sprintf("%s/%d %s", action, n, trace[n].Op), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := memfs.NewStore()
					fs := faultfs.New(store.Client(), faultfs.At(n).Do(action))
					w, err := scenario(t, fs)
					if !fs.Crashed() {
						if err != nil {
							t.Fatal(err)
						}
						w.close()
						fs.Close()
						checkOnce(t, store.Client(), faultRecords)
						return
					}
					w.close()
					fs.Close()
					for seed := range uint64(3) {
						disk := store.CrashClone(rand.New(rand.NewPCG(seed, 1)))
						next := newWorker(t, disk.Client(), w.group).open()
						if err := next.run(faultRecords); err != nil {
							t.Fatal(err)
						}
						next.close()
						checkOnce(t, disk.Client(), faultRecords)
					}
				})
			})
		}
	}
}
