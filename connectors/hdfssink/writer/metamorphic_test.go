package writer_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/faultfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/memfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/writer"
)

// TestAnySequenceGivesTheSameRecords plays random sequences of records, time, failures,
// restarts, crashes and take-overs, with workers that go on as zombies, under random
// settings. In the end each record is there once.
func TestAnySequenceGivesTheSameRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(inBubble{t}, func(t *rapid.T) { newWorld(t).play() })
	})
}

// world is one store with the workers on it; the last one is the owner.
type world struct {
	t       *rapid.T
	rng     *rand.Rand
	store   *memfs.Store
	workers []*worker
	faults  []*faultfs.FS
	change  func(*writer.Config)
	group   int64
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2)), store: memfs.NewStore()}
	flush := rapid.IntRange(1, 7).Draw(t, "flush.size")
	dirs := rapid.IntRange(1, 4).Draw(t, "directories")
	most := rapid.SampledFrom([]int{0, 2}).Draw(t, "max open files")
	interval := rapid.SampledFrom([]int64{0, 100, 1000}).Draw(t, "flush.interval.ms")
	w.change = func(c *writer.Config) {
		c.FlushSize, c.Partitioner, c.MaxOpenFiles, c.FlushInterval = flush, byOffset(dirs), most, interval
	}
	if rapid.Bool().Draw(t, "torn") {
		w.store.TearOnRecovery(w.rng)
	}
	w.join()
	return w
}

func (w *world) owner() *worker { return w.workers[len(w.workers)-1] }

// join makes a new owner, at the group's offset.
func (w *world) join() {
	fs := faultfs.New(w.store.Client())
	w.faults = append(w.faults, fs)
	w.workers = append(w.workers, newWorker(w.t, fs, w.group, w.change).open())
}

// step runs a worker; a zombie's offsets are not taken by the group.
func (w *world) step(x *worker, n int) {
	if err := x.step(n, 1<<40); err != nil {
		w.t.Fatal(err)
	}
	if x == w.owner() {
		w.group = x.group
	}
}

func (w *world) play() {
	w.t.Repeat(map[string]func(*rapid.T){
		"put":  func(t *rapid.T) { w.step(w.owner(), rapid.IntRange(0, 9).Draw(t, "records")) },
		"wait": func(t *rapid.T) { w.owner().now += rapid.Int64Range(1, 2000).Draw(t, "ms") },
		"zombie puts": func(t *rapid.T) {
			w.step(w.workers[rapid.IntRange(0, len(w.workers)-1).Draw(t, "worker")], rapid.IntRange(0, 9).Draw(t, "records"))
		},
		"restart": func(*rapid.T) {
			w.owner().close()
			w.join()
		},
		"take over": func(*rapid.T) { w.join() },
		"crash": func(*rapid.T) {
			for _, x := range w.workers {
				x.close()
			}
			w.store = w.store.CrashClone(w.rng)
			w.workers, w.faults = nil, nil
			w.join()
		},
		"fail": func(t *rapid.T) {
			fs := w.faults[len(w.faults)-1]
			n := len(fs.Trace()) + rapid.IntRange(0, 30).Draw(t, "calls from now")
			fs.Add(faultfs.At(n).Do(rapid.SampledFrom([]faultfs.Action{faultfs.FailBefore, faultfs.FailAfter, faultfs.FailHalf, faultfs.Hang}).Draw(t, "action")))
		},
	})
	for _, fs := range w.faults {
		fs.Clear()
	}
	owner := w.owner()
	owner.now += 100_000
	// A partial flush at the end: run to a multiple of flush.size past what is there.
	end := owner.position + 20
	end += (int64(owner.cfg.FlushSize) - (end-w.group)%int64(owner.cfg.FlushSize)) % int64(owner.cfg.FlushSize)
	for range 400 {
		w.step(owner, 3)
		owner.now += 1000
		if next, ok := owner.p.Next(); ok && next >= end {
			break
		}
	}
	for _, x := range w.workers {
		x.close()
	}
	w.join() // cleans up after zombies
	w.owner().close()
	if w.group < end {
		w.t.Fatalf("only %d of %d offsets were committed", w.group, end)
	}
	checkOnce(w.t, w.store.Client(), w.group)
}

// inBubble hides Deadline, which a synctest bubble does not allow, from rapid.
type inBubble struct{ *testing.T }
