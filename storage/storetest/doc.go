// Package storetest is the suite that every config store and every status store passes.
// It states the contracts of package storage in code; what only a store in Kafka can do
// (outlive its worker, share a topic, go through outages) is tested in kafkastore.
package storetest
