package memstore

import (
	"context"
	"sync"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
	"github.com/penstock-io/penstock/storage/state"
)

// StatusStore is a storage.StatusStore in memory. What is put is there at once.
type StatusStore struct {
	mu       sync.RWMutex
	statuses *state.Statuses
}

var _ storage.StatusStore = (*StatusStore)(nil)

// NewStatusStore returns an empty store, ready for use.
func NewStatusStore() *StatusStore { return &StatusStore{statuses: state.NewStatuses()} }

// Start has nothing to do.
func (s *StatusStore) Start(ctx context.Context) error { return context.Cause(ctx) }

// Stop has nothing to do.
func (s *StatusStore) Stop(context.Context) error { return nil }

// Flush has nothing to do.
func (s *StatusStore) Flush(context.Context) error { return nil }

// lasting returns nil, which removes, for DESTROYED.
func lasting(st storage.Status) *storage.Status {
	if st.State == connect.StateDestroyed {
		return nil
	}
	return &st
}

func (s *StatusStore) put(r records.StatusRecord, safe bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !safe || s.statuses.Safe(r) {
		s.statuses.Apply(r)
	}
}

// PutConnector sets the status of a connector.
func (s *StatusStore) PutConnector(name string, st storage.Status) {
	s.put(records.ConnectorStatus{Connector: name, Status: lasting(st)}, false)
}

// PutConnectorSafe is PutConnector unless another worker has spoken in a newer generation.
func (s *StatusStore) PutConnectorSafe(name string, st storage.Status) {
	s.put(records.ConnectorStatus{Connector: name, Status: lasting(st)}, true)
}

// PutTask sets the status of a task.
func (s *StatusStore) PutTask(id connect.TaskID, st storage.Status) {
	s.put(records.TaskStatus{Task: id, Status: lasting(st)}, false)
}

// PutTaskSafe is PutTask unless another worker has spoken in a newer generation.
func (s *StatusStore) PutTaskSafe(id connect.TaskID, st storage.Status) {
	s.put(records.TaskStatus{Task: id, Status: lasting(st)}, true)
}

// DeleteConnector forgets the status of a connector and those of its tasks.
func (s *StatusStore) DeleteConnector(name string) {
	s.put(records.ConnectorStatus{Connector: name}, false)
}

// DeleteTask forgets the status of a task.
func (s *StatusStore) DeleteTask(id connect.TaskID) { s.put(records.TaskStatus{Task: id}, false) }

// PutTopic notes that a connector uses a topic.
func (s *StatusStore) PutTopic(t storage.TopicStatus) {
	s.put(records.TopicStatus{Connector: t.Connector, Topic: t.Topic, Status: &t}, false)
}

// DeleteTopic notes that a connector does not use a topic.
func (s *StatusStore) DeleteTopic(connector, topic string) {
	s.put(records.TopicStatus{Connector: connector, Topic: topic}, false)
}

// Connector returns the status of a connector.
func (s *StatusStore) Connector(name string) (storage.Status, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.statuses.Connector(name)
}

// Task returns the status of a task.
func (s *StatusStore) Task(id connect.TaskID) (storage.Status, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.statuses.Task(id)
}

// Tasks returns all known task statuses of a connector by number.
func (s *StatusStore) Tasks(name string) map[int]storage.Status {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.statuses.Tasks(name)
}

// Connectors returns the names that have a connector status, sorted.
func (s *StatusStore) Connectors() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.statuses.Connectors()
}

// Topic returns whether and since when a connector uses a topic.
func (s *StatusStore) Topic(connector, topic string) (storage.TopicStatus, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.statuses.Topic(connector, topic)
}

// Topics returns the topics that a connector uses, sorted by name.
func (s *StatusStore) Topics(connector string) []storage.TopicStatus {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.statuses.Topics(connector)
}
