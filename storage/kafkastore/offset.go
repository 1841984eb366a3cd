package kafkastore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/state"
	"github.com/penstock-io/penstock/storage/topiclog"
)

// OffsetOptions are what an OffsetStore is made of.
type OffsetOptions struct {
	Topic Topic
	// Producer and Consumer are properties of Java clients, as the worker's settings give
	// them. Producer is not used when Send is set.
	Producer, Consumer map[string]string
	// Admin creates and describes the topic and asks for its end; it stays the caller's
	// and must live as long as the store.
	Admin *kafka.Client
	Log   *zap.Logger
	// Send replaces the store's own producer, e.g. by one that writes into a task's open
	// transaction; nil = own producer of Producer. It must return when Kafka has all
	// records, or with the first error, and be safe for concurrent use.
	Send func(ctx context.Context, records ...kafka.ProducerRecord) error
}

// OffsetStore is a storage.OffsetStore in a topic: the worker's (offset.storage.topic), or
// a connector's (offsets.storage.topic). It holds all offsets in memory.
//
// It shows what it has read back. Which offsets those are is decided by the consumer's
// isolation.level: with read_committed Get and Partitions wait for all transactions that
// are open in the topic when they are called, whoever's they are: what is behind them
// might have been committed. A dead producer's transaction ends when a successor fences
// it, or after its transaction.timeout.ms, unless Kafka itself loses that end
// (docs/explanation/delivery.md, with what to do then); and a task whose
// Send writes into a transaction must not ask before that has ended.
type OffsetStore struct {
	o       OffsetOptions
	claimed atomic.Bool // Start was called
	log     atomic.Pointer[topiclog.Log]

	mu      sync.RWMutex
	offsets *state.Offsets
}

var _ storage.OffsetStore = (*OffsetStore)(nil)

// NewOffsetStore returns a store that does nothing until Start.
func NewOffsetStore(o OffsetOptions) *OffsetStore {
	return &OffsetStore{o: o, offsets: state.NewOffsets()}
}

// Start creates or checks the topic, reads it, and then follows it. A store can be
// started once. It goes on through outages, for 15 minutes at most. Unlike the JVM's it does
// not wait for open transactions: Get and Partitions do.
func (s *OffsetStore) Start(ctx context.Context) error {
	if s.claimed.Swap(true) {
		return errStarted
	}
	if err := EnsureOffsetTopic(ctx, s.o.Admin, s.o.Topic, s.o.Log); err != nil {
		return err
	}
	o := topiclog.Options{Topic: s.o.Topic.Name, Consumer: s.o.Consumer, Admin: s.o.Admin, Stable: true, Read: s.read, Log: s.o.Log}
	if s.o.Send == nil {
		if o.Producer = s.o.Producer; o.Producer == nil {
			o.Producer = map[string]string{} // it says what is missing
		}
	}
	log, err := topiclog.Open(ctx, o)
	if err != nil {
		return err
	}
	s.log.Store(log)
	log.Follow()
	return nil
}

// Stop ends the reader and closes the clients; calls under way fail. It waits for a
// request that Kafka does not answer, for request.timeout.ms at most.
func (s *OffsetStore) Stop(context.Context) error {
	if log := s.log.Swap(nil); log != nil {
		return log.Close()
	}
	return nil
}

// read takes over a batch of the topic.
func (s *OffsetStore) read(b kafka.Batch) {
	s.mu.Lock()
	errs := make(map[int64]error)
	for i := range b.Records {
		r := &b.Records[i]
		if err := s.offsets.Apply(r.Key, r.Value); err != nil {
			errs[r.Offset] = err
		}
	}
	s.mu.Unlock()
	for offset, err := range errs {
		s.o.Log.Warn("Ignoring the source partition of an offset record: its key is not that of a connector's offset",
			zap.String("topic", b.Topic), zap.Int32("partition", b.Partition), zap.Int64("offset", offset), zap.Error(err))
	}
}

// Get reads to the end of the topic as it is now, and returns copies of the values of
// those keys that have one.
func (s *OffsetStore) Get(ctx context.Context, keys ...[]byte) (map[string][]byte, error) {
	if err := s.readToEnd(ctx); err != nil {
		return nil, fmt.Errorf("Failed to fetch offsets: %w", err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.offsets.Get(keys...), nil
}

// Partitions reads to the end of the topic as it is now, and returns the source
// partitions of a connector that have an offset.
func (s *OffsetStore) Partitions(ctx context.Context, connector string) ([]*data.Map, error) {
	if err := s.readToEnd(ctx); err != nil {
		return nil, fmt.Errorf("look up the source partitions of connector %s: %w", connector, err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.offsets.Partitions(connector), nil
}

func (s *OffsetStore) readToEnd(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	log := s.log.Load()
	if log == nil {
		return errNotStarted
	}
	return log.ReadToEnd(ctx)
}

// Put writes the entries in one go and returns when Kafka has all of them. When it fails,
// any of them may have been written. Entries of the same key are written in the order
// given, and after those of a Put that has returned.
func (s *OffsetStore) Put(ctx context.Context, entries ...storage.OffsetEntry) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	log := s.log.Load()
	if log == nil {
		return errNotStarted
	}
	for i, e := range entries {
		if e.Key == nil {
			return fmt.Errorf("offset %d of %d has no key", i+1, len(entries))
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if err := s.send(ctx, log, entries); err != nil {
		return fmt.Errorf("write %d offsets to topic %s: %w", len(entries), s.o.Topic.Name, err)
	}
	return nil
}

func (s *OffsetStore) send(ctx context.Context, log *topiclog.Log, entries []storage.OffsetEntry) error {
	if s.o.Send == nil {
		out := make([]topiclog.Record, len(entries))
		for i, e := range entries {
			out[i] = topiclog.Record{Key: string(e.Key), Value: e.Value}
		}
		return log.Append(ctx, out...)
	}
	out := make([]kafka.ProducerRecord, len(entries))
	for i, e := range entries {
		out[i] = kafka.ProducerRecord{Topic: s.o.Topic.Name, Partition: -1, Timestamp: connect.NoTimestamp, Key: e.Key, Value: e.Value}
	}
	return s.o.Send(ctx, out...)
}
