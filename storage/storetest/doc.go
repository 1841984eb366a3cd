// Package storetest is the suite that every config store, status store and offset store
// passes. It states the contracts of package storage in code; what only a store in Kafka
// can do (share a topic, go through outages, transactions) is tested in kafkastore.
package storetest
