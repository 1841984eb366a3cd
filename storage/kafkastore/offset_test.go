package kafkastore

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/storetest"
)

func offsetOptions(t *testing.T, c *kafkatest.Cluster, consumer ...string) OffsetOptions {
	return OffsetOptions{
		Topic:    Topic{Name: "offsets", Property: "offset.storage.topic", Partitions: 5, ReplicationFactor: 1},
		Producer: c.Props("acks", "all", "enable.idempotence", "false", "delivery.timeout.ms", "2147483647"), Consumer: c.Props(consumer...),
		Admin: newAdmin(t, c), Log: zap.NewNop(),
	}
}

func startOffsets(t *testing.T, o OffsetOptions) *OffsetStore {
	t.Helper()
	s := NewOffsetStore(o)
	must(t, s.Start(t.Context()))
	t.Cleanup(func() { must(t, s.Stop(context.Background())) })
	return s
}

func TestOffsetStore(t *testing.T) {
	for _, level := range []string{"read_uncommitted", "read_committed"} {
		t.Run(level, func(t *testing.T) {
			storetest.RunOffsets(t, func(t *testing.T) func() storage.OffsetStore {
				o := offsetOptions(t, kafkatest.New(t), "isolation.level", level)
				return func() storage.OffsetStore { return NewOffsetStore(o) }
			})
		})
	}
}

const (
	key1 = `["a",{"f":"1"}]`
	key2 = `["a",{"f":"2"}]`
)

func TestTheOffsetTopic(t *testing.T) {
	c := kafkatest.New(t)
	s := startOffsets(t, offsetOptions(t, c))
	equal(t, 5, len(c.PartitionInfos("offsets")))
	must(t, s.Put(t.Context(), storetest.Offsets(key1, "1", key1, "-")...))
	c.Topic("kept", 1, "cleanup.policy", "delete")
	o := offsetOptions(t, c)
	o.Topic.Name = "kept"
	err := NewOffsetStore(o).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "consistency and durability of source connector offsets") {
		t.Errorf("error %v", err)
	}
	o.Topic.Name = " "
	if err := NewOffsetStore(o).Start(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "Offset storage topic must be specified") {
		t.Errorf("error %v", err)
	}
}

// A store reads what another worker wrote before it answers.
func TestOffsetsOfAnotherWorker(t *testing.T) {
	c := kafkatest.New(t)
	first, second := startOffsets(t, offsetOptions(t, c)), startOffsets(t, offsetOptions(t, c))
	for _, v := range []string{"1", "2", "3"} {
		must(t, first.Put(t.Context(), storetest.Offsets(key1, v, key2, v)...))
		equal(t, map[string]string{key1: v, key2: v}, storetest.GetOffsets(t, second, key1, key2))
	}
	must(t, first.Put(t.Context(), storetest.Offsets(key1, "-")...))
	equal(t, []string{"{f=2}"}, storetest.SourcePartitions(t, second, "a"))
}

func TestStrangeOffsetKeysAreLogged(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("offsets", 1, "cleanup.policy", "compact")
	produce(c, "offsets", "what", "{}", key1, "{}", `["x",null]`, "{}", `["x"]`, "{}")
	c.Produce("none", &kafkatest.Record{Topic: "offsets", Value: []byte("no key")})
	core, logs := observer.New(zap.WarnLevel)
	o := offsetOptions(t, c)
	o.Log = zap.New(core)
	s := startOffsets(t, o)
	equal(t, 3, logs.Len()) // a missing partition is nothing to tell
	equal(t, map[string]string{"what": "{}", key1: "{}"}, storetest.GetOffsets(t, s, "what", key1, ""))
}

// What was committed behind the first record of an open transaction must not be missed:
// the last stable offset is no end.
func TestOffsetsBehindAnOpenTransaction(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("offsets", 1, "cleanup.policy", "compact")
	record := func(key, value string) *kafkatest.Record {
		return &kafkatest.Record{Topic: "offsets", Key: []byte(key), Value: []byte(value)}
	}
	produce(c, "offsets", key1, "old")
	slow := c.Begin("slow")
	slow.Produce(record(key2, "aborted"))
	fast := c.Begin("fast")
	fast.Produce(record(key1, "new"))
	fast.End(true)

	o := offsetOptions(t, c, "isolation.level", "read_committed")
	dirty := startOffsets(t, offsetOptions(t, c))
	equal(t, map[string]string{key1: "new", key2: "aborted"}, storetest.GetOffsets(t, dirty, key1, key2))
	s := startOffsets(t, o) // a worker that starts does not wait
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("the task's time is over"))
	defer cancel()
	if found, err := s.Get(ctx, []byte(key1)); err == nil {
		t.Fatalf("the store did not wait for the open transaction: %q", found)
	}
	slow.End(false)
	equal(t, map[string]string{key1: "new"}, storetest.GetOffsets(t, s, key1, key2))

	slow = c.Begin("slow")
	slow.Produce(record(key2, "late"))
	ctx, cancel = context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("the task's time is over"))
	defer cancel()
	if _, err := s.Get(ctx, []byte(key2)); err == nil || !strings.Contains(err.Error(), "the task's time is over") {
		t.Errorf("error %v", err)
	}
	slow.End(true)
	equal(t, map[string]string{key2: "late"}, storetest.GetOffsets(t, s, key2))
}

