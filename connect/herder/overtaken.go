package herder

import (
	"maps"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group"
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
