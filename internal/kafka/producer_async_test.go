package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// ackLog collects acks and checks that each record has one.
type ackLog struct {
	t    testing.TB
	mu   sync.Mutex
	acks map[int]Ack
	all  []Ack // as they came
}

func newAckLog(t testing.TB) *ackLog { return &ackLog{t: t, acks: map[int]Ack{}} }

// from is the callback for records whose first has this number.
func (l *ackLog) from(first int) func([]Ack) {
	return func(acks []Ack) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, a := range acks {
			a.Index += first
			if _, twice := l.acks[a.Index]; twice {
				l.t.Errorf("record %d is acknowledged twice", a.Index)
			}
			l.acks[a.Index] = a
			l.all = append(l.all, a)
		}
	}
}

func (l *ackLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acks)
}

func (l *ackLog) await(n int) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%d acks", n), func() bool { return l.count() == n })
}

// failures returns the errors by record.
func (l *ackLog) failures() map[int]error {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[int]error{}
	for i, a := range l.acks {
		if a.Err != nil {
			out[i] = a.Err
		}
	}
	return out
}

func (l *ackLog) noFailures() {
	l.t.Helper()
	for i, err := range l.failures() {
		l.t.Errorf("record %d: %v", i, err)
	}
}

func numbered(topic string, partition int32, first, n int) []ProducerRecord {
	out := make([]ProducerRecord, n)
	for i := range out {
		out[i] = record(topic, partition, fmt.Sprintf("%05d", first+i))
	}
	return out
}

func TestSendAsyncAcksEveryRecordOnce(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 3)
	c.Topic("u", 2)
	p := newTestProducer(t, c, "batch.size", "300")
	log := newAckLog(t)
	const calls, perCall = 40, 25
	records := make([]ProducerRecord, perCall)
	for call := range calls {
		for i := range records { // the slice is used again
			n := call*perCall + i
			records[i] = record([]string{"t", "t", "t", "u"}[n%4], -1, fmt.Sprintf("%05d", n))
			if n%4 < 2 {
				records[i].Key = fmt.Append(nil, n%7)
			}
			records[i].Timestamp = int64(n)
			records[i].Headers = []Header{{"n", fmt.Append(nil, n)}, {"same", []byte("x")}}
		}
		if err := p.SendAsync(t.Context(), records, log.from(call*perCall)); err != nil {
			t.Fatal(err)
		}
	}
	log.await(calls * perCall)
	log.noFailures()
	last := map[connect.TopicPartition]Ack{}
	for _, a := range log.all {
		if before, ok := last[a.Meta.TopicPartition]; ok && (a.Index <= before.Index || a.Meta.Offset != before.Meta.Offset+1) {
			t.Errorf("%s: record %d at %d after record %d at %d", a.Meta.TopicPartition, a.Index, a.Meta.Offset, before.Index, before.Meta.Offset)
		}
		last[a.Meta.TopicPartition] = a
		if a.Meta.Timestamp != int64(a.Index) {
			t.Errorf("record %d has timestamp %d", a.Index, a.Meta.Timestamp)
		}
	}
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tps("t-0 t-1 t-2 u-0 u-1")...))
	seen := 0
	eventually(t, "the records", func() bool {
		batches, err := consumer.Poll(t.Context(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			for _, r := range b.Records {
				var n int
				if _, err := fmt.Sscan(strings.TrimLeft(string(r.Value), "0")+" ", &n); err != nil && string(r.Value) != "00000" {
					t.Fatal(err)
				}
				a := log.acks[n]
				if a.Meta.TopicPartition != b.TopicPartition || a.Meta.Offset != r.Offset || r.Timestamp != int64(n) ||
					len(r.Headers) != 2 || string(r.Headers[0].Value) != fmt.Sprint(n) || r.Headers[1].Key != "same" {
					t.Errorf("record %d: %+v in %s, ack %+v", n, r, b.TopicPartition, a)
				}
				seen++
			}
		}
		return seen == calls*perCall
	})
}

