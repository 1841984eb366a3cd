// Package hdfssink is the HDFS sink connector: it writes the records of topics into files
// of HDFS (or of a local file system), exactly once. It takes the configuration of the JVM
// connectors io.confluent.connect.hdfs.HdfsSinkConnector and
// io.confluent.connect.hdfs3.Hdfs3SinkConnector unchanged, and leaves the same files,
// names and write-ahead logs behind (imitated release: see Version).
//
// Connector checks the configuration and copies it to its tasks; Config is the
// configuration parsed and checked. What happens to a record stands in the packages below:
// partitioner names its directory, format writes it into a file, writer decides when
// files are complete, wal makes their commit atomic, filesystem stores them.
package hdfssink
