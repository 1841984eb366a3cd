package kafkastore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
	"github.com/penstock-io/penstock/storage/state"
	"github.com/penstock-io/penstock/storage/topiclog"
)

// StatusStore is the storage.StatusStore of a distributed worker. It shows what it has
// read back, not what it is about to write.
//
// Puts are written in the background, in order per key. Of puts that wait for the same
// key the last one wins; the topic is compacted, so nothing is lost by that. A put that
// failed for a reason that may pass is repeated until a newer one replaces it, its
// connector or task is deleted, or another worker has spoken in a newer generation.
type StatusStore struct {
	*state.StatusReader
	statuses *state.SharedStatuses

	o      Options
	ctx    context.Context //nolint:containedctx // the life of the writers
	cancel context.CancelFunc
	writes sync.WaitGroup

	mu      sync.RWMutex     // before that of statuses
	claimed bool             // Start was called
	log     *topiclog.Log    // nil before Start and after Stop
	lanes   map[string]*lane // by key of the records
}

var _ storage.StatusStore = (*StatusStore)(nil)

// NewStatusStore returns a store that does nothing until Start.
func NewStatusStore(o Options) *StatusStore {
	statuses := state.NewSharedStatuses()
	s := &StatusStore{StatusReader: statuses.Reader(), statuses: statuses, o: o, lanes: map[string]*lane{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Start creates or checks the topic, reads it, and then follows it. A store can be
// started once.
func (s *StatusStore) Start(ctx context.Context) error {
	s.mu.Lock()
	again := s.claimed
	s.claimed = true
	s.mu.Unlock()
	if again {
		return errStarted
	}
	if err := EnsureTopic(ctx, s.o.Admin, s.o.Topic, Statuses, s.o.Log); err != nil {
		return err
	}
	log, err := topiclog.Open(ctx, topiclog.Options{
		Topic: s.o.Topic.Name, Producer: s.o.Producer, Consumer: s.o.Consumer, Admin: s.o.Admin, Read: s.read, Log: s.o.Log,
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.log = log
	s.mu.Unlock()
	log.Follow()
	return nil
}

// stopTime is how long Stop waits for the last statuses to be written.
const stopTime = 5 * time.Second

var errStopTime = fmt.Errorf("the last statuses were not written within %s", stopTime)

// Stop writes what is waiting, for five seconds or until ctx ends, then ends the reader
// and waits for it. Its error tells of statuses that were not written.
func (s *StatusStore) Stop(ctx context.Context) error {
	s.mu.Lock()
	log := s.log
	s.log = nil // no new puts
	s.mu.Unlock()
	if log == nil {
		s.cancel()
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, stopTime, errStopTime)
	defer cancel()
	err := s.Flush(ctx)
	s.cancel()
	s.writes.Wait()
	return errors.Join(err, log.Close())
}

// Refresh reads the topic to its end as it is now, until ctx ends.
func (s *StatusStore) Refresh(ctx context.Context) error {
	s.mu.RLock()
	log := s.log
	s.mu.RUnlock()
	if log == nil {
		return fmt.Errorf("read the statuses in topic %s: the status store is not started, or stopped", s.o.Topic.Name)
	}
	return log.ReadToEnd(ctx)
}

// read takes over a batch of the topic.
func (s *StatusStore) read(b kafka.Batch) {
	recs := make([]records.StatusRecord, 0, len(b.Records))
	for i := range b.Records {
		r := &b.Records[i]
		rec, err := records.DecodeStatus(r.Key, r.Value)
		if err != nil {
			s.o.Log.Warn("Discarding status record", zap.String("topic", b.Topic), zap.Int32("partition", b.Partition),
				zap.Int64("offset", r.Offset), zap.Error(err))
			continue
		}
		recs = append(recs, rec)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses.Update(func(all *state.Statuses) {
		for _, r := range recs {
			all.Read(r)
		}
	})
	for _, r := range recs {
		s.noteDeletedLocked(r)
	}
}

// PutConnector writes the status of a connector.
func (s *StatusStore) PutConnector(name string, st storage.Status) {
	s.put(records.ConnectorStatus{Connector: name, Status: &st}, false)
}

// PutConnectorSafe is PutConnector unless another worker has spoken in a newer generation.
func (s *StatusStore) PutConnectorSafe(name string, st storage.Status) {
	s.put(records.ConnectorStatus{Connector: name, Status: &st}, true)
}

// PutTask writes the status of a task.
func (s *StatusStore) PutTask(id connect.TaskID, st storage.Status) {
	s.put(records.TaskStatus{Task: id, Status: &st}, false)
}

// PutTaskSafe is PutTask unless another worker has spoken in a newer generation.
func (s *StatusStore) PutTaskSafe(id connect.TaskID, st storage.Status) {
	s.put(records.TaskStatus{Task: id, Status: &st}, true)
}

// DeleteConnector writes the tombstone of a connector's status.
func (s *StatusStore) DeleteConnector(name string) {
	s.put(records.ConnectorStatus{Connector: name}, false)
}

// DeleteTask writes the tombstone of a task's status.
func (s *StatusStore) DeleteTask(id connect.TaskID) { s.put(records.TaskStatus{Task: id}, false) }

// PutTopic notes that a connector uses a topic.
func (s *StatusStore) PutTopic(t storage.TopicStatus) {
	s.put(records.TopicStatus{Connector: t.Connector, Topic: t.Topic, Status: &t}, false)
}

// DeleteTopic notes that a connector does not use a topic.
func (s *StatusStore) DeleteTopic(connector, topic string) {
	s.put(records.TopicStatus{Connector: connector, Topic: topic}, false)
}
