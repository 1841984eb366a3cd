package herder

import (
	"context"
	"fmt"
	"net/http"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// impact ranks restart requests of one connector (Java: RestartRequest.impactRank).
func impact(r storage.RestartRequest) int {
	switch {
	case r.OnlyFailed && !r.IncludeTasks:
		return 0
	case r.OnlyFailed:
		return 1
	case !r.IncludeTasks:
		return 2
	}
	return 3
}

// restartPlan tells what a request restarts, by the statuses (KIP-745). It is false when
// the connector has no status.
func (h *Herder) restartPlan(r storage.RestartRequest) (ids []connect.TaskID, ok bool) {
	st, ok := h.StatusDB.Connector(r.Connector)
	if !ok {
		return nil, false
	}
	if !r.OnlyFailed || st.State == connect.StateFailed {
		ids = append(ids, connect.TaskID{Connector: r.Connector, Task: connectorItem})
	}
	if r.IncludeTasks {
		for n, st := range h.StatusDB.Tasks(r.Connector) {
			if !r.OnlyFailed || st.State == connect.StateFailed {
				ids = append(ids, connect.TaskID{Connector: r.Connector, Task: n})
			}
		}
	}
	return ids, true
}

// executeRestart restarts what of a request's plan runs here.
func (h *Herder) executeRestart(r storage.RestartRequest) {
	ids, _ := h.restartPlan(r)
	for _, id := range ids {
		// What is being started gets another start only if it may be hanging: a request for
		// what has failed is met by the start under way.
		if it := h.items[id]; it != nil && it.wanted && (it.phase == running || it.phase == starting && !r.OnlyFailed) {
			it.restart, it.restarting = true, true
			h.reconcile(it)
		}
	}
}

func (h *Herder) restartingStatus(connect.TaskID) storage.Status {
	return storage.Status{State: connect.StateRestarting, WorkerID: h.WorkerID, Generation: int(h.view.Load().generation)}
}

// RestartConnector restarts the instance, on its owner, and returns when it has started.
func (h *Herder) RestartConnector(ctx context.Context, name string) error {
	err := h.restartItem(ctx, connect.TaskID{Connector: name, Task: connectorItem})
	return startFailure(err, "Failed to start connector: "+name)
}

// RestartTask restarts a task, on its owner.
func (h *Herder) RestartTask(ctx context.Context, id connect.TaskID) error {
	s := h.Configs.Snapshot()
	if s.Contains(id.Connector) && s.TaskConfig(id) == nil {
		if h.standalone() {
			return api.Errorf(http.StatusNotFound, "Task %s not found", id)
		}
		return api.Errorf(http.StatusNotFound, "Unknown task: %s", id)
	}
	return startFailure(h.restartItem(ctx, id), "Failed to start task: "+id.String())
}

func startFailure(err error, text string) error {
	if e, ok := err.(*restartError); ok { //nolint:errorlint // made by restartItem
		return &api.Error{Status: http.StatusInternalServerError, Message: text + ": " + e.err.Error()}
	}
	return err
}

// restartError tells that an item was found here but could not be started.
type restartError struct{ err error }

func (e *restartError) Error() string { return e.err.Error() }

func (h *Herder) restartItem(ctx context.Context, id connect.TaskID) error {
	if !h.Configs.Snapshot().Contains(id.Connector) {
		if h.standalone() {
			return errNotFound(id.Connector)
		}
		return api.Errorf(http.StatusNotFound, "Unknown connector: %s", id.Connector)
	}
	if h.view.Load().needsReconfig {
		return errStaleConfig()
	}
	started := make(chan error, 1)
	var elsewhere error
	err := h.call(ctx, func() {
		it := h.items[id]
		if it == nil || !it.wanted || it.held {
			elsewhere = h.forwardToOwner(id)
			return
		}
		it.restart, it.restarting = true, true
		it.afterStart = append(it.afterStart, func(err error) { started <- err })
		h.reconcile(it)
	})
	if err != nil {
		return err
	}
	if elsewhere != nil {
		return elsewhere
	}
	select {
	case err := <-started:
		if err != nil {
			return &restartError{err}
		}
		return nil
	case <-h.done:
		return errShuttingDown
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// forwardToOwner names the worker that must be asked: the leader knows the owner.
func (h *Herder) forwardToOwner(id connect.TaskID) error {
	v := h.view.Load()
	if v.leader {
		return &api.ForwardError{URL: h.member.OwnerURL(id), Reason: fmt.Sprintf("%s is not assigned to this worker", id)}
	}
	return errNotLeader(v)
}

// RestartConnectorAndTasks writes a restart request for all workers and returns the
// status with everything in the plan shown as RESTARTING.
func (h *Herder) RestartConnectorAndTasks(ctx context.Context, name string, includeTasks, onlyFailed bool) (api.ConnectorStatus, error) {
	r := storage.RestartRequest{Connector: name, IncludeTasks: includeTasks, OnlyFailed: onlyFailed}
	if err := h.checkLeader(); err != nil {
		return api.ConnectorStatus{}, err
	}
	if h.view.Load().needsReconfig {
		return api.ConnectorStatus{}, errStaleConfig()
	}
	if !h.Configs.Snapshot().Contains(name) {
		return api.ConnectorStatus{}, api.Errorf(http.StatusNotFound, "Unknown connector: %s", name)
	}
	ids, ok := h.restartPlan(r)
	if !ok {
		return api.ConnectorStatus{}, api.Errorf(http.StatusNotFound, "Status for connector %s not found", name)
	}
	// The status of before: a moment after the request it may show how the restart goes on.
	st, err := h.ConnectorStatus(name)
	if err != nil {
		return st, err
	}
	if err := h.lead(ctx, name, func() error { return h.Configs.PutRestartRequest(ctx, r) }); err != nil {
		return api.ConnectorStatus{}, err
	}
	for _, id := range ids {
		if id.Task == connectorItem {
			st.Connector.State = string(connect.StateRestarting)
			continue
		}
		for i := range st.Tasks {
			if st.Tasks[i].ID == id.Task {
				st.Tasks[i].State = string(connect.StateRestarting)
			}
		}
	}
	return st, nil
}
