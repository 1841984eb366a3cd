// Package tolerance runs one stage of a record's way with retry, tolerance and
// reporting (Java: RetryWithToleranceOperator, KIP-298). The record path calls it
// only after a stage has failed: a record that goes well costs nothing here.
//
// A failure that is final is counted and told to the error log and the dead letter
// queue, whether it is tolerated or not: with errors.tolerance=none the last thing a
// task does is to say which record it failed on.
package tolerance
