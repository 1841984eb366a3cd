package group

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/connect/group/protocol"
)

// decideEagerly deals everything anew. Members of an eager group have stopped all they ran
// before they joined, except in the first eager round of a group that was cooperative: then
// they still run it, and cannot say so. In that round everybody keeps what it has, as far
// as the leader can find out; the next one, which it asks for, is dealt.
func (h *handler) decideEagerly(ctx context.Context, generation int32, states map[string]protocol.WorkerState, all []connect.TaskID,
	canRun func(member, connector string) assignor.Answer,
) assignor.Result {
	if kept := h.stillRunning(ctx, generation, states, all); kept != nil {
		h.o.Log.Info("The group turns to the eager protocol: what runs goes on in this round, and is dealt anew in the next")
		(*Member)(h).Rejoin("the group has turned to the eager protocol")
		return assignor.Result{Assigned: kept, Owners: kept}
	}
	ids := make([]string, 0, len(states))
	for id := range states {
		ids = append(ids, id)
	}
	assigned := assignor.EagerPlaced(ids, all, canRun)
	return assignor.Result{Assigned: assigned, Owners: assigned}
}

// stillRunning returns what members run in spite of the eager protocol; nil when they have
// stopped everything.
func (h *handler) stillRunning(ctx context.Context, generation int32, states map[string]protocol.WorkerState, all []connect.TaskID) map[string][]connect.TaskID {
	switch {
	case h.current == protocol.Eager && h.lastCompleted >= 0 && generation == h.lastCompleted+1:
		return nil // the last round was eager, too
	case h.current != protocol.Eager && h.dealt != nil && h.tenures.generation == h.lastCompleted:
		kept := make(map[string][]connect.TaskID, len(states))
		for id := range states {
			kept[id] = missing(h.dealt[id], missing(h.dealt[id], all))
		}
		return kept
	}
	return h.saidToRun(ctx, states, all)
}

// saidToRun is for a leader that does not know what its predecessor has dealt: it believes
// the statuses. Where these cannot be read, members are given nothing, and so stop what
// they still run.
func (h *handler) saidToRun(ctx context.Context, states map[string]protocol.WorkerState, all []connect.TaskID) map[string][]connect.TaskID {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, statusTime, errStatusTime)
	defer cancel()
	kept := make(map[string][]connect.TaskID, len(states))
	members := make(map[string]string, len(states))
	for id, s := range states {
		kept[id], members[workerID(s.URL)] = nil, id
	}
	statuses, err := h.listener.Statuses(ctx, all)
	if err != nil {
		h.o.Log.Warn("What the workers run could not be found out: nothing is assigned in this round", zap.Duration("took", time.Since(began)), zap.Error(err))
		return kept
	}
	running := 0
	for _, i := range all {
		st, ok := statuses[i]
		if id := members[st.WorkerID]; ok && id != "" && mayRun(i, st) {
			kept[id] = append(kept[id], i)
			running++
		}
	}
	if running == 0 {
		return nil
	}
	return kept
}
