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

// SinkRecord is one record on its way to a sink. The runtime reuses records and
// their raw bytes for the next batch: a task that keeps anything beyond Put
// copies it.
type SinkRecord struct {
	Topic         string
	Partition     int32
	Offset        int64
	Timestamp     int64 // milliseconds since the epoch, or NoTimestamp
	TimestampType TimestampType
	Key, Value    data.Datum
	Headers       []Header

	// Original is where the record was read, before transforms changed Topic.
	Original TopicPartition
}
