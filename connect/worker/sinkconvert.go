package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/connect/transform"
	"github.com/penstock-io/penstock/internal/kafka"
)

// sinkConverter makes sink records of fetched ones: converters, then transforms. It
// belongs to one task.
type sinkConverter struct {
	*converters
	chain   *transform.Chain
	headers []connect.Header // arena of the current batch
}

// batch appends the records of b to dst. Records that a transform drops or that are
// tolerated away are left out; a failure that is not tolerated is returned. converted
// tells that at least one record passed the converters.
func (c *sinkConverter) batch(ctx context.Context, dst []connect.SinkRecord, b *kafka.Batch, op *tolerance.Operator) (_ []connect.SinkRecord, converted bool, _ error) {
	if len(dst) == 0 {
		c.headers = c.headers[:0]
	}
	for at := 0; at < len(b.Records); at++ {
		from := at
		var failure error
		if dst, at, failure = c.run(dst, b, at); failure == nil {
			return dst, converted || at > from, nil
		}
		raw := &b.Records[at]
		rec := &dst[len(dst)-1]
		keep, passed, err := c.failed(ctx, rec, b, raw, failure, op)
		if err != nil {
			return dst, converted, err
		}
		converted = converted || passed || at > from
		if !keep {
			dst = dst[:len(dst)-1]
		}
	}
	return dst, converted, nil
}

// run works on the records of b from one on, until one fails. Then that one is the last
// of out, and at its index.
func (c *sinkConverter) run(dst []connect.SinkRecord, b *kafka.Batch, from int) (out []connect.SinkRecord, at int, err error) {
	out, at = dst, from
	defer func() {
		if p := recover(); p != nil {
			err = errPanicked
		}
	}()
	transforms := c.chain.Len() > 0
	for ; at < len(b.Records); at++ {
		raw := &b.Records[at]
		out = append(out, connect.SinkRecord{Record: connect.Record{Topic: b.Topic, Partition: b.Partition, Offset: raw.Offset, Timestamp: raw.Timestamp},
			TimestampType: raw.TimestampType, Original: b.TopicPartition})
		rec := &out[len(out)-1]
		if err := c.convert(rec, raw); err != nil {
			return out, at, err
		}
		if !transforms {
			continue
		}
		keep, err := c.chain.Apply(&rec.Record)
		if err != nil {
			return out, at, inTransform(err)
		}
		if !keep {
			out = out[:len(out)-1]
		}
	}
	return out, at, nil
}

// errPanicked tells that a converter panicked; which one is found out by again.
var errPanicked = errors.New("a converter panicked")

// convert fills rec from raw.
func (c *sinkConverter) convert(rec *connect.SinkRecord, raw *kafka.Record) error {
	if err := checkTimestamp(raw); err != nil {
		return &tolerance.Failure{Stage: tolerance.ValueConverter, Class: c.valueClass, Err: err}
	}
	if err := c.key.ToConnect(rec.Topic, raw.Key, &rec.Key); err != nil {
		return &tolerance.Failure{Stage: tolerance.KeyConverter, Class: c.keyClass, Err: err}
	}
	if err := c.value.ToConnect(rec.Topic, raw.Value, &rec.Value); err != nil {
		return &tolerance.Failure{Stage: tolerance.ValueConverter, Class: c.valueClass, Err: err}
	}
	if len(raw.Headers) > 0 {
		if err := c.convertHeaders(rec, raw); err != nil {
			return &tolerance.Failure{Stage: tolerance.HeaderConverter, Class: c.headerClass, Err: err}
		}
	}
	return nil
}

func checkTimestamp(raw *kafka.Record) error {
	if raw.Timestamp < connect.NoTimestamp {
		return &connect.Error{Class: "org.apache.kafka.common.InvalidRecordException", Msg: fmt.Sprintf("Invalid record timestamp %d", raw.Timestamp)}
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

// failed asks the operator about a record. keep means that a retry has made it; passed,
// that it got through the converters at last.
func (c *sinkConverter) failed(ctx context.Context, rec *connect.SinkRecord, b *kafka.Batch, raw *kafka.Record, err error, op *tolerance.Operator) (keep, passed bool, _ error) {
	retry := func() (err error) {
		*rec = connect.SinkRecord{Record: connect.Record{Topic: b.Topic, Partition: b.Partition, Offset: raw.Offset, Timestamp: raw.Timestamp},
			TimestampType: raw.TimestampType, Original: b.TopicPartition}
		keep, err = c.again(rec, raw)
		return err
	}
	if err == errPanicked { //nolint:errorlint // our own, never wrapped
		if err = retry(); err == nil {
			return keep, true, nil
		}
	}
	f := tolerance.Failure{Record: rec, Raw: raw, Err: err}
	if at, ok := err.(*tolerance.Failure); ok { //nolint:errorlint // made here
		f.Stage, f.Class, f.Err = at.Stage, at.Class, at.Err
	}
	skip, err := op.Handle(ctx, f, retry)
	return keep && !skip, !skip || f.Stage == tolerance.Transformation, err
}

// again takes one record all the way, from its raw bytes, since transforms change what
// they get. A plugin that panics has failed.
func (c *sinkConverter) again(rec *connect.SinkRecord, raw *kafka.Record) (keep bool, err error) {
	if err := checkTimestamp(raw); err != nil {
		return false, &tolerance.Failure{Stage: tolerance.ValueConverter, Class: c.valueClass, Err: err}
	}
	steps := []struct {
		stage tolerance.Stage
		class string
		do    func() error
	}{
		{tolerance.KeyConverter, c.keyClass, func() error { return c.key.ToConnect(rec.Topic, raw.Key, &rec.Key) }},
		{tolerance.ValueConverter, c.valueClass, func() error { return c.value.ToConnect(rec.Topic, raw.Value, &rec.Value) }},
		{tolerance.HeaderConverter, c.headerClass, func() error { return c.convertHeaders(rec, raw) }},
	}
	for _, s := range steps {
		if err := safely(s.do); err != nil {
			return false, &tolerance.Failure{Stage: s.stage, Class: s.class, Err: err}
		}
	}
	keep = true
	if c.chain.Len() > 0 {
		if keep, err = c.chain.Apply(&rec.Record); err != nil {
			return false, inTransform(err)
		}
	}
	return keep, nil
}

func safely(f func() error) (err error) {
	defer recoverPlugin(&err)
	return f()
}

// inTransform tells which transform of the chain failed.
func inTransform(err error) error {
	f := &tolerance.Failure{Stage: tolerance.Transformation, Err: err}
	if at, ok := err.(*transform.StageError); ok { //nolint:errorlint // the chain does not wrap it
		f.Class, f.Err = at.Class, at.Err
	}
	return f
}

func (c *sinkConverter) close() error {
	return errors.Join(c.chain.Close(), c.converters.close())
}
