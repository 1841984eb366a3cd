// Package kafkastore keeps the cluster's state in Kafka: the config store and the status
// store of a distributed worker (Java: KafkaConfigBackingStore, KafkaStatusBackingStore),
// and the creation and check of the internal topics (Java: TopicAdmin).
//
// Both stores read their topic from the beginning, follow it in one goroutine, and answer
// all questions from memory. Writes of the config store are synchronous and come one
// after the other; those of the status store are asynchronous, see StatusStore.
//
// Config records are written at least once and without transactions, as the JVM worker
// does with exactly.once.source.support=disabled.
package kafkastore
