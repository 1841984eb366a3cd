package herder

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// connectorItem is the Task of a connect.TaskID that names the connector instance, as
// in the group protocol.
const connectorItem = -1

// item is one connector instance or task that runs here or should. The loop compares
// what is wanted with the phase and starts one operation at a time for each item:
//
//	       wanted, not held              started
//	idle ------------------> starting -----------> running
//	  ^                                              | not wanted, held or restart
//	  |                      stopped                 v
//	  '------------------------------------------ stopping
//
// An idle item that is not wanted is forgotten. A start that takes too long is not waited
// for when the item is to stop: its context ends, and the stop follows.
type item struct {
	id     connect.TaskID
	wanted bool // assigned to this worker
	// held: its config changed; it stays stopped until the next assignment.
	held bool
	// restart: stop, report RESTARTING if asked by a user, and start again.
	restart       bool
	restarting    bool // a user asked: RESTARTING is reported before the start
	fence         fence
	phase         phase
	begun         bool          // was started at least once
	configs       int           // storage.ConnectorState.Generation that it was started with
	whenIdle      []func()      // called when the item is idle, and not wanted or held
	afterStart    []func(error) // called at the end of the next start
	appliedTarget connect.TargetState
	retargeting   bool         // a change of the connector's state is under way
	used          []usedSource // where its placeholders lead, as of its start

	// ctx is the instance's: ended when it is to stop, so that nothing waits for a
	// plugin that hangs.
	ctx    context.Context //nolint:containedctx // see above
	cancel context.CancelFunc
}

type phase int

const (
	idle phase = iota
	starting
	running
	stopping
)

func (it *item) isConnector() bool { return it.id.Task == connectorItem }

func (h *Herder) reconcileAll() {
	for _, it := range h.items {
		h.reconcile(it)
	}
}

// reconcile starts the next operation of an item, if one is due.
func (h *Herder) reconcile(it *item) {
	switch {
	case it.phase == running && it.mustStop():
		h.stopItem(it)
	case it.phase == starting && it.mustStop():
		it.cancel()
	case it.phase == idle && !it.wanted:
		delete(h.items, it.id)
		it.notifyIdle()
		it.notifyStart(fmt.Errorf("%s is not assigned to this worker any more", it.name()))
	case it.phase == idle && it.held:
		it.notifyIdle()
	case it.phase == idle && !h.stopping:
		h.startItem(it)
	}
}

func (it *item) mustStop() bool { return !it.wanted || it.held || it.restart }

func (it *item) name() string {
	if it.isConnector() {
		return "connector " + it.id.Connector
	}
	return "task " + it.id.String()
}

func (it *item) notifyIdle() {
	for _, f := range it.whenIdle {
		f()
	}
	it.whenIdle = nil
}

func (it *item) notifyStart(err error) {
	for _, f := range it.afterStart {
		f(err)
	}
	it.afterStart = nil
}

func (h *Herder) stopItem(it *item) {
	it.phase = stopping
	it.cancel()
	h.background(h.runCtx, func(ctx context.Context) func() {
		if it.isConnector() {
			h.Runtime.StopConnector(ctx, it.id.Connector)
		} else {
			h.Runtime.StopTask(ctx, it.id)
		}
		return func() {
			it.phase = idle
			if it.restart && it.restarting && it.wanted {
				h.reportRestarting(it) // else its last word is UNASSIGNED
			}
			it.restart, it.restarting = false, false
			h.reconcile(it)
		}
	})
}

// startItem starts an item with the configs of the current snapshot.
func (h *Herder) startItem(it *item) {
	snapshot := h.Configs.Snapshot()
	state := snapshot.Connector(it.id.Connector)
	if state == nil || (!it.isConnector() && snapshot.TaskConfig(it.id) == nil) {
		// Deleted meanwhile; the rebalance that follows takes it away.
		it.notifyStart(fmt.Errorf("%s has no config", it.name()))
		return
	}
	it.phase, it.restart, it.begun, it.configs = starting, false, true, state.Generation
	it.fence = fence{}
	it.ctx, it.cancel = context.WithCancel(h.runCtx)
	target := state.Target
	it.appliedTarget = target
	taskConfig := snapshot.TaskConfig(it.id)
	h.background(it.ctx, func(ctx context.Context) func() {
		used := h.lookUp(state.Config, taskConfig)
		err := h.failMissing(it, state.Config)
		switch {
		case err != nil:
		case it.isConnector():
			err = h.Runtime.StartConnector(ctx, it.id.Connector, state.Config, target)
		default:
			err = h.Runtime.StartTask(ctx, it.id, state.Config, taskConfig, target)
		}
		return func() {
			h.watch(it, used)
			h.itemStarted(it, err)
		}
	})
}

func (h *Herder) itemStarted(it *item, err error) {
	it.phase = running
	if it.mustStop() {
		h.reconcile(it) // who waits for the start is told at the end of the next one
		return
	}
	if err != nil {
		h.Log.Error("Failed to start "+it.name(), zap.String("connector", it.id.Connector), zap.Error(err))
	}
	it.notifyStart(err)
	h.applyTarget(it)
	if it.isConnector() && err == nil && it.appliedTarget == connect.TargetStarted {
		h.reconfigure(it.id.Connector)
	}
}

// applyTarget passes a target state that changed since the item was started. Changes of
// a connector follow one another, since each waits for the plugin.
func (h *Herder) applyTarget(it *item) {
	target := h.Configs.Snapshot().TargetState(it.id.Connector)
	if it.phase != running || it.retargeting || target == "" || target == it.appliedTarget {
		return
	}
	it.appliedTarget = target
	if !it.isConnector() {
		h.Runtime.SetTaskTarget(it.id, target)
		return
	}
	it.retargeting = true
	h.background(it.ctx, func(ctx context.Context) func() {
		err := h.Runtime.SetConnectorTarget(ctx, it.id.Connector, target)
		return func() {
			it.retargeting = false
			defer h.applyTarget(it)
			if err != nil {
				h.Log.Error("could not change the state of the connector", zap.String("connector", it.id.Connector), zap.Error(err))
			} else if target == connect.TargetStarted {
				h.reconfigure(it.id.Connector)
			}
		}
	})
}

func (h *Herder) reportRestarting(it *item) {
	st := h.restartingStatus(it.id)
	if it.isConnector() {
		h.StatusDB.PutConnector(it.id.Connector, st)
		return
	}
	h.StatusDB.PutTask(it.id, st)
}
