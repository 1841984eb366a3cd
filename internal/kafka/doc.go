// Package kafka is all that Penstock knows of Kafka's wire: client settings under
// their Java names, admin calls, a producer with idempotence and transactions, a batch
// fetcher, a consumer with or without a group, and the membership of groups. It is the
// only package that imports sarama, and no sarama type leaves it.
//
// The way of a record to be written: SendAsync routes it (producer_async, producer_topics),
// it waits in a batch of its partition (producer_batch), the sender's goroutine numbers
// it, joins the partition to the transaction and puts its batch into a request
// (producer_sender, producer_idempotence, producer_txn), whose answer is told to the
// caller (producer_ack).
package kafka
