package assignor

import "slices"

// Eager deals all configured items to the members in turn: first the connectors by
// name, then, going on with the next member, the tasks by name and number. Everybody
// gets a full assignment (Java: EagerAssignor). Connectors come first since otherwise
// an even number of members and connectors of one task would put all tasks, which are
// the heavy part, on one half of the members.
func Eager(members []string, configured []Item) map[string][]Item {
	return EagerPlaced(members, configured, nil)
}

// EagerPlaced is Eager for a group in which members cannot run everything, see
// Round.CanRun; as soon as something cannot run somewhere, each item goes to the member
// with the least of those that can run it.
func EagerPlaced(members []string, configured []Item, canRun func(member, connector string) Answer) map[string][]Item {
	ids := slices.Clone(members)
	slices.Sort(ids)
	out := make(map[string][]Item, len(ids))
	for _, id := range ids {
		out[id] = nil
	}
	if len(ids) == 0 {
		return out
	}
	place := newPlacing(canRun, ids, configured)
	for n, item := range newSet(configured).sorted() {
		id := ids[n%len(ids)]
		if place.restricts() {
			id = leastLoaded(ids, out, func(id string) bool { return place.mayGet(id, item) })
		}
		out[id] = append(out[id], item)
	}
	return out
}

// leastLoaded returns the first of the members with the least items that are able to.
func leastLoaded(ids []string, loads map[string][]Item, able func(id string) bool) string {
	best := ""
	for _, id := range ids {
		if able(id) && (best == "" || len(loads[id]) < len(loads[best])) {
			best = id
		}
	}
	return best
}
