package group

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/connect/group/protocol"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
)

// Assign decides as the leader who runs what. When some member has read further in the
// config topic than the leader can, nobody gets anything and everybody is told so
// (CONFIG_MISMATCH); what runs goes on.
func (h *handler) Assign(ctx context.Context, gen kafka.Generation, members []kafka.GroupMember) (map[string][]byte, error) {
	version, err := protocol.VersionOf(gen.Protocol)
	if err != nil {
		return nil, err
	}
	states, maxOffset, err := decode(members)
	if err != nil {
		return nil, err
	}
	config, err := h.caughtUp(ctx, maxOffset)
	if err != nil {
		return nil, err
	}
	base := protocol.Assignment{Version: version, LeaderID: gen.MemberID, LeaderURL: states[gen.MemberID].URL}
	if config == nil {
		h.o.Log.Warn("the config topic was not read as far as another worker has: nothing is assigned, the group rebalances again",
			zap.Int64("read_by_others", maxOffset), zap.Int64("read", h.config.Offset))
		base.Err, base.ConfigOffset = protocol.ConfigMismatch, maxOffset
		return h.encode(states, func(string) protocol.Assignment { return base })
	}
	base.ConfigOffset = max(config.Offset, maxOffset)
	known, needs := h.placement.begin(ctx, states), needsOf(config)
	r := h.decide(ctx, version, gen.ID, states, configured(config), ability(known, needs))
	(*Member)(h).setOwners(ownerURLs(r.Owners, states))
	h.placement.assigned(r, known, needs)
	return h.encode(states, func(id string) protocol.Assignment {
		a := base
		a.Connectors, a.Tasks = assignor.Split(r.Assigned[id])
		a.RevokedConnectors, a.RevokedTasks = assignor.Split(r.Revoked[id])
		a.Delay = r.Delay
		return a
	})
}

func decode(members []kafka.GroupMember) (states map[string]protocol.WorkerState, maxOffset int64, err error) {
	states, maxOffset = map[string]protocol.WorkerState{}, -1
	for _, m := range members {
		s, err := protocol.ReadMetadata(m.Metadata)
		if err != nil {
			return nil, 0, fmt.Errorf("metadata of member %s: %w", m.ID, err)
		}
		states[m.ID] = s
		maxOffset = max(maxOffset, s.ConfigOffset)
	}
	return states, maxOffset, nil
}

// caughtUp returns configs that are at least as new as what any member has read: those
// that the own metadata told, or newer ones. nil means that they could not be had.
func (h *handler) caughtUp(ctx context.Context, offset int64) (*storage.ClusterConfig, error) {
	if h.config.Offset >= offset {
		return h.config, nil
	}
	fresh, err := h.listener.Snapshot(ctx)
	if err == nil && fresh.Offset < offset {
		if refreshErr := h.listener.Refresh(ctx); refreshErr != nil {
			h.o.Log.Warn("could not read the config topic to its end for the assignment", zap.Error(refreshErr))
		}
		fresh, err = h.listener.Snapshot(ctx)
	}
	if err != nil {
		return nil, err
	}
	h.config = fresh
	if fresh.Offset < offset {
		return nil, nil //nolint:nilnil // not an error: the group tries again
	}
	return fresh, nil
}

func configured(c *storage.ClusterConfig) []connect.TaskID {
	var all []connect.TaskID
	for _, name := range c.Connectors() {
		all = append(all, assignor.Connector(name))
		all = append(all, c.Tasks(name)...)
	}
	return all
}

// decide runs the assignor of the protocol that the group has chosen. canRun may be nil.
func (h *handler) decide(ctx context.Context, v protocol.Version, generation int32, states map[string]protocol.WorkerState,
	all []connect.TaskID, canRun func(member, connector string) assignor.Answer,
) assignor.Result {
	if v == protocol.Eager {
		return h.decideEagerly(ctx, generation, states, all, canRun)
	}
	owned := make(map[string][]connect.TaskID, len(states))
	for id, s := range states {
		owned[id] = nil
		if s.Allocation != nil {
			owned[id] = assignor.Items(s.Allocation.Connectors, s.Allocation.Tasks)
		}
	}
	h.tenures.begin(h.lastCompleted)
	r := h.assignor.Assign(assignor.Round{
		Now: time.Since(h.start), LastCompleted: h.lastCompleted, Generation: generation, Configured: all, Owned: owned,
		CanRun: canRun, Released: func(lost []assignor.Item) []assignor.Item { return h.released(ctx, lost) },
	})
	h.tenures.note(generation, r, all, states)
	h.dealt = r.Owners
	return r
}

func (h *handler) encode(states map[string]protocol.WorkerState, of func(id string) protocol.Assignment) (map[string][]byte, error) {
	out := make(map[string][]byte, len(states))
	for id := range states {
		b, err := protocol.AppendAssignment(nil, of(id))
		if err != nil {
			return nil, fmt.Errorf("assignment of member %s: %w", id, err)
		}
		out[id] = b
	}
	return out, nil
}

func ownerURLs(owners map[string][]connect.TaskID, states map[string]protocol.WorkerState) map[connect.TaskID]string {
	urls := map[connect.TaskID]string{}
	for id, list := range owners {
		for _, i := range list {
			urls[i] = states[id].URL
		}
	}
	return urls
}
