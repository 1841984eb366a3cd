package memstore

import (
	"context"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
	"github.com/penstock-io/penstock/storage/state"
)

// StatusStore is a storage.StatusStore in memory. What is put is there at once.
type StatusStore struct {
	*state.StatusReader
	statuses *state.SharedStatuses
}

var _ storage.StatusStore = (*StatusStore)(nil)

// NewStatusStore returns an empty store, ready for use.
func NewStatusStore() *StatusStore {
	statuses := state.NewSharedStatuses()
	return &StatusStore{StatusReader: statuses.Reader(), statuses: statuses}
}

// Start has nothing to do.
func (s *StatusStore) Start(ctx context.Context) error { return context.Cause(ctx) }

// Stop has nothing to do.
func (s *StatusStore) Stop(context.Context) error { return nil }

// Flush has nothing to do.
func (s *StatusStore) Flush(context.Context) error { return nil }

// Refresh has nothing to read.
func (s *StatusStore) Refresh(ctx context.Context) error { return context.Cause(ctx) }

// lasting returns nil, which removes, for DESTROYED.
func lasting(st storage.Status) *storage.Status {
	if st.State == connect.StateDestroyed {
		return nil
	}
	return &st
}

func (s *StatusStore) put(r records.StatusRecord, safe bool) {
	s.statuses.Update(func(all *state.Statuses) {
		if !safe || all.Safe(r) {
			all.Apply(r)
		}
	})
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
