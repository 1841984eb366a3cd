package herder

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// fencing is a round of zombie fencing of one source connector (KIP-618; Java:
// DistributedHerder.ZombieFencing): the producers of the task generation before are shut
// out, and then it is written down how many tasks the new generation has, since these are
// to be shut out the next time. Requests that come meanwhile wait for the same round. All
// but the work itself happens in the loop.
type fencing struct {
	connector  string
	config     map[string]string
	producers  int // to be shut out: those of tasks 0 to producers-1
	tasks      int // to be written down
	generation int // of the task configs that the round is for

	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error // set before done is closed
}

var errFencingTimeout = errors.New("the producers of the connector's former tasks were not fenced within 90 s")

func errNewTaskConfigs() error {
	return api.Errorf(http.StatusConflict, "Failed to complete zombie fencing because a new set of task configs was generated")
}

// FenceZombies answers another worker that is going to start a task of a source connector:
// it returns when no task of an older generation can write any more.
func (h *Herder) FenceZombies(ctx context.Context, name string, sig api.Signature) error {
	if h.standalone() {
		return refuseAlone(sig, "exactly-once source connectors")
	}
	if err := h.verify(sig); err != nil {
		return err
	}
	return h.fence(ctx, name)
}

// fence does a round of fencing as the leader, or waits for the one under way.
func (h *Herder) fence(ctx context.Context, name string) error {
	v := h.view.Load()
	if !v.leader {
		return &api.ForwardError{URL: v.leaderURL, Reason: "Only the leader may perform zombie fencing."}
	}
	if err := h.leads(v); err != nil {
		return err
	}
	s := h.Configs.Snapshot()
	if !s.Contains(name) {
		return errNotFound(name)
	}
	if h.connectorType(s, name) != string(plugin.KindSource) {
		return api.Errorf(http.StatusBadRequest, "Connector %s is not a source connector", name)
	}
	if err := (*listener)(h).Refresh(ctx); err != nil {
		return api.Errorf(http.StatusInternalServerError, "Failed to read to end of config topic before performing zombie fencing: %v", err)
	}
	var round *fencing
	var refused error
	if err := h.call(ctx, func() { round, refused = h.joinFencing(name) }); err != nil {
		return err
	}
	if round == nil {
		return refused
	}
	select {
	case <-round.done:
		return round.err
	case <-h.done:
		return errShuttingDown
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// joinFencing returns the round under way or a new one; neither when nothing is to be done.
func (h *Herder) joinFencing(name string) (*fencing, error) {
	h.failOutdatedFencing(name)
	if f := h.fencings[name]; f != nil {
		return f, nil
	}
	state := h.Configs.Snapshot().Connector(name)
	switch v := h.view.Load(); {
	case h.stopping:
		return nil, errShuttingDown
	case !v.leader:
		return nil, errNotLeader(v)
	case state == nil:
		return nil, errNotFound(name)
	case !state.PendingFencing:
		return nil, nil //nolint:nilnil // all older tasks have been shut out before
	}
	f := &fencing{connector: name, config: state.Config, tasks: max(state.TaskCount, 0), generation: state.Generation,
		done: make(chan struct{})}
	// No record: no task ever had a transactional producer. One task before and one now:
	// the new one's producer shuts out the old one by itself.
	if record := state.TaskCountRecord; record > 1 || (record == 1 && f.tasks != 1) {
		f.producers = record
	}
	var ctx context.Context
	ctx, f.cancel = context.WithCancelCause(h.runCtx)
	h.fencings[name] = f
	h.background(ctx, func(ctx context.Context) func() {
		err := h.runFencing(ctx, f)
		return func() { h.endFencing(f, err) }
	})
	return f, nil
}

// runFencing shuts out and writes down, outside the loop.
func (h *Herder) runFencing(ctx context.Context, f *fencing) error {
	if f.producers > 0 {
		h.Log.Info("Fencing out the producers of the connector's former tasks", zap.String("connector", f.connector), zap.Int("tasks", f.producers))
		limited, cancel := context.WithTimeoutCause(ctx, forwardTimeout, errFencingTimeout)
		defer cancel()
		if err := h.Runtime.FenceZombies(limited, f.connector, f.producers, f.config); err != nil {
			return fencingError("Failed to perform zombie fencing", err)
		}
	}
	return h.lead(ctx, f.connector, func() error {
		// Nobody else of this worker writes now: a new generation that is not seen here
		// comes after the record.
		if err := (*listener)(h).Refresh(ctx); err != nil {
			return api.Errorf(http.StatusInternalServerError, "Failed to read to end of config topic: %v", err)
		}
		state := h.Configs.Snapshot().Connector(f.connector)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case state == nil:
			return errNotFound(f.connector)
		case f.outdated(state):
			return api.Errorf(http.StatusConflict, "Fencing failed because new task configurations were generated for the connector")
		}
		return h.Configs.PutTaskCountRecord(ctx, f.connector, f.tasks)
	})
}

// fencingError is a 500 with the cause, unless err has a status of its own.
func fencingError(text string, err error) error {
	var coded *api.Error
	if errors.As(err, &coded) {
		return err
	}
	return api.Errorf(http.StatusInternalServerError, "%s: %v", text, err)
}

// outdated reports whether other task configs than those of the round are in force.
func (f *fencing) outdated(state *storage.ConnectorState) bool {
	return state == nil || state.Generation != f.generation || max(state.TaskCount, 0) != f.tasks
}

// failOutdatedFencing ends a round for task configs that are not in force any more. A
// change that the round knows of already may be told late.
func (h *Herder) failOutdatedFencing(name string) {
	if f := h.fencings[name]; f != nil && f.outdated(h.Configs.Snapshot().Connector(name)) {
		h.endFencing(f, errNewTaskConfigs())
	}
}

// endFencing tells all who wait for a round how it ended, once. Work that is still under
// way is cancelled, and writes nothing any more.
func (h *Herder) endFencing(f *fencing, err error) {
	if h.fencings[f.connector] != f {
		return
	}
	delete(h.fencings, f.connector)
	f.err = err
	f.cancel(err)
	close(f.done)
}

const (
	firstFenceRetry = 250 * time.Millisecond
	maxFenceRetry   = 5 * time.Second
)

// RequestFence has the leader fence a connector's former tasks, or does so as the leader,
// before a task of it starts here. It returns when that is done, and fails after 90 s at
// the latest; while the leader changes it tries again.
func (h *Herder) RequestFence(ctx context.Context, connector string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, forwardTimeout, errForwardTimeout)
	defer cancel()
	for delay := firstFenceRetry; ; delay = min(2*delay, maxFenceRetry) {
		err := h.requestFence(ctx, connector)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || !mayPass(err) {
			return fmt.Errorf("Failed to perform round of zombie fencing: %w", err) //nolint:revive,staticcheck // the JVM's wording
		}
		h.Log.Warn("could not fence the former tasks of the connector yet; trying again", zap.String("connector", connector), zap.Error(err))
		sleep(ctx, delay, nil)
	}
}

