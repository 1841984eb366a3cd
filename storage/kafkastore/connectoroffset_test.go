package kafkastore

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/memstore"
	"github.com/penstock-io/penstock/storage/storetest"
)

// guarded is a store whose calls a test can look into.
type guarded struct {
	storage.OffsetStore
	mu     sync.Mutex
	before func(ctx context.Context, call string, entries []storage.OffsetEntry) error
}

func (g *guarded) set(before func(ctx context.Context, call string, entries []storage.OffsetEntry) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.before = before
}

func (g *guarded) look(ctx context.Context, call string, entries []storage.OffsetEntry) error {
	g.mu.Lock()
	before := g.before
	g.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx, call, entries)
}

func (g *guarded) Put(ctx context.Context, entries ...storage.OffsetEntry) error {
	if err := g.look(ctx, "put", entries); err != nil {
		return err
	}
	return g.OffsetStore.Put(ctx, entries...)
}

func (g *guarded) Get(ctx context.Context, keys ...[]byte) (map[string][]byte, error) {
	if err := g.look(ctx, "get", nil); err != nil {
		return nil, err
	}
	return g.OffsetStore.Get(ctx, keys...)
}

func memory(t *testing.T, pairs ...string) *guarded {
	t.Helper()
	s := memstore.NewOffsetStore()
	must(t, s.Start(t.Context()))
	must(t, s.Put(t.Context(), storetest.Offsets(pairs...)...))
	return &guarded{OffsetStore: s}
}

func TestConnectorOffsetStore(t *testing.T) {
	storetest.RunOffsets(t, func(t *testing.T) func() storage.OffsetStore {
		primary, secondary := memstore.NewOffsetStore(), memory(t)
		return func() storage.OffsetStore { return NewConnectorOffsetStore(primary, secondary, zap.NewNop()) }
	})
}

// startConnectorOffsets starts a store upon a primary that is not started, or is already.
func startConnectorOffsets(t *testing.T, primary, secondary storage.OffsetStore, log *zap.Logger) *ConnectorOffsetStore {
	t.Helper()
	must(t, primary.Stop(t.Context())) // in memory this loses nothing
	s := NewConnectorOffsetStore(primary, secondary, log)
	must(t, s.Start(t.Context()))
	t.Cleanup(func() { must(t, s.Stop(context.Background())) })
	return s
}

func TestTheWorkersOffsetsAreFallenBackUpon(t *testing.T) {
	primary, secondary := memory(t, key1, "own"), memory(t, key1, "worker's", key2, "worker's", `["b",{}]`, "{}")
	s := startConnectorOffsets(t, primary, secondary, zap.NewNop())
	equal(t, map[string]string{key1: "own", key2: "worker's"}, storetest.GetOffsets(t, s, key1, key2, "none"))
	equal(t, []string{"{f=1}", "{f=2}"}, storetest.SourcePartitions(t, s, "a"))
	equal(t, []string{"{}"}, storetest.SourcePartitions(t, s, "b"))

	broken := errors.New("broken")
	secondary.set(func(context.Context, string, []storage.OffsetEntry) error { return broken })
	equal(t, map[string]string{key1: "own"}, storetest.GetOffsets(t, s, key1)) // it is not asked without need
	if _, err := s.Get(t.Context(), []byte(key2)); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "worker's offset store: ") {
		t.Errorf("error %v", err)
	}
	primary.set(func(context.Context, string, []storage.OffsetEntry) error { return broken })
	if _, err := s.Get(t.Context(), []byte(key1)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

func TestOffsetsAreCopiedToTheWorkers(t *testing.T) {
	primary, secondary := memory(t), memory(t)
	s := startConnectorOffsets(t, primary, secondary, zap.NewNop())
	for _, v := range []string{"1", "2", "3"} {
		must(t, s.Put(t.Context(), storetest.Offsets(key1, v, key2, v)...))
	}
	must(t, s.Stop(t.Context())) // it waits for the copies
	equal(t, map[string]string{key1: "3", key2: "3"}, storetest.GetOffsets(t, secondary, key1, key2))
}

func TestTombstonesGoToTheWorkersFirst(t *testing.T) {
	primary, secondary := memory(t, key1, "1", key2, "2"), memory(t, key1, "1")
	s := startConnectorOffsets(t, primary, secondary, zap.NewNop())
	broken := errors.New("broken")
	secondary.set(func(_ context.Context, call string, _ []storage.OffsetEntry) error {
		if call == "put" {
			return broken
		}
		return nil
	})
	err := s.Put(t.Context(), storetest.Offsets(key2, "3", key1, "-")...)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "tombstones could not be written to the worker's offset store") {
		t.Errorf("error %v", err)
	}
	equal(t, map[string]string{key1: "1", key2: "2"}, storetest.GetOffsets(t, primary, key1, key2))

	var calls []string
	note := func(who string) func(context.Context, string, []storage.OffsetEntry) error {
		return func(_ context.Context, call string, entries []storage.OffsetEntry) error {
			if call == "put" && len(entries) > 0 && entries[0].Value == nil {
				calls = append(calls, who)
			}
			return nil
		}
	}
	secondary.set(note("worker's"))
	primary.set(note("own"))
	must(t, s.Put(t.Context(), storetest.Offsets(key1, "-")...))
	equal(t, []string{"worker's", "own"}, calls)
	equal(t, map[string]string{key2: "2"}, storetest.GetOffsets(t, s, key1, key2))
}