// TestSendAsyncRefusesSingleRecords: the others are sent.
func TestSendAsyncRefusesSingleRecords(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	p := newTestProducer(t, c, "max.request.size", "1000", "max.block.ms", "150", "linger.ms", "0")
	log := newAckLog(t)
	records := []ProducerRecord{
		record("t", 0, "good"), record("t", 0, strings.Repeat("x", 2000)), record("t", 5, "no such partition"),
		record("missing", 0, "no such topic"), {Topic: "t", Timestamp: -7}, record("missing", -1, "again"), record("t", -1, "good, too"),
	}
	start := time.Now()
	if err := p.SendAsync(t.Context(), records, log.from(0)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a topic is waited for once per call, not for %s", took)
	}
	log.await(len(records))
	want := map[int]string{
		1: "The message is 2082 bytes when serialized which is larger than 1000, which is the value of the max.request.size configuration.",
		2: "Invalid partition given with record: 5 is not in the range [0...1)",
		3: "Topic missing not present in metadata after 150 ms.",
		4: "Invalid timestamp: -7.",
		5: "Topic missing not present in metadata after 150 ms.",
	}
	got := log.failures()
	for i, text := range want {
		if err := got[i]; err == nil || !strings.HasPrefix(err.Error(), text) {
			t.Errorf("record %d: %v, want %s", i, err, text)
		}
	}
	if len(got) != len(want) || !errors.Is(got[3], ErrTimeout) || !errors.Is(got[3], ErrUnknownTopic) {
		t.Errorf("failures: %v", got)
	}
	if n := log.acks[6].Meta.Offset; n != 1 {
		t.Errorf("the last record has offset %d", n)
	}
}

func TestSendAsyncWaitsForMemory(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	p := newTestProducer(t, c, "buffer.memory", "5000", "max.block.ms", "100")
	log := newAckLog(t)
	records := make([]ProducerRecord, 10)
	for i := range records {
		records[i] = record("t", 0, strings.Repeat(fmt.Sprint(i), 1000))
	}
	err := p.SendAsync(t.Context(), records, log.from(0))
	var refused *SendError
	if !errors.As(err, &refused) || refused.Index != 4 || !errors.Is(err, ErrTimeout) ||
		!strings.HasPrefix(err.Error(), "Failed to allocate 1082 bytes within the configured max blocking time 100 ms. Total memory: 5000 bytes. Available memory: 916 bytes.") {
		t.Fatalf("SendAsync returned %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTest)
	if err := p.SendAsync(ctx, records[4:], log.from(4)); !errors.Is(err, errTest) {
		t.Errorf("SendAsync returned %v", err)
	}
	fault.Remove()
	if err := p.SendAsync(t.Context(), records[4:], log.from(4)); err != nil {
		t.Fatal(err)
	}
	log.await(len(records))
	log.noFailures()
	eventually(t, "all memory to be free", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.used == 0 && p.open == 0
	})
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tp("t", 0)))
	for i, v := range readN(t, consumer, 10)[tp("t", 0)] {
		if v[:1] != fmt.Sprint(i) {
			t.Errorf("record %d is %s…", i, v[:1])
		}
	}
	if err := p.SendAsync(t.Context(), []ProducerRecord{record("t", 0, strings.Repeat("x", 6000))}, log.from(10)); err != nil {
		t.Fatal(err)
	}
	log.await(11)
	if err := log.failures()[10]; err == nil || !strings.Contains(err.Error(), "larger than the total memory buffer you have configured with the buffer.memory configuration") {
		t.Errorf("a record larger than all memory: %v", err)
	}
}

// batchSizes notes the bytes of each batch that comes in.
func batchSizes(c *kafkatest.Cluster) func() []int {
	var mu sync.Mutex
	var sizes []int
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		for _, t := range r.(*kmsg.ProduceRequest).Topics {
			for _, p := range t.Partitions {
				sizes = append(sizes, len(p.Records))
			}
		}
		return nil, nil, false
	})
	return func() []int {
		mu.Lock()
		defer mu.Unlock()
		return sizes
	}
}

