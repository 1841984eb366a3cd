// Package topiclog reads a compacted topic from its beginning to its end, follows it, and
// writes to it (Java: KafkaBasedLog). What the records mean is its user's affair: they
// come one after the other to one function, which keeps a table of its own.
//
//	Open    partitions found, everything read        Read is called by Open's caller
//	Follow  the reader goroutine starts              Read is called by the reader
//	Close   the reader has ended, clients are closed
//
// A log without a producer of its own only reads; others write the topic.
//
// A log survives outages of Kafka: the reader goes on where it was, for ever; Append and
// ReadToEnd wait as long as their contexts allow. Memory is bounded by the consumer's
// fetch settings: nothing is queued here.
package topiclog
