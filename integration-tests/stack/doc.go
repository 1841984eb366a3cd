// Package stack runs the real Kafka, HDFS and JVM Connect worker for tests and for
// people, from Maven Central's jars, without containers: every process listens on a
// free port of 127.0.0.1, keeps its data in a folder of its own and is ended by the
// handle that started it. Two stacks can run side by side.
package stack
