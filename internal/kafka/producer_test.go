package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/internal/kafkatest"
)

func newTestProducer(t testing.TB, c *kafkatest.Cluster, pairs ...string) *Producer {
	t.Helper()
	p, err := NewProducer(t.Context(), c.Props(pairs...), testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func record(topic string, partition int32, value string) ProducerRecord {
	return ProducerRecord{Topic: topic, Partition: partition, Timestamp: -1, Value: []byte(value)}
}

// TestMurmur2 has the values of the Java client's UtilsTest.
func TestMurmur2(t *testing.T) {
	for text, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(text))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestSendAckedTellsWhereRecordsAre(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 2)
	p := newTestProducer(t, c)
	for round := range int64(3) {
		acks, err := p.SendAcked(t.Context(), record("t", 1, "a"), record("t", 0, "b"), record("t", 1, "c"))
		if err != nil {
			t.Fatal(err)
		}
		var at []string
		for _, a := range acks {
			at = append(at, fmt.Sprint(a.Meta.TopicPartition, "@", a.Meta.Offset))
		}
		if want := []string{fmt.Sprint("t-1@", 2*round), fmt.Sprint("t-0@", round), fmt.Sprint("t-1@", 2*round+1)}; !slices.Equal(at, want) {
			t.Errorf("records are at %v, want %v", at, want)
		}
	}
	if acks, err := p.SendAcked(t.Context(), record("t", 0, "x"), record("t", 7, "y")); err == nil || acks != nil {
		t.Errorf("acks %v, error %v", acks, err)
	}
}

func TestProducerPartitionsLikeJava(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 7)
	p := newTestProducer(t, c)
	keys := []string{"21", "foobar", "abc", "", "k"}
	for _, k := range keys {
		r := record("t", -1, k)
		r.Key = []byte(k)
		if err := p.Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tps("t-0 t-1 t-2 t-3 t-4 t-5 t-6")...))
	for of, values := range readN(t, consumer, len(keys)) {
		for _, v := range values {
			// toPositive(murmur2(key)) % partitions
			if want := int32(murmur2([]byte(v))&0x7fffffff) % 7; of.Partition != want {
				t.Errorf("key %q went to %s, want partition %d", v, of, want)
			}
		}
	}
	// -973932308 & 0x7fffffff = 1173551340, % 7 = 5: worked out by hand.
	if got := partitionForKey([]byte("21"), 7); got != 1173551340%7 {
		t.Errorf("partition %d", got)
	}
	if err := p.Send(t.Context(), record("t", 7, "x")); err == nil || !strings.HasPrefix(err.Error(), "Invalid partition given with record: 7 is not in the range [0...7)") {
		t.Errorf("partition that is not there: %v", err)
	}
}

func TestProducerWritesWhatItGot(t *testing.T) {
	c := kafkatest.New(t)
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		topic := "t-" + codec
		c.Topic(topic, 1)
		p := newTestProducer(t, c, "compression.type", codec, "acks", "1")
		want := []ProducerRecord{
			{Topic: topic, Partition: 0, Timestamp: 1234, Key: []byte("k"), Value: []byte(strings.Repeat("v", 1000)), Headers: []Header{{"a", []byte("1")}, {"a", nil}, {"b", []byte{}}}},
			{Topic: topic, Partition: 0, Timestamp: 1200, Key: nil, Value: nil},
			{Topic: topic, Partition: 0, Timestamp: 5000, Key: []byte{}, Value: []byte{}},
		}
		if err := p.Send(t.Context(), want...); err != nil {
			t.Fatal(err)
		}
		consumer := newTestConsumer(t, c)
		consumer.Add(from(0, tp(topic, 0)))
		var got []Record
		eventually(t, "the records", func() bool {
			batches, err := consumer.Poll(t.Context(), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range batches {
				got = append(got, b.Records...)
			}
			return len(got) == len(want)
		})
		for i, w := range want {
			g := got[i]
			same := g.Timestamp == w.Timestamp && string(g.Key) == string(w.Key) && (g.Key == nil) == (w.Key == nil) &&
				string(g.Value) == string(w.Value) && (g.Value == nil) == (w.Value == nil) && len(g.Headers) == len(w.Headers)
			for j := range min(len(g.Headers), len(w.Headers)) {
				same = same && g.Headers[j].Key == w.Headers[j].Key && string(g.Headers[j].Value) == string(w.Headers[j].Value) &&
					(g.Headers[j].Value == nil) == (w.Headers[j].Value == nil)
			}
			if !same {
				t.Errorf("%s: record %d: %+v, want %+v", codec, i, g, w)
			}
		}
	}
}

