package kafkastore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/keyedlock"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
	"github.com/penstock-io/penstock/storage/state"
	"github.com/penstock-io/penstock/storage/topiclog"
)

// Options are what a store is made of; all but Leader are required.
type Options struct {
	Topic Topic
	// Producer and Consumer are properties of Java clients, as the worker's settings give
	// them for the topic.
	Producer, Consumer map[string]string
	// Leader are the properties of the transactional producer with which the leader writes
	// the config topic; nil = it uses Producer, without transactions. Other stores have no
	// use for it.
	Leader map[string]string
	// Admin creates and describes the topic and asks for its end; it stays the caller's
	// and must live as long as the store.
	Admin *kafka.Client
	Log   *zap.Logger
}

// writeTime is how long a write may take in all, reading it back included (Java:
// READ_WRITE_TOTAL_TIMEOUT_MS).
const writeTime = 30 * time.Second

// ConfigStore is the storage.ConfigStore of a distributed worker.
type ConfigStore struct {
	o         Options
	writeTime time.Duration
	writing   chan struct{}   // held by the write under way
	ordered   keyedlock.Lock  // by connector; held instead without transactions
	leader    *leader         // of who holds writing; nil without transactions
	life      context.Context //nolint:containedctx // ends with Stop
	end       context.CancelCauseFunc
	log       atomic.Pointer[topiclog.Log]
	snapshot  atomic.Pointer[storage.ClusterConfig]
	claimed   atomic.Bool // Start was called

	// Of the goroutine that reads: Start's, then the log's.
	state    *state.Config
	listener storage.ConfigListener
	started  bool
}

var _ storage.ConfigStore = (*ConfigStore)(nil)

// NewConfigStore returns a store that does nothing until Start. The config topic always
// has one partition, whatever the options say.
func NewConfigStore(o Options) *ConfigStore {
	o.Topic.Partitions = 1
	s := &ConfigStore{o: o, writeTime: writeTime, writing: make(chan struct{}, 1), state: state.NewConfig()}
	s.life, s.end = context.WithCancelCause(context.Background())
	if o.Leader != nil {
		s.leader = &leader{topic: o.Topic.Name, props: o.Leader, log: o.Log}
	}
	s.snapshot.Store(s.state.Snapshot())
	return s
}

var (
	errStarted    = errors.New("the store was started before")
	errNotStarted = errors.New("the store is not started, or stopped")
)

// Start creates or checks the topic, reads it, and then follows it. A store can be
// started once.
func (s *ConfigStore) Start(ctx context.Context, l storage.ConfigListener) error {
	if s.claimed.Swap(true) {
		return errStarted
	}
	if err := EnsureTopic(ctx, s.o.Admin, s.o.Topic, ConnectorConfigs, s.o.Log); err != nil {
		return err
	}
	log, err := topiclog.Open(ctx, topiclog.Options{
		Topic: s.o.Topic.Name, Producer: s.o.Producer, Consumer: s.o.Consumer, Admin: s.o.Admin, Read: s.read, Log: s.o.Log,
	})
	if err != nil {
		return err
	}
	if n := log.Partitions(); n != 1 {
		return errors.Join(configError("Topic '%s' supplied via the '%s' property is required to have a single partition "+
			"in order to guarantee consistency of connector configurations, but found %d partitions. "+
			"Name another topic, or let the worker create it", s.o.Topic.Name, s.o.Topic.Property, n), log.Close())
	}
	s.publish()
	s.listener, s.started = l, true
	s.log.Store(log)
	log.Follow()
	return nil
}

// Stop ends the reader and waits for it: no listener is called any more. Writes under way
// fail. It must not be called by the listener.
func (s *ConfigStore) Stop(context.Context) error {
	log := s.log.Swap(nil)
	s.end(kafka.ErrClosed)
	var err error
	if log != nil {
		err = log.Close()
	}
	s.writing <- struct{}{} // what was under way has seen the end of life
	defer func() { <-s.writing }()
	if s.leader != nil {
		s.leader.close()
	}
	return err
}

// Snapshot returns the current state without waiting.
func (s *ConfigStore) Snapshot() *storage.ClusterConfig { return s.snapshot.Load() }

func (s *ConfigStore) publish() { s.snapshot.Store(s.state.Snapshot()) }

