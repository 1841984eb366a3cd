package connect

import (
	"context"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/config"
)

// Connector decides how work is divided into tasks (Java: o.a.k.connect.connector.Connector).
type Connector interface {
	// Version returns the version shown by REST; it may be called at any time.
	Version() string
	// ConfigDef returns the definition of the connector's own keys.
	ConfigDef() *config.Def
	// TaskClass is the Java class name of the tasks, stored in task configs as task.class.
	TaskClass() string
	// Start is called once, before TaskConfigs.
	Start(ctx context.Context, cc ConnectorContext, props map[string]string) error
	// TaskConfigs returns the config of each task, at most max of them.
	TaskConfigs(max int) ([]map[string]string, error)
	// Stop is called once, also after a failed Start.
	Stop(ctx context.Context) error
}

// ConfigValidator is implemented by connectors that check more than their
// ConfigDef can (Java: Connector.validate). The result replaces that of the Def.
type ConfigValidator interface {
	ValidateConfig(props map[string]string) []config.Value
}

// ConnectorContext is what the runtime offers a running connector. It is safe
// for concurrent use.
type ConnectorContext interface {
	// RequestTaskReconfiguration asks for TaskConfigs to be called again.
	RequestTaskReconfiguration()
	// RaiseError fails the connector.
	RaiseError(err error)
	Logger() *zap.Logger
}

// SinkConnector is a connector whose tasks write records somewhere.
type SinkConnector interface {
	Connector
	// NewTask returns a task that was not started.
	NewTask() SinkTask
}

// SinkOffsetAlterer is implemented by sink connectors that want to know of a change of
// their consumer offsets by a user (KIP-875); see SourceOffsetAlterer. A nil offset means
// that the offset of the partition is to be forgotten.
type SinkOffsetAlterer interface {
	AlterOffsets(props map[string]string, offsets map[TopicPartition]*int64) error
}

// SinkTask writes the records of its partitions (Java: o.a.k.connect.sink.SinkTask).
//
// Order of calls: Start; then Open for partitions gained, Put (also with an empty
// batch), PreCommit, Close for partitions lost; Stop at last, also after an error.
type SinkTask interface {
	Version() string
	Start(ctx context.Context, tc SinkTaskContext, props map[string]string) error
	// Open is called for partitions that were assigned, before their records.
	Open(ctx context.Context, partitions []TopicPartition) error
	// Put hands over a batch; records of one partition are in order and next to
	// each other. A *RetriableError makes the runtime pause all partitions and
	// put the very same batch again; any other error fails the task.
	Put(ctx context.Context, records []SinkRecord) error
	// PreCommit returns what may be committed for the given partitions, whose
	// values are the next offsets to be consumed. A result is never beyond its
	// input; a partition that is left out is not committed.
	PreCommit(ctx context.Context, offsets map[TopicPartition]int64) (map[TopicPartition]int64, error)
	// Close is called for partitions that were revoked (or all, before Stop),
	// after PreCommit for them; their offsets are committed afterwards.
	Close(ctx context.Context, partitions []TopicPartition) error
	Stop(ctx context.Context) error
}

// BisectableSinkTask is implemented by sink tasks that let the runtime find the records
// which make a Put fail (not in the JVM).
type BisectableSinkTask interface {
	SinkTask
	// SafeToBisect reports whether a Put that failed other than with a *RetriableError has
	// either had no effect at all or may be repeated without harm, so that parts of its
	// batch can be put again, down to single records, in order. Then, with
	// errors.tolerance=all, only the records that fail alone are reported and skipped, as
	// by ReportErrant; without it the whole task fails.
	SafeToBisect() bool
}

// SinkTaskContext is what the runtime offers a sink task. Its methods are for
// the task's own goroutine, except RequestCommit and Wake.
type SinkTaskContext interface {
	// Configs returns the task's configuration with placeholders resolved.
	Configs() map[string]string
	// TaskID names the task.
	TaskID() TaskID
	// Offset makes the consumer go on at the given offset, from the next poll on.
	Offset(tp TopicPartition, offset int64)
	// Timeout bounds the next poll, in milliseconds, once: Put is called again
	// after it at the latest, with an empty batch if nothing came.
	Timeout(ms int64)
	// Assignment returns the partitions the task has.
	Assignment() []TopicPartition
	Pause(tps ...TopicPartition)
	Resume(tps ...TopicPartition)
	// RequestCommit asks for a commit before the interval is over.
	RequestCommit()
	// ReportErrant hands over a record that cannot be written and the reason (KIP-610).
	// nil means that the record is to be skipped: it goes to the error log and the
	// dead letter queue, if the connector has them, and no offset beyond it is committed
	// before it is there. An error (errors.tolerance is none, or the task is to stop)
	// must be returned from Put; tolerance none fails the task after Put in any case.
	//
	// The dead letter queue gets the record's raw bytes if it is one of the current
	// batch, also a changed copy; any other is made anew with the task's converters.
	ReportErrant(record *SinkRecord, err error) error
	Logger() *zap.Logger
}
