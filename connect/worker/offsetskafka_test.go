package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/kafkastore"
)

// kafkaRig is a distributed worker on Kafka in process, with its own offset store.
type kafkaRig struct {
	*offsetRig
	cluster *kafkatest.Cluster
	admin   *kafka.Client
	own     storage.OffsetStore
}

func newKafkaRig(t *testing.T, pairs ...string) *kafkaRig {
	t.Helper()
	cluster := kafkatest.New(t)
	props := cluster.Props("key.converter", "StringConverter", "value.converter", "JsonConverter", "group.id", "g",
		"config.storage.topic", "configs", "offset.storage.topic", "offsets", "status.storage.topic", "statuses", "offset.storage.replication.factor", "1",
		"offset.storage.partitions", "2")
	delete(props, "auto.offset.reset")
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	s, err := settings.ParseWorker(props, settings.Distributed)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := kafka.NewClient(t.Context(), s.SharedAdmin(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	store := kafkastore.NewOffsetStore(kafkastore.OffsetOptions{Topic: kafkastore.Topic(s.OffsetTopic), Producer: s.OffsetTopicProducer(),
		Consumer: s.OffsetTopicConsumer(), Admin: admin, Log: zap.NewNop()})
	if err := store.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &kafkaRig{newOffsetRig(t, settings.Distributed, store, props), cluster, admin, store}
	t.Cleanup(func() {
		if err := errors.Join(store.Stop(context.Background()), admin.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestOffsetsOfASinkInKafka(t *testing.T) {
	r := newKafkaRig(t)
	r.cluster.Topic("t", 2)
	config := map[string]string{"name": "c", "connector.class": "TestSink", "topics": "t"}
	list := func(group string) map[connect.TopicPartition]int64 {
		t.Helper()
		offsets, err := r.admin.GroupOffsets(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		return offsets
	}
	change := func(partition int, offset any) connect.SourceOffset {
		o := connect.SourceOffset{Partition: mapOf("kafka_topic", "t", "kafka_partition", int64(partition))}
		if offset != nil {
			o.Offset = mapOf("kafka_offset", offset)
		}
		return o
	}
	if offsets, err := r.ConnectorOffsets(t.Context(), "c", config); err != nil || len(offsets) != 0 {
		t.Errorf("before anything is committed: %v, %v", offsets, err)
	}
	if _, err := r.AlterConnectorOffsets(t.Context(), "c", config, []connect.SourceOffset{change(0, int64(5)), change(1, "6")}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[connect.TopicPartition]int64{tp0: 5, tp1: 6}, list("connect-c")); diff != "" {
		t.Errorf("altered (-want +got):\n%s", diff)
	}
	offsets, err := r.ConnectorOffsets(t.Context(), "c", config)
	if err != nil || len(offsets) != 2 || !offsets[1].Partition.Equal(mapOf("kafka_topic", "t", "kafka_partition", int32(1))) ||
		!offsets[1].Offset.Equal(mapOf("kafka_offset", int64(6))) {
		t.Errorf("list: %v, %v", offsets, err)
	}
	if _, err := r.AlterConnectorOffsets(t.Context(), "c", config, []connect.SourceOffset{change(0, int64(7)), change(1, nil)}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[connect.TopicPartition]int64{tp0: 7}, list("connect-c")); diff != "" {
		t.Errorf("one was forgotten (-want +got):\n%s", diff)
	}
	for range 2 { // also when there is no group
		if told, err := r.ResetConnectorOffsets(t.Context(), "c", config); err != nil || told {
			t.Errorf("reset: %v, %v", told, err)
		}
		if got := list("connect-c"); len(got) > 0 {
			t.Errorf("after a reset: %v", got)
		}
	}
	config["consumer.override.group.id"] = "mine"
	if _, err := r.AlterConnectorOffsets(t.Context(), "c", config, []connect.SourceOffset{change(0, int64(1))}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[connect.TopicPartition]int64{tp0: 1}, list("mine")); diff != "" {
		t.Errorf("with a group of its own (-want +got):\n%s", diff)
	}
}

var sourceChange = []connect.SourceOffset{{Partition: mapOf("f", "a"), Offset: mapOf("p", int64(1))}, {Partition: mapOf("f", "b"), Offset: mapOf("p", int64(2))}}

const keyA, keyB = `["s",{"f":"a"}]`, `["s",{"f":"b"}]`

func TestOffsetsOfASourceInKafka(t *testing.T) {
	for _, tc := range []struct {
		name, topic string
		worker      []string
		read        string // the topic in which the offsets are
		mirrored    bool   // they are in the worker's as well
	}{
		{name: "in the worker's topic", read: "offsets"},
		{name: "in its own topic", topic: "mine", read: "mine", mirrored: true},
		{name: "in the worker's topic by name", topic: "offsets", read: "offsets"},
		{name: "exactly once", worker: []string{"exactly.once.source.support", "enabled"}, read: "offsets"},
		{name: "exactly once in its own topic", topic: "mine", worker: []string{"exactly.once.source.support", "enabled"}, read: "mine", mirrored: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newKafkaRig(t, tc.worker...)
			config := sourceConfig("PlainSource")
			if tc.topic != "" {
				config["offsets.storage.topic"] = tc.topic
			}
			if _, err := r.AlterConnectorOffsets(t.Context(), "s", config, sourceChange); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{keyA: `{"p":1}`, keyB: `{"p":2}`}
			if tc.read == "offsets" || tc.mirrored {
				if diff := cmp.Diff(want, raw(t, r.own)); diff != "" {
					t.Errorf("in the worker's store (-want +got):\n%s", diff)
				}
			}
			if partitions, err := r.admin.Partitions(t.Context(), tc.read); err != nil || len(partitions) != 2 {
				t.Errorf("topic %s: %v, %v", tc.read, partitions, err)
			}
			offsets, err := r.ConnectorOffsets(t.Context(), "s", config)
			if err != nil || len(offsets) != 2 {
				t.Errorf("list: %v, %v", offsets, err)
			}
			if _, err := r.AlterConnectorOffsets(t.Context(), "s", config, []connect.SourceOffset{{Partition: mapOf("f", "a")}}); err != nil {
				t.Fatal(err)
			}
			if offsets, err = r.ConnectorOffsets(t.Context(), "s", config); err != nil || len(offsets) != 1 || !offsets[0].Partition.Equal(mapOf("f", "b")) {
				t.Errorf("one was forgotten: %v, %v", offsets, err)
			}
			for range 2 {
				if _, err := r.ResetConnectorOffsets(t.Context(), "s", config); err != nil {
					t.Fatal(err)
				}
				if offsets, err = r.ConnectorOffsets(t.Context(), "s", config); err != nil || len(offsets) != 0 {
					t.Errorf("after a reset: %v, %v", offsets, err)
				}
			}
			if got := raw(t, r.own); len(got) > 0 {
				t.Errorf("left in the worker's store: %v", got)
			}
		})
	}
}

// zombie opens a transaction of a task's producer, with one record in topic out.
func (r *kafkaRig) zombie(t *testing.T, transactionalID string) *kgo.Client {
	t.Helper()
	cl := r.client(t, kgo.TransactionalID(transactionalID))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "out", Value: []byte(transactionalID)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return cl
}

func (r *kafkaRig) client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(strings.Split(r.cluster.Bootstrap(), ",")...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// committed has the zombies try to commit, and returns whose records that made visible.
func (r *kafkaRig) committed(t *testing.T, zombies ...*kgo.Client) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, z := range zombies {
		_ = z.EndTransaction(ctx, kgo.TryCommit) // what is visible afterwards counts
	}
	if err := r.client(t).ProduceSync(ctx, &kgo.Record{Topic: "out", Value: []byte("end")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	reader := r.client(t, kgo.ConsumeTopics("out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	visible := []string{}
	for {
		fetched := reader.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		for _, rec := range fetched.Records() {
			if string(rec.Value) == "end" {
				return visible
			}
			visible = append(visible, string(rec.Value))
		}
	}
}

func TestFenceZombies(t *testing.T) {
	r := newKafkaRig(t, "exactly.once.source.support", "enabled")
	r.cluster.Topic("out", 1)
	var zombies []*kgo.Client
	for _, id := range []string{"g-s-0", "g-s-1", "g-s-2", "other-s-0"} {
		zombies = append(zombies, r.zombie(t, id))
	}
	for range 2 {
		if err := r.FenceZombies(t.Context(), "s", 2, sourceConfig("PlainSource")); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.FenceZombies(t.Context(), "s", 0, nil); err != nil {
		t.Errorf("of no tasks: %v", err)
	}
	if diff := cmp.Diff([]string{"g-s-2", "other-s-0"}, r.committed(t, zombies...)); diff != "" {
		t.Errorf("committed (-want +got):\n%s", diff)
	}
}

// A change of offsets shuts out the task's own producer.
func TestAChangeOfOffsetsFencesTask0(t *testing.T) {
	r := newKafkaRig(t, "exactly.once.source.support", "enabled")
	r.cluster.Topic("out", 1)
	z := r.zombie(t, "g-s-0")
	if _, err := r.AlterConnectorOffsets(t.Context(), "s", sourceConfig("PlainSource"), sourceChange); err != nil {
		t.Fatal(err)
	}
	if got := r.committed(t, z); len(got) > 0 {
		t.Errorf("a zombie committed after the change: %v", got)
	}
	if diff := cmp.Diff(map[string]string{keyA: `{"p":1}`, keyB: `{"p":2}`}, raw(t, r.own)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// What cannot be written in full is not written at all.
func TestAFailedChangeIsAborted(t *testing.T) {
	r := newKafkaRig(t, "exactly.once.source.support", "enabled")
	big := strings.Repeat("x", 2<<20) // more than max.request.size
	_, err := r.AlterConnectorOffsets(t.Context(), "s", sourceConfig("PlainSource"),
		append([]connect.SourceOffset{{Partition: mapOf("f", "big"), Offset: mapOf("p", big)}}, sourceChange...))
	if err == nil || !strings.HasPrefix(err.Error(), "Failed to modify offsets for source connector s: ") {
		t.Errorf("got %v", err)
	}
	if got := raw(t, r.own); len(got) > 0 {
		t.Errorf("stored: %v", got)
	}
}
