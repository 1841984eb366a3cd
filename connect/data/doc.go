// Package data is the Connect data model: schemas, structs, logical types and
// the Go form of every value. It does no I/O and imports nothing but the
// standard library.
//
// A value of a Connect type is always held in one Go type:
//
//	INT8 int8            FLOAT32 float32    ARRAY  []any
//	INT16 int16          FLOAT64 float64    MAP    *Map
//	INT32 int32          BOOLEAN bool       STRUCT *Struct
//	INT64 int64          STRING  string     null   nil
//	BYTES []byte
//
// Logical types replace the Go type of their base: Decimal is Decimal, and
// Date, Time and Timestamp are time.Time in UTC (with millisecond precision).
// Values and schemas are immutable once they have been handed over; whoever
// changes one makes a copy.
package data
