package assignor

import "slices"

// Eager deals all configured items to the members in turn: first the connectors by
// name, then, going on with the next member, the tasks by name and number. Everybody
// gets a full assignment (Java: EagerAssignor). Connectors come first since otherwise
// an even number of members and connectors of one task would put all tasks, which are
// the heavy part, on one half of the members.
func Eager(members []string, configured []Item) map[string][]Item {
	ids := slices.Clone(members)
	slices.Sort(ids)
	out := make(map[string][]Item, len(ids))
	for _, id := range ids {
		out[id] = nil
	}
	if len(ids) == 0 {
		return out
	}
	for n, item := range newSet(configured).sorted() {
		id := ids[n%len(ids)]
		out[id] = append(out[id], item)
	}
	return out
}
