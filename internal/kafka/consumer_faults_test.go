package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

func rawBatch(attributes int16, first, last int64, value string) []byte {
	rec := kmsg.Record{Value: []byte(value)}
	rec.Length = int32(len(rec.AppendTo(nil)) - 1) // which takes one byte itself
	records := rec.AppendTo(nil)
	b := kmsg.RecordBatch{
		Length: int32(49 + len(records)), Magic: 2, Attributes: attributes, FirstTimestamp: first, MaxTimestamp: last,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, PartitionLeaderEpoch: -1, NumRecords: 1, Records: records,
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func rawMessage(magic int8, offset, timestamp int64, value string) []byte {
	var raw []byte
	if magic == 0 {
		m := kmsg.MessageV0{Offset: offset, Value: []byte(value)}
		raw = m.AppendTo(nil)
	} else {
		m := kmsg.MessageV1{Offset: offset, Magic: 1, Timestamp: timestamp, Value: []byte(value)}
		raw = m.AppendTo(nil)
	}
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[12:], crc32.ChecksumIEEE(raw[16:]))
	return raw
}

func TestConsumerReadsTimestamps(t *testing.T) {
	const appendTime = 1 << 3
	for name, test := range map[string]struct {
		raw  []byte
		want Record
	}{
		"create time": {rawBatch(0, 5, 9, "v"), Record{Timestamp: 5, TimestampType: connect.CreateTime}},
		"append time": {rawBatch(appendTime, 5, 9, "v"), Record{Timestamp: 9, TimestampType: connect.LogAppendTime}},
		"format v0":   {rawMessage(0, 0, 0, "v"), Record{Timestamp: connect.NoTimestamp, TimestampType: connect.NoTimestampType}},
		"format v1":   {rawMessage(1, 0, 7, "v"), Record{Timestamp: 7, TimestampType: connect.CreateTime}},
	} {
		t.Run(name, func(t *testing.T) {
			c := kafkatest.New(t)
			c.Topic("t", 1)
			answerFetch(c, test.raw)
			consumer := newTestConsumer(t, c)
			consumer.Add(from(0, tp("t", 0)))
			eventually(t, "the record", func() bool {
				batches, err := consumer.Poll(t.Context(), time.Second)
				if err != nil {
					t.Fatal(err)
				}
				if len(batches) == 0 {
					return false
				}
				r := batches[0].Records[0]
				if r.Timestamp != test.want.Timestamp || r.TimestampType != test.want.TimestampType || string(r.Value) != "v" || r.Key != nil {
					t.Errorf("record %+v", r)
				}
				return true
			})
		})
	}
}

func TestConsumerFollowsTheLeader(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tp("t", 0)))
	for i := range 6 {
		if err := c.MoveTopicPartition("t", 0, int32(i%3)); err != nil {
			t.Fatal(err)
		}
		c.Produce("none", kafkatest.Values("t", 0, fmt.Sprint(i, "-"), 2)...)
		if got := readN(t, consumer, 2)[tp("t", 0)]; !slices.Equal(got, values(fmt.Sprint(i, "-"), 2)) {
			t.Errorf("turn %d: %q", i, got)
		}
	}
}

func TestConsumerSurvivesErrors(t *testing.T) {
	for _, code := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.ReplicaNotAvailable, kerr.KafkaStorageError, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch,
		kerr.OffsetNotAvailable, kerr.LeaderNotAvailable, kerr.UnknownTopicOrPartition, kerr.UnknownServerError, kerr.RequestTimedOut,
	} {
		t.Run(code.Message, func(t *testing.T) {
			t.Parallel()
			c := kafkatest.New(t)
			c.Topic("t", 2)
			fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "t", Partitions: []int32{0}, Err: code})
			produceTo(c, 2, "a", 3)
			consumer := newTestConsumer(t, c)
			consumer.Add(from(0, tps("t-0 t-1")...))
			readN(t, consumer, 6)
			if fault.Hits() != 1 {
				t.Errorf("the fault was met %d times", fault.Hits())
			}
		})
	}
}

