// Package memfs keeps files in memory and behaves like HDFS: files open for writing
// do not show what was written, leases outlive their holder's death, and a crash
// keeps any prefix of an unfinished file.
package memfs
