// Package transform holds the single message transforms and predicates of Kafka Connect
// 4.3 under their Java class names, and the Chain that a connector's transforms and
// predicates make. Configuration keys, results and error texts are the JVM's.
//
// Threads: an instance belongs to one task and is called by its goroutine only. What a
// transform works out from a schema is kept for the 16 schemas used last, found by
// identity. Values and schemas are immutable: a transform makes new ones.
package transform
