package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/connect/transform"
	"github.com/penstock-io/penstock/internal/kafka"
)

// segment is a run of records of one Poll that is sent together: all of them, unless the
// task wants a transaction to end in between.
type segment struct {
	records []connect.SourceRecord
	done    int // of records: converted or left out; the rest follows one that failed
	out     []kafka.ProducerRecord
	index   []int32 // of the record that out comes from; nil: nothing was left out
	sent    int     // of out: the producer has taken them
	err     error   // why the conversion ended early

	submitted []submitted              // for out, at-least-once
	metas     []connect.RecordMetadata // for out, if the task wants to know
}

// recordOf returns the index of the record that an element of out comes from.
func (s *segment) recordOf(out int) int {
	if s.index == nil {
		return out
	}
	return int(s.index[out])
}

// leaveOut notes that the record i is not sent.
func (s *segment) leaveOut(i int) {
	if s.index != nil {
		return
	}
	s.index = make([]int32, len(s.out), max(len(s.records)-1, 1))
	for k := range s.index {
		s.index[k] = int32(k) //nolint:gosec // a batch has fewer than 2^31 records
	}
}

// sourceConverter makes producer records of a task's records. It belongs to one task.
type sourceConverter struct {
	*converters
	keys, values sourceSide
	chain        *transform.Chain
	operator     *tolerance.Operator

	// What converters append goes into buffers that records share; size is what a record
	// took lately.
	buf  []byte
	size int
	rec  connect.Record         // the record as the transforms have changed it
	out  []kafka.ProducerRecord // of a segment that was sent
}

// sourceSide converts keys or values.
type sourceSide struct {
	converter convert.Converter
	appender  convert.Appender // nil: the converter is none
	stage     tolerance.Stage
	class     string
}

func (s *sourceSide) failure(err error) error {
	return &tolerance.Failure{Stage: s.stage, Class: s.class, Err: err}
}

func newSourceConverter(c *converters, chain *transform.Chain, op *tolerance.Operator) *sourceConverter {
	side := func(conv convert.Converter, stage tolerance.Stage, class string) sourceSide {
		appender, _ := conv.(convert.Appender)
		return sourceSide{conv, appender, stage, class}
	}
	return &sourceConverter{
		converters: c, chain: chain, operator: op, size: 64,
		keys:   side(c.key, tolerance.KeyConverter, c.keyClass),
		values: side(c.value, tolerance.ValueConverter, c.valueClass),
	}
}

// Buffers are neither so large that one record in flight holds much, nor so small that
// there are many.
const (
	minBuffer = 512
	maxBuffer = 256 << 10
)

// run converts records. What is tolerated is left out; a failure that is not ends the
// conversion, and what came before it is still to be sent.
func (c *sourceConverter) run(ctx context.Context, records []connect.SourceRecord) *segment {
	seg := &segment{records: records, out: c.out[:0]}
	if c.out = nil; cap(seg.out) < len(records) {
		seg.out = make([]kafka.ProducerRecord, 0, len(records))
	}
	for i := range records {
		c.reserve(len(records) - i)
		seg.out = append(seg.out, kafka.ProducerRecord{})
		before := len(c.buf)
		keep, err := c.one(ctx, &records[i], &seg.out[len(seg.out)-1])
		if err == nil && keep {
			err = checkProducerRecord(&seg.out[len(seg.out)-1])
		}
		if err != nil {
			seg.out = seg.out[:len(seg.out)-1]
			seg.err = err
			return seg
		}
		if !keep {
			seg.out = seg.out[:len(seg.out)-1]
			seg.leaveOut(i)
		} else {
			if seg.index != nil {
				seg.index = append(seg.index, int32(i)) //nolint:gosec // see leaveOut
			}
			if grown := len(c.buf) - before; grown > 0 {
				c.size = (7*c.size + grown) / 8
			}
		}
		seg.done = i + 1
	}
	return seg
}

// maxReused bounds what is kept for the next segment.
const maxReused = 1 << 13

// reuse takes back the producer records of a segment that was sent.
func (c *sourceConverter) reuse(seg *segment) {
	if cap(seg.out) <= maxReused {
		clear(seg.out)
		c.out = seg.out[:0]
	}
	seg.out = nil
}

// reserve begins a new buffer where the next record would not fit: appending it would copy
// the whole buffer.
func (c *sourceConverter) reserve(left int) {
	need := c.size + c.size/2
	if cap(c.buf)-len(c.buf) < need {
		c.buf = make([]byte, 0, min(max(left*need, minBuffer), max(maxBuffer, need)))
	}
}

