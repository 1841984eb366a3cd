// Package kafkatest runs a Kafka cluster inside a test: kfake's brokers behind
// sockets that can be cut, with helpers to write records (also in transactions) and
// to make requests fail. It is for tests alone.
//
// kfake accepts some things that Kafka refuses (records without key on compacted
// topics, deleting records of compacted topics) and answers some fencing cases with
// other codes. When the leader of a classic group leaves, it tells several of the
// members that stay that they lead. What depends on that is tested against a real Kafka.
package kafkatest
