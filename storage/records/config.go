package records

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage"
)

// ConfigRecord is one record of the config topic: one of the types below, by value.
type ConfigRecord interface {
	// Key returns the record's key.
	Key() string
	// Value returns the JSON text, nil for a tombstone.
	Value() ([]byte, error)
}

// ConnectorConfig is the config of a connector, placeholders unresolved.
type ConnectorConfig struct {
	Connector string
	Config    map[string]string // nil = tombstone: the connector was deleted
}

// TaskConfig is the config of a task. It takes effect with the next TasksCommit.
type TaskConfig struct {
	Task   connect.TaskID
	Config map[string]string
}

// TasksCommit brings the task configs in effect that were written before it.
type TasksCommit struct {
	Connector string
	Tasks     int
}

// TargetState is what a user asked a connector to be.
type TargetState struct {
	Connector string
	State     connect.TargetState // "" = tombstone
}

// TaskCount tells for how many tasks the zombies of earlier generations are fenced off.
type TaskCount struct {
	Connector string
	Tasks     int
}

// SessionKey is the key that signs requests between workers.
type SessionKey struct{ storage.SessionKey }

// Restart asks for the restart of a connector.
type Restart struct{ storage.RestartRequest }

// LoggerLevel sets the level of a logger on all workers.
type LoggerLevel struct{ Namespace, Level string }

// Key returns connector-<name>.
func (r ConnectorConfig) Key() string { return connectorPrefix + r.Connector }

// Key returns task-<connector>-<number>.
func (r TaskConfig) Key() string { return taskPrefix + r.Task.String() }

// Key returns commit-<connector>.
func (r TasksCommit) Key() string { return commitPrefix + r.Connector }

// Key returns target-state-<connector>.
func (r TargetState) Key() string { return targetStatePrefix + r.Connector }

// Key returns tasks-fencing-<connector>.
func (r TaskCount) Key() string { return fencingPrefix + r.Connector }

// Key returns session-key.
func (r SessionKey) Key() string { return sessionKeyKey }

// Key returns restart-connector-<connector>.
func (r Restart) Key() string { return restartPrefix + r.Connector }

// Key returns logger-cluster-<namespace>.
func (r LoggerLevel) Key() string { return loggerPrefix + r.Namespace }

// Value returns {"properties":{…}}.
func (r ConnectorConfig) Value() ([]byte, error) {
	if r.Config == nil {
		return nil, nil
	}
	return properties(r.Config)
}

// Value returns {"properties":{…}}.
func (r TaskConfig) Value() ([]byte, error) { return properties(r.Config) }

func properties(config map[string]string) ([]byte, error) {
	b, err := appendStringMap([]byte(`{"properties":`), config)
	return append(b, '}'), err
}

// Value returns {"tasks":n}.
func (r TasksCommit) Value() ([]byte, error) {
	return append(strconv.AppendInt([]byte(`{"tasks":`), int64(r.Tasks), 10), '}'), nil
}

// Value returns {"state":…,"state.v2":…}. Workers before Kafka 3.5 know the first field
// only, and no STOPPED: they see PAUSED (KIP-875).
func (r TargetState) Value() ([]byte, error) {
	old := r.State
	switch r.State {
	case "":
		return nil, nil
	case connect.TargetStarted, connect.TargetPaused:
	case connect.TargetStopped:
		old = connect.TargetPaused
	default:
		return nil, fmt.Errorf("target state %q of connector %s is unknown: use %s, %s or %s",
			r.State, r.Connector, connect.TargetStarted, connect.TargetPaused, connect.TargetStopped)
	}
	return []byte(`{"state":"` + string(old) + `","state.v2":"` + string(r.State) + `"}`), nil
}

// Value returns {"task-count":n}.
func (r TaskCount) Value() ([]byte, error) {
	return append(strconv.AppendInt([]byte(`{"task-count":`), int64(r.Tasks), 10), '}'), nil
}

// Value returns {"key":base64,"algorithm":…,"creation-timestamp":ms}.
func (r SessionKey) Value() ([]byte, error) {
	b := base64.StdEncoding.AppendEncode([]byte(`{"key":"`), r.SessionKey.Key)
	b, err := appendString(append(b, `","algorithm":`...), r.Algorithm)
	b = strconv.AppendInt(append(b, `,"creation-timestamp":`...), r.Created.UnixMilli(), 10)
	return append(b, '}'), err
}

// Value returns {"include-tasks":…,"only-failed":…}.
func (r Restart) Value() ([]byte, error) {
	b := strconv.AppendBool([]byte(`{"include-tasks":`), r.IncludeTasks)
	b = strconv.AppendBool(append(b, `,"only-failed":`...), r.OnlyFailed)
	return append(b, '}'), nil
}

