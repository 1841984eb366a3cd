// Package writer writes the records of one Kafka partition exactly once: into temp
// files, which are closed, promised in the write-ahead log and then renamed.
//
// Partition is the state machine; its type comment draws it. CommittedName is what a
// file's name tells. Tree lists the files of a topic when partitions recover.
package writer