// A task's producer writes for the store; what it does not commit is not seen.
func TestOffsetsInATasksTransaction(t *testing.T) {
	c := kafkatest.New(t)
	p, err := kafka.NewProducer(t.Context(), c.Props("transactional.id", "g-a-0"), zap.NewNop())
	must(t, err)
	defer p.Close()
	must(t, p.InitTransactions(t.Context()))
	o := offsetOptions(t, c, "isolation.level", "read_committed")
	o.Producer = nil
	o.Send = func(ctx context.Context, recs ...kafka.ProducerRecord) error { return p.Send(ctx, recs...) }
	s := startOffsets(t, o)
	must(t, p.BeginTransaction())
	must(t, s.Put(t.Context(), storetest.Offsets(key1, "1", key2, "1")...))
	must(t, p.CommitTransaction(t.Context()))
	equal(t, map[string]string{key1: "1", key2: "1"}, storetest.GetOffsets(t, s, key1, key2))
	must(t, p.BeginTransaction())
	must(t, s.Put(t.Context(), storetest.Offsets(key1, "2", key2, "-")...))
	must(t, p.AbortTransaction(t.Context()))
	equal(t, map[string]string{key1: "1", key2: "1"}, storetest.GetOffsets(t, s, key1, key2))

	o.Send = func(context.Context, ...kafka.ProducerRecord) error { return kafka.ErrAuthorization }
	other := startOffsets(t, o)
	err = other.Put(t.Context(), storetest.Offsets(key1, "3")...)
	if !errors.Is(err, kafka.ErrAuthorization) || !strings.Contains(err.Error(), "write 1 offsets to topic offsets") {
		t.Errorf("error %v", err)
	}
}

func TestAProducerIsNeededWithoutSend(t *testing.T) {
	c := kafkatest.New(t)
	o := offsetOptions(t, c)
	o.Producer = nil
	if err := NewOffsetStore(o).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "producer of topic offsets") {
		t.Errorf("error %v", err)
	}
}

func TestFailuresOfOffsets(t *testing.T) {
	c := kafkatest.New(t)
	s := startOffsets(t, offsetOptions(t, c))
	must(t, s.Put(t.Context(), storetest.Offsets(key1, "1")...))
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed}, func(*kfake.FaultHandle) {
		if err := s.Put(t.Context(), storetest.Offsets(key1, "2")...); !errors.Is(err, kafka.ErrAuthorization) {
			t.Errorf("error %v", err)
		}
	})
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.TopicAuthorizationFailed}, func(*kfake.FaultHandle) {
		if _, err := s.Get(t.Context(), []byte(key1)); !errors.Is(err, kafka.ErrAuthorization) || !strings.HasPrefix(err.Error(), "Failed to fetch offsets: ") {
			t.Errorf("error %v", err)
		}
		if _, err := s.Partitions(t.Context(), "a"); !errors.Is(err, kafka.ErrAuthorization) || !strings.Contains(err.Error(), "of connector a") {
			t.Errorf("error %v", err)
		}
	})
	equal(t, map[string]string{key1: "1"}, storetest.GetOffsets(t, s, key1))
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.ListOffsets, kmsg.Fetch, kmsg.Metadata} {
		h := c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.LeaderNotAvailable, Count: 2})
		must(t, s.Put(t.Context(), storetest.Offsets(key1, key.Name())...))
		equal(t, map[string]string{key1: key.Name()}, storetest.GetOffsets(t, s, key1))
		h.Remove()
	}
}

func TestOffsetsOverAnOutage(t *testing.T) {
	c := kafkatest.New(t)
	s := startOffsets(t, offsetOptions(t, c))
	must(t, s.Put(t.Context(), storetest.Offsets(key1, "1")...))
	down(c)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("the commit's time is over"))
	defer cancel()
	if err := s.Put(ctx, storetest.Offsets(key2, "lost")...); err == nil || !strings.Contains(err.Error(), "the commit's time is over") {
		t.Errorf("error %v", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Put(t.Context(), storetest.Offsets(key1, "2")...); err != nil {
			t.Error(err)
		}
	})
	up(c)
	wg.Wait()
	equal(t, map[string]string{key1: "2"}, storetest.GetOffsets(t, s, key1))
}

func TestStopEndsCallsOfOffsets(t *testing.T) {
	c := kafkatest.New(t)
	s := startOffsets(t, offsetOptions(t, c))
	stuck := c.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1},
		kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.LeaderNotAvailable, Count: -1})
	errs := make(chan error, 2)
	go func() { errs <- s.Put(t.Context(), storetest.Offsets(key1, "1")...) }()
	go func() {
		_, err := s.Get(t.Context(), []byte(key1))
		errs <- err
	}()
	c.Await(stuck, 4)
	must(t, s.Stop(t.Context()))
	for range 2 {
		if err := <-errs; !errors.Is(err, kafka.ErrClosed) {
			t.Errorf("a call under way: %v", err)
		}
	}
}