// Value returns {"level":…}.
func (r LoggerLevel) Value() ([]byte, error) {
	b, err := appendString([]byte(`{"level":`), r.Level)
	return append(b, '}'), err
}

// DecodeConfig reads a record of the config topic; the key's prefix tells its kind. A nil
// value is a tombstone, and so is the JSON text null. The error is ErrNotJSON when the
// value is no JSON and a *CommitError when it is no commit; any other error just tells
// what is wrong with the record.
func DecodeConfig(key, value []byte) (ConfigRecord, error) {
	m, err := object(value)
	if err == nil {
		var r ConfigRecord
		if r, err = decodeConfig(string(key), m); err == nil {
			return r, nil
		}
	}
	if name, ok := strings.CutPrefix(string(key), commitPrefix); ok && !errors.Is(err, ErrNotJSON) {
		err = &CommitError{name, err}
	}
	return nil, fmt.Errorf("config record %q: %w", key, err)
}

// CommitError is the error of a commit whose value makes no sense. It still tells that the
// tasks of a connector without config are leftovers.
type CommitError struct {
	Connector string
	Err       error
}

func (e *CommitError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CommitError) Unwrap() error { return e.Err }

var errNull = errors.New("the value is unexpectedly null")

func decodeConfig(key string, m *data.Map) (ConfigRecord, error) {
	if name, ok := strings.CutPrefix(key, targetStatePrefix); ok {
		return decodeTargetState(name, m)
	}
	if name, ok := strings.CutPrefix(key, connectorPrefix); ok {
		if m == nil {
			return ConnectorConfig{Connector: name}, nil
		}
		config, err := stringMap(get(m, "properties"), "properties")
		return ConnectorConfig{name, config}, err
	}
	if m == nil {
		return nil, nullValue(key)
	}
	if strings.HasPrefix(key, taskPrefix) {
		return decodeTaskConfig(key, m)
	}
	if name, ok := strings.CutPrefix(key, commitPrefix); ok {
		n, err := intField(m, "tasks")
		return TasksCommit{name, n}, err
	}
	if name, ok := strings.CutPrefix(key, restartPrefix); ok {
		return Restart{storage.RestartRequest{
			Connector: name, IncludeTasks: boolField(m, "include-tasks"), OnlyFailed: boolField(m, "only-failed"),
		}}, nil
	}
	if name, ok := strings.CutPrefix(key, fencingPrefix); ok {
		n, err := intField(m, "task-count")
		return TaskCount{name, n}, err
	}
	if key == sessionKeyKey {
		return decodeSessionKey(m)
	}
	if name, ok := strings.CutPrefix(key, loggerPrefix); ok {
		level, err := stringField(m, "level")
		return LoggerLevel{name, level}, err
	}
	return nil, errInvalidKey
}

var errInvalidKey = errors.New("no kind of record has such a key")

// nullValue tells a tombstone of a kind that has none from an unknown key.
func nullValue(key string) error {
	for _, prefix := range []string{taskPrefix, commitPrefix, restartPrefix, fencingPrefix, sessionKeyKey, loggerPrefix} {
		if strings.HasPrefix(key, prefix) {
			return errNull
		}
	}
	return errInvalidKey
}

func decodeTaskConfig(key string, m *data.Map) (ConfigRecord, error) {
	id, ok := parseTaskID(key, 1)
	if !ok {
		return nil, errors.New("the key couldn't be parsed as a task config key; task-<connector>-<number> was expected")
	}
	config, err := stringMap(get(m, "properties"), "properties")
	return TaskConfig{id, config}, err
}

func decodeTargetState(name string, m *data.Map) (ConfigRecord, error) {
	if m == nil {
		return TargetState{Connector: name}, nil
	}
	text, ok := get(m, "state.v2").(string)
	if !ok {
		var err error
		if text, err = stringField(m, "state"); err != nil {
			return nil, err
		}
	}
	switch state := connect.TargetState(text); state {
	case connect.TargetStarted, connect.TargetPaused, connect.TargetStopped:
		return TargetState{name, state}, nil
	}
	return nil, fmt.Errorf("target state %q is unknown", text)
}

// decodeSessionKey never puts the key into an error.
func decodeSessionKey(m *data.Map) (ConfigRecord, error) {
	text, err := stringField(m, "key")
	if err != nil {
		return nil, err
	}
	algorithm, err := stringField(m, "algorithm")
	if err != nil {
		return nil, err
	}
	created, err := longField(m, "creation-timestamp")
	if err != nil {
		return nil, err
	}
	// Java's decoder takes the padding or leaves it.
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, errors.New(`field "key" is not valid base64`)
	}
	return SessionKey{storage.SessionKey{Key: key, Algorithm: algorithm, Created: time.UnixMilli(created)}}, nil
}
