// Package namenode is a small client of the HDFS NameNode (ClientProtocol over
// Hadoop IPC version 9) for the calls that github.com/colinmarc/hdfs lacks or does
// not make safely: recoverLease, isFileClosed, rename2 without overwrite, complete
// by name, and the metadata calls with deadlines and retries.
//
// Messages are written and read field by field with protowire; the field numbers
// come from Hadoop's .proto files and stand beside the code that uses them.
//
// One logical call keeps its call id over all attempts, so the NameNode's retry
// cache answers a repeated call whose first reply was lost with that first reply.
package namenode