func TestACopyThatFailsIsAWarning(t *testing.T) {
	primary, secondary := memory(t), memory(t)
	core, logs := observer.New(zap.WarnLevel)
	s := startConnectorOffsets(t, primary, secondary, zap.New(core))
	secondary.set(func(context.Context, string, []storage.OffsetEntry) error { return errors.New("broken") })
	must(t, s.Put(t.Context(), storetest.Offsets(key1, "1")...))
	storetest.Eventually(t, "a warning", func() bool { return logs.Len() == 1 })
	secondary.set(nil)
	must(t, s.Put(t.Context(), storetest.Offsets(key1, "2")...))
	must(t, s.Stop(t.Context()))
	equal(t, map[string]string{key1: "2"}, storetest.GetOffsets(t, secondary, key1))
	equal(t, 1, logs.Len())
	// What the primary does not take is not copied.
	primary.set(func(_ context.Context, call string, _ []storage.OffsetEntry) error { return errors.New("full") })
	s = startConnectorOffsets(t, primary, secondary, zap.New(core))
	if err := s.Put(t.Context(), storetest.Offsets(key1, "3")...); err == nil {
		t.Error("a put that the primary refused succeeded")
	}
	must(t, s.Stop(t.Context()))
	equal(t, map[string]string{key1: "2"}, storetest.GetOffsets(t, secondary, key1))
}

// A copy that is on its way must not come after the tombstone of its key.
func TestATombstoneOvertakesNoCopy(t *testing.T) {
	for _, held := range []string{"get", "put"} {
		t.Run("held at "+held, func(t *testing.T) {
			primary, secondary := memory(t), memory(t)
			reached, release := make(chan struct{}), make(chan struct{})
			var once sync.Once
			hold := func(_ context.Context, call string, entries []storage.OffsetEntry) error {
				if call == held && (entries == nil || entries[0].Value != nil) {
					once.Do(func() { close(reached); <-release })
				}
				return nil
			}
			if held == "get" { // the copy reads from the primary, and writes to the secondary
				primary.set(hold)
			} else {
				secondary.set(hold)
			}
			s := startConnectorOffsets(t, primary, secondary, zap.NewNop())
			must(t, s.Put(t.Context(), storetest.Offsets(key1, "1", key2, "1")...))
			<-reached
			done := make(chan error, 1)
			go func() { done <- s.Put(t.Context(), storetest.Offsets(key1, "-")...) }()
			if held == "get" {
				must(t, <-done) // it does not wait for a copy that waits for it
			}
			close(release)
			if held == "put" {
				must(t, <-done)
			}
			must(t, s.Stop(t.Context()))
			equal(t, map[string]string{key2: "1"}, storetest.GetOffsets(t, secondary, key1, key2))
			must(t, primary.Start(t.Context()))
			equal(t, map[string]string{key2: "1"}, storetest.GetOffsets(t, primary, key1, key2))
		})
	}
}

func TestStopDoesNotWaitForCopiesForEver(t *testing.T) {
	primary, secondary := memory(t), memory(t)
	reached := make(chan struct{})
	secondary.set(func(ctx context.Context, _ string, _ []storage.OffsetEntry) error {
		close(reached)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	s := startConnectorOffsets(t, primary, secondary, zap.NewNop())
	must(t, s.Put(t.Context(), storetest.Offsets(key1, "1")...))
	<-reached
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	must(t, s.Stop(ctx))
}

// Offsets of an aborted transaction must not be found in the worker's store: what they
// stand for was not written.
func TestOnlyCommittedOffsetsAreCopied(t *testing.T) {
	c := kafkatest.New(t)
	p, err := kafka.NewProducer(t.Context(), c.Props("transactional.id", "g-a-0"), zap.NewNop())
	must(t, err)
	defer p.Close()
	must(t, p.InitTransactions(t.Context()))
	o := offsetOptions(t, c, "isolation.level", "read_committed")
	o.Send = p.Send
	primary, secondary := NewOffsetStore(o), memory(t)
	s := NewConnectorOffsetStore(primary, secondary, zap.NewNop())
	must(t, s.Start(t.Context()))
	stopped := false
	defer func() {
		if !stopped {
			s.Stop(context.Background())
		}
	}()
	copied := func(pairs ...string) func() bool {
		return func() bool {
			found := storetest.GetOffsets(t, secondary, key1, key2)
			for i := 0; i < len(pairs); i += 2 {
				if found[pairs[i]] != pairs[i+1] {
					return false
				}
			}
			return true
		}
	}
	must(t, p.BeginTransaction())
	must(t, s.Put(t.Context(), storetest.Offsets(key1, "aborted")...))
	must(t, p.AbortTransaction(t.Context()))
	must(t, p.BeginTransaction())
	must(t, s.Put(t.Context(), storetest.Offsets(key2, "1")...))
	equal(t, map[string]string{}, storetest.GetOffsets(t, secondary, key1, key2))
	must(t, p.CommitTransaction(t.Context()))
	storetest.Eventually(t, "the copy", copied(key2, "1"))
	equal(t, map[string]string{key2: "1"}, storetest.GetOffsets(t, secondary, key1, key2))
	equal(t, map[string]string{key2: "1"}, storetest.GetOffsets(t, s, key1, key2))
	for _, v := range []string{"2", "3", "4"} {
		must(t, p.BeginTransaction())
		must(t, s.Put(t.Context(), storetest.Offsets(key1, "-", key2, v)...))
		must(t, s.Put(t.Context(), storetest.Offsets(key1, v)...)) // the tombstone does not wait for the transaction
		must(t, p.CommitTransaction(t.Context()))
	}
	must(t, s.Stop(t.Context()))
	stopped = true
	equal(t, map[string]string{key1: "4", key2: "4"}, storetest.GetOffsets(t, secondary, key1, key2))
}