// read applies a batch, then shows the new state, then tells the listener.
func (s *ConfigStore) read(b kafka.Batch) {
	var events []state.Event
	for i := range b.Records {
		r := &b.Records[i]
		rec, err := records.DecodeConfig(r.Key, r.Value)
		if err != nil {
			s.o.Log.Error("Discarding config record", zap.String("topic", b.Topic), zap.Int64("offset", r.Offset), zap.Error(err))
			s.state.Discard(r.Offset, err)
			continue
		}
		if e := s.state.Apply(r.Offset, rec); e != nil && s.started {
			events = append(events, e)
		}
	}
	if !s.started {
		return
	}
	s.publish()
	for _, e := range events {
		e(s.listener)
	}
}

// Refresh reads to the end of the topic as it is now.
func (s *ConfigStore) Refresh(ctx context.Context) error {
	log := s.log.Load()
	if log == nil {
		return errNotStarted
	}
	return log.ReadToEnd(ctx)
}

// PutConnector writes a config, and before it the initial target state, if any, so that no
// worker starts what is to be paused or stopped.
func (s *ConfigStore) PutConnector(ctx context.Context, name string, config map[string]string, initial connect.TargetState) error {
	recs := make([]records.ConfigRecord, 0, 2)
	if initial != "" {
		recs = append(recs, records.TargetState{Connector: name, State: initial})
	}
	if config == nil {
		config = map[string]string{} // nil would be the tombstone
	}
	recs = append(recs, records.ConnectorConfig{Connector: name, Config: config})
	return s.put(ctx, "Error writing connector configuration to Kafka", name, recs...)
}

// RemoveConnector writes the tombstones of a connector's config and target state. Task
// configs stay in the topic, as leftovers that nobody applies.
func (s *ConfigStore) RemoveConnector(ctx context.Context, name string) error {
	return s.put(ctx, "Error removing connector configuration from Kafka", name,
		records.ConnectorConfig{Connector: name}, records.TargetState{Connector: name})
}

// PutTaskConfigs writes all task configs of a connector and, when Kafka has them, their
// commit, which it reads back.
func (s *ConfigStore) PutTaskConfigs(ctx context.Context, name string, configs []map[string]string) error {
	tasks := make([]records.ConfigRecord, len(configs))
	for i, c := range configs {
		tasks[i] = records.TaskConfig{Task: connect.TaskID{Connector: name, Task: i}, Config: c}
	}
	return s.exclusive(ctx, name, func(ctx context.Context, log *topiclog.Log) error {
		// The commit must not be written without the others. That they are read back first, as
		// the JVM does, gains nothing: all are in one partition, in order.
		if len(tasks) > 0 {
			if err := s.privileged(ctx, log, tasks...); err != nil {
				return fmt.Errorf("Error writing task configurations to Kafka: %w", err)
			}
		}
		if err := s.writeAndRead(ctx, log, records.TasksCommit{Connector: name, Tasks: len(tasks)}); err != nil {
			return fmt.Errorf("Error writing root configuration to Kafka: %w", err)
		}
		return nil
	})
}

// PutTargetState returns when Kafka has the record, without reading it back. Any worker
// may call it, the leader or not.
func (s *ConfigStore) PutTargetState(ctx context.Context, name string, st connect.TargetState) error {
	return s.send(ctx, "Error writing target state to Kafka", records.TargetState{Connector: name, State: st})
}

// PutSessionKey writes a key.
func (s *ConfigStore) PutSessionKey(ctx context.Context, key storage.SessionKey) error {
	return s.put(ctx, "Error writing session key to Kafka", "", records.SessionKey{SessionKey: key})
}

// PutRestartRequest writes a request; all workers act upon it when they read it.
func (s *ConfigStore) PutRestartRequest(ctx context.Context, r storage.RestartRequest) error {
	what := fmt.Sprintf("Error writing restart request for {connectorName='%s', onlyFailed=%t, includeTasks=%t} to Kafka",
		r.Connector, r.OnlyFailed, r.IncludeTasks)
	return s.put(ctx, what, r.Connector, records.Restart{RestartRequest: r})
}

// PutTaskCountRecord tells that the zombies of earlier generations are fenced off.
func (s *ConfigStore) PutTaskCountRecord(ctx context.Context, name string, count int) error {
	return s.put(ctx, "Error writing task count record to Kafka", name, records.TaskCount{Connector: name, Tasks: count})
}

