// Package wal is the write-ahead log of one Kafka partition of the HDFS sink, in the
// format of the JVM connector (io.confluent.connect.hdfs.wal), which can read ours and
// whose logs we read.
//
// Terms: a log is the file <logs.dir>/<topic>/<partition>/log; the former log lies
// beside it as log.1. A block is what one commit appends: BEGIN, an Entry per file
// (temp name, final name), END. A block counts when its END is there.
//
// A log has one writer at a time. It holds the log's lease by keeping it open for
// append from Take on, except for the moment in which Commit closes the log, since only
// a close makes a block durable. Whoever takes the log over recovers its lease first, so
// that the former writer's next Commit fails, and rotates it, so that a writer that was
// in that moment finds another log.1 than it left and stops.
package wal
