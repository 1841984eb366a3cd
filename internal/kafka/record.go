package kafka

import "github.com/penstock-io/penstock/connect"

// Header is a raw record header.
type Header struct {
	Key   string
	Value []byte
}

// Record is one fetched record. Key and Value alias the fetched response: they
// stay valid as long as somebody holds them, but the Record itself belongs to a
// Batch that is reused.
type Record struct {
	Offset        int64
	Timestamp     int64 // ms since the epoch, -1 = none
	TimestampType connect.TimestampType
	Key, Value    []byte // nil = null
	Headers       []Header
}

// Batch is a run of records of one partition, in offset order, with gaps where
// Kafka has them (compaction, transaction markers).
type Batch struct {
	connect.TopicPartition
	Records []Record
}

// ProducerRecord is a record to be written.
type ProducerRecord struct {
	Topic      string
	Partition  int32 // -1: murmur2 of the key, as the Java client
	Timestamp  int64 // ms; -1 = now
	Key, Value []byte
	Headers    []Header
}
