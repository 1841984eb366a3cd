// Package filestream has Kafka's file connectors: a source that reads a file or the
// standard input line by line, and a sink that appends a line per record to a file or the
// standard output (Java: o.a.k.connect.file).
//
// # Positions
//
// The source keeps {"filename": …} -> {"position": n}. In the JVM n counts characters while
// a line is read and bytes when reading goes on after a restart. Here it counts bytes both
// times. For ASCII text that is the same, so offsets can be taken over in both directions.
// For other text:
//
//   - Offsets written here are right for the JVM's connector too: it skips bytes.
//   - Offsets written by the JVM's connector are too small, never too large, because no
//     character has fewer bytes than the JVM counts for it. Going on from one repeats some
//     text, as the JVM's connector does itself, and leaves out none. Bytes and characters
//     cannot be told apart in the number; one that lies within a line is logged.
//
// # What is durable
//
// The sink writes whole lines, after each batch, and makes them durable (fsync) before
// offsets are committed; the JVM's leaves that to the operating system. A file that ends
// within a line, as after a power failure or on a full disk, gets a line end first: the
// line is written again, and must not become part of the torn one.
package filestream
