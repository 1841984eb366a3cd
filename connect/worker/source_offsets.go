package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
)

// offsetReader implements connect.OffsetReader over a store (Java:
// OffsetStorageReaderImpl). It is safe for concurrent use. Where the JVM logs a partition
// or offset that cannot be used and returns none, which makes a task begin anew, it fails.
type offsetReader struct {
	life      context.Context //nolint:containedctx // of the task or connector: a zombie reads nothing
	store     storage.OffsetStore
	connector string
}

var errReaderClosed = &connect.Error{Msg: "Offset reader closed while attempting to read offsets. This is likely because the task was been " +
	"scheduled to stop but has taken longer than the graceful shutdown period to do so."}

// Offset implements connect.OffsetReader.
func (r *offsetReader) Offset(ctx context.Context, partition *data.Map) (*data.Map, error) {
	offsets, err := r.Offsets(ctx, []*data.Map{partition})
	if err != nil {
		return nil, err
	}
	return offsets[0], nil
}

// Offsets implements connect.OffsetReader.
func (r *offsetReader) Offsets(ctx context.Context, partitions []*data.Map) ([]*data.Map, error) {
	keys := make([][]byte, len(partitions))
	for i, p := range partitions {
		var err error
		if keys[i], err = records.OffsetKey(r.connector, p); err != nil {
			return nil, fmt.Errorf("source partition %v of connector %s: %w", p, r.connector, err)
		}
	}
	if r.life.Err() != nil {
		return nil, &connect.Error{Msg: "Failed to fetch offsets.", Err: errReaderClosed}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.life, func() { cancel(errReaderClosed) })()
	raw, err := r.store.Get(ctx, keys...)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, &connect.Error{Msg: "Failed to fetch offsets.", Err: err}
	}
	offsets := make([]*data.Map, len(partitions))
	for i, key := range keys {
		if offsets[i], err = records.DecodeOffsetValue(raw[string(key)]); err != nil {
			return nil, fmt.Errorf("offset of source partition %v of connector %s: %w", partitions[i], r.connector, err)
		}
	}
	return offsets, nil
}

// sourcePartition is a source partition of which records are on their way. It belongs to
// a partitionTable.
type sourcePartition struct {
	id  string // what tells it from others: its key in the offset topic if it has one
	key []byte
	err error // why it cannot have a key
	// untracked: records without partition and offset, which leave no trace.
	untracked bool

	head, tail *submitted // records in the order in which they were sent
	// offset may be committed when committable is set; nil is a tombstone.
	offset      *data.Map
	committable bool
	listed      bool // in partitionTable.listed
}

// partitionTable finds the source partition of a record: at no cost for a run of records
// of one partition, and cheaply for maps it has seen. It needs a lock around it.
type partitionTable struct {
	connector string
	byID      map[string]*sourcePartition
	byMap     map[*data.Map]*sourcePartition // bounded; only of partitions in byID
	last      *data.Map
	of        *sourcePartition   // the partition of last, nil: none
	listed    []*sourcePartition // what the next drainTo has to look at
	untracked sourcePartition
}

// maxKnownMaps bounds what is remembered of a task that makes a new map for each record.
const maxKnownMaps = 1024

func newPartitionTable(connector string) *partitionTable {
	return &partitionTable{connector: connector, byID: map[string]*sourcePartition{}, byMap: map[*data.Map]*sourcePartition{},
		untracked: sourcePartition{untracked: true}}
}

// find returns the partition of a record.
func (t *partitionTable) find(r *connect.SourceRecord) *sourcePartition {
	m := r.SourcePartition
	if m == nil && r.SourceOffset == nil {
		return &t.untracked
	}
	if t.of != nil && (m == t.last || m != nil && t.last != nil && m.Len() == t.last.Len() && m.Equal(t.last)) {
		return t.of
	}
	p := t.byMap[m]
	if p == nil {
		p = t.add(m)
	}
	t.last, t.of = m, p
	return p
}

func (t *partitionTable) add(m *data.Map) *sourcePartition {
	key, err := records.OffsetKey(t.connector, m)
	id := string(key)
	if err != nil {
		id = "invalid " + m.String() // no key begins like that
	}
	p := t.byID[id]
	if p == nil {
		p = &sourcePartition{id: id, key: key, err: err}
		t.byID[id] = p
	}
	if len(t.byMap) >= maxKnownMaps {
		clear(t.byMap)
	}
	t.byMap[m] = p
	return p
}

// commit notes an offset that may be committed.
func (t *partitionTable) commit(p *sourcePartition, offset *data.Map) {
	p.offset, p.committable = offset, !p.untracked
	t.list(p)
}

// list makes the next drainTo look at p.
func (t *partitionTable) list(p *sourcePartition) {
	if !p.listed && !p.untracked {
		p.listed = true
		t.listed = append(t.listed, p)
	}
}

// drainTo moves what may be committed to w and forgets partitions without records on
// their way.
func (t *partitionTable) drainTo(w *offsetWriter) {
	gone := false
	for _, p := range t.listed {
		if p.committable {
			w.put(p, p.offset)
		}
		p.offset, p.committable, p.listed = nil, false, false
		if p.head == nil {
			delete(t.byID, p.id)
			gone = true
		}
	}
	clear(t.listed)
	t.listed = t.listed[:0]
	if gone {
		// No map may lead to a partition that is not in byID: there would be two queues
		// of the same partition, and the later one would commit past the earlier one.
		clear(t.byMap)
		t.last, t.of = nil, nil
	}
}

// offsetWriter keeps offsets until they are stored (Java: OffsetStorageWriter): those of a
// flush that failed stay for the next, under newer ones. It belongs to one goroutine.
type offsetWriter struct {
	store     storage.OffsetStore
	connector string
	log       *zap.Logger
	pending   map[string]pendingOffset
}

type pendingOffset struct {
	key    []byte
	err    error
	offset *data.Map
}

func newOffsetWriter(store storage.OffsetStore, connector string, log *zap.Logger) *offsetWriter {
	return &offsetWriter{store: store, connector: connector, log: log, pending: map[string]pendingOffset{}}
}

func (w *offsetWriter) put(p *sourcePartition, offset *data.Map) {
	w.pending[p.id] = pendingOffset{p.key, p.err, offset}
}

func (w *offsetWriter) empty() bool { return len(w.pending) == 0 }

// flush stores everything that is pending.
func (w *offsetWriter) flush(ctx context.Context) error {
	entries := make([]storage.OffsetEntry, 0, len(w.pending))
	for _, id := range slices.Sorted(maps.Keys(w.pending)) {
		p := w.pending[id]
		value, err := records.OffsetValue(p.offset)
		if p.err != nil {
			err = p.err
		}
		if err != nil {
			w.log.Error(fmt.Sprintf("CRITICAL: Failed to serialize offset data, making it impossible to commit offsets under namespace %s. "+
				"This likely won't recover unless the unserializable partition or offset information is overwritten.", w.connector), zap.Error(err))
			return err
		}
		entries = append(entries, storage.OffsetEntry{Key: p.key, Value: value})
	}
	if err := w.store.Put(ctx, entries...); err != nil {
		return err
	}
	clear(w.pending)
	return nil
}
