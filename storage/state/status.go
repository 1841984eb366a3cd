package state

import (
	"maps"
	"slices"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
)

// Statuses is the state of the status topic. It belongs to one goroutine, or to one mutex.
type Statuses struct {
	connectors map[string]storage.Status
	tasks      map[string]map[int]storage.Status
	topics     map[string]map[string]storage.TopicStatus // by connector and topic
}

// NewStatuses returns the state before any record.
func NewStatuses() *Statuses {
	return &Statuses{
		connectors: map[string]storage.Status{},
		tasks:      map[string]map[int]storage.Status{},
		topics:     map[string]map[string]storage.TopicStatus{},
	}
}

// Read takes a record of the topic, except a task's UNASSIGNED that came late: the task
// runs already on another worker, in the same generation or a newer one, and whoever wrote
// it had it before. The worker that runs it is believed, unlike by the JVM: its words come
// in order, and a leader must see that a worker that stops has released its tasks.
func (s *Statuses) Read(r records.StatusRecord) {
	if t, ok := r.(records.TaskStatus); ok && t.Status != nil && t.Status.State == connect.StateUnassigned {
		cached, known := s.Task(t.Task)
		if known && cached.State == connect.StateRunning && cached.WorkerID != t.Status.WorkerID && cached.Generation >= t.Status.Generation {
			return
		}
	}
	s.Apply(r)
}

// Apply takes a record. The tombstone of a connector removes the statuses of its tasks, too.
func (s *Statuses) Apply(r records.StatusRecord) {
	switch r := r.(type) {
	case records.ConnectorStatus:
		if r.Status == nil {
			delete(s.connectors, r.Connector)
			delete(s.tasks, r.Connector)
			return
		}
		s.connectors[r.Connector] = *r.Status
	case records.TaskStatus:
		if r.Status == nil {
			remove(s.tasks, r.Task.Connector, r.Task.Task)
			return
		}
		put(s.tasks, r.Task.Connector, r.Task.Task, *r.Status)
	case records.TopicStatus:
		if r.Status == nil {
			remove(s.topics, r.Connector, r.Topic)
			return
		}
		put(s.topics, r.Connector, r.Topic, *r.Status)
	}
}

func put[K comparable, V any](m map[string]map[K]V, row string, key K, value V) {
	if m[row] == nil {
		m[row] = map[K]V{}
	}
	m[row][key] = value
}

func remove[K comparable, V any](m map[string]map[K]V, row string, key K) {
	delete(m[row], key)
	if len(m[row]) == 0 {
		delete(m, row)
	}
}

// Safe tells whether a status may be written by one who is not sure to be its owner any
// more: not when another worker has spoken in a newer generation. Tombstones and topics
// are always safe.
func (s *Statuses) Safe(r records.StatusRecord) bool {
	var cached storage.Status
	var known bool
	var next *storage.Status
	switch r := r.(type) {
	case records.ConnectorStatus:
		next = r.Status
		cached, known = s.Connector(r.Connector)
	case records.TaskStatus:
		next = r.Status
		cached, known = s.Task(r.Task)
	}
	return next == nil || !known || cached.WorkerID == next.WorkerID || cached.Generation <= next.Generation
}

// Connector returns the status of a connector.
func (s *Statuses) Connector(name string) (storage.Status, bool) {
	st, ok := s.connectors[name]
	return st, ok
}

// Task returns the status of a task.
func (s *Statuses) Task(id connect.TaskID) (storage.Status, bool) {
	st, ok := s.tasks[id.Connector][id.Task]
	return st, ok
}

// Tasks returns a copy of the task statuses of a connector, by number; never nil.
func (s *Statuses) Tasks(name string) map[int]storage.Status {
	out := make(map[int]storage.Status, len(s.tasks[name]))
	maps.Copy(out, s.tasks[name])
	return out
}

// Connectors returns the names that have a connector status, sorted.
func (s *Statuses) Connectors() []string { return slices.Sorted(maps.Keys(s.connectors)) }

// Topic returns the status of a topic that a connector uses.
func (s *Statuses) Topic(connector, topic string) (storage.TopicStatus, bool) {
	t, ok := s.topics[connector][topic]
	return t, ok
}

// Topics returns the topics that a connector uses, sorted by name.
func (s *Statuses) Topics(connector string) []storage.TopicStatus {
	m := s.topics[connector]
	out := make([]storage.TopicStatus, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[name])
	}
	return out
}
