// Package filesystem is the storage contract of the HDFS sink, and below it the
// backends: hdfsfs (a real HDFS), localfs (the local disk), memfs (memory, with
// crashes) and faultfs (failures on demand around any of them). fstest is the
// suite that pins the contract for each.
package filesystem
