package worker

import (
	"context"
	"fmt"
	"testing"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/convert/text"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/connect/transform"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage/memstore"
)

// ackingProducer acknowledges everything at once and in one piece.
type ackingProducer struct {
	fakeProducer
	acks []kafka.Ack
}

func (p *ackingProducer) SendAsync(_ context.Context, records []kafka.ProducerRecord, acked func([]kafka.Ack)) error {
	for len(p.acks) < len(records) {
		p.acks = append(p.acks, kafka.Ack{Index: len(p.acks)})
	}
	acked(p.acks[:len(records)])
	return nil
}

func (p *ackingProducer) BeginTransaction() error                 { return nil }
func (p *ackingProducer) CommitTransaction(context.Context) error { return nil }

// BenchmarkSourceTask is what a record of 100 bytes costs between Poll and SendAsync, and
// back, without the producer. The records are made before.
func BenchmarkSourceTask(b *testing.B) {
	for _, boundary := range []settings.Boundary{"", settings.BoundaryPoll} {
		for _, maps := range []string{"one map", "a map for each"} {
			b.Run(fmt.Sprintf("boundary=%s/%s", boundary, maps), func(b *testing.B) {
				const size = 500
				s := benchmarkTask(b, boundary)
				records := make([]connect.SourceRecord, size)
				p := partition("a")
				value := any(fmt.Sprintf("%0100d", 1))
				for i := range records {
					if maps != "one map" {
						p = partition("a")
					}
					records[i] = connect.NewSourceRecord(p, offset(int64(i)), "t", data.StringSchema, value)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for n := 0; n < b.N; n += size {
					s.batch = sourceBatch{open: true, records: records}
					if err := s.deliver(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func benchmarkTask(b *testing.B, boundary settings.Boundary) *sourceTask {
	tr := &trace{}
	s := newTestSource(b, tr, sourceOptions{quiet: true}, &fakeSource{trace: tr})
	chain, err := transform.NewChain(nil, transform.Lookup{})
	if err != nil {
		b.Fatal(err)
	}
	conv := func() *text.Converter {
		c := text.New()
		if err := c.Configure(map[string]string{}, false); err != nil {
			b.Fatal(err)
		}
		return c
	}
	s.operator = tolerance.New(s.id, tolerance.Config{}, zap.NewNop())
	s.convert = newSourceConverter(&converters{key: conv(), value: conv(), header: conv()}, chain, s.operator)
	s.running, s.sending = b.Context(), b.Context()
	store := memstore.NewOffsetStore()
	if err := store.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	s.clients = &sourceClients{producer: &ackingProducer{}, offsets: store}
	if boundary == "" {
		s.delivery = newAtLeastOnce(s, false)
	} else {
		s.delivery = newExactlyOnce(s, boundary, 0, func(context.Context) error { return nil }, func(context.Context) error { return nil })
		s.clients.producer = &initialised{}
	}
	if err := s.delivery.open(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

// initialised can be initialised.
type initialised struct{ ackingProducer }

func (*initialised) InitTransactions(context.Context) error { return nil }
