package connect

import (
	"context"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/data"
)

// SourceConnector is a connector whose tasks read records from somewhere (Java:
// o.a.k.connect.source.SourceConnector).
type SourceConnector interface {
	Connector
	// NewTask returns a task that was not started.
	NewTask() SourceTask
}

// SourceConnectorContext is what a ConnectorContext given to a source connector also
// implements. It is safe for concurrent use.
type SourceConnectorContext interface {
	ConnectorContext
	// Offsets reads what the tasks of the connector have committed, also those of earlier
	// configs: it may tell how to divide the work. It fails after Stop.
	Offsets() OffsetReader
}

// ExactlyOnceSupporter is implemented by source connectors that can tell whether they
// never repeat or leave out a record when their offsets are committed together with
// their records (KIP-618). Without it exactly.once.support=required is refused.
type ExactlyOnceSupporter interface {
	// SupportsExactlyOnce is called with a config that was not checked yet.
	SupportsExactlyOnce(props map[string]string) bool
}

// TransactionBoundaryDefiner is implemented by source connectors whose tasks can decide
// where transactions end (KIP-618). Without it transaction.boundary=connector is refused.
type TransactionBoundaryDefiner interface {
	// DefinesTransactionBoundaries is called with a config that was not checked yet.
	DefinesTransactionBoundaries(props map[string]string) bool
}

// SourceOffset is the offset of one source partition; a nil Offset means that it is to be
// forgotten.
type SourceOffset struct {
	Partition, Offset *data.Map
}

// SourceOffsetAlterer is implemented by source connectors that want to know of a change
// of their offsets by a user (KIP-875). Without it offsets are changed unchecked.
type SourceOffsetAlterer interface {
	// AlterOffsets is called before the change, while the connector is stopped, on an
	// instance that need not have been started. An error refuses the change. It must be
	// idempotent: the change may fail afterwards and be repeated.
	AlterOffsets(props map[string]string, offsets []SourceOffset) error
}

// SourceTask reads records (Java: o.a.k.connect.source.SourceTask). Start, Poll and Stop
// are called by one goroutine.
type SourceTask interface {
	Version() string
	// Start is called once. It should find out from the offsets in tc where to go on.
	Start(ctx context.Context, tc SourceTaskContext, props map[string]string) error
	// Poll returns the next records, in order. It may wait for some, until ctx ends: then
	// the task is to pause or stop, or an open transaction is due, and what Poll returns is
	// still sent. No records is no error, and neither is the error of ctx, but a Poll that
	// has nothing to return should wait a while.
	// A *RetriableError means that Poll is called again; any other error fails the task.
	//
	// The records belong to the runtime from then on. They may be in flight for long:
	// nothing that they refer to may be reused.
	Poll(ctx context.Context) ([]SourceRecord, error)
	// Stop is called once, after the last Poll, also when Start failed.
	Stop(ctx context.Context) error
}

// RecordCommitter is implemented by source tasks that want to know what became of each
// record.
type RecordCommitter interface {
	// CommitRecord is called when a record was written, or left out: then meta is nil (a
	// transform dropped it, or it failed and was tolerated). Calls come one after the
	// other, in the order of the records of a source partition, and concurrently with
	// Poll. An error is only logged.
	CommitRecord(ctx context.Context, record *SourceRecord, meta *RecordMetadata) error
}

// OffsetCommitter is implemented by source tasks that keep track of their position in
// the source system as well.
type OffsetCommitter interface {
	// Commit is called when offsets were committed, concurrently with Poll but never with
	// CommitRecord. An error is only logged.
	Commit(ctx context.Context) error
}

// SourceTaskContext is what the runtime offers a source task. It is safe for concurrent
// use.
type SourceTaskContext interface {
	// Configs returns the task's configuration with placeholders resolved.
	Configs() map[string]string
	// TaskID names the task.
	TaskID() TaskID
	// Offsets reads what was committed.
	Offsets() OffsetReader
	// Transaction lets the task end transactions; nil unless the worker's exactly-once
	// support is enabled and transaction.boundary is connector.
	Transaction() TransactionContext
	Logger() *zap.Logger
}

// OffsetReader reads committed source offsets (Java: OffsetStorageReader).
type OffsetReader interface {
	// Offset returns the offset of a source partition, nil if there is none. Whole numbers
	// come back as int64, others as float64, bytes as base64 text.
	Offset(ctx context.Context, partition *data.Map) (*data.Map, error)
	// Offsets reads several at once, in the order given.
	Offsets(ctx context.Context, partitions []*data.Map) ([]*data.Map, error)
}

// TransactionContext ends transactions at a task's wish (Java: TransactionContext,
// KIP-618). All take effect for records of the next batch that Poll returns. Asking for
// both commit and abort of the same is an error of the task and fails it.
type TransactionContext interface {
	// CommitTransaction commits after the batch.
	CommitTransaction()
	// CommitTransactionAt commits after the record with that index in the batch.
	CommitTransactionAt(index int)
	// AbortTransaction drops the records of the transaction after the batch; their source
	// offsets are committed all the same.
	AbortTransaction()
	// AbortTransactionAt does so after the record with that index in the batch.
	AbortTransactionAt(index int)
}
