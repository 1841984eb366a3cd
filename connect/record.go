package connect

import "github.com/penstock-io/penstock/connect/data"

// TimestampType tells who set a record's timestamp.
type TimestampType uint8

// The timestamp types; the numbers are those of Kafka's record attributes.
const (
	CreateTime TimestampType = iota
	LogAppendTime
	NoTimestampType
)

// String returns the Java name.
func (t TimestampType) String() string {
	return [...]string{"CreateTime", "LogAppendTime", "NoTimestampType"}[t]
}

// NoTimestamp is the timestamp of a record that has none.
const NoTimestamp int64 = -1

// Header is one converted record header.
type Header struct {
	Key    string
	Schema *data.Schema
	Value  any
}

// NoOffset is the offset of a record that does not come from Kafka.
const NoOffset int64 = -1

// AnyPartition leaves the choice of the Kafka partition to the producer, which takes it
// from the key.
const AnyPartition int32 = -1

// Record is what records of sinks and of sources have in common (Java:
// o.a.k.connect.connector.ConnectRecord). Transforms work on it.
type Record struct {
	Topic     string
	Partition int32 // AnyPartition: not chosen yet, source records only
	// Offset is where the record stands in its partition, NoOffset for source records.
	Offset     int64
	Timestamp  int64 // milliseconds since the epoch, or NoTimestamp
	Key, Value data.Datum
	Headers    []Header
}

// SinkRecord is one record on its way to a sink. The runtime reuses records and
// their raw bytes for the next batch: a task that keeps anything beyond Put
// copies it.
type SinkRecord struct {
	Record
	TimestampType TimestampType
	// Original is where the record was read, before transforms changed Topic.
	Original TopicPartition
}

// SourceRecord is one record on its way to Kafka (Java:
// o.a.k.connect.source.SourceRecord). A task that returned it from Poll does not touch
// it, or what it refers to, any more.
//
// A record of the zero value goes to partition 0 with the timestamp 0: NewSourceRecord
// sets what is mostly wanted.
type SourceRecord struct {
	Record
	// SourcePartition and SourceOffset tell where the record came from: string keys and
	// primitive values, see data.Map. The offset of a partition is committed once the
	// record and all earlier ones of the partition are in Kafka. Both nil: the source
	// keeps no offsets.
	SourcePartition, SourceOffset *data.Map
}

// NewSourceRecord returns a record without key, whose Kafka partition and timestamp the
// producer sets.
func NewSourceRecord(partition, offset *data.Map, topic string, schema *data.Schema, value any) SourceRecord {
	r := SourceRecord{
		Record:          Record{Topic: topic, Partition: AnyPartition, Offset: NoOffset, Timestamp: NoTimestamp},
		SourcePartition: partition, SourceOffset: offset,
	}
	r.Value.SetValue(schema, value)
	return r
}

// RecordMetadata tells where the producer wrote a record (Java:
// o.a.k.clients.producer.RecordMetadata).
type RecordMetadata struct {
	TopicPartition
	Offset    int64 // NoOffset when acks=0
	Timestamp int64 // milliseconds since the epoch
}
