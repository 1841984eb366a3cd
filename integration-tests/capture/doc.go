// Package capture records what real JVM Connect workers do, as golden data of the tests
// of connect/group, connect/herder and storage/records. It has only tests, behind the
// build tag capture, and is no part of CI: README.md tells how to run it.
package capture