func TestConsumerSurvivesAnOutage(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 3)
	produceTo(c, 3, "a", 2)
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tps("t-0 t-1 t-2")...))
	readN(t, consumer, 6)
	for id := range int32(3) {
		c.Down(id)
	}
	if batches, err := consumer.Poll(t.Context(), 50*time.Millisecond); len(batches) > 0 || err != nil {
		t.Errorf("without brokers: %v, %v", batches, err)
	}
	for id := range int32(3) {
		c.Up(id)
	}
	produceTo(c, 3, "b", 2)
	readN(t, consumer, 6)
}

func TestConsumerOutOfRange(t *testing.T) {
	for policy, want := range map[string][]string{
		"earliest": {"a0-3", "a0-4", "new"},
		"latest":   {"new"},
		// By time: the records are from now, so all are young enough, or none is.
		"by_duration:PT1H": {"a0-3", "a0-4", "new"},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			c := kafkatest.New(t)
			c.Topic("t", 1)
			produceTo(c, 1, "a", 5)
			if err := c.DeleteRecords("t", 0, 3); err != nil {
				t.Fatal(err)
			}
			consumer := newTestConsumer(t, c, "auto.offset.reset", policy)
			consumer.Add(from(1, tp("t", 0)))
			eventually(t, "the reset", func() bool {
				_, err := consumer.Poll(t.Context(), 0)
				pos, perr := consumer.Position(t.Context(), tp("t", 0))
				if err != nil || perr != nil {
					t.Fatal(err, perr)
				}
				return pos >= 3
			})
			// What Poll returned above is read again.
			consumer.Seek(tp("t", 0), map[bool]int64{true: 5, false: 3}[policy == "latest"])
			c.Produce("none", &kafkatest.Record{Topic: "t", Value: []byte("new")})
			if got := readN(t, consumer, len(want))[tp("t", 0)]; !slices.Equal(got, want) {
				t.Errorf("read %q", got)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		c := kafkatest.New(t)
		c.Topic("t", 1)
		produceTo(c, 1, "a", 5)
		consumer := newTestConsumer(t, c, "auto.offset.reset", "none")
		consumer.Add(from(77, tp("t", 0)))
		var out *OffsetOutOfRangeError
		if err := pollError(t, consumer); !errors.As(err, &out) || out.Offset != 77 || !strings.HasPrefix(err.Error(), "Fetch position 77 is out of range for partition t-0") {
			t.Errorf("Poll returned %v", err)
		}
		consumer.Seek(tp("t", 0), OffsetReset)
		var none *NoOffsetError
		if err := pollError(t, consumer); !errors.As(err, &none) {
			t.Errorf("Poll returned %v", err)
		}
		for range 2 {
			if _, err := consumer.Position(t.Context(), tp("t", 0)); !errors.As(err, &none) {
				t.Errorf("Position returned %v", err)
			}
		}
		consumer.Seek(tp("t", 0), 4)
		readN(t, consumer, 1)
	})
}

func emptyBatch(first int64, n int32) []byte {
	b := kmsg.RecordBatch{
		FirstOffset: first, Length: 49, Magic: 2, LastOffsetDelta: n - 1, FirstTimestamp: 1, MaxTimestamp: 1,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, PartitionLeaderEpoch: -1,
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func rawAnswer(req *kmsg.FetchRequest, topic string, raw []byte) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	t := kmsg.NewFetchResponseTopic()
	t.Topic = topic
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.HighWatermark, p.LastStableOffset, p.RecordBatches = 0, 100, 100, raw
	t.Partitions = append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
	return resp
}

func answerFetch(c *kafkatest.Cluster, raw []byte) {
	c.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		req := r.(*kmsg.FetchRequest)
		if len(req.Topics) == 0 || req.Topics[0].Partitions[0].FetchOffset != 0 {
			return nil, nil, false
		}
		return rawAnswer(req, req.Topics[0].Topic, raw), nil, true
	})
}

