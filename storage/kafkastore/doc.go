// Package kafkastore keeps the cluster's state in Kafka: the config store, the status
// store and the offset store of a distributed worker (Java: KafkaConfigBackingStore,
// KafkaStatusBackingStore, KafkaOffsetBackingStore, ConnectorOffsetBackingStore), and the
// creation and check of the internal topics (Java: TopicAdmin).
//
// All stores read their topic from the beginning, follow it in one goroutine, and answer
// questions from memory. Writes of the config store are synchronous and come one after
// the other; those of the status store are asynchronous, see StatusStore; those of the
// offset store are synchronous and may come at the same time.
//
// Config records of the leader are written in transactions when Options.Leader is set
// (exactly.once.source.support preparing or enabled), so that a former leader cannot
// write any more; else at least once and without transactions.
package kafkastore