// one converts one record; keep is false if it is not to be sent.
func (c *sourceConverter) one(ctx context.Context, source *connect.SourceRecord, out *kafka.ProducerRecord) (keep bool, _ error) {
	rec := &source.Record
	if c.chain.Len() > 0 {
		rec = &c.rec
		err := c.transform(source, &keep)
		if err != nil {
			skip, err := c.handle(ctx, source, err, func() error { return c.transform(source, &keep) })
			if err != nil || skip {
				return false, err
			}
		}
		if !keep {
			return false, nil
		}
	}
	if err := c.convert(rec, out); err != nil {
		skip, err := c.handle(ctx, source, err, func() error { return c.convert(rec, out) })
		if err != nil || skip {
			return false, err
		}
	}
	return true, nil
}

// handle deals with the failure of a step.
func (c *sourceConverter) handle(ctx context.Context, source *connect.SourceRecord, err error, retry func() error) (skip bool, _ error) {
	f := tolerance.Failure{Source: source, Err: err}
	var at *tolerance.Failure
	if errors.As(err, &at) {
		f.Stage, f.Class, f.Err = at.Stage, at.Class, at.Err
	}
	return c.operator.Handle(ctx, f, retry)
}

// transform applies the chain to a copy: the task is told of the record as it was, and a
// retry begins with it.
func (c *sourceConverter) transform(source *connect.SourceRecord, keep *bool) (err error) {
	c.rec = source.Record
	c.rec.Headers = slices.Clone(c.rec.Headers)
	if *keep, err = c.chain.Apply(&c.rec); err == nil {
		return nil
	}
	var at *transform.StageError
	if errors.As(err, &at) {
		return &tolerance.Failure{Stage: tolerance.Transformation, Class: at.Class, Err: at.Err}
	}
	return &tolerance.Failure{Stage: tolerance.Transformation, Err: err}
}

func (c *sourceConverter) convert(rec *connect.Record, out *kafka.ProducerRecord) error {
	*out = kafka.ProducerRecord{Topic: rec.Topic, Partition: rec.Partition, Timestamp: rec.Timestamp}
	if len(rec.Headers) > 0 {
		headers, err := c.headers(rec)
		if err != nil {
			return &tolerance.Failure{Stage: tolerance.HeaderConverter, Class: c.headerClass, Err: err}
		}
		out.Headers = headers
	}
	var err error
	if out.Key, err = c.side(&c.keys, rec.Topic, &rec.Key); err != nil {
		return err
	}
	out.Value, err = c.side(&c.values, rec.Topic, &rec.Value)
	return err
}

func (c *sourceConverter) headers(rec *connect.Record) ([]kafka.Header, error) {
	headers := make([]kafka.Header, len(rec.Headers))
	for i := range rec.Headers {
		h := &rec.Headers[i]
		value, err := c.header.FromConnectHeader(rec.Topic, h.Key, h.Schema, h.Value)
		if err != nil {
			return nil, err
		}
		headers[i] = kafka.Header{Key: h.Key, Value: value}
	}
	return headers, nil
}

func (c *sourceConverter) side(s *sourceSide, topic string, d *data.Datum) ([]byte, error) {
	value, err := d.Value()
	if err != nil {
		return nil, s.failure(err)
	}
	if s.appender == nil {
		raw, err := s.converter.FromConnect(topic, d.Schema(), value)
		if err != nil {
			return nil, s.failure(err)
		}
		return raw, nil
	}
	from := len(c.buf)
	buf, isNull, err := s.appender.AppendFromConnect(c.buf, topic, d.Schema(), value)
	switch {
	case err != nil:
		return nil, s.failure(err)
	case isNull:
		return nil, nil
	}
	c.buf = buf
	return buf[from:len(buf):len(buf)], nil
}

// checkProducerRecord refuses what no tolerance covers in the JVM either (Java:
// ProducerRecord's constructor, ConnectUtils.checkAndConvertTimestamp).
func checkProducerRecord(r *kafka.ProducerRecord) error {
	illegal := func(format string, args ...any) error {
		return &connect.Error{Class: "java.lang.IllegalArgumentException", Msg: fmt.Sprintf(format, args...)}
	}
	switch {
	case r.Timestamp < connect.NoTimestamp:
		return &connect.Error{Class: "org.apache.kafka.common.InvalidRecordException", Msg: fmt.Sprintf("Invalid record timestamp %d", r.Timestamp)}
	case r.Topic == "":
		return illegal("Topic cannot be null.")
	case r.Partition < connect.AnyPartition:
		return illegal("Invalid partition: %d. Partition number should always be non-negative or null.", r.Partition)
	}
	return nil
}

func (c *sourceConverter) close() error {
	return errors.Join(c.chain.Close(), c.converters.close())
}
