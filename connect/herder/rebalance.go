package herder

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group"
	"github.com/penstock-io/penstock/storage"
)

// listener is the Herder as group.Listener: called from the membership's goroutine,
// it carries everything into the loop.
type listener Herder

// Snapshot returns the configs for the member's metadata, and after a refresh for the
// leader's work.
func (l *listener) Snapshot(context.Context) (*storage.ClusterConfig, error) {
	s := l.Configs.Snapshot()
	l.told.Store(s)
	return s, nil
}

// Refresh reads the config topic to its end, within worker.sync.timeout.ms; a standalone
// worker has neither.
func (l *listener) Refresh(ctx context.Context) error {
	if l.SyncTimeout <= 0 {
		return l.Configs.Refresh(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.SyncTimeout, errSyncTimeout)
	defer cancel()
	return l.Configs.Refresh(ctx)
}

var errSyncTimeout = fmt.Errorf("the config topic could not be read to its end within worker.sync.timeout.ms")

// Revoked stops what was taken away and returns when all of it has stopped: only then
// may another worker start it.
func (l *listener) Revoked(ctx context.Context, connectors []string, tasks []connect.TaskID) {
	h := (*Herder)(l)
	ids := itemIDs(connectors, tasks)
	if len(ids) == 0 {
		return
	}
	stopped := make(chan struct{})
	err := h.post(ctx, func() { h.revoke(ids, func() { close(stopped) }) })
	if err != nil {
		return
	}
	select {
	case <-stopped:
	case <-ctx.Done():
		return
	}
	h.forgetTopics(connectors)
	flush, cancel := context.WithTimeout(ctx, h.SyncTimeout)
	defer cancel()
	if err := h.StatusDB.Flush(flush); err != nil {
		h.Log.Warn("could not flush updates to the status topic", zap.Error(err))
	}
}

// forgetTopics drops the record of used topics of connectors that were deleted.
func (h *Herder) forgetTopics(connectors []string) {
	s := h.Configs.Snapshot()
	for _, name := range connectors {
		if !s.Contains(name) {
			h.ResetActiveTopics(name)
		}
	}
}

func (h *Herder) revoke(ids []connect.TaskID, done func()) {
	var revoked []*item
	for _, id := range ids {
		if it := h.items[id]; it != nil {
			it.wanted = false
			revoked = append(revoked, it)
		}
	}
	h.whenAllIdle(revoked, done)
}

// whenAllIdle calls done when items that are not wanted, or held, have stopped.
func (h *Herder) whenAllIdle(items []*item, done func()) {
	open := 1
	finished := func() {
		if open--; open == 0 {
			done()
		}
	}
	for _, it := range items {
		open++
		it.whenIdle = append(it.whenIdle, finished)
		h.reconcile(it)
	}
	finished()
}

// Assigned takes a new assignment.
func (l *listener) Assigned(ctx context.Context, a group.Assignment) {
	h := (*Herder)(l)
	declined := false
	err := h.call(ctx, func() {
		if declined = h.stopping; declined {
			h.decline(a)
			return
		}
		h.assigned(a)
	})
	if err == nil && declined {
		h.flushStatuses(h.SyncTimeout) // the group is left when this returns
	}
}

func (h *Herder) assigned(a group.Assignment) {
	wasLeader := h.view.Load().leader
	if before := h.assignment.MemberID; before != "" && before != a.MemberID {
		h.outlivedMembership()
	}
	h.assignment, h.resolved = a, false
	h.assignedAt = time.Now()
	h.pacing.Stop() // what it was for is in the assignment, or asks again
	h.publish(func(v *view) {
		v.generation, v.known = a.Generation, a.Err == 0
		v.leader, v.memberID, v.leaderURL, v.sessioned = a.IsLeader, a.MemberID, a.LeaderURL, a.Version >= 2
		v.needsReconfig = false
	})
	if a.IsLeader != wasLeader {
		h.leadershipChanged()
	}
	h.rejoinAt.Stop()
	if a.Delay > 0 {
		h.rejoinAt.Reset(a.Delay)
	}
	if a.IsLeader && a.Err == 0 {
		h.deleteStaleStatuses()
	}
	behind := h.Configs.Snapshot().Offset < a.ConfigOffset
	if behind || (a.Err != 0 && a.IsLeader) {
		h.catchUp(a)
		return
	}
	h.resolveAssignment()
}

// resolveAssignment works off the assignment of a worker that has read as much of the
// config topic as there is (Java: handleRebalanceCompleted).
func (h *Herder) resolveAssignment() {
	a := h.assignment
	switch offset := h.Configs.Snapshot().Offset; {
	case a.Err != 0:
		h.rejoin("the assignment was made with different config offsets")
	case offset != a.ConfigOffset:
		h.Log.Info(fmt.Sprintf("Current config state offset %d does not match group assignment %d. Forcing rebalance.", offset, a.ConfigOffset))
		if offset > a.ConfigOffset {
			h.startWork(a) // what has changed is held back
		}
		h.rejoinSoon("the assignment was not made for the current end of the config topic")
	default:
		h.startWork(a)
	}
}

// catchUp reads the config topic in the background and looks at the assignment again.
func (h *Herder) catchUp(a group.Assignment) {
	h.background(h.runCtx, func(ctx context.Context) func() {
		err := (*listener)(h).Refresh(ctx)
		return func() {
			if h.stopping || h.assignment.Generation != a.Generation || h.assignment.MemberID != a.MemberID {
				return // another rebalance came in between
			}
			if err != nil {
				h.Log.Warn("Catching up to assignment's config offset failed", zap.Error(err))
				h.cannotReadConfigs()
				return
			}
			h.readTries = fullReadTries
			h.resolveAssignment()
		}
	})
}

func (h *Herder) startWork(a group.Assignment) {
	h.Log.Info(fmt.Sprintf("Starting connectors and tasks using config offset %d", a.ConfigOffset))
	assigned := map[connect.TaskID]bool{}
	started := h.countStarts(a)
	for _, id := range itemIDs(a.Connectors, a.Tasks) {
		assigned[id] = true
		it := h.items[id]
		if it == nil {
			it = &item{id: id}
			h.items[id] = it
		}
		it.wanted, it.held = true, h.overtaken(a, id)
		h.reviveFenced(it)
		if it.phase == idle {
			started.expect(it)
		}
	}
	for id, it := range h.items {
		if !assigned[id] {
			it.wanted = false
		}
	}
	h.resolved = true
	h.assignedFor = map[string]struct{}{}
	for _, name := range h.Configs.Snapshot().Connectors() {
		h.assignedFor[name] = struct{}{}
	}
	h.reconcileAll()
	h.Log.Info("Finished starting connectors and tasks")
	if !h.ready.Swap(true) {
		h.endStage()
	}
	h.checkSessionKey()
	if len(a.RevokedConnectors)+len(a.RevokedTasks) > 0 {
		// Second phase of a cooperative rebalance: what was given up can be assigned now.
		h.assignment.RevokedConnectors, h.assignment.RevokedTasks = nil, nil
		h.rejoin("revoked connectors and tasks can be assigned")
	}
}

// starts says when all that an assignment has started has been started.
type starts struct {
	h          *Herder
	generation int32
	began      time.Time
	open, all  int
}

func (h *Herder) countStarts(a group.Assignment) *starts {
	return &starts{h: h, generation: a.Generation, began: time.Now()}
}

func (s *starts) expect(it *item) {
	s.open++
	s.all++
	it.afterStart = append(it.afterStart, func(error) {
		if s.open--; s.open == 0 {
			s.h.Log.Info("All new connectors and tasks of the assignment have been started", zap.Int32("generation", s.generation),
				zap.Int("count", s.all), zap.Duration("took", time.Since(s.began)))
		}
	})
}

// rejoin asks for a rebalance.
func (h *Herder) rejoin(reason string) {
	if !h.stopping {
		h.member.Rejoin(reason)
	}
}

func itemIDs(connectors []string, tasks []connect.TaskID) []connect.TaskID {
	ids := make([]connect.TaskID, 0, len(connectors)+len(tasks))
	for _, c := range connectors {
		ids = append(ids, connect.TaskID{Connector: c, Task: connectorItem})
	}
	return append(ids, tasks...)
}

// deleteStaleStatuses tombstones statuses of connectors and tasks that are not
// configured any more; the leader does so after each assignment.
func (h *Herder) deleteStaleStatuses() {
	snapshot := h.Configs.Snapshot()
	for _, name := range h.StatusDB.Connectors() {
		known := snapshot.Contains(name)
		valid := map[int]bool{}
		for _, id := range snapshot.Tasks(name) {
			valid[id.Task] = true
		}
		for n := range h.StatusDB.Tasks(name) {
			if !valid[n] {
				h.StatusDB.DeleteTask(connect.TaskID{Connector: name, Task: n})
			}
		}
		if !known {
			h.StatusDB.DeleteConnector(name)
		}
	}
}

// fullReadTries is how often reading the config topic may fail in a row before all
// work is given up.
const fullReadTries = 5

// cannotReadConfigs leaves the group for a while: 1/10 of the maximum rebalance delay
// divided by the tries left, so that a short trouble does not cost the assignment
// (Java: DistributedHerder.backoff).
func (h *Herder) cannotReadConfigs() {
	if h.readTries == 0 {
		h.readTries = fullReadTries
		h.Log.Warn("giving up all connectors and tasks: the config topic cannot be read")
		for _, it := range h.items {
			it.wanted = false
		}
		h.reconcileAll()
	}
	pause := h.MaxDelay / 10 / time.Duration(h.readTries)
	if h.assignment.Version == 0 {
		pause = h.UnsyncBackoff
	} else {
		h.readTries--
	}
	h.member.LeaveFor("taking too long to read the log", pause)
}
