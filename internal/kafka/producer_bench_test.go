package kafka

import (
	"bytes"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/internal/kafkatest"
)

// BenchmarkSendAsync sends 200 byte records as a source task does: a thousand per
// call, the next call while acks are on their way. The fake broker's work is part of
// the time: look at the profile for ours.
func BenchmarkSendAsync(b *testing.B) {
	for name, pairs := range map[string][]string{
		"plain":      {"enable.idempotence", "false"},
		"idempotent": {},
		"batch16k":   {"enable.idempotence", "false", "batch.size", "16384"},
	} {
		b.Run(name, func(b *testing.B) {
			c := kafkatest.New(b)
			c.Topic("t", 4)
			p := newTestProducer(b, c, pairs...)
			const perCall = 1000
			value := bytes.Repeat([]byte("0123456789"), 20)
			records := make([]ProducerRecord, perCall)
			for i := range records {
				records[i] = ProducerRecord{Topic: "t", Partition: int32(i % 4), Timestamp: -1, Value: value}
			}
			var done sync.WaitGroup
			acked := func(acks []Ack) {
				for i := range acks {
					if acks[i].Err != nil {
						b.Error(acks[i].Err)
					}
				}
				done.Add(-len(acks))
			}
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			sent := 0
			for b.Loop() {
				if sent++; sent%perCall == 0 {
					done.Add(perCall)
					if err := p.SendAsync(b.Context(), records, acked); err != nil {
						b.Fatal(err)
					}
				}
			}
			done.Wait()
		})
	}
}
