// Package hdfsfs stores files in HDFS.
//
// Metadata goes through our own NameNode client (package namenode), which bounds and
// repeats each call; file data goes through github.com/colinmarc/hdfs, which we guard:
// every socket has a deadline per read and write, a blocking call runs beside its
// caller so that the context ends the wait, and its client is replaced after a socket
// error, because it keeps a dead socket and shuns its host for five seconds.
//
// That client renews its leases with one small call a second for as long as it lives,
// also without open files. An FS has one such client (a second one for a while after a
// failure), so one FS costs a NameNode one call a second: share an FS in a task.
//
// A pipeline is not repaired: when a DataNode fails, the file fails, and the caller
// writes it again under another name.
package hdfsfs
