// Package testing has the connectors of Kafka's system tests (Java:
// o.a.k.connect.tools): Mock ones that fail when they are told to, Verifiable ones that
// print a JSON line for every record so that what went through can be counted, and a
// source of records with schemas. They are as useful for trying a worker out, or for
// measuring it: a Verifiable source with throughput -1 costs little itself.
//
// Lines are printed in the order and with the keys of the JVM's connectors. Where those
// return one record at a time these return as many as are due, and several lines are
// written at once, but no later: those of a source before the records are handed over,
// those about commits when the commit is known.
package testing
