package filestore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/state"
)

// Property is the worker property that names the file.
const Property = "offset.storage.file.filename"

// OffsetStore is a storage.OffsetStore in a file. The file is read at the start and
// written anew with every Put; while the store is started nobody else may use it, for
// which there is a lock in <file>.lock.
type OffsetStore struct {
	path string
	log  *zap.Logger
	max  int // bytes of the file

	turn chan struct{} // held by Start, Stop and the Put under way
	// Of who holds turn.
	file    *offsetFile // nil before Start and after Stop
	fromJVM bool        // the file on disk is still the JVM worker's

	mu      sync.RWMutex
	offsets *state.Offsets // never changed, but replaced; nil before Start and after Stop
}

var _ storage.OffsetStore = (*OffsetStore)(nil)

// NewOffsetStore returns a store that does nothing until Start. The file need not exist,
// but its directory must.
func NewOffsetStore(path string, log *zap.Logger) *OffsetStore {
	return &OffsetStore{path: path, log: log, max: maxFile, turn: make(chan struct{}, 1)}
}

var (
	errStarted    = errors.New("the store was started before")
	errNotStarted = errors.New("the store is not started, or stopped")
)

// Start locks and reads the file. It fails when another worker has it, and for a file that
// it does not understand: going on without would send everything again.
func (s *OffsetStore) Start(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.leave()
	if s.file != nil {
		return errStarted
	}
	file, err := openFile(s.path, s.max)
	if err != nil {
		return err
	}
	offsets, fromJVM, err := s.load(file)
	if err != nil {
		return errors.Join(err, file.close())
	}
	if fromJVM {
		s.log.Info("The offset file was written by a JVM worker; the next write replaces it and keeps a copy",
			zap.String("path", file.path), zap.Int("offsets", offsets.Len()))
	}
	s.file, s.fromJVM = file, fromJVM
	s.show(offsets)
	return nil
}

func (s *OffsetStore) load(file *offsetFile) (offsets *state.Offsets, fromJVM bool, err error) {
	content, err := file.read()
	if err != nil {
		return nil, false, err
	}
	offsets = state.NewOffsets()
	if len(content) == 0 {
		return offsets, false, nil // as in the JVM: made by touch, or there is none
	}
	decode := decodeDocument
	if fromJVM = isJavaStream(content); fromJVM {
		decode = decodeJavaMap
	}
	entries, err := decode(content)
	if err != nil {
		return nil, false, fmt.Errorf("offset file %s (%s) is damaged: %w. "+
			"Restore it from a backup, mend it, or move it away to start without offsets: then source connectors begin anew",
			file.path, Property, err)
	}
	for _, e := range entries {
		if err := offsets.Apply(e.Key, e.Value); err != nil {
			s.log.Warn("Ignoring the source partition of an offset: its key is not that of a connector's offset",
				zap.String("path", file.path), zap.Error(err))
		}
	}
	return offsets, fromJVM, nil
}

// Stop waits for the Put under way and unlocks the file. The lock's own file stays.
func (s *OffsetStore) Stop(ctx context.Context) error {
	if err := s.take(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	defer s.leave()
	if s.file == nil {
		return nil
	}
	s.show(nil)
	err := s.file.close()
	s.file = nil
	return err
}

// Get returns copies of the values of those keys that have one.
func (s *OffsetStore) Get(ctx context.Context, keys ...[]byte) (map[string][]byte, error) {
	offsets, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return offsets.Get(keys...), nil
}

// Partitions returns the source partitions of a connector that have an offset.
func (s *OffsetStore) Partitions(ctx context.Context, connector string) ([]*data.Map, error) {
	offsets, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return offsets.Partitions(connector), nil
}

// Put returns when all entries are on disk, or none of them; only an error of the last
// step, making the new file's name durable, leaves that open until the next Put. One Put
// works at a time.
func (s *OffsetStore) Put(ctx context.Context, entries ...storage.OffsetEntry) error {
	for i, e := range entries {
		if e.Key == nil {
			return fmt.Errorf("offset %d of %d has no key", i+1, len(entries))
		}
	}
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.leave()
	if s.file == nil {
		return errNotStarted
	}
	if len(entries) == 0 {
		return nil
	}
	next := s.offsets.Clone()
	for _, e := range entries {
		_ = next.Apply(e.Key, e.Value) // a strange key is kept, but is nobody's
	}
	if err := s.save(next); err != nil {
		return fmt.Errorf("write %d offsets to file %s (%s): %w", len(entries), s.file.path, Property, err)
	}
	s.show(next)
	return nil
}

func (s *OffsetStore) save(offsets *state.Offsets) error {
	content := encodeDocument(offsets)
	if len(content) > s.max {
		return fmt.Errorf("the file would have %d bytes, which is more than %d: "+
			"use distributed mode for so many source partitions", len(content), s.max)
	}
	if s.fromJVM {
		if err := s.file.keepCopy(); err != nil {
			return err
		}
	}
	if err := s.file.replace(content); err != nil {
		return err
	}
	s.fromJVM = false
	return nil
}

func (s *OffsetStore) show(offsets *state.Offsets) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offsets = offsets
}

func (s *OffsetStore) current(ctx context.Context) (*state.Offsets, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.offsets == nil {
		return nil, errNotStarted
	}
	return s.offsets, nil
}

func (s *OffsetStore) take(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *OffsetStore) leave() { <-s.turn }
