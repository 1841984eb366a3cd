package memstore

import (
	"context"
	"fmt"
	"sync"

	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/state"
)

// OffsetStore is a storage.OffsetStore in memory, for tests (Java:
// MemoryOffsetBackingStore). Its offsets outlive Stop: a store that is started again has
// them still.
type OffsetStore struct {
	mu      sync.RWMutex
	started bool
	offsets *state.Offsets
}

var _ storage.OffsetStore = (*OffsetStore)(nil)

// NewOffsetStore returns a store without offsets.
func NewOffsetStore() *OffsetStore { return &OffsetStore{offsets: state.NewOffsets()} }

// Start makes the store ready.
func (s *OffsetStore) Start(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return errStarted
	}
	s.started = true
	return nil
}

// Stop makes all calls fail, until the next Start.
func (s *OffsetStore) Stop(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = false
	return nil
}

// Get returns copies of the values of those keys that have one.
func (s *OffsetStore) Get(ctx context.Context, keys ...[]byte) (map[string][]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	return s.offsets.Get(keys...), nil
}

// Put sets all values, or none when an entry has no key.
func (s *OffsetStore) Put(ctx context.Context, entries ...storage.OffsetEntry) error {
	for i, e := range entries {
		if e.Key == nil {
			return fmt.Errorf("offset %d of %d has no key", i+1, len(entries))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	for _, e := range entries {
		_ = s.offsets.Apply(e.Key, e.Value) // a strange key is kept, but is nobody's
	}
	return nil
}

// Partitions returns the source partitions of a connector that have an offset.
func (s *OffsetStore) Partitions(ctx context.Context, connector string) ([]*data.Map, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	return s.offsets.Partitions(connector), nil
}

func (s *OffsetStore) ready(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !s.started {
		return errNotStarted
	}
	return nil
}
