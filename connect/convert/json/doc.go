// Package json is the JsonConverter (org.apache.kafka.connect.json.JsonConverter),
// byte-compatible with Kafka Connect 4.3.1, and the JSON texts that a sink writes.
//
// Reading has two paths. The fast one works on the bytes: a validating scan leaves
// schemaless data encoded (data.JSON), a compiled plan per schema decodes a payload
// straight into a *data.Struct. Whatever the fast path does not take (odd encodings,
// escaped member names, values of another type than the schema says, errors) goes to the
// slow one, which builds a tree as Jackson does and words every error as the JVM does.
// The slow path is the reference that the fast one is tested against.
//
// Accepted is what Jackson accepts as JsonDeserializer sets it up: RFC 8259, leading
// zeros, UTF-16 and UTF-32 by their byte pattern, a byte order mark; whatever follows the
// first value is ignored, and no value at all is a null. Jackson's limits hold: depth
// 1000, numbers of 1000 digits, names of 50000 characters, strings of 20 million.
//
// A Java string may hold half a surrogate pair (from \ud83d); such a half is kept in the
// Go string in three bytes (WTF-8) and written as an escape again.
package json
