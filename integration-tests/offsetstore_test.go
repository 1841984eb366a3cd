//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/kafkastore"
	"github.com/penstock-io/penstock/storage/storetest"
)

var storeTopics atomic.Int32

// storeTopic returns the description of a topic that no other test uses.
func storeTopic(kind string, partitions int32) kafkastore.Topic {
	return kafkastore.Topic{
		Name: fmt.Sprintf("stores-%s-%d", kind, storeTopics.Add(1)), Property: kind + ".storage.topic", Partitions: partitions, ReplicationFactor: 1,
	}
}

func storeProps(pairs ...string) map[string]string {
	props := map[string]string{"bootstrap.servers": kafkaCluster.Bootstrap, "client.id": "stores", "acks": "all",
		"auto.offset.reset": "earliest"}
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	return props
}

func storeAdmin(t *testing.T) *kafka.Client {
	t.Helper()
	admin, err := kafka.NewClient(t.Context(), storeProps(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	return admin
}

// TestOffsetStoreOnKafka runs the suite of all offset stores, and shows what only a real
// broker can: who is waited for, and for how long.
func TestOffsetStoreOnKafka(t *testing.T) {
	options := func(t *testing.T) kafkastore.OffsetOptions {
		return kafkastore.OffsetOptions{Topic: storeTopic("offset", 3), Producer: storeProps("enable.idempotence", "false"),
			Consumer: storeProps("isolation.level", "read_committed"), Admin: storeAdmin(t), Log: zap.NewNop()}
	}
	storetest.RunOffsets(t, func(t *testing.T) func() storage.OffsetStore {
		o := options(t)
		return func() storage.OffsetStore { return kafkastore.NewOffsetStore(o) }
	})
	t.Run("the transaction of a task that died", func(t *testing.T) { deadTasksOffsets(t, options(t)) })
	t.Run("a connector's topic beside the worker's", func(t *testing.T) { ownTopic(t, options(t), options(t)) })
}

func startStore(t *testing.T, s storage.OffsetStore) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// transactional opens a producer that has fenced off its predecessors.
func transactional(t *testing.T, id, timeout string) *kafka.Producer {
	t.Helper()
	p, err := kafka.NewProducer(t.Context(), storeProps("transactional.id", id, "transaction.timeout.ms", timeout), zap.NewNop())
	if err == nil {
		err = p.InitTransactions(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ok(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

const oneKey, otherKey = `["c",{"p":1}]`, `["c",{"p":2}]`

func deadTasksOffsets(t *testing.T, o kafkastore.OffsetOptions) {
	ctx := t.Context()
	first := transactional(t, o.Topic.Name+"-0", "60000")
	defer first.Close()
	o.Producer, o.Send = nil, func(ctx context.Context, recs ...kafka.ProducerRecord) error { return first.Send(ctx, recs...) }
	s := kafkastore.NewOffsetStore(o)
	startStore(t, s)
	ok(t, first.BeginTransaction(), s.Put(ctx, storetest.Offsets(oneKey, "1")...), first.CommitTransaction(ctx))
	ok(t, first.BeginTransaction(), s.Put(ctx, storetest.Offsets(oneKey, "lost")...))
	// The successor ends what was left open: it sees at once what counts.
	second := transactional(t, o.Topic.Name+"-0", "60000")
	defer second.Close()
	if got := storetest.GetOffsets(t, s, oneKey); got[oneKey] != "1" {
		t.Errorf("offsets %v", got)
	}
	if err := s.Put(ctx, storetest.Offsets(oneKey, "zombie")...); !errors.Is(err, kafka.ErrFenced) && !errors.Is(err, kafka.ErrInvalidProducerEpoch) {
		t.Errorf("a zombie wrote: error %v", err)
	}
	// Nobody succeeds this one: the broker ends it.
	alone, cancel := context.WithCancel(ctx)
	dead := transactional(t, o.Topic.Name+"-1", "1000")
	ok(t, dead.BeginTransaction(), dead.Send(alone, kafka.ProducerRecord{
		Topic: o.Topic.Name, Partition: -1, Timestamp: connect.NoTimestamp, Key: []byte(otherKey), Value: []byte("dead")}))
	cancel()
	defer dead.Close()
	limit, end := context.WithTimeout(ctx, time.Minute)
	defer end()
	start := time.Now()
	found, err := s.Get(limit, []byte(oneKey), []byte(otherKey))
	if err != nil || len(found) != 1 || string(found[oneKey]) != "1" {
		t.Errorf("offsets %s, error %v", found, err)
	}
	t.Logf("the broker ended the transaction after %.1f s", time.Since(start).Seconds())
}

func ownTopic(t *testing.T, workers, own kafkastore.OffsetOptions) {
	ctx := t.Context()
	secondary := kafkastore.NewOffsetStore(workers)
	startStore(t, secondary)
	ok(t, secondary.Put(ctx, storetest.Offsets(oneKey, "worker's", otherKey, "worker's")...))
	p := transactional(t, own.Topic.Name+"-0", "60000")
	defer p.Close()
	own.Send = p.Send
	s := kafkastore.NewConnectorOffsetStore(kafkastore.NewOffsetStore(own), secondary, zap.NewNop())
	startStore(t, s)
	ok(t, p.BeginTransaction(), s.Put(ctx, storetest.Offsets(oneKey, "own")...))
	if got := storetest.GetOffsets(t, secondary, oneKey); got[oneKey] != "worker's" {
		t.Errorf("the worker's store has what is not committed: %v", got)
	}
	ok(t, p.CommitTransaction(ctx))
	storetest.Eventually(t, "the copy", func() bool { return storetest.GetOffsets(t, secondary, oneKey)[oneKey] == "own" })
	if got := storetest.GetOffsets(t, s, oneKey, otherKey); got[oneKey] != "own" || got[otherKey] != "worker's" {
		t.Errorf("offsets %v", got)
	}
	ok(t, p.BeginTransaction(), s.Put(ctx, storetest.Offsets(otherKey, "-")...), p.CommitTransaction(ctx))
	if got := storetest.GetOffsets(t, s, oneKey, otherKey); len(got) != 1 {
		t.Errorf("offsets %v", got)
	}
}

// TestFencedConfigStoreOnKafka runs the suite of all config stores with the leader's
// transactional producer, and has two leaders claim the privileges.
func TestFencedConfigStoreOnKafka(t *testing.T) {
	options := func(t *testing.T) kafkastore.Options {
		topic := storeTopic("config", 1)
		return kafkastore.Options{Topic: topic, Producer: storeProps("enable.idempotence", "false"),
			Consumer: storeProps("isolation.level", "read_committed"), Leader: storeProps("transactional.id", "connect-cluster-"+topic.Name),
			Admin: storeAdmin(t), Log: zap.NewNop()}
	}
	storetest.RunConfig(t, func(t *testing.T) storage.ConfigStore { return kafkastore.NewConfigStore(options(t)) })
	t.Run("two leaders", func(t *testing.T) {
		o := options(t)
		ctx := t.Context()
		old, next := kafkastore.NewConfigStore(o), kafkastore.NewConfigStore(o)
		for _, s := range []*kafkastore.ConfigStore{old, next} {
			ok(t, s.Start(ctx, &storetest.Listener{}))
			defer s.Stop(context.Background())
		}
		ok(t, old.ClaimWritePrivileges(ctx), old.PutConnector(ctx, "a", map[string]string{}, connect.TargetPaused), next.ClaimWritePrivileges(ctx))
		if err := old.PutConnector(ctx, "zombie", map[string]string{}, ""); !errors.Is(err, storage.ErrPrivilegeLost) {
			t.Errorf("a former leader's write: error %v", err)
		}
		ok(t, old.PutTargetState(ctx, "a", connect.TargetStarted)) // any worker may
		ok(t, next.PutTaskConfigs(ctx, "a", []map[string]string{{}}), old.Refresh(ctx), next.Refresh(ctx))
		if a, b := old.Snapshot(), next.Snapshot(); a.Offset != b.Offset || len(a.Tasks("a")) != 1 || a.Contains("zombie") {
			t.Errorf("snapshots %+v and %+v", a, b)
		}
		ok(t, old.ClaimWritePrivileges(ctx), old.RemoveConnector(ctx, "a"))
	})
}
