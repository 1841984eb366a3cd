// Package memstore keeps the cluster's state in memory, for standalone mode and for tests
// (Java: MemoryConfigBackingStore, MemoryStatusBackingStore). It obeys the same contracts
// as package kafkastore and passes the same suite, storetest; what is put is there at
// once, and gone with the process.
package memstore
