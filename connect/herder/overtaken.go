package herder

import (
	"context"
	"maps"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group"
	"github.com/penstock-io/penstock/storage"
)

// overtaken reports whether the config of an assigned task has changed, or may have, after
// the offset that the assignment was made for. Such a task must wait for the next
// assignment: until then some worker may run a task of the former configs. A connector
// instance need not wait, since there is one of it only.
//
// The JVM worker starts nothing at all then. While connectors are created one after the
// other, that would put off the start of each of them to the end of it.
func (h *Herder) overtaken(a group.Assignment, id connect.TaskID) bool {
	now := h.Configs.Snapshot()
	if id.Task == connectorItem || now.Offset == a.ConfigOffset {
		return false
	}
	// The assignment is at least as new as what this worker had told: where nothing has
	// changed since then, nothing has changed since the assignment.
	told := h.told.Load()
	if told == nil || told.Offset > a.ConfigOffset {
		return true
	}
	before, after := told.Connector(id.Connector), now.Connector(id.Connector)
	if before == nil || after == nil {
		return true
	}
	return before != after && (before.Generation != after.Generation || before.TaskCount != after.TaskCount ||
		before.Inconsistent != after.Inconsistent || !maps.Equal(before.Tasks[id.Task], after.Tasks[id.Task]))
}

// Joining stops the tasks of former configs of the connectors in told, and waits for them:
// what one of them works on may be a matter of another task now, on another worker, which
// starts it as soon as the group knows the configs (Java: DistributedHerder.
// processTaskConfigUpdatesWithIncrementalCooperative). What does not stop in time is abandoned, as
// ever, and not waited for.
func (l *listener) Joining(ctx context.Context, told *storage.ClusterConfig) {
	h := (*Herder)(l)
	stopped := make(chan struct{})
	if err := h.post(ctx, func() { h.whenAllIdle(h.holdOvertaken(told), func() { close(stopped) }) }); err != nil {
		return
	}
	select {
	case <-stopped:
	case <-ctx.Done():
	}
}

// holdOvertaken returns the tasks that were started with configs older than those of c, also
// those that have none any more. They are to be stopped until the next assignment.
func (h *Herder) holdOvertaken(c *storage.ClusterConfig) (held []*item) {
	for id, it := range h.items {
		state := c.Connector(id.Connector)
		if !it.isConnector() && it.begun && state != nil && it.configs < state.Generation {
			it.held = true
			held = append(held, it)
		}
	}
	return held
}