func TestBatchesLinger(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	sizes := batchSizes(c)
	p := newTestProducer(t, c, "linger.ms", "600000", "delivery.timeout.ms", "700000")
	log := newAckLog(t)
	for i := range 20 {
		if err := p.SendAsync(t.Context(), numbered("t", 0, i, 1), log.from(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil { // does not wait for linger.ms
		t.Fatal(err)
	}
	log.noFailures()
	if got := sizes(); len(got) != 1 || log.count() != 20 {
		t.Errorf("%d acks; batches of %v bytes, want one", log.count(), got)
	}

	q := newTestProducer(t, c, "linger.ms", "600000", "delivery.timeout.ms", "700000")
	if err := q.SendAsync(t.Context(), []ProducerRecord{record("t", 0, strings.Repeat("x", 17000))}, log.from(20)); err != nil {
		t.Fatal(err)
	}
	log.await(21) // a full batch does not wait
	if err := q.SendAsync(t.Context(), numbered("t", 0, 21, 1), log.from(21)); err != nil {
		t.Fatal(err)
	}
	if err := q.Send(t.Context(), numbered("t", 0, 22, 1)...); err != nil { // nor does Send
		t.Fatal(err)
	}
	log.await(22)
	log.noFailures()
}

func TestBatchesGrowUpToBatchSize(t *testing.T) {
	for _, x := range []struct {
		pairs    []string
		least    int
		most     int
		maxBytes string
	}{
		{[]string{"batch.size", "2000"}, 900, 2000, "1000000"}, // 26 bytes are reckoned for records of 12
		{nil, 50_000, grownBatch, "1000000"},                   // while the broker refuses the first
		{nil, 1000, grownBatch, "20000"},                       // larger than the topic takes: halved
	} {
		t.Run(fmt.Sprint(x.pairs, x.maxBytes), func(t *testing.T) {
			t.Parallel()
			c := kafkatest.New(t)
			c.Topic("t", 1, "max.message.bytes", x.maxBytes)
			sizes := batchSizes(c)
			hold := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
			p := newTestProducer(t, c, x.pairs...)
			log := newAckLog(t)
			const calls, perCall = 20, 500
			for i := range calls {
				if err := p.SendAsync(t.Context(), numbered("t", 0, i*perCall, perCall), log.from(i*perCall)); err != nil {
					t.Fatal(err)
				}
			}
			hold.Remove()
			log.await(calls * perCall)
			log.noFailures()
			largest := 0
			for _, n := range sizes() {
				largest = max(largest, n)
			}
			if largest < x.least || largest > x.most {
				t.Errorf("the largest batch has %d bytes, want %d to %d", largest, x.least, x.most)
			}
			for i, a := range log.all {
				if a.Index != i || a.Meta.Offset != int64(i) {
					t.Fatalf("ack %d is of record %d at offset %d", i, a.Index, a.Meta.Offset)
				}
			}
		})
	}
}

// TestKeylessRecordsFillBatches: they change the partition after batch.size bytes.
func TestKeylessRecordsFillBatches(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 3)
	p := newTestProducer(t, c, "batch.size", "1000")
	log := newAckLog(t)
	const n = 3000
	if err := p.SendAsync(t.Context(), numbered("t", -1, 0, n), log.from(0)); err != nil {
		t.Fatal(err)
	}
	log.await(n)
	log.noFailures()
	changes, used := 0, map[int32]int{}
	for i := range n {
		id := log.acks[i].Meta.Partition
		used[id]++
		if i > 0 && id != log.acks[i-1].Meta.Partition {
			changes++
		}
	}
	// 26 bytes each: 39 to a batch, 77 turns, of which a third may stay where they are.
	if len(used) != 3 || changes > n/39+1 || changes < 10 {
		t.Errorf("%d changes of the partition, records by partition: %v", changes, used)
	}
}

func TestSendAsyncWithoutAcks(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	p := newTestProducer(t, c, "acks", "0")
	log := newAckLog(t)
	if err := p.SendAsync(t.Context(), numbered("t", 0, 0, 3), log.from(0)); err != nil {
		t.Fatal(err)
	}
	log.await(3)
	log.noFailures()
	if a := log.acks[2]; a.Meta.Offset != connect.NoOffset {
		t.Errorf("ack %+v", a)
	}
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tp("t", 0)))
	readN(t, consumer, 3)
}

func TestProducerLetsTheBrokerCreateTopics(t *testing.T) {
	c := kafkatest.New(t, kfake.AllowAutoTopicCreation())
	p := newTestProducer(t, c)
	if err := p.Send(t.Context(), record("made-on-demand", -1, "v")); err != nil {
		t.Error(err)
	}
}

func TestCloseNowTellsEverything(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 2)
	var hung atomic.Int32
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		hung.Add(1)
		return nil, nil, true // no answer
	})
	p := newTestProducer(t, c, "delivery.timeout.ms", "600000", "buffer.memory", "3000", "max.block.ms", "600000")
	log := newAckLog(t)
	if err := p.SendAsync(t.Context(), append(numbered("t", 0, 0, 10), numbered("t", 1, 10, 10)...), log.from(0)); err != nil {
		t.Fatal(err)
	}
	blocked := make(chan error, 1)
	go func() {
		blocked <- p.SendAsync(context.Background(), []ProducerRecord{record("t", 0, strings.Repeat("x", 2700))}, log.from(20))
	}()
	eventually(t, "a request under way and a call that waits", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return hung.Load() > 0 && p.hungry == 1
	})
	start := time.Now()
	p.CloseNow()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("CloseNow took %s", took)
	}
	if n, failed := log.count(), log.failures(); n != 20 || len(failed) != 20 || !errors.Is(failed[19], ErrClosed) {
		t.Errorf("%d acks, failures %v", n, failed)
	}
	if err := receive(t, "the end of SendAsync", blocked); !errors.Is(err, ErrClosed) {
		t.Errorf("SendAsync returned %v", err)
	}
	if err := p.SendAsync(t.Context(), numbered("t", 0, 0, 1), log.from(30)); !errors.Is(err, ErrClosed) {
		t.Errorf("SendAsync after CloseNow: %v", err)
	}
}
