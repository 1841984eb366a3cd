// Package integration holds the tests against real Kafka and real HDFS: the worker's
// binary is started, asked through REST, killed, and what it wrote is read back with
// another program. They are built with the tag integration; make integration runs them.
package integration
