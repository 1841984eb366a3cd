// Package tolerance runs one stage of a record's way with retry, tolerance and
// reporting (Java: RetryWithToleranceOperator, KIP-298). The record path calls it
// only after a stage has failed: a record that goes well costs nothing here.
package tolerance
