package storage

import (
	"context"
	"errors"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// RestartRequest is a user's wish, spread through the config topic.
type RestartRequest struct {
	Connector                string
	IncludeTasks, OnlyFailed bool
}

// ConfigListener is told of changes after Start has returned. It is called from the
// store's reading goroutine, in topic order, outside any lock, and must not block.
// The store's Snapshot already shows the change.
type ConfigListener interface {
	ConnectorConfigUpdated(name string)
	ConnectorConfigRemoved(name string)
	TaskConfigsUpdated(tasks []connect.TaskID)
	TargetStateChanged(name string)
	SessionKeyUpdated(key SessionKey)
	RestartRequested(r RestartRequest)
	LoggerLevelUpdated(namespace, level string)
}

// ErrPrivilegeLost tells that a write of the leader did not go through its fenced writer,
// for whatever reason: another leader has claimed the privileges, or Kafka failed. Whether
// the write took place is unknown. The leader must claim the privileges again before it
// repeats it (Java: PrivilegedWriteException).
var ErrPrivilegeLost = errors.New("Failed to perform fencable send to config topic")

// ConfigStore keeps connector and task configs (Java: ConfigBackingStore). Every Put
// returns when the store itself has read its own record back, where the Java worker
// does so too. All methods are safe for concurrent use.
type ConfigStore interface {
	// Start reads everything; the listener is called for later changes only.
	Start(ctx context.Context, l ConfigListener) error
	Stop(ctx context.Context) error
	// Snapshot returns the current state without waiting.
	Snapshot() *ClusterConfig
	// Refresh reads to the end of the log as it is now.
	Refresh(ctx context.Context) error
	// PutConnector writes a config; initial, unless "", is written as target state before it.
	PutConnector(ctx context.Context, name string, config map[string]string, initial connect.TargetState) error
	RemoveConnector(ctx context.Context, name string) error
	// PutTaskConfigs writes all task configs of a connector and then their commit.
	PutTaskConfigs(ctx context.Context, name string, configs []map[string]string) error
	PutTargetState(ctx context.Context, name string, s connect.TargetState) error
	PutSessionKey(ctx context.Context, key SessionKey) error
	PutRestartRequest(ctx context.Context, r RestartRequest) error
	PutTaskCountRecord(ctx context.Context, name string, count int) error
	PutLoggerLevel(ctx context.Context, namespace, level string) error
	// ClaimWritePrivileges fences off the writes of earlier leaders; a leader calls it
	// before its first write. Where the worker runs with exactly.once.source.support, all
	// writes but PutTargetState and PutLoggerLevel need it, and fail with ErrPrivilegeLost
	// without; elsewhere it does nothing. It may be repeated (Java: ConfigBackingStore).
	ClaimWritePrivileges(ctx context.Context) error
}

// Status is the state of a connector or task as one worker wrote it.
type Status struct {
	State      connect.State `json:"state"`
	Trace      string        `json:"trace"` // "" is written as null
	WorkerID   string        `json:"worker_id"`
	Generation int           `json:"generation"`
	Version    string        `json:"version"` // "" is written as null
}

// TopicStatus tells that a connector uses a topic.
type TopicStatus struct {
	Topic, Connector string
	Task             int
	Discovered       int64 // ms since the epoch
}

// StatusStore keeps statuses (Java: StatusBackingStore). Puts do not wait for Kafka;
// Flush does. All methods are safe for concurrent use.
//
// A safe put is dropped when a newer generation of another worker has spoken.
type StatusStore interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	PutConnector(name string, s Status)
	PutConnectorSafe(name string, s Status)
	PutTask(id connect.TaskID, s Status)
	PutTaskSafe(id connect.TaskID, s Status)
	// DeleteConnector and DeleteTask write tombstones.
	DeleteConnector(name string)
	DeleteTask(id connect.TaskID)
	Connector(name string) (Status, bool)
	Task(id connect.TaskID) (Status, bool)
	// Tasks returns all known task statuses of a connector by number.
	Tasks(name string) map[int]Status
	// Connectors returns the names that have a connector status.
	Connectors() []string
	PutTopic(t TopicStatus)
	DeleteTopic(connector, topic string)
	Topic(connector, topic string) (TopicStatus, bool)
	Topics(connector string) []TopicStatus
	Flush(ctx context.Context) error
	// Refresh reads to the end of the log as it is now: what other workers had written when
	// it was called is there when it returns.
	Refresh(ctx context.Context) error
}

// OffsetEntry is one record of an offset topic, in the bytes that packages records makes.
type OffsetEntry struct {
	Key   []byte
	Value []byte // nil = tombstone: the offset is forgotten
}

// OffsetStore keeps the offsets of source connectors (Java: OffsetBackingStore). All
// methods are safe for concurrent use.
type OffsetStore interface {
	// Start reads everything there is.
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	// Get reads to the end, and returns the values of those keys that have one, by key.
	Get(ctx context.Context, keys ...[]byte) (map[string][]byte, error)
	// Put returns when all entries are stored, or with the first error: then some may be.
	Put(ctx context.Context, entries ...OffsetEntry) error
	// Partitions reads to the end, and returns the source partitions of a connector that
	// have an offset, in no particular order.
	Partitions(ctx context.Context, connector string) ([]*data.Map, error)
}
