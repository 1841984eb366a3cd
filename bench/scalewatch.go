package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/storage/records"
)

// statusWatch follows the status topic of a group: what runs where, to the millisecond and
// without asking the workers, whose answers would cost what is measured.
type statusWatch struct {
	client *kgo.Client
	// each: all workers have to say of what they stop that they do; else the last word about
	// an item counts, as in REST. A JVM worker does not say it when another worker has spoken.
	each bool
	done sync.WaitGroup

	mu     sync.Mutex
	items  map[connect.TaskID]*watched
	gaps   []time.Duration              // how long items did not run, see reset
	first  map[connect.TaskID]time.Time // when items ran for the first time since their creation
	latest time.Time                    // of the last change
}

// watched is a task, or a connector instance with the task number -1.
type watched struct {
	on      map[string]connect.State // the last word of each worker
	owner   string                   // who said RUNNING last, and nothing else since; ""
	stopped time.Time                // zero: it runs, or never did
}

// watchStatuses follows a topic, which must exist, from its start until close.
func watchStatuses(k *stack.KafkaCluster, topic string, each bool) (*statusWatch, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(k.Bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return nil, err
	}
	w := &statusWatch{client: c, each: each, items: map[connect.TaskID]*watched{}, first: map[connect.TaskID]time.Time{}}
	w.done.Go(func() {
		for {
			fetches := c.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			w.mu.Lock()
			fetches.EachRecord(w.readLocked)
			w.mu.Unlock()
		}
	})
	return w, nil
}

func (w *statusWatch) close() {
	w.client.Close()
	w.done.Wait()
}

func (w *statusWatch) readLocked(r *kgo.Record) {
	rec, err := records.DecodeStatus(r.Key, r.Value)
	if err != nil {
		return
	}
	id, status, ok := records.Instance(rec)
	if !ok {
		return
	}
	w.latest = r.Timestamp
	if status == nil {
		delete(w.items, id)
		return
	}
	it := w.items[id]
	if it == nil {
		it = &watched{on: map[string]connect.State{}}
		w.items[id] = it
	}
	switch was := it.on[status.WorkerID]; {
	case status.State == connect.StateRunning:
		if _, ok := w.first[id]; !ok {
			w.first[id] = r.Timestamp
		}
		if !it.stopped.IsZero() {
			w.gaps = append(w.gaps, max(r.Timestamp.Sub(it.stopped), 0))
		}
		it.stopped, it.owner = time.Time{}, status.WorkerID
	case was == connect.StateRunning:
		it.stopped = r.Timestamp
	}
	if status.WorkerID == it.owner && status.State != connect.StateRunning {
		it.owner = ""
	}
	it.on[status.WorkerID] = status.State
}

// reset begins a new measurement of gaps and starts.
func (w *statusWatch) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gaps = nil
	clear(w.first)
}

// started returns how long after their creation connectors had all their tasks running,
// sorted, and forgets it.
func (w *statusWatch) started(created map[string]time.Time, tasks int) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []time.Duration
	for name, at := range created {
		var last time.Duration
		for n := range tasks {
			last = max(last, w.first[connect.TaskID{Connector: name, Task: n}].Sub(at))
		}
		all = append(all, last)
	}
	clear(w.first)
	slices.Sort(all)
	return all
}

// killed says that what ran on a worker does not run any more since a moment: a killed
// worker does not say it itself.
func (w *statusWatch) killed(worker string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range w.items {
		if it.on[worker] == connect.StateRunning {
			it.on[worker], it.stopped = connect.StateUnassigned, at
			if it.owner == worker {
				it.owner = ""
			}
		}
	}
}

// runs returns why not all of connectors × (instance + tasks) run, each on exactly one of
// the live workers and evenly spread; "" if they do.
func (w *statusWatch) runs(live []string, connectors, tasks int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	instances, works := map[string]int{}, map[string]int{}
	var problems []string
	for id, it := range w.items {
		var on []string
		for _, worker := range live {
			if state := it.on[worker]; state == connect.StateRunning && (w.each || worker == it.owner) {
				on = append(on, worker)
			} else if state == connect.StateFailed && (w.each || it.owner == "") {
				problems = append(problems, fmt.Sprintf("%v failed on %s", id, worker))
			}
		}
		switch {
		case len(on) > 1:
			problems = append(problems, fmt.Sprintf("%v runs on %v", id, on))
		case len(on) == 1 && id.Task < 0:
			instances[on[0]]++
		case len(on) == 1:
			works[on[0]]++
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return fmt.Sprintf("%d problems: %s", len(problems), strings.Join(problems[:min(3, len(problems))], "; "))
	}
	if n, m := sum(instances), sum(works); n != connectors || m != connectors*tasks {
		return fmt.Sprintf("%d of %d connectors and %d of %d tasks run", n, connectors, m, connectors*tasks)
	}
	if uneven(instances, live) || uneven(works, live) {
		return fmt.Sprintf("uneven: connectors %v, tasks %v", instances, works)
	}
	return ""
}

func sum(counts map[string]int) (n int) {
	for v := range maps.Values(counts) {
		n += v
	}
	return n
}

// uneven: some worker has more than one above another.
func uneven(counts map[string]int, live []string) bool {
	least, most := counts[live[0]], counts[live[0]]
	for _, worker := range live {
		least, most = min(least, counts[worker]), max(most, counts[worker])
	}
	return most-least > 1
}

// failed returns the connectors of which something is FAILED and nothing changed for a while.
func (w *statusWatch) failed() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.latest) < stuckLimit {
		return nil
	}
	names := map[string]bool{}
	for id, it := range w.items {
		for _, state := range it.on {
			if state == connect.StateFailed && it.owner == "" {
				names[id.Connector] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// await waits until all runs and returns when that became true. stuck, unless nil, is called
// with the connectors that stay FAILED.
func (w *statusWatch) await(ctx context.Context, limit time.Duration, live []string, connectors, tasks int, stuck func(names []string)) (time.Time, error) {
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		why := w.runs(live, connectors, tasks)
		if why != "" && stuck != nil {
			if names := w.failed(); len(names) > 0 {
				stuck(names)
			}
		}
		switch {
		case why == "":
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.latest, nil
		case time.Now().After(deadline) || ctx.Err() != nil:
			return time.Time{}, fmt.Errorf("not all runs after %v: %s", limit, why)
		}
	}
}

// startedCount returns how many items said that they run since reset.
func (w *statusWatch) startedCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.first)
}

// stopped returns how long the items were stopped that ran again since reset, sorted.
func (w *statusWatch) stopped() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	gaps := slices.Clone(w.gaps)
	slices.Sort(gaps)
	return gaps
}

// left names what still runs after all was deleted, "" for nothing.
func (w *statusWatch) left() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var some []string
	for id, it := range w.items {
		for worker, state := range it.on {
			if state == connect.StateRunning && (w.each || worker == it.owner) {
				some = append(some, fmt.Sprintf("%v on %s", id, worker))
			}
		}
	}
	if len(some) == 0 {
		return ""
	}
	return fmt.Sprintf("%d that run, e.g. %v", len(some), some[:min(3, len(some))])
}

// quiet returns how long ago the last change was.
func (w *statusWatch) quiet() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.latest)
}

// touch counts as a change.
func (w *statusWatch) touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latest = time.Now()
}

// forget drops what is there, and returns how many items ran.
func (w *statusWatch) forget() (ran int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range w.items {
		if it.owner != "" {
			ran++
		}
	}
	clear(w.items)
	return ran
}