// TestProducerKeepsOrder: over retries, moves of the leader and lost connections.
func TestProducerKeepsOrder(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 3)
	p := newTestProducer(t, c, "batch.size", "200")
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "t", Partitions: []int32{0}, Err: kerr.NotLeaderForPartition, Count: 2})
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "t", Partitions: []int32{1}, Err: kerr.NotEnoughReplicas, Count: 3})
	var wg sync.WaitGroup
	for part := range int32(3) {
		wg.Go(func() {
			for i := range 30 {
				if i == 10 {
					if err := c.MoveTopicPartition("t", part, (part+1)%3); err != nil {
						t.Error(err)
					}
				}
				if i == 20 {
					c.Cut(c.LeaderFor("t", part))
				}
				var records []ProducerRecord
				for j := range 4 {
					records = append(records, record("t", part, fmt.Sprintf("%03d", 4*i+j)))
				}
				if err := p.Send(t.Context(), records...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tps("t-0 t-1 t-2")...))
	for of, values := range readN(t, consumer, 360) {
		// A request whose answer was lost is sent again: doubles are in order, too.
		if values = slices.Compact(values); !slices.IsSorted(values) && !runsInOrder(values) {
			t.Errorf("%s: %q", of, values)
		}
	}
}

// runsInOrder tells whether, leaving out repeated runs, nothing is missing or late: a
// value comes first only after the one before it.
func runsInOrder(values []string) bool {
	next := 0
	for _, v := range values {
		switch want := fmt.Sprintf("%03d", next); {
		case v == want:
			next++
		case v > want:
			return false
		}
	}
	return next == 120
}

func TestProducerRetries(t *testing.T) {
	for _, code := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.NotEnoughReplicas, kerr.KafkaStorageError, kerr.CorruptMessage, kerr.UnknownTopicOrPartition,
	} {
		t.Run(code.Message, func(t *testing.T) {
			t.Parallel()
			c := kafkatest.New(t)
			c.Topic("t", 1)
			fault := c.FailOnce(kmsg.Produce, code)
			p := newTestProducer(t, c)
			if err := p.Send(t.Context(), record("t", 0, "v")); err != nil {
				t.Error(err)
			}
			if fault.Hits() != 1 {
				t.Errorf("the fault was met %d times", fault.Hits())
			}
			c.FailOnce(kmsg.Produce, code)
			once := newTestProducer(t, c, "retries", "0")
			if err := once.Send(t.Context(), record("t", 0, "v")); codeOf(err) != brokerCode(code) {
				t.Errorf("without retries: %v", err)
			}
		})
	}
}

func TestProducerFatalErrors(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.InvalidRecord, kerr.InvalidRequiredAcks} {
		c := kafkatest.New(t)
		c.Topic("t", 2)
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "t", Partitions: []int32{1}, Err: code, Count: -1})
		p := newTestProducer(t, c)
		err := p.Send(t.Context(), record("t", 0, "v"), record("t", 1, "v"))
		if codeOf(err) != brokerCode(code) || !strings.Contains(err.Error(), "t-1") {
			t.Errorf("%s: %v", code.Message, err)
		}
		if err := p.Send(t.Context(), record("t", 0, "v")); err != nil {
			t.Errorf("the other partition: %v", err)
		}
	}
}

