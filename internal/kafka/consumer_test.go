package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

func newTestConsumer(t testing.TB, c *kafkatest.Cluster, pairs ...string) *Consumer {
	t.Helper()
	consumer, err := NewConsumer(t.Context(), c.Props(pairs...), testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := consumer.Close(); err != nil {
			t.Error(err)
		}
	})
	return consumer
}

// from makes the argument of Add.
func from(offset int64, tps ...connect.TopicPartition) map[connect.TopicPartition]int64 {
	out := map[connect.TopicPartition]int64{}
	for _, tp := range tps {
		out[tp] = offset
	}
	return out
}

// readN polls until n records have come, and returns their values by partition. They
// must come in order.
func readN(t testing.TB, c *Consumer, n int) map[connect.TopicPartition][]string {
	t.Helper()
	got := map[connect.TopicPartition][]string{}
	next := map[connect.TopicPartition]int64{}
	deadline := time.Now().Add(patience)
	for total := 0; total < n; {
		batches, err := c.Poll(t.Context(), time.Second)
		if err != nil {
			t.Fatalf("after %d records: %v", total, err)
		}
		for _, b := range batches {
			for _, r := range b.Records {
				if r.Offset < next[b.TopicPartition] {
					t.Fatalf("%s: offset %d after %d", b.TopicPartition, r.Offset, next[b.TopicPartition]-1)
				}
				next[b.TopicPartition] = r.Offset + 1
				got[b.TopicPartition] = append(got[b.TopicPartition], string(r.Value))
				total++
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d records", total, n)
		}
	}
	return got
}

// pollError polls until there is an error.
func pollError(t testing.TB, c *Consumer) error {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		if _, err := c.Poll(t.Context(), 100*time.Millisecond); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			t.Fatal("Poll has no error")
		}
	}
}

func TestConsumerReadsAllPartitions(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 6)
	produceTo(c, 6, "a", 50)
	consumer := newTestConsumer(t, c, "max.poll.records", "7")
	all := tps("t-0 t-1 t-2 t-3 t-4 t-5")
	consumer.Add(from(OffsetEarliest, all...))
	got := readN(t, consumer, 300)
	for _, tp := range all {
		if want := values(fmt.Sprint("a", tp.Partition, "-"), 50); !slices.Equal(got[tp], want) {
			t.Errorf("%s: %q", tp, got[tp])
		}
		if pos, err := consumer.Position(t.Context(), tp); pos != 50 || err != nil {
			t.Errorf("position of %s: %d, %v", tp, pos, err)
		}
	}
	batches, err := consumer.Poll(t.Context(), 10*time.Millisecond)
	if len(batches) > 0 || err != nil {
		t.Errorf("at the end: %v, %v", batches, err)
	}
	produceTo(c, 6, "b", 1)
	readN(t, consumer, 6)
}

func TestConsumerReadsEveryCodec(t *testing.T) {
	c := kafkatest.New(t)
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			topic := "t-" + codec
			c.Topic(topic, 1)
			at := time.UnixMilli(1700000000123)
			c.Produce(codec,
				&kafkatest.Record{Topic: topic, Key: []byte("k"), Value: bytes.Repeat([]byte("v"), 5000), Timestamp: at,
					Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "h", Value: nil}, {Key: "g", Value: []byte{}}}},
				&kafkatest.Record{Topic: topic, Key: nil, Value: nil, Timestamp: at.Add(time.Second)},
				&kafkatest.Record{Topic: topic, Key: []byte{}, Value: []byte{}, Timestamp: at},
			)
			consumer := newTestConsumer(t, c)
			consumer.Add(from(0, tp(topic, 0)))
			var records []Record
			eventually(t, "the records", func() bool {
				batches, err := consumer.Poll(t.Context(), time.Second)
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range batches {
					records = append(records, b.Records...)
				}
				return len(records) >= 3
			})
			first := records[0]
			if string(first.Key) != "k" || len(first.Value) != 5000 || first.Timestamp != at.UnixMilli() || first.TimestampType != connect.CreateTime {
				t.Errorf("first record %+v", first)
			}
			if h := first.Headers; len(h) != 3 || h[0].Key != "h" || string(h[0].Value) != "1" || h[1].Value != nil || h[2].Key != "g" || h[2].Value == nil {
				t.Errorf("headers %+v", h)
			}
			if r := records[1]; r.Key != nil || r.Value != nil || r.Offset != 1 || r.Timestamp != at.UnixMilli()+1000 || r.Headers != nil {
				t.Errorf("second record %+v", r)
			}
			if r := records[2]; r.Key == nil || r.Value == nil {
				t.Errorf("third record %+v: empty is not null", r)
			}
		})
	}
}

