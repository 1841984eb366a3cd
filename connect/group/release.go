package group

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/connect/group/protocol"
	"github.com/penstock-io/penstock/storage"
)

// A worker that is stopped writes UNASSIGNED statuses of all it ran, waits until they are
// written, and only then leaves the group; so does the JVM worker. One that crashes or is
// cut off writes nothing, and one that leaves for a while goes on running. The leader tells
// them apart by that: what was released need not wait for scheduled.rebalance.max.delay.ms.

const (
	// statusTime bounds how long the leader reads the status topic during a rebalance.
	statusTime = time.Second
	// statusPause is the time until it tries again, with another rebalance.
	statusPause = 5 * time.Second
)

var errStatusTime = errors.New("the status topic was not read to its end within " + statusTime.String())

// tenure is who has an item, and since which generation, as the leader has assigned it.
type tenure struct {
	worker string // worker id, as in statuses
	since  int32
}

// tenures remembers who has what between two rounds of a leader. It belongs to the
// membership's goroutine.
type tenures struct {
	of         map[connect.TaskID]tenure
	generation int32 // of the last round
}

// begin forgets what another leader may have changed since the last round.
func (t *tenures) begin(lastCompleted int32) {
	if t.of == nil || t.generation != lastCompleted {
		t.of = map[connect.TaskID]tenure{}
	}
}

// note takes over a round. What is configured and nobody has keeps its last tenure.
func (t *tenures) note(generation int32, r assignor.Result, configured []connect.TaskID, states map[string]protocol.WorkerState) {
	before := t.of
	t.of, t.generation = make(map[connect.TaskID]tenure, len(configured)), generation
	for _, i := range configured {
		if old, ok := before[i]; ok {
			t.of[i] = old
		}
	}
	for id, items := range r.Owners {
		worker := workerID(states[id].URL)
		for _, i := range items {
			if old, ok := t.of[i]; !ok || old.worker != worker {
				// It came with the allocation that the member had when it joined.
				t.of[i] = tenure{worker, generation - 1}
			}
		}
		for _, i := range r.Assigned[id] {
			t.of[i] = tenure{worker, generation}
		}
	}
}

// workerID returns the host:port that a worker writes into statuses, of its REST address.
func workerID(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// word is what the status of a lost item says about whether it may still run.
type word int

const (
	busy   word = iota // it ran when its worker was last heard of
	silent             // its worker has not said anything since it has the item
	atRest             // it was not running, whether the worker stopped or not
	done               // its worker has stopped it
)

func (t tenure) word(i connect.TaskID, st storage.Status, known bool) word {
	switch {
	case !known, st.WorkerID != t.worker, st.Generation < int(t.since):
		// An UNASSIGNED of an earlier tenure says nothing about this one.
		return silent
	case st.State == connect.StateUnassigned:
		return done
	case !mayRun(i, st):
		return atRest
	}
	return busy
}

// mayRun reports whether an item may be at work, by the last word of the worker that has it.
func mayRun(i connect.TaskID, st storage.Status) bool {
	switch st.State {
	case connect.StateUnassigned, connect.StateFailed, connect.StateDestroyed:
		return false
	case connect.StateStopped:
		return !assignor.IsConnector(i)
	case connect.StateRunning, connect.StatePaused, connect.StateRestarting:
	}
	return true
}

// released returns which of the lost items do not run any more.
//
//   - UNASSIGNED by the worker that had it: that worker has stopped it.
//   - FAILED, or a connector STOPPED: a worker that stops leaves FAILED as it is. But one
//     that crashed has left it, too, and does not get its work taken away piece by piece: it
//     counts when nothing of that worker looks as if it ran.
//   - No word at all: the worker has not come to start it. That counts when the worker has
//     evidently stopped in order: it wrote UNASSIGNED for something, and nothing of it looks
//     as if it ran.
//
// A worker that crashes between the stop and the start of a restart looks as if it had
// released that item, and does not run it. If it is only cut off, it may have started it:
// then it stops it when its session is over, which is when the group notices.
//
// Everything else, also a task that did not stop in time and was abandoned, waits; the
// others of its worker do not wait with it.
func (t *tenures) released(lost []connect.TaskID, statuses map[connect.TaskID]storage.Status) []connect.TaskID {
	words := make(map[connect.TaskID]word, len(lost))
	type worker struct{ busy, stopped bool }
	workers := map[string]*worker{}
	for _, i := range lost {
		tenure, ok := t.of[i]
		if !ok {
			continue
		}
		w := workers[tenure.worker]
		if w == nil {
			w = &worker{}
			workers[tenure.worker] = w
		}
		st, known := statuses[i]
		words[i] = tenure.word(i, st, known)
		w.busy = w.busy || words[i] == busy
		w.stopped = w.stopped || words[i] == done
	}
	var out []connect.TaskID
	for _, i := range lost {
		said, ok := words[i]
		if !ok {
			continue // whose it was is not known
		}
		w := workers[t.of[i].worker]
		if said == done || said == atRest && !w.busy || said == silent && w.stopped && !w.busy {
			out = append(out, i)
		}
	}
	return out
}

// workers returns who had some items, sorted.
func (t *tenures) workers(items []connect.TaskID) []string {
	var ids []string
	for _, i := range items {
		if w := t.of[i].worker; w != "" && !slices.Contains(ids, w) {
			ids = append(ids, w)
		}
	}
	slices.Sort(ids)
	return ids
}

// released reads the status topic and tells the assignor what need not wait. When it
// cannot be read in time, everything waits, until the next try.
func (h *handler) released(ctx context.Context, lost []connect.TaskID) []connect.TaskID {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, statusTime, errStatusTime)
	defer cancel()
	statuses, err := h.listener.Statuses(ctx, lost)
	if err != nil {
		h.o.Log.Warn("Work of workers that left waits for their return: whether they have stopped it could not be found out",
			zap.Int("items", len(lost)), zap.Strings("workers", h.tenures.workers(lost)), zap.Duration("next try", statusPause), zap.Error(err))
		h.askAgain = time.AfterFunc(statusPause, func() {
			(*Member)(h).Rejoin("the status topic could not be read in time for the work of workers that left")
		})
		return nil
	}
	free := h.tenures.released(lost, statuses)
	h.o.Log.Info("Work of workers that left: what they have stopped is assigned at once, the rest waits for their return",
		zap.Int("released", len(free)), zap.Int("waiting", len(lost)-len(free)),
		zap.Strings("workers", h.tenures.workers(lost)), zap.Duration("took", time.Since(began)))
	return free
}
