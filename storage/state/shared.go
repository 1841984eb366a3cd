package state

import (
	"sync"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
)

// StatusReader answers the questions of a storage.StatusStore from the statuses of a
// SharedStatuses. Stores embed it. It is safe for concurrent use.
type StatusReader struct {
	mu       sync.RWMutex
	statuses *Statuses
}

// SharedStatuses is Statuses behind a mutex. It must not be copied.
type SharedStatuses struct{ reader StatusReader }

// NewSharedStatuses returns the state before any record.
func NewSharedStatuses() *SharedStatuses {
	return &SharedStatuses{StatusReader{statuses: NewStatuses()}}
}

// Reader returns what only reads.
func (s *SharedStatuses) Reader() *StatusReader { return &s.reader }

// Update runs fn with the statuses to itself. fn must not block, nor keep them.
func (s *SharedStatuses) Update(fn func(*Statuses)) {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	fn(s.reader.statuses)
}

// Safe is Statuses.Safe.
func (s *SharedStatuses) Safe(r records.StatusRecord) bool {
	s.reader.mu.RLock()
	defer s.reader.mu.RUnlock()
	return s.reader.statuses.Safe(r)
}

// Connector returns the status of a connector.
func (r *StatusReader) Connector(name string) (storage.Status, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.statuses.Connector(name)
}

// Task returns the status of a task.
func (r *StatusReader) Task(id connect.TaskID) (storage.Status, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.statuses.Task(id)
}

// Tasks returns a copy of all known task statuses of a connector by number; never nil.
func (r *StatusReader) Tasks(name string) map[int]storage.Status {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.statuses.Tasks(name)
}

// Connectors returns the names that have a connector status, sorted.
func (r *StatusReader) Connectors() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.statuses.Connectors()
}

// Topic returns whether and since when a connector uses a topic.
func (r *StatusReader) Topic(connector, topic string) (storage.TopicStatus, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.statuses.Topic(connector, topic)
}

// Topics returns the topics that a connector uses, sorted by name.
func (r *StatusReader) Topics(connector string) []storage.TopicStatus {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.statuses.Topics(connector)
}
