package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/internal/kafkatest"
)

// loseAnswer makes the broker deal with the next produce request and not answer.
func loseAnswer(c *kafkatest.Cluster, topic string, partition int32) (lost func() bool) {
	var done atomic.Bool
	node := c.LeaderFor(topic, partition)
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !done.Swap(true) {
			c.LoseAnswer(node)
		}
		return nil, nil, false
	})
	return done.Load
}

// TestIdempotentProducerWritesOnce: although the answer is lost after the records
// were written. Without idempotence they are there twice.
func TestIdempotentProducerWritesOnce(t *testing.T) {
	for _, idempotent := range []string{"true", "false"} {
		c := kafkatest.New(t)
		c.Topic("t", 1)
		p := newTestProducer(t, c, "enable.idempotence", idempotent)
		if err := p.Send(t.Context(), record("t", 0, "a")); err != nil {
			t.Fatal(err)
		}
		lost := loseAnswer(c, "t", 0)
		if err := p.Send(t.Context(), record("t", 0, "b"), record("t", 0, "c")); err != nil {
			t.Fatal(err)
		}
		if err := p.Send(t.Context(), record("t", 0, "d")); err != nil {
			t.Fatal(err)
		}
		values := []string{"a", "b", "c", "d"}
		if idempotent == "false" {
			values = []string{"a", "b", "c", "b", "c", "d"}
		}
		if !lost() {
			t.Error("the answer was not lost")
		}
		want(t, readAll(t, c, "read_uncommitted", tp("t", 0)), tp("t", 0), values...)
	}
}

func TestIdempotentProducerGoesOnUnderANewID(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	ids := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Observe: true, Count: -1})
	p := newTestProducer(t, c)
	if err := p.Send(t.Context(), record("t", 0, "a")); err != nil {
		t.Fatal(err)
	}
	c.FailOnce(kmsg.Produce, kerr.OutOfOrderSequenceNumber)
	if err := p.Send(t.Context(), record("t", 0, "lost")); codeOf(err) != brokerCode(kerr.OutOfOrderSequenceNumber) || !strings.Contains(err.Error(), "out of order sequence number") {
		t.Errorf("Send returned %v", err)
	}
	if err := p.Send(t.Context(), record("t", 0, "b")); err != nil {
		t.Error(err)
	}
	c.FailOnce(kmsg.Produce, kerr.UnknownProducerID) // its records are gone; this one was never written
	if err := p.Send(t.Context(), record("t", 0, "c")); err != nil {
		t.Error(err)
	}
	// A batch that may have been written is given up.
	c.FailOnce(kmsg.Produce, kerr.DuplicateSequenceNumber)
	if err := p.Send(t.Context(), record("t", 0, "there already")); err != nil {
		t.Error(err)
	}
	if n := ids.Hits(); n != 3 {
		t.Errorf("%d producer ids were asked for, want 3", n)
	}
	want(t, readAll(t, c, "read_uncommitted", tp("t", 0)), tp("t", 0), "a", "b", "c")
}

// TestIdempotentProducerAfterExpiry: it is not known whether the batch was written, so
// the next has no certain number.
func TestIdempotentProducerAfterExpiry(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 2)
	p := newTestProducer(t, c, "delivery.timeout.ms", "1500", "request.timeout.ms", "1000", "linger.ms", "0")
	if err := p.Send(t.Context(), record("t", 0, "a"), record("t", 1, "x")); err != nil {
		t.Fatal(err)
	}
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{0}, Topic: "t", Err: kerr.NotEnoughReplicasAfterAppend, Count: -1})
	if err := p.Send(t.Context(), record("t", 0, "b")); !errors.Is(err, ErrTimeout) {
		t.Errorf("Send returned %v", err)
	}
	fault.Remove()
	if err := p.Send(t.Context(), record("t", 0, "c"), record("t", 1, "y")); err != nil {
		t.Error(err)
	}
	got := readAll(t, c, "read_uncommitted", tps("t-0 t-1")...)
	want(t, got, tp("t", 1), "x", "y")
	if v := got[tp("t", 0)]; v[0] != "a" || v[len(v)-1] != "c" {
		t.Errorf("t-0 holds %q", v)
	}
}

func TestIdempotenceNotAllowed(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.ClusterAuthorizationFailed, Count: -1})
	p := newTestProducer(t, c)
	for range 2 {
		err := p.Send(t.Context(), record("t", 0, "a"))
		if !errors.Is(err, ErrAuthorization) || !strings.Contains(err.Error(), "IdempotentWrite on Cluster") {
			t.Errorf("Send returned %v", err)
		}
	}
	x := newTestProducer(t, c, "transactional.id", "x")
	if err := x.InitTransactions(t.Context()); !errors.Is(err, ErrAuthorization) || !strings.Contains(err.Error(), "IdempotentWrite on Cluster") {
		t.Errorf("InitTransactions returned %v", err)
	}
}

func TestNextSequenceWraps(t *testing.T) {
	for _, x := range []struct {
		at   int32
		n    int
		want int32
	}{{0, 5, 5}, {2147483647, 1, 0}, {2147483640, 10, 2}, {2147483646, 1, 2147483647}} {
		if got := nextSequence(x.at, x.n); got != x.want {
			t.Errorf("%d + %d = %d, want %d", x.at, x.n, got, x.want)
		}
	}
}

// TestIdempotentProducerUnderFaults: connections are cut, answers lost and requests
// refused while several goroutines send; still every record is there once, and those
// of a goroutine in order.
func TestIdempotentProducerUnderFaults(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 3)
	var requests atomic.Int64
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if n := requests.Add(1); n%4 == 0 {
			c.LoseAnswer(int32(n / 4 % 3))
		}
		return nil, nil, false
	})
	p := newTestProducer(t, c, "batch.size", "400", "linger.ms", "1", "buffer.memory", "20000")
	const senders, calls, perCall = 3, 60, 20
	logs := make([]*ackLog, senders)
	var wg sync.WaitGroup
	for s := range senders {
		logs[s] = newAckLog(t)
		wg.Go(func() {
			for call := range calls {
				records := make([]ProducerRecord, perCall)
				for i := range records {
					n := call*perCall + i
					records[i] = record("t", int32(n%3), fmt.Sprintf("%d-%05d", s, n))
				}
				if err := p.SendAsync(t.Context(), records, logs[s].from(call*perCall)); err != nil {
					t.Error(err)
					return
				}
				switch call % 20 {
				case 7:
					c.Cut(int32(s))
				case 13:
					c.FailOnce(kmsg.Produce, kerr.NotEnoughReplicasAfterAppend)
				case 17:
					if err := c.MoveTopicPartition("t", int32(s), int32(call/20)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for _, log := range logs {
		log.await(calls * perCall)
		log.noFailures()
	}
	for of, values := range readAll(t, c, "read_uncommitted", tps("t-0 t-1 t-2")...) {
		for s := range senders {
			mine := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !strings.HasPrefix(v, fmt.Sprint(s, "-")) })
			if len(mine) != calls*perCall/3 || !slices.IsSorted(mine) || len(slices.Compact(mine)) != calls*perCall/3 {
				t.Errorf("%s, sender %d: %d records, sorted %t", of, s, len(mine), slices.IsSorted(mine))
			}
		}
	}
}