// rawBatch is a batch of format v2 with one record at offset 0.
// rawMessage is a message of format v0 or v1.
// TestConsumerReadsBigRecords: a batch beyond the limits comes whole.
func TestConsumerReadsBigRecords(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 2, "max.message.bytes", "20000000")
	big := bytes.Repeat([]byte("0123456789"), 80_000)
	for i := range 3 {
		c.Produce("none", &kafkatest.Record{Topic: "t", Partition: 0, Value: big}, &kafkatest.Record{Topic: "t", Partition: 1, Value: []byte{byte('0' + i)}})
	}
	consumer := newTestConsumer(t, c, "max.partition.fetch.bytes", "100", "fetch.max.bytes", "1000")
	consumer.Add(from(0, tps("t-0 t-1")...))
	got := readN(t, consumer, 6)
	for _, v := range got[tp("t", 0)] {
		if v != string(big) {
			t.Errorf("a record of %d bytes", len(v))
		}
	}
	if !slices.Equal(got[tp("t", 1)], []string{"0", "1", "2"}) {
		t.Errorf("small records %q", got[tp("t", 1)])
	}
}

func TestConsumerStartOffsets(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	hour := time.Now().Add(-time.Hour)
	c.Produce("none", &kafkatest.Record{Topic: "t", Value: []byte("old"), Timestamp: hour})
	c.Produce("none", &kafkatest.Record{Topic: "t", Value: []byte("young")})
	for _, test := range []struct {
		policy string
		start  int64
		want   int64
	}{
		{"latest", OffsetReset, 2}, {"earliest", OffsetReset, 0}, {"by_duration:PT30M", OffsetReset, 1}, {"by_duration:P1D", OffsetReset, 0},
		{"by_duration:PT0.000001S", OffsetReset, 2}, {"none", OffsetEarliest, 0}, {"none", OffsetLatest, 2}, {"none", 1, 1},
	} {
		consumer := newTestConsumer(t, c, "auto.offset.reset", test.policy)
		consumer.Add(from(test.start, tp("t", 0)))
		if pos, err := consumer.Position(t.Context(), tp("t", 0)); pos != test.want || err != nil {
			t.Errorf("%s from %d: position %d, %v", test.policy, test.start, pos, err)
		}
	}
}

func TestConsumerTransactions(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	c.Produce("none", kafkatest.Values("t", 0, "plain", 1)...)
	aborted := c.Begin("x1")
	aborted.Produce(kafkatest.Values("t", 0, "aborted", 3)...)
	committed := c.Begin("x2")
	committed.Produce(kafkatest.Values("t", 0, "committed", 2)...)
	aborted.Produce(kafkatest.Values("t", 0, "too", 1)...)
	aborted.End(false)
	committed.End(true)
	again := c.Begin("x1")
	again.Produce(kafkatest.Values("t", 0, "again", 1)...)
	again.End(true)
	last := c.Begin("x3")
	last.Produce(kafkatest.Values("t", 0, "gone", 1)...)
	last.End(false)

	for level, want := range map[string][]string{
		"read_committed":   {"plain0", "committed0", "committed1", "again0"},
		"read_uncommitted": {"plain0", "aborted0", "aborted1", "aborted2", "committed0", "committed1", "too0", "again0", "gone0"},
	} {
		consumer := newTestConsumer(t, c, "isolation.level", level)
		consumer.Add(from(0, tp("t", 0)))
		if got := readN(t, consumer, len(want))[tp("t", 0)]; !slices.Equal(got, want) {
			t.Errorf("%s: %q", level, got)
		}
		// 9 records and 4 markers: the position goes beyond what is not delivered.
		eventually(t, "the end of the log", func() bool {
			batches, err := consumer.Poll(t.Context(), 10*time.Millisecond)
			pos, perr := consumer.Position(t.Context(), tp("t", 0))
			if len(batches) > 0 || err != nil || perr != nil {
				t.Fatalf("%s: %v, %v, %v", level, batches, err, perr)
			}
			return pos == 13
		})
	}
	open := c.Begin("x4")
	open.Produce(kafkatest.Values("t", 0, "open", 1)...)
	c.Produce("none", kafkatest.Values("t", 0, "behind", 1)...)
	consumer := newTestConsumer(t, c, "isolation.level", "read_committed")
	consumer.Add(from(13, tp("t", 0)))
	if batches, err := consumer.Poll(t.Context(), 200*time.Millisecond); len(batches) > 0 || err != nil {
		t.Errorf("behind an open transaction: %v, %v", batches, err)
	}
	open.End(true)
	if got := readN(t, consumer, 2)[tp("t", 0)]; !slices.Equal(got, []string{"open0", "behind0"}) {
		t.Errorf("after the transaction: %q", got)
	}
}

