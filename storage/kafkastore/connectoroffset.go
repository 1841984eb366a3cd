package kafkastore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/state"
)

// mirrorTime is how long Stop waits for the last mirrored offsets.
const mirrorTime = 5 * time.Second

// ConnectorOffsetStore is the offset store of a connector with an offset topic of its own,
// the primary, beside the worker's, the secondary (Java: ConnectorOffsetBackingStore).
//
// An offset that the primary has not is looked up in the secondary, so that a connector
// goes on where it was when it gets a topic of its own. That is what Kafka documents; its
// code in 4.3 lets a missing offset of the primary hide the secondary's.
//
// Because of the look-up, the secondary must never be ahead of the primary:
//
//   - Tombstones go to the secondary first, and must arrive there: else an offset that was
//     reset would come back.
//   - Other offsets are copied to the secondary in the background, as the primary gives
//     them back. With a task's transaction as Send they are copied when it was committed,
//     not before: those of an aborted one must not be found, or records would be lost. A
//     copy that fails is a warning; it is made good with the next offset of the same key.
type ConnectorOffsetStore struct {
	primary, secondary storage.OffsetStore
	log                *zap.Logger

	ctx     context.Context //nolint:containedctx // the life of the mirror
	cancel  context.CancelFunc
	mirror  sync.WaitGroup
	putting chan struct{} // held by the Put under way
	writing chan struct{} // held by who writes to the secondary; after putting, before mu

	mu      sync.Mutex
	stopped bool
	running bool                // a goroutine mirrors
	pending map[string]struct{} // keys to be mirrored
	erased  map[string]struct{} // tombstones since the mirror began its round
}

var _ storage.OffsetStore = (*ConnectorOffsetStore)(nil)

// NewConnectorOffsetStore returns the store of a connector. The primary is started and
// stopped with it; the secondary stays the caller's, and must be started before and
// stopped after it.
func NewConnectorOffsetStore(primary, secondary storage.OffsetStore, log *zap.Logger) *ConnectorOffsetStore {
	s := &ConnectorOffsetStore{
		primary: primary, secondary: secondary, log: log,
		putting: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		pending: map[string]struct{}{}, erased: map[string]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Start starts the primary.
func (s *ConnectorOffsetStore) Start(ctx context.Context) error { return s.primary.Start(ctx) }

// Stop waits for offsets that are being mirrored, five seconds or until ctx ends, and
// stops the primary.
func (s *ConnectorOffsetStore) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.mirror.Wait()
		close(done)
	}()
	t := time.NewTimer(mirrorTime)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	case <-ctx.Done():
	}
	s.cancel()
	<-done
	return s.primary.Stop(ctx)
}

// Get returns the primary's values, and the secondary's for keys that the primary has not.
// The secondary is asked only for those.
func (s *ConnectorOffsetStore) Get(ctx context.Context, keys ...[]byte) (map[string][]byte, error) {
	found, err := s.primary.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	var missing [][]byte
	for _, k := range keys {
		if _, ok := found[string(k)]; !ok {
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	more, err := s.secondary.Get(ctx, missing...)
	if err != nil {
		return nil, fmt.Errorf("worker's offset store: %w", err)
	}
	maps.Copy(found, more)
	return found, nil
}

// Partitions returns the source partitions that have an offset in either store.
func (s *ConnectorOffsetStore) Partitions(ctx context.Context, connector string) ([]*data.Map, error) {
	first, err := s.primary.Partitions(ctx, connector)
	if err != nil {
		return nil, err
	}
	second, err := s.secondary.Partitions(ctx, connector)
	if err != nil {
		return nil, fmt.Errorf("worker's offset store: %w", err)
	}
	return state.DistinctPartitions(slices.Concat(first, second)), nil
}

// Put returns when tombstones are in both stores and everything is in the primary. After
// an error, tombstones may be in the secondary alone: the offset in the primary counts.
// One Put works at a time: an offset must not come between the two tombstones of its key,
// or its copy would outlive them.
func (s *ConnectorOffsetStore) Put(ctx context.Context, entries ...storage.OffsetEntry) error {
	select {
	case s.putting <- struct{}{}:
		defer func() { <-s.putting }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var tombstones []storage.OffsetEntry
	for _, e := range entries {
		if e.Value == nil {
			tombstones = append(tombstones, e)
		}
	}
	if err := s.erase(ctx, tombstones); err != nil {
		return err
	}
	if err := s.primary.Put(ctx, entries...); err != nil {
		return err
	}
	if len(tombstones) < len(entries) {
		s.copyLater(entries)
	}
	return nil
}

// erase writes tombstones to the secondary. A copy of an older offset that is on its way
// there must not come after them.
func (s *ConnectorOffsetStore) erase(ctx context.Context, tombstones []storage.OffsetEntry) error {
	if len(tombstones) == 0 {
		return nil
	}
	s.mu.Lock()
	for _, e := range tombstones {
		delete(s.pending, string(e.Key))
		if s.running {
			s.erased[string(e.Key)] = struct{}{}
		}
	}
	s.mu.Unlock()
	if err := s.toSecondary(ctx, func() []storage.OffsetEntry { return tombstones }); err != nil {
		return fmt.Errorf("Skipping offsets write because tombstones could not be written to the worker's offset store: %w", err)
	}
	return nil
}

// toSecondary writes what choose returns, one caller at a time.
func (s *ConnectorOffsetStore) toSecondary(ctx context.Context, choose func() []storage.OffsetEntry) error {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if entries := choose(); len(entries) > 0 {
		return s.secondary.Put(ctx, entries...)
	}
	return nil
}

// copyLater has the keys mirrored. What waits is bounded by the number of keys.
func (s *ConnectorOffsetStore) copyLater(entries []storage.OffsetEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	for _, e := range entries {
		if e.Value != nil {
			s.pending[string(e.Key)] = struct{}{}
		}
	}
	if !s.running {
		s.running = true
		s.mirror.Go(s.copyAll)
	}
}

// copyAll mirrors until nothing is left to do.
func (s *ConnectorOffsetStore) copyAll() {
	for {
		s.mu.Lock()
		clear(s.erased)
		keys := make([][]byte, 0, len(s.pending))
		for k := range s.pending {
			keys = append(keys, []byte(k))
		}
		clear(s.pending)
		if len(keys) == 0 || s.ctx.Err() != nil {
			s.running = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if err := s.copyRound(keys); err != nil {
			s.log.Warn("Failed to write offsets to the worker's offset store as well; those of the connector's own topic count",
				zap.Int("offsets", len(keys)), zap.Error(err))
		}
	}
}

// copyRound copies what the primary has of the keys. Reading it waits for the transaction
// in which they were written; nothing is held meanwhile that its task might wait for.
func (s *ConnectorOffsetStore) copyRound(keys [][]byte) error {
	found, err := s.primary.Get(s.ctx, keys...)
	if err != nil {
		return err
	}
	return s.toSecondary(s.ctx, func() []storage.OffsetEntry {
		s.mu.Lock()
		defer s.mu.Unlock()
		entries := make([]storage.OffsetEntry, 0, len(found))
		for k, v := range found {
			if _, gone := s.erased[k]; !gone {
				entries = append(entries, storage.OffsetEntry{Key: []byte(k), Value: v})
			}
		}
		return entries
	})
}