func (h *Herder) requestFence(ctx context.Context, connector string) error {
	err := h.fence(ctx, connector)
	var forward *api.ForwardError
	if !errors.As(err, &forward) || forward.URL == "" {
		return err
	}
	return h.Leader.FenceZombies(ctx, forward.URL, connector, h.signingKey())
}

// signingKey returns what internal requests are to be signed with, nil in a group without
// sessions.
func (h *Herder) signingKey() *storage.SessionKey {
	if !h.view.Load().sessioned {
		return nil
	}
	return h.Configs.Snapshot().SessionKey
}

// mayPass reports whether a fencing may succeed a little later: the leader is unknown, is
// gone, stops, is not the leader any more, does not know the session key yet, or cannot reach
// Kafka at the moment. What it refuses for good it refuses again.
func mayPass(err error) bool {
	var coded *api.Error
	if !errors.As(err, &coded) {
		return !errors.Is(err, context.Canceled)
	}
	switch coded.Status {
	case http.StatusForbidden:
		return true
	case http.StatusConflict:
		return strings.HasPrefix(coded.Message, "Cannot complete request") || strings.HasPrefix(coded.Message, "Request cannot be completed")
	}
	return coded.Status >= http.StatusInternalServerError
}

// TaskGeneration returns the generation of a connector's task configs as this worker knows
// it, -1 before the first.
func (h *Herder) TaskGeneration(connector string) int {
	return h.Configs.Snapshot().TaskConfigGeneration(connector)
}

// VerifyTask reads the config topic to its end and fails when a task must not write any
// more: its connector has other task configs than those of the generation given, or it is
// not assigned here. It is asked after the task's producer has shut out all others of the
// same task, so that of two workers that both believe to own it the right one stays.
func (h *Herder) VerifyTask(ctx context.Context, id connect.TaskID, generation int) error {
	if err := h.Configs.Refresh(ctx); err != nil {
		return fmt.Errorf("Failed to read to end of config topic: %w", err) //nolint:revive,staticcheck // the JVM's wording
	}
	if h.TaskGeneration(id.Connector) != generation {
		return fmt.Errorf("Cannot start source task %s with exactly-once support as the connector has already generated a new set of task configs", id) //nolint:revive,staticcheck // the JVM's wording
	}
	var assigned bool
	err := h.call(ctx, func() {
		it := h.items[id]
		assigned = it != nil && it.wanted
	})
	if err == nil && !assigned {
		err = fmt.Errorf("Cannot start source task %s as it has already been revoked from this worker", id) //nolint:revive,staticcheck // the JVM's wording
	}
	return err
}