// emptyBatch is what compaction leaves of a batch: its offsets.
// rawAnswer answers a Fetch with raw batches of partition 0, and nothing else.
// answerFetch answers the next Fetch of a partition from offset 0 with raw batches.
// TestConsumerTellsOfDamagedBatches: an answer with a wrong checksum is asked for again,
// partition by partition; what is good is delivered, and the error names what is not.
func TestConsumerPauses(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 2)
	produceTo(c, 2, "a", 5)
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tps("t-0 t-1")...))
	consumer.Pause(tp("t", 0))
	got := readN(t, consumer, 5)
	if len(got[tp("t", 1)]) != 5 {
		t.Errorf("read %v", got)
	}
	if batches, err := consumer.Poll(t.Context(), 100*time.Millisecond); len(batches) > 0 || err != nil {
		t.Errorf("paused: %v, %v", batches, err)
	}
	consumer.Resume(tp("t", 0))
	readN(t, consumer, 5)
	consumer.Remove(tp("t", 0))
	produceTo(c, 2, "b", 1)
	if got := readN(t, consumer, 1); len(got[tp("t", 1)]) != 1 {
		t.Errorf("read %v", got)
	}
	if _, err := consumer.Position(t.Context(), tp("t", 0)); err == nil {
		t.Error("there is a position of a removed partition")
	}
	consumer.Add(from(5, tp("t", 0)))
	if got := readN(t, consumer, 1); !slices.Equal(got[tp("t", 0)], []string{"b0-0"}) {
		t.Errorf("read %v", got)
	}
}

func TestConsumerSeeks(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	produceTo(c, 1, "a", 10)
	consumer := newTestConsumer(t, c, "max.poll.records", "2")
	consumer.Add(from(0, tp("t", 0)))
	readN(t, consumer, 2)
	consumer.Seek(tp("t", 0), 7)
	if got := readN(t, consumer, 3)[tp("t", 0)]; !slices.Equal(got, []string{"a0-7", "a0-8", "a0-9"}) {
		t.Errorf("after Seek: %q", got)
	}
	consumer.Seek(tp("gone", 0), 7) // nothing
	consumer.Seek(tp("t", 0), OffsetLatest)
	if pos, err := consumer.Position(t.Context(), tp("t", 0)); pos != 10 || err != nil {
		t.Errorf("position %d, %v", pos, err)
	}
}

func TestConsumerWakesAndEnds(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tp("t", 0)))
	for range 2 {
		consumer.Wake()
		if batches, err := consumer.Poll(t.Context(), time.Hour); batches != nil || err != nil {
			t.Errorf("after Wake: %v, %v", batches, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errTest) })
	if _, err := consumer.Poll(ctx, time.Hour); !errors.Is(err, errTest) {
		t.Errorf("Poll returned %v", err)
	}
	if _, err := consumer.Position(ctx, tp("t", 0)); err != nil && !errors.Is(err, errTest) {
		t.Errorf("Position returned %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := consumer.Poll(t.Context(), time.Hour)
		done <- err
	}()
	if err := consumer.Close(); err != nil {
		t.Error(err)
	}
	if err := receive(t, "the end of Poll", done); !errors.Is(err, ErrClosed) {
		t.Errorf("Poll returned %v", err)
	}
	if n := c.Connections(); n > 0 {
		eventually(t, "the connections to be closed", func() bool { return c.Connections() == 0 })
	}
}

