package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
)

// sinkConverter makes sink records of fetched ones. It belongs to one task.
type sinkConverter struct {
	key, value                        convert.Converter
	header                            convert.HeaderConverter
	keyClass, valueClass, headerClass string
	headers                           []connect.Header // arena of the current batch
}

// batch appends the converted records of b to dst. Records that are tolerated away are
// left out; a failure that is not tolerated is returned.
func (c *sinkConverter) batch(ctx context.Context, dst []connect.SinkRecord, b *kafka.Batch, op *tolerance.Operator) ([]connect.SinkRecord, error) {
	if len(dst) == 0 {
		c.headers = c.headers[:0]
	}
	for i := range b.Records {
		raw := &b.Records[i]
		dst = append(dst, connect.SinkRecord{Record: connect.Record{Topic: b.Topic, Partition: b.Partition, Offset: raw.Offset, Timestamp: raw.Timestamp}, TimestampType: raw.TimestampType, Original: b.TopicPartition})
		rec := &dst[len(dst)-1]
		if err := c.record(rec, raw); err != nil {
			skip, err := c.failed(ctx, rec, raw, err, op)
			if err != nil {
				return dst, err
			}
			if skip {
				dst = dst[:len(dst)-1]
			}
		}
	}
	return dst, nil
}

// stageError tells where a conversion failed.
type stageError struct {
	stage tolerance.Stage
	class string
	err   error
}

func (e *stageError) Error() string { return e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

func (c *sinkConverter) record(rec *connect.SinkRecord, raw *kafka.Record) error {
	if raw.Timestamp < connect.NoTimestamp {
		return &stageError{tolerance.ValueConverter, c.valueClass, &connect.DataError{
			Msg: fmt.Sprintf("Invalid record timestamp %d", raw.Timestamp)}}
	}
	if err := c.key.ToConnect(rec.Topic, raw.Key, &rec.Key); err != nil {
		return &stageError{tolerance.KeyConverter, c.keyClass, err}
	}
	if err := c.value.ToConnect(rec.Topic, raw.Value, &rec.Value); err != nil {
		return &stageError{tolerance.ValueConverter, c.valueClass, err}
	}
	if len(raw.Headers) > 0 {
		if err := c.convertHeaders(rec, raw); err != nil {
			return &stageError{tolerance.HeaderConverter, c.headerClass, err}
		}
	}
	return nil
}

func (c *sinkConverter) convertHeaders(rec *connect.SinkRecord, raw *kafka.Record) error {
	from := len(c.headers)
	for i := range raw.Headers {
		h := &raw.Headers[i]
		schema, value, err := c.header.ToConnectHeader(rec.Topic, h.Key, h.Value)
		if err != nil {
			return err
		}
		c.headers = append(c.headers, connect.Header{Key: h.Key, Schema: schema, Value: value})
	}
	rec.Headers = c.headers[from:len(c.headers):len(c.headers)]
	return nil
}

func (c *sinkConverter) failed(ctx context.Context, rec *connect.SinkRecord, raw *kafka.Record, err error, op *tolerance.Operator) (skip bool, _ error) {
	f := tolerance.Failure{Record: rec, Err: err}
	var se *stageError
	if errors.As(err, &se) {
		f.Stage, f.Class, f.Err = se.stage, se.class, se.err
	}
	return op.Handle(ctx, f, func() error { return c.record(rec, raw) })
}

func (c *sinkConverter) close() error {
	return errors.Join(c.key.Close(), c.value.Close(), c.header.Close())
}
