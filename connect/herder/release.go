package herder

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group"
	"github.com/penstock-io/penstock/storage"
)

// Before this worker leaves the group for good, its statuses say UNASSIGNED of everything
// it ran: the leader then gives the work to others at once, see package group. What did not
// stop in time, and may still run, keeps the status it has, and waits.

// Statuses reads the status topic to its end and returns the statuses of some items.
func (l *listener) Statuses(ctx context.Context, items []connect.TaskID) (map[connect.TaskID]storage.Status, error) {
	if err := l.StatusDB.Refresh(ctx); err != nil {
		return nil, err
	}
	statuses := make(map[connect.TaskID]storage.Status, len(items))
	for _, id := range items {
		st, known := l.StatusDB.Task(id)
		if id.Task == connectorItem {
			st, known = l.StatusDB.Connector(id.Connector)
		}
		if known {
			statuses[id] = st
		}
	}
	return statuses, nil
}

// decline says of what this worker was assigned while it stops, and so does not start, that
// it does not run here.
func (h *Herder) decline(a group.Assignment) {
	if a.Err != 0 {
		return
	}
	st := storage.Status{State: connect.StateUnassigned, WorkerID: h.WorkerID, Generation: int(a.Generation)}
	for _, id := range itemIDs(a.Connectors, a.Tasks) {
		if _, ran := h.ran[id]; ran {
			continue // has said so itself, or may still run
		}
		if id.Task == connectorItem {
			h.StatusDB.PutConnectorSafe(id.Connector, st)
		} else {
			h.StatusDB.PutTaskSafe(id, st)
		}
	}
}

// stopPlugins stops everything that runs here and writes the last statuses. The loop's
// events are handled here meanwhile.
func (h *Herder) stopPlugins() {
	h.setStage("shutting down")
	began := time.Now()
	h.Log.Info("Stopping connectors and tasks that are still assigned to this worker.", zap.Int("count", len(h.items)))
	h.stopping = true
	h.ran = map[connect.TaskID]struct{}{}
	for id, it := range h.items {
		it.wanted = false
		if it.phase != idle || it.begun {
			h.ran[id] = struct{}{}
		}
	}
	never := h.assignment
	h.reconcileAll()
	h.decline(never) // what was assigned and has not been started yet
	budget := time.After(h.ShutdownBudget)
	for len(h.items) > 0 && budget != nil {
		select {
		case e := <-h.events:
			e()
		case <-budget:
			h.Log.Error("some connectors or tasks did not stop in time", zap.Int("count", len(h.items)))
			budget = nil
		}
	}
	h.flushStatuses(lastStatuses)
	h.Log.Info("Connectors and tasks have stopped; leaving the group", zap.Int("left", len(h.items)), zap.Duration("took", time.Since(began)))
}

// lastStatuses is how long a worker that stops waits for its statuses to be written.
const lastStatuses = 5 * time.Second

func (h *Herder) flushStatuses(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := h.StatusDB.Flush(ctx); err != nil {
		h.Log.Warn("could not write the last statuses: other workers may wait before they take over", zap.Error(err))
	}
}
