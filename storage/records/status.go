package records

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage"
)

// StatusRecord is one record of the status topic: one of the types below, by value.
type StatusRecord interface {
	// Key returns the record's key.
	Key() string
	// Value returns the JSON text, nil for a tombstone.
	Value() ([]byte, error)
}

// ConnectorStatus is the status of a connector; nil, and the state DESTROYED when
// written, are a tombstone.
type ConnectorStatus struct {
	Connector string
	Status    *storage.Status
}

// TaskStatus is the status of a task; nil, and the state DESTROYED when written, are a
// tombstone.
type TaskStatus struct {
	Task   connect.TaskID
	Status *storage.Status
}

// TopicStatus tells that a connector uses a topic; nil is a tombstone.
type TopicStatus struct {
	Connector, Topic string
	Status           *storage.TopicStatus
}

// Key returns status-connector-<name>.
func (r ConnectorStatus) Key() string { return connectorStatusPrefix + r.Connector }

// Key returns status-task-<connector>-<number>.
func (r TaskStatus) Key() string { return taskStatusPrefix + r.Task.String() }

// Key returns status-topic-<topic>:connector-<connector>.
func (r TopicStatus) Key() string {
	return topicStatusPrefix + r.Topic + topicSeparator + r.Connector
}

// Value returns {"state":…,"trace":…,"worker_id":…,"generation":n,"version":…}.
func (r ConnectorStatus) Value() ([]byte, error) { return encodeStatus(r.Status) }

// Value returns {"state":…,"trace":…,"worker_id":…,"generation":n,"version":…}.
func (r TaskStatus) Value() ([]byte, error) { return encodeStatus(r.Status) }

func encodeStatus(s *storage.Status) ([]byte, error) {
	if s == nil || s.State == connect.StateDestroyed {
		return nil, nil
	}
	b, err := appendString([]byte(`{"state":`), string(s.State))
	if err != nil {
		return nil, err
	}
	if b, err = appendOptional(append(b, `,"trace":`...), s.Trace); err != nil {
		return nil, err
	}
	if b, err = appendString(append(b, `,"worker_id":`...), s.WorkerID); err != nil {
		return nil, err
	}
	b = strconv.AppendInt(append(b, `,"generation":`...), int64(s.Generation), 10)
	if b, err = appendOptional(append(b, `,"version":`...), s.Version); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

// Value returns {"topic":{"name":…,"connector":…,"task":n,"discoverTimestamp":ms}}.
func (r TopicStatus) Value() ([]byte, error) {
	if r.Status == nil {
		return nil, nil
	}
	b, err := appendString([]byte(`{"topic":{"name":`), r.Status.Topic)
	if err != nil {
		return nil, err
	}
	if b, err = appendString(append(b, `,"connector":`...), r.Status.Connector); err != nil {
		return nil, err
	}
	b = strconv.AppendInt(append(b, `,"task":`...), int64(r.Status.Task), 10)
	b = strconv.AppendInt(append(b, `,"discoverTimestamp":`...), r.Status.Discovered, 10)
	return append(b, "}}"...), nil
}

// Instance returns what a record says of a connector, which has the task number -1, or of a
// task; ok is false for a topic's.
func Instance(r StatusRecord) (id connect.TaskID, status *storage.Status, ok bool) {
	switch r := r.(type) {
	case ConnectorStatus:
		return connect.TaskID{Connector: r.Connector, Task: -1}, r.Status, true
	case TaskStatus:
		return r.Task, r.Status, true
	}
	return connect.TaskID{}, nil, false
}

// DecodeStatus reads a record of the status topic; the key's prefix tells its kind. A nil
// value is a tombstone. The text null, unlike in the config topic, is an error.
func DecodeStatus(key, value []byte) (StatusRecord, error) {
	r, err := decodeStatus(string(key), value)
	if err != nil {
		return nil, fmt.Errorf("status record %q: %w", key, err)
	}
	return r, nil
}

func decodeStatus(key string, value []byte) (StatusRecord, error) {
	if name, ok := strings.CutPrefix(key, connectorStatusPrefix); ok {
		if name == "" {
			return nil, errors.New("the key is invalid: it names no connector")
		}
		s, err := decodeInstance(value)
		return ConnectorStatus{name, s}, err
	}
	if strings.HasPrefix(key, taskStatusPrefix) {
		id, ok := parseTaskID(key, 2)
		if !ok {
			return nil, errors.New("the key is invalid: status-task-<connector>-<number> was expected")
		}
		s, err := decodeInstance(value)
		return TaskStatus{id, s}, err
	}
	if strings.HasPrefix(key, topicStatusPrefix) {
		topic, connector, ok := parseTopicKey(key)
		if !ok {
			return nil, errors.New("the key is invalid: status-topic-<topic>:connector-<connector> was expected")
		}
		s, err := decodeTopic(value)
		return TopicStatus{Connector: connector, Topic: topic, Status: s}, err
	}
	return nil, errInvalidKey
}

// mandatory is object for a value that is a tombstone or an object.
func mandatory(value []byte) (*data.Map, error) {
	m, err := object(value)
	if err == nil && m == nil && value != nil {
		err = errNull
	}
	return m, err
}

func decodeInstance(value []byte) (*storage.Status, error) {
	m, err := mandatory(value)
	if err != nil || m == nil {
		return nil, err
	}
	var s storage.Status
	text, err := stringField(m, "state")
	if err != nil {
		return nil, err
	}
	switch s.State = connect.State(text); s.State {
	case connect.StateUnassigned, connect.StateRunning, connect.StatePaused, connect.StateFailed,
		connect.StateRestarting, connect.StateStopped, connect.StateDestroyed:
	default:
		return nil, fmt.Errorf("state %q is unknown", text)
	}
	if s.Trace, err = optionalString(m, "trace"); err != nil {
		return nil, err
	}
	if s.WorkerID, err = optionalString(m, "worker_id"); err != nil {
		return nil, err
	}
	if s.Generation, err = intField(m, "generation"); err != nil {
		return nil, err
	}
	s.Version, err = optionalString(m, "version")
	return &s, err
}

func decodeTopic(value []byte) (*storage.TopicStatus, error) {
	m, err := mandatory(value)
	if err != nil || m == nil {
		return nil, err
	}
	inner, ok := get(m, "topic").(*data.Map)
	if !ok {
		return nil, fmt.Errorf("field %q should be an object but is %s", "topic", kind(get(m, "topic")))
	}
	var s storage.TopicStatus
	if s.Topic, err = optionalString(inner, "name"); err != nil {
		return nil, err
	}
	if s.Connector, err = optionalString(inner, "connector"); err != nil {
		return nil, err
	}
	if s.Task, err = intField(inner, "task"); err != nil {
		return nil, err
	}
	s.Discovered, err = longField(inner, "discoverTimestamp")
	return &s, err
}
