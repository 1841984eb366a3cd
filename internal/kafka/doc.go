// Package kafka is all that Penstock knows of Kafka's wire: client settings under
// their Java names, admin calls, a producer, a batch fetcher, a consumer with or
// without a group, and the membership of groups. It is the only package that
// imports sarama, and no sarama type leaves it.
package kafka
