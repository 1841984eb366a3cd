package assignor

import (
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/protocol"
)

// Item is one piece of work: a task, or a connector instance (Task = -1).
type Item = connect.TaskID

// Connector returns the item of a connector instance.
func Connector(name string) Item { return Item{Connector: name, Task: protocol.ConnectorTask} }

// IsConnector reports whether the item is a connector instance.
func IsConnector(i Item) bool { return i.Task == protocol.ConnectorTask }

// Items joins connector names and tasks.
func Items(connectors []string, tasks []connect.TaskID) []Item {
	all := make([]Item, 0, len(connectors)+len(tasks))
	for _, c := range connectors {
		all = append(all, Connector(c))
	}
	return append(all, tasks...)
}

// Split is the reverse of Items. It keeps the order.
func Split(items []Item) (connectors []string, tasks []connect.TaskID) {
	for _, i := range items {
		if IsConnector(i) {
			connectors = append(connectors, i.Connector)
		} else {
			tasks = append(tasks, i)
		}
	}
	return connectors, tasks
}

// compareItems orders connectors before tasks, then by name and number.
func compareItems(a, b Item) int {
	if ca, cb := IsConnector(a), IsConnector(b); ca != cb {
		if ca {
			return -1
		}
		return 1
	}
	if c := strings.Compare(a.Connector, b.Connector); c != 0 {
		return c
	}
	return a.Task - b.Task
}

// set is a set of items.
type set map[Item]struct{}

func newSet(items ...[]Item) set {
	s := set{}
	for _, list := range items {
		for _, i := range list {
			s[i] = struct{}{}
		}
	}
	return s
}

func (s set) has(i Item) bool {
	_, ok := s[i]
	return ok
}

// minus returns s without the items of any of the others.
func (s set) minus(others ...set) set {
	out := set{}
	for i := range s {
		if !slices.ContainsFunc(others, func(o set) bool { return o.has(i) }) {
			out[i] = struct{}{}
		}
	}
	return out
}

// sorted returns the items: connectors by name, then tasks by name and number.
func (s set) sorted() []Item {
	out := make([]Item, 0, len(s))
	for i := range s {
		out = append(out, i)
	}
	slices.SortFunc(out, compareItems)
	return out
}

// without returns list without the items of drop, in the same order.
func without(list []Item, drop set) []Item {
	var out []Item
	for _, i := range list {
		if !drop.has(i) {
			out = append(out, i)
		}
	}
	return out
}

// distinct returns list without repetitions, in the same order.
func distinct(list []Item) []Item {
	seen := make(set, len(list))
	var out []Item
	for _, i := range list {
		if !seen.has(i) {
			seen[i] = struct{}{}
			out = append(out, i)
		}
	}
	return out
}

// sortedKeys returns the member ids in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
