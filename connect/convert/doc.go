// Package convert holds the contracts between the record path and the
// converters, which make Connect data of the bytes in Kafka and the reverse.
// The converters lie below it: json, text, bytes and number.
package convert
