package worker

import (
	"errors"
	"slices"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
)

// sinkTaskClass is what the JVM names as the failing class of a record that a task reports.
const sinkTaskClass = "org.apache.kafka.connect.sink.SinkTask"

// pendingBatches are the fetched batches that the pending records were made of, for
// their raw bytes. The consumer reuses its records at the next poll: own must be called
// if they are to live longer.
type pendingBatches struct {
	list  []kafka.Batch
	owned int // that many are our own
}

func (p *pendingBatches) add(b kafka.Batch) { p.list = append(p.list, b) }

// own copies the records; keys and values stay where they are.
func (p *pendingBatches) own() {
	for i := p.owned; i < len(p.list); i++ {
		p.list[i].Records = slices.Clone(p.list[i].Records)
		for k := range p.list[i].Records {
			r := &p.list[i].Records[k]
			r.Headers = slices.Clone(r.Headers)
		}
	}
	p.owned = len(p.list)
}

func (p *pendingBatches) clear() {
	clear(p.list)
	p.list, p.owned = p.list[:0], 0
}

// forget drops the batches of partitions.
func (p *pendingBatches) forget(gone map[connect.TopicPartition]bool) {
	kept, owned := p.list[:0], 0
	for i, b := range p.list {
		if gone[b.TopicPartition] {
			continue
		}
		kept = append(kept, b)
		if i < p.owned {
			owned++
		}
	}
	clear(p.list[len(kept):])
	p.list, p.owned = kept, owned
}

// find returns a record as it was fetched, nil if it is none of the pending ones.
func (p *pendingBatches) find(tp connect.TopicPartition, offset int64) *kafka.Record {
	for i := range p.list {
		b := &p.list[i]
		if b.TopicPartition != tp {
			continue
		}
		at, found := slices.BinarySearchFunc(b.Records, offset, func(r kafka.Record, offset int64) int {
			switch {
			case r.Offset < offset:
				return -1
			case r.Offset > offset:
				return 1
			}
			return 0
		})
		if found {
			return &b.Records[at]
		}
	}
	return nil
}

// giveUp reports a record that the task cannot write. nil means that it may be skipped.
// Without tolerance the task fails after Put at the latest, even if it ignores the error.
func (s *sinkTask) giveUp(record *connect.SinkRecord, cause error) error {
	f := tolerance.Failure{Stage: tolerance.TaskPut, Class: sinkTaskClass, Record: record, Err: cause}
	if s.dead != nil {
		if f.Raw = s.batches.find(record.Original, record.Offset); f.Raw == nil {
			made, raw, err := s.convert.back(record)
			if err != nil {
				return err
			}
			f.Record, f.Raw = made, raw
		}
	}
	err := s.operator.GiveUp(s.work, f)
	switch {
	case err != nil && !errors.Is(err, tolerance.ErrStopped):
		s.putFailure = err
	case err == nil && s.dead == nil && !s.keepsErrors && !s.warnedOfLoss:
		s.warnedOfLoss = true
		s.log.Warn("a record that the task cannot write is skipped and kept nowhere, and more may follow without a word. "+
			"To keep such records set errors.deadletterqueue.topic.name, to see them errors.log.enable=true",
			zap.Stringer("partition", record.Original), zap.Int64("offset", record.Offset), zap.Error(cause))
	}
	return err
}

// back makes the raw form of a record that the task has made itself, or kept beyond its
// Put (as the JVM does for a record that is not its own).
func (c *sinkConverter) back(record *connect.SinkRecord) (*connect.SinkRecord, *kafka.Record, error) {
	made := *record
	if made.Original.Topic == "" {
		made.Original = connect.TopicPartition{Topic: record.Topic, Partition: record.Partition}
	}
	raw := &kafka.Record{Offset: record.Offset, Timestamp: record.Timestamp, TimestampType: record.TimestampType}
	var err error
	if raw.Key, err = fromDatum(c.key, record.Topic, &record.Key); err != nil {
		return nil, nil, err
	}
	if raw.Value, err = fromDatum(c.value, record.Topic, &record.Value); err != nil {
		return nil, nil, err
	}
	for i := range record.Headers {
		h := &record.Headers[i]
		value, err := c.header.FromConnectHeader(record.Topic, h.Key, h.Schema, h.Value)
		if err != nil {
			return nil, nil, err
		}
		raw.Headers = append(raw.Headers, kafka.Header{Key: h.Key, Value: value})
	}
	return &made, raw, nil
}

func fromDatum(c convert.Converter, topic string, d *data.Datum) ([]byte, error) {
	value, err := d.Value()
	if err != nil {
		return nil, err
	}
	return c.FromConnect(topic, d.Schema(), value)
}
