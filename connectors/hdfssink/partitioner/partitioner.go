// Package partitioner derives a record's directory: default, field and time based.
package partitioner

import "github.com/penstock-io/penstock/connect"

// Partitioner belongs to one task and is not safe for concurrent use.
type Partitioner interface {
	// Encode returns the encoded partition of a record, e.g. year=2015/month=12. now
	// is the wall clock in milliseconds. Errors are *connect.DataError, or *Error of
	// a class that fails the task in the JVM.
	Encode(rec *connect.SinkRecord, now int64) (string, error)
}

// TimestampExtractor derives a record's time (timestamp.extractor).
type TimestampExtractor interface {
	// Extract returns milliseconds since the epoch.
	Extract(rec *connect.SinkRecord, now int64) (int64, error)
}