func TestProducerSizes(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	c.Topic("small", 1, "max.message.bytes", "2000")
	p := newTestProducer(t, c, "max.request.size", "5000")
	err := p.Send(t.Context(), record("t", 0, strings.Repeat("x", 6000)))
	if err == nil || !strings.Contains(err.Error(), "bytes when serialized which is larger than 5000, which is the value of the max.request.size configuration") {
		t.Errorf("a large record: %v", err)
	}
	err = p.Send(t.Context(), record("small", 0, strings.Repeat("x", 3000)))
	if codeOf(err) != brokerCode(kerr.MessageTooLarge) {
		t.Errorf("too large for the topic: %v", err)
	}
	// Together too large, but not one by one.
	var records []ProducerRecord
	for i := range 5 {
		records = append(records, record("small", 0, fmt.Sprint(i)+strings.Repeat("x", 900)))
	}
	if err := p.Send(t.Context(), records...); err != nil {
		t.Error(err)
	}
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tp("small", 0)))
	for i, v := range readN(t, consumer, 5)[tp("small", 0)] {
		if v[:1] != fmt.Sprint(i) {
			t.Errorf("record %d is %q", i, v[:1])
		}
	}
	if err := p.Send(t.Context(), ProducerRecord{Topic: "t", Timestamp: -5}); err == nil || !strings.HasPrefix(err.Error(), "Invalid timestamp: -5.") {
		t.Errorf("a bad timestamp: %v", err)
	}
}

func TestProducerTimeouts(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	p := newTestProducer(t, c, "delivery.timeout.ms", "200", "request.timeout.ms", "100")
	err := p.Send(t.Context(), record("t", 0, "a"), record("t", 0, "b"))
	if !errors.Is(err, ErrTimeout) || !strings.HasPrefix(err.Error(), "Expiring 2 record(s) for t-0:200 ms has passed since batch creation") || codeOf(err) != brokerCode(kerr.NotEnoughReplicas) {
		t.Errorf("Send returned %v", err)
	}
	q := newTestProducer(t, c, "max.block.ms", "100")
	err = q.Send(t.Context(), record("missing", -1, "a"))
	if !errors.Is(err, ErrTimeout) || !strings.HasPrefix(err.Error(), "Topic missing not present in metadata after 100 ms") {
		t.Errorf("Send returned %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(30*time.Millisecond, func() { cancel(errTest) })
	if err := newTestProducer(t, c).Send(ctx, record("t", 0, "a")); !errors.Is(err, errTest) {
		t.Errorf("Send returned %v", err)
	}
}

func TestProducerCloses(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	p := newTestProducer(t, c, "request.timeout.ms", "100", "delivery.timeout.ms", "60000")
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	started := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Observe: true, Count: -1})
	done := make(chan error, 1)
	go func() { done <- p.Send(t.Context(), record("t", 0, "a")) }()
	c.Await(started, 1)
	if err := p.Close(); err != nil { // waits for request.timeout.ms, then gives up
		t.Error(err)
	}
	if err := receive(t, "the end of Send", done); !errors.Is(err, ErrClosed) {
		t.Errorf("Send returned %v", err)
	}
	if err := p.Send(t.Context(), record("t", 0, "a")); !errors.Is(err, ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}

	// What is under way is finished.
	c2 := kafkatest.New(t)
	c2.Topic("t", 1)
	q := newTestProducer(t, c2)
	c2.FailOnce(kmsg.Produce, kerr.NotEnoughReplicas)
	asked := c2.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Observe: true, Count: -1})
	go func() { done <- q.Send(t.Context(), record("t", 0, "a")) }()
	c2.Await(asked, 1)
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	if err := receive(t, "the end of Send", done); err != nil {
		t.Errorf("Send returned %v", err)
	}
}

func TestProducerProperties(t *testing.T) {
	_, err := NewProducer(t.Context(), map[string]string{
		"bootstrap.servers": "h:1", "acks": "2", "compression.type": "brotli", "batch.size": "-1", "delivery.timeout.ms": "1000", "linger.ms": "x",
	}, testLog(t))
	for _, want := range []string{"acks: String must be one of", "compression.type", "batch.size: Value must be at least 0", "linger.ms: Not a number of type LONG",
		"should be equal to or larger than linger.ms + request.timeout.ms"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}