// PutLoggerLevel returns when Kafka has the record, without reading it back.
func (s *ConfigStore) PutLoggerLevel(ctx context.Context, namespace, level string) error {
	return s.send(ctx, "Error writing logger level to Kafka", records.LoggerLevel{Namespace: namespace, Level: level})
}

// put writes records of a connector, "" for none, together and reads them back; what says
// what failed.
func (s *ConfigStore) put(ctx context.Context, what, connector string, recs ...records.ConfigRecord) error {
	err := s.exclusive(ctx, connector, func(ctx context.Context, log *topiclog.Log) error {
		return s.writeAndRead(ctx, log, recs...)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// send writes a record and waits for Kafka only.
func (s *ConfigStore) send(ctx context.Context, what string, r records.ConfigRecord) error {
	ctx, cancel := s.limited(ctx)
	defer cancel()
	log := s.log.Load()
	err := errNotStarted
	if log != nil {
		err = s.append(ctx, log, r)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (s *ConfigStore) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.writeTime, fmt.Errorf("%w: the write took more than %s in all", kafka.ErrTimeout, s.writeTime))
}

// exclusive runs the writes about a connector one after the other: the task configs and the
// commit of one call must not mix with another's. Those about others go to Kafka at the same
// time, and so together, but for transactions, of which there can be one only.
func (s *ConfigStore) exclusive(ctx context.Context, connector string, fn func(context.Context, *topiclog.Log) error) error {
	ctx, cancel := s.limited(ctx)
	defer cancel()
	if s.leader == nil {
		unlock, err := s.ordered.Lock(ctx, connector)
		if err != nil {
			return err
		}
		defer unlock()
	} else {
		select {
		case s.writing <- struct{}{}:
			defer func() { <-s.writing }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	log := s.log.Load()
	if log == nil {
		return errNotStarted
	}
	return fn(ctx, log)
}

// writeAndRead is a write of the leader: all records or none of them, where it is fenced.
func (s *ConfigStore) writeAndRead(ctx context.Context, log *topiclog.Log, recs ...records.ConfigRecord) error {
	if s.leader == nil {
		return s.appendWith(ctx, log.AppendAndRead, recs)
	}
	if err := s.privileged(ctx, log, recs...); err != nil {
		return err
	}
	return log.ReadToEnd(ctx)
}

func (s *ConfigStore) privileged(ctx context.Context, log *topiclog.Log, recs ...records.ConfigRecord) error {
	if s.leader == nil {
		return s.append(ctx, log, recs...)
	}
	out, err := encode(recs)
	if err != nil {
		return err
	}
	ctx, cancel := s.detached(ctx)
	defer cancel()
	if err := s.leader.write(ctx, out); err != nil {
		return fmt.Errorf("write %s to topic %s: %w", out[0].Key, s.o.Topic.Name, err)
	}
	return nil
}

// detached returns a context that ends with the time for a write and with the store, but
// not with its caller: a transaction cut off half-way costs the leader its privileges, and
// that a user went away is no reason for it.
func (s *ConfigStore) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := s.limited(context.WithoutCancel(ctx))
	ctx, fail := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { fail(context.Cause(s.life)) })
	return ctx, func() {
		stop()
		fail(nil)
		cancel()
	}
}

// append writes records without a transaction, as any worker may.
func (s *ConfigStore) append(ctx context.Context, log *topiclog.Log, recs ...records.ConfigRecord) error {
	return s.appendWith(ctx, log.Append, recs)
}

// appendWith writes with one of the log's ways to append.
func (s *ConfigStore) appendWith(ctx context.Context, write func(context.Context, ...topiclog.Record) error, recs []records.ConfigRecord) error {
	out, err := encode(recs)
	if err != nil {
		return err
	}
	if err := write(ctx, out...); err != nil {
		return fmt.Errorf("write %s to topic %s: %w", out[0].Key, s.o.Topic.Name, err)
	}
	return nil
}

func encode(recs []records.ConfigRecord) ([]topiclog.Record, error) {
	out := make([]topiclog.Record, len(recs))
	for i, r := range recs {
		value, err := r.Value()
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", r.Key(), err)
		}
		out[i] = topiclog.Record{Key: r.Key(), Value: value}
	}
	return out, nil
}
