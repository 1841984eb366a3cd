package herder

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// A worker that was frozen or cut off may have lost its membership for a while, and goes on
// with what it ran: it reports that when it joins again, and the leader leaves it there if
// nobody else has it. But somebody may have had it meanwhile and be gone again. A task that
// such a successor has fenced is over, and has to be started again; nobody else does it.

// fence is what an item's run has to do with a successor of it.
type fence struct {
	// outlived: the run is older than this worker's membership.
	outlived bool
	// out: a successor's producer has shut the run out. It has ended.
	out bool
}

// fencedTime bounds how long a task's goroutine waits for the loop.
const fencedTime = 5 * time.Second

// TaskFenced notes that a newer producer has shut out a task of this worker. It is for
// worker.Options.Fenced.
//
// The task is started again only by an assignment, and only if its run is older than the
// membership: what shuts out a task of a worker that has been a member all the time is no
// successor of it but a stranger, such as another cluster with the same group.id, and would
// be shut out in turn, for ever.
func (h *Herder) TaskFenced(id connect.TaskID) {
	ctx, cancel := context.WithTimeout(context.Background(), fencedTime)
	defer cancel()
	err := h.post(ctx, func() {
		it := h.items[id]
		if it == nil {
			return
		}
		it.fence.out = true
		if it.fence.outlived && it.wanted {
			// The last assignment says that the task is ours, but may be outdated by now.
			h.rejoin("a task was fenced: whether it still belongs to this worker must be asked")
		}
	})
	if err != nil {
		h.Log.Warn("A fenced task was not noted", zap.Stringer("task", id), zap.Error(err))
	}
}

// outlivedMembership notes that all that runs is older than the membership.
func (h *Herder) outlivedMembership() {
	for _, it := range h.items {
		if it.phase != idle {
			it.fence.outlived = true
		}
	}
}

// reviveFenced has a task started again that a new assignment gives to this worker, and
// whose run was ended by a successor that is gone.
func (h *Herder) reviveFenced(it *item) {
	if it.fence.outlived && it.fence.out && it.phase == running {
		h.Log.Info("A task was fenced by a successor on another worker, and belongs to this worker again: starting it again", zap.Stringer("task", it.id))
		it.restart = true
	}
}
