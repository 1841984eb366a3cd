// Package records writes and reads the records of Connect's internal topics: keys and
// JSON values of the config, the status and the offset topic, byte for byte as the JVM
// worker of Kafka 4.3 writes them (KafkaConfigBackingStore, KafkaStatusBackingStore,
// OffsetStorageWriter with a JsonConverter and schemas.enable=false).
//
// Bytes matter most for keys: compaction, partitioning and look-ups compare them. In
// values, the fields stand in the order of the JVM's schemas, and maps in the order of a
// java.util.HashMap.
//
// Reading is as tolerant as the JVM: unknown fields are ignored, numbers may have any
// size, and a record that makes no sense is an error for the log, never more. All
// functions are safe for concurrent use and keep nothing of what they are given.
package records
