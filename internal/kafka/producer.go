package kafka

import (
	"context"

	"go.uber.org/zap"
)

// Producer writes records with acks=all, in order per partition. It is safe for concurrent use.
type Producer struct{}

// NewProducer returns a producer with Java producer properties.
func NewProducer(ctx context.Context, props map[string]string, log *zap.Logger) (*Producer, error) {
	panic("not written yet")
}

// Send writes the records and returns when all are acknowledged, or with the first error.
func (p *Producer) Send(ctx context.Context, records ...ProducerRecord) error {
	panic("not written yet")
}

// Close flushes and releases the connections.
func (p *Producer) Close() error { panic("not written yet") }
