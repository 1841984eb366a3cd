//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
)

func clientProps(pairs ...string) map[string]string {
	props := map[string]string{"bootstrap.servers": kafkaCluster.Bootstrap, "auto.offset.reset": "earliest"}
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	return props
}

func newProducer(t *testing.T, pairs ...string) *kafka.Producer {
	t.Helper()
	p, err := kafka.NewProducer(t.Context(), clientProps(pairs...), zap.NewNop())
	noError(t, err)
	t.Cleanup(p.CloseNow)
	return p
}

func newTransactional(t *testing.T, id string, pairs ...string) *kafka.Producer {
	t.Helper()
	p := newProducer(t, append(pairs, "transactional.id", id)...)
	noError(t, p.InitTransactions(t.Context()))
	return p
}

func newAdmin(t *testing.T) *kafka.Client {
	t.Helper()
	c, err := kafka.NewClient(t.Context(), clientProps(), zap.NewNop())
	noError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func noError(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func at(topic string, partition int32) connect.TopicPartition {
	return connect.TopicPartition{Topic: topic, Partition: partition}
}

func value(topic string, partition int32, v string) kafka.ProducerRecord {
	return kafka.ProducerRecord{Topic: topic, Partition: partition, Timestamp: connect.NoTimestamp, Value: []byte(v)}
}

// readCommitted returns what a read_committed consumer finds in a partition up to its
// end, which it must reach: behind markers and aborted records.
func readCommitted(t *testing.T, tp connect.TopicPartition) []string {
	t.Helper()
	ends, err := newAdmin(t).EndOffsets(t.Context(), []connect.TopicPartition{tp})
	noError(t, err)
	c, err := kafka.NewConsumer(t.Context(), clientProps("isolation.level", "read_committed"), zap.NewNop())
	noError(t, err)
	defer c.Close()
	c.Add(map[connect.TopicPartition]int64{tp: 0})
	var out []string
	for deadline := time.Now().Add(time.Minute); ; {
		batches, err := c.Poll(t.Context(), 200*time.Millisecond)
		noError(t, err)
		for _, b := range batches {
			for _, r := range b.Records {
				out = append(out, string(r.Value))
			}
		}
		position, err := c.Position(t.Context(), tp)
		noError(t, err)
		if position >= ends[tp] {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("the consumer stands at %d, %s ends at %d", position, tp, ends[tp])
		}
	}
}

func holds(t *testing.T, tp connect.TopicPartition, want ...string) {
	t.Helper()
	if got := readCommitted(t, tp); !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", tp, got, want)
	}
}

func TestProducerTransactionsOnKafka(t *testing.T) {
	const topic = "producer-txn"
	createTopic(t, kafkaClient(t), topic, 2)
	p := newTransactional(t, topic)
	var want []string
	for i := range 20 { // in quick succession: the coordinator is still busy with the one before
		v := fmt.Sprint(i)
		noError(t, p.BeginTransaction(), p.Send(t.Context(), value(topic, 0, v), value(topic, 1, v)))
		if i%3 == 2 {
			noError(t, p.AbortTransaction(t.Context()))
			continue
		}
		noError(t, p.CommitTransaction(t.Context()))
		want = append(want, v)
	}
	noError(t, p.BeginTransaction(), p.CommitTransaction(t.Context()))
	holds(t, at(topic, 0), want...)
	holds(t, at(topic, 1), want...)

	// An open transaction holds the last stable offset back until it is aborted by Close.
	noError(t, p.BeginTransaction(), p.Send(t.Context(), value(topic, 0, "open")))
	tps := []connect.TopicPartition{at(topic, 0)}
	admin := newAdmin(t)
	stable, err := admin.StableOffsets(t.Context(), tps)
	noError(t, err)
	ends, err := admin.EndOffsets(t.Context(), tps)
	noError(t, err)
	if stable[tps[0]] != ends[tps[0]]-1 {
		t.Errorf("last stable offset %d, end %d", stable[tps[0]], ends[tps[0]])
	}
	noError(t, p.Close())
	holds(t, at(topic, 0), want...)
}

func TestProducerFencingOnKafka(t *testing.T) {
	for name, fence := range map[string]func(id string){
		"producer": func(id string) { newTransactional(t, id) },
		"admin": func(id string) {
			noError(t, newAdmin(t).FenceProducers(t.Context(), []string{"nobody-used-this", id}))
		},
	} {
		for _, call := range []string{"send", "commit", "begin"} {
			topic := "fencing-" + name + "-" + call
			createTopic(t, kafkaClient(t), topic, 1)
			zombie := newTransactional(t, topic)
			noError(t, zombie.BeginTransaction(), zombie.Send(t.Context(), value(topic, 0, "zombie")))
			if call == "begin" {
				noError(t, zombie.AbortTransaction(t.Context()))
			}
			fence(topic)
			var err error
			switch call {
			case "send":
				err = zombie.Send(t.Context(), value(topic, 0, "late"))
			case "commit":
				err = zombie.CommitTransaction(t.Context())
			case "begin":
				noError(t, zombie.BeginTransaction())
				err = zombie.Send(t.Context(), value(topic, 0, "late"))
			}
			if !errors.Is(err, kafka.ErrFenced) {
				t.Errorf("%s: the zombie gets %v", topic, err)
			}
			t.Logf("%s: %v", topic, err)
			for _, err := range []error{zombie.CommitTransaction(t.Context()), zombie.AbortTransaction(t.Context()), zombie.BeginTransaction()} {
				if !errors.Is(err, kafka.ErrFenced) {
					t.Errorf("%s: then it gets %v", topic, err)
				}
			}
			next := newTransactional(t, topic)
			noError(t, next.BeginTransaction(), next.Send(t.Context(), value(topic, 0, "next")), next.CommitTransaction(t.Context()))
			holds(t, at(topic, 0), "next")
		}
	}
}

// TestProducerTransactionTimesOutOnKafka: the broker aborts it, and readers go on.
func TestProducerTransactionTimesOutOnKafka(t *testing.T) {
	const topic = "producer-timeout"
	createTopic(t, kafkaClient(t), topic, 1)
	p := newTransactional(t, topic, "transaction.timeout.ms", "1000")
	noError(t, p.BeginTransaction(), p.Send(t.Context(), value(topic, 0, "late")))
	holds(t, at(topic, 0)) // reaches the end when the coordinator has looked: every 10 s
	err := p.CommitTransaction(t.Context())
	t.Logf("the late commit: %v", err)
	if !errors.Is(err, kafka.ErrFenced) {
		t.Errorf("the late commit: %v", err)
	}
	next := newTransactional(t, topic)
	noError(t, next.BeginTransaction(), next.Send(t.Context(), value(topic, 0, "next")), next.CommitTransaction(t.Context()))
	holds(t, at(topic, 0), "next")
	longest := newProducer(t, "transactional.id", topic, "transaction.timeout.ms", "3600000")
	if err := longest.InitTransactions(t.Context()); err == nil || kafka.Retriable(err) {
		t.Errorf("a transaction of an hour: %v", err)
	}
}

// TestProducerOutlivesAKilledBroker: in the middle of a transaction, and of records
// without one. Nothing is lost and nothing written twice.
func TestProducerOutlivesAKilledBroker(t *testing.T) {
	const topic, partitions, n = "producer-killed", 3, 60_000
	createTopic(t, kafkaClient(t), topic, partitions)
	for _, transactional := range []bool{true, false} {
		var p *kafka.Producer
		base := int32(0)
		if transactional {
			p = newTransactional(t, topic)
			noError(t, p.BeginTransaction())
		} else {
			p, base = newProducer(t), 1
		}
		var acks sync.WaitGroup
		acks.Add(n)
		restarted := make(chan error, 1)
		for i := 0; i < n; i += 1000 {
			records := make([]kafka.ProducerRecord, 1000)
			for j := range records {
				records[j] = value(topic, base, fmt.Sprintf("%06d", i+j))
			}
			noError(t, p.SendAsync(t.Context(), records, func(acked []kafka.Ack) {
				for _, a := range acked {
					if a.Err != nil {
						t.Error(a.Err)
					}
				}
				acks.Add(-len(acked))
			}))
			if i == n/2 {
				noError(t, kafkaCluster.Brokers[0].Kill())
				go func() { restarted <- kafkaCluster.Brokers[0].Start(context.WithoutCancel(t.Context())) }()
			}
		}
		noError(t, <-restarted)
		if transactional {
			noError(t, p.CommitTransaction(t.Context()))
		}
		acks.Wait()
		got := readCommitted(t, at(topic, base))
		if len(got) != n || !slices.IsSorted(got) || got[n-1] != fmt.Sprintf("%06d", n-1) {
			t.Errorf("transactional %t: %d records, sorted %t", transactional, len(got), slices.IsSorted(got))
		}
	}
}

// TestProducerSpeedOnKafka tells how fast SendAsync is; it checks only that every
// record is acknowledged.
func TestProducerSpeedOnKafka(t *testing.T) {
	const topic, partitions, n, perCall = "producer-speed", 4, 1_000_000, 2000
	createTopic(t, kafkaClient(t), topic, partitions)
	p := newProducer(t, "enable.idempotence", "false")
	records := make([]kafka.ProducerRecord, perCall)
	for i := range records {
		records[i] = value(topic, int32(i%partitions), fmt.Sprintf("%0200d", i))
	}
	var acks sync.WaitGroup
	acks.Add(n)
	start := time.Now()
	for range n / perCall {
		noError(t, p.SendAsync(t.Context(), records, func(acked []kafka.Ack) {
			for _, a := range acked {
				if a.Err != nil {
					t.Error(a.Err)
				}
			}
			acks.Add(-len(acked))
		}))
	}
	acks.Wait()
	t.Logf("%.0f records of 200 bytes per second", n/time.Since(start).Seconds())
}

type idleGroup struct{}

func (idleGroup) Assigned(context.Context, []connect.TopicPartition) error { return nil }
func (idleGroup) Revoked(context.Context, []connect.TopicPartition) error  { return nil }
func (idleGroup) Lost(context.Context, []connect.TopicPartition) error     { return nil }

func TestGroupOffsetsOnKafka(t *testing.T) {
	const topic, group = "group-offsets", "group-offsets-group"
	createTopic(t, kafkaClient(t), topic, 2)
	admin := newAdmin(t)
	is := func(want map[connect.TopicPartition]int64) {
		t.Helper()
		got, err := admin.GroupOffsets(t.Context(), group)
		noError(t, err)
		if !maps.Equal(got, want) {
			t.Errorf("offsets %v, want %v", got, want)
		}
	}
	is(map[connect.TopicPartition]int64{})
	noError(t, admin.AlterGroupOffsets(t.Context(), group, map[connect.TopicPartition]int64{at(topic, 0): 5, at(topic, 1): 7}))
	noError(t, admin.DeleteGroupOffsets(t.Context(), group, []connect.TopicPartition{at(topic, 1)}))
	is(map[connect.TopicPartition]int64{at(topic, 0): 5})

	member, err := kafka.NewGroupConsumer(t.Context(), clientProps("group.id", group), kafka.Subscription{Topics: []string{topic}}, idleGroup{}, zap.NewNop())
	noError(t, err)
	eventually(t, time.Minute, "the group has a member", func() error {
		if _, err := member.Poll(t.Context(), 100*time.Millisecond); err != nil {
			return err
		}
		if len(member.Assignment()) != 2 {
			return errors.New("nothing is assigned")
		}
		return nil
	})
	for name, err := range map[string]error{
		"alter":          admin.AlterGroupOffsets(t.Context(), group, map[connect.TopicPartition]int64{at(topic, 0): 6}),
		"delete offsets": admin.DeleteGroupOffsets(t.Context(), group, []connect.TopicPartition{at(topic, 0)}),
		"delete":         admin.DeleteGroup(t.Context(), group),
	} {
		t.Logf("%s: %v", name, err)
		if !errors.Is(err, kafka.ErrGroupNotEmpty) {
			t.Errorf("%s: %v", name, err)
		}
	}
	noError(t, member.Close(t.Context()))
	noError(t, admin.DeleteGroup(t.Context(), group))
	is(map[connect.TopicPartition]int64{})
	if err := admin.DeleteGroup(t.Context(), group); !errors.Is(err, kafka.ErrUnknownGroup) {
		t.Errorf("delete again: %v", err)
	}
}

func TestProducerLetsKafkaCreateTopics(t *testing.T) {
	noError(t, newProducer(t).Send(t.Context(), value("made-by-auto-create", -1, "v")))
	holds(t, at("made-by-auto-create", 0), "v")
}