func TestPassesEmptyBatches(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	produceTo(c, 1, "a", 6)
	answerFetch(c, append(emptyBatch(0, 2), emptyBatch(2, 3)...))
	consumer := newTestConsumer(t, c)
	consumer.Add(from(0, tp("t", 0)))
	if got := readN(t, consumer, 1)[tp("t", 0)]; !slices.Equal(got, []string{"a0-5"}) {
		t.Errorf("read %q: the position did not go beyond the empty batches", got)
	}
}

func TestConsumerTellsOfDamagedBatches(t *testing.T) {
	checksum := rawBatch(0, 1, 1, "v")
	checksum[len(checksum)-2] ^= 0xff
	cut := rawBatch(0, 1, 1, "v")
	cut[60] = 99 // records that are not there
	for name, raw := range map[string][]byte{"checksum": checksum, "cut": cut} {
		t.Run(name, func(t *testing.T) {
			c := kafkatest.New(t, kfake.NumBrokers(1))
			c.Topic("t", 2)
			produceTo(c, 2, "a", 4)
			c.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				req := r.(*kmsg.FetchRequest)
				for _, topic := range req.Topics {
					for _, p := range topic.Partitions {
						if p.Partition == 0 {
							return rawAnswer(req, topic.Topic, raw), nil, true
						}
					}
				}
				return nil, nil, false
			})
			consumer := newTestConsumer(t, c)
			consumer.Add(from(0, tps("t-0 t-1")...))
			var fetch *FetchError
			if err := pollError(t, consumer); !errors.As(err, &fetch) || fetch.TopicPartition != tp("t", 0) || fetch.Offset != 0 {
				t.Errorf("Poll returned %v", err)
			}
			consumer.Pause(tp("t", 0))
			consumer.Seek(tp("t", 1), 0)
			if got := readN(t, consumer, 4)[tp("t", 1)]; len(got) != 4 {
				t.Errorf("the good partition: %q", got)
			}
		})
	}
}

func TestConsumerFatalErrors(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.CorruptMessage, kerr.InvalidRequest} {
		t.Run(code.Message, func(t *testing.T) {
			c := kafkatest.New(t)
			c.Topic("t", 2)
			produceTo(c, 2, "a", 3)
			fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "t", Partitions: []int32{1}, Err: code, Count: -1})
			consumer := newTestConsumer(t, c)
			consumer.Add(from(0, tps("t-0 t-1")...))
			var fetch *FetchError
			if err := pollErrorAfter(t, consumer, 3); !errors.As(err, &fetch) || fetch.TopicPartition != tp("t", 1) || codeOf(err) != brokerCode(code) {
				t.Errorf("Poll returned %v", err)
			}
			fault.Remove()
			n := 0
			eventually(t, "the rest: it is tried again at later Polls", func() bool {
				batches, _ := consumer.Poll(t.Context(), 100*time.Millisecond) // an error may be there already
				for _, b := range batches {
					n += len(b.Records)
				}
				return n == 3
			})
		})
	}
}

func pollErrorAfter(t *testing.T, c *Consumer, n int) error {
	t.Helper()
	var err error
	eventually(t, "records, then an error", func() bool {
		batches, e := c.Poll(t.Context(), 100*time.Millisecond)
		for _, b := range batches {
			n -= len(b.Records)
		}
		err = errors.Join(err, e)
		return n == 0 && err != nil
	})
	return err
}

func TestConsumerClosesWhileItConnects(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("t", 1)
	for _, key := range []kmsg.Key{kmsg.ApiVersions, kmsg.Metadata, kmsg.ListOffsets, kmsg.Fetch} {
		t.Run(key.Name(), func(t *testing.T) {
			consumer := newTestConsumer(t, c, "request.timeout.ms", "60000")
			hung := make(chan struct{}, 100)
			c.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
				hung <- struct{}{}
				return nil, nil, true
			})
			consumer.Add(from(OffsetEarliest, tp("t", 0)))
			receive(t, "the hung request", hung)
			start := time.Now()
			if err := consumer.Close(); err != nil {
				t.Error(err)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("Close took %s", d)
			}
		})
	}
}
