// Package formattest is the suite that every format of the HDFS sink passes, and the
// cases that the JVM sink wrote files of.
package formattest