// TestConsumerClosesWhileItConnects: nothing waits for a broker that does not answer.
func TestConsumerProperties(t *testing.T) {
	_, err := NewConsumer(t.Context(), map[string]string{
		"bootstrap.servers": "h:1", "auto.offset.reset": "sometimes", "isolation.level": "read_everything",
		"fetch.min.bytes": "-1", "max.poll.records": "0", "fetch.max.wait.ms": "soon",
	}, testLog(t))
	for _, want := range []string{
		"Invalid value sometimes for configuration auto.offset.reset", "isolation.level: String must be one of: read_committed, read_uncommitted",
		"Invalid value -1 for configuration fetch.min.bytes: Value must be at least 0", "Invalid value 0 for configuration max.poll.records",
		"Invalid value soon for configuration fetch.max.wait.ms: Not a number of type INT",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	for text, want := range map[string]time.Duration{
		"P1D": 24 * time.Hour, "PT2H30M": 150 * time.Minute, "pt1.5s": 1500 * time.Millisecond, "P1DT1S": 24*time.Hour + time.Second,
		"P": 0, "PT": 0, "1D": 0, "PT0S": 0, "P1M": 0, "": 0,
	} {
		got, err := parseISODuration(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

func TestSaramaMetricsAreOff(t *testing.T) {
	c := kafkatest.New(t)
	s := readClientSettings(newPropReader(c.Props()), consumerReceiveBuffer)
	spy := &spyRegistry{}
	s.sarama.MetricRegistry = spy
	cl, err := newCluster(t.Context(), s, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.close()
	if _, err := cl.metadata(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	if spy.calls == 0 || len(spy.unknown) > 0 {
		t.Errorf("%d metrics, not recognized: %v", spy.calls, slices.Collect(maps.Keys(spy.unknown)))
	}
}

// spyRegistry notes metrics that noMetrics would let through.
type spyRegistry struct {
	noMetrics
	calls   int
	unknown map[string]string
}

func (s *spyRegistry) GetOrRegister(name string, metric any) any {
	s.calls++
	got := s.noMetrics.GetOrRegister(name, metric)
	if !strings.Contains(fmt.Sprintf("%T", got), "Nil") {
		if s.unknown == nil {
			s.unknown = map[string]string{}
		}
		s.unknown[name] = fmt.Sprintf("%T", metric)
	}
	return got
}

// BenchmarkFetch reads records of 100 bytes. allocs/op is per record.
func BenchmarkFetch(b *testing.B) {
	for _, codec := range []string{"none", "zstd"} {
		b.Run(codec, func(b *testing.B) {
			c := kafkatest.New(b)
			c.Topic("t", 3)
			const perBatch = 1000
			for p := range int32(3) {
				for range 20 {
					c.Produce(codec, kafkatest.Values("t", p, strings.Repeat("x", 90), perBatch)...)
				}
			}
			consumer := newTestConsumer(b, c, "max.poll.records", "2000", "fetch.min.bytes", "1")
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for n < b.N {
				consumer.Add(from(0, tps("t-0 t-1 t-2")...))
				for end := min(n+60*perBatch, b.N); n < end; {
					batches, err := consumer.Poll(context.Background(), time.Second)
					if err != nil {
						b.Fatal(err)
					}
					for i := range batches {
						n += len(batches[i].Records)
					}
				}
			}
		})
	}
}

// TestFetchDoesNotAllocatePerRecord counts the allocations of the whole process, the
// fake brokers included.
func TestFetchDoesNotAllocatePerRecord(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	const batches, perBatch = 20, 1000
	for range batches {
		c.Produce("none", kafkatest.Values("t", 0, strings.Repeat("x", 90), perBatch)...)
	}
	consumer := newTestConsumer(t, c, "max.poll.records", "2000")
	read := func() {
		for n := 0; n < batches*perBatch; {
			got, err := consumer.Poll(t.Context(), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				n += len(got[i].Records)
			}
		}
	}
	consumer.Add(from(0, tp("t", 0)))
	read() // the buffers grow
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	consumer.Seek(tp("t", 0), 0)
	read()
	runtime.ReadMemStats(&after)
	if per := float64(after.Mallocs-before.Mallocs) / (batches * perBatch); per > 0.25 {
		t.Errorf("%.2f allocations per record", per)
	}
}
