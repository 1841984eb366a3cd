// Package assignor decides which member of a "connect" group runs which connector and
// task: all anew at every rebalance (Eager), or with as few moves as possible
// (Incremental). It does no I/O and reads no clock: state in, assignment out.
//
// An Item is a task, or with task number -1 a connector instance.
package assignor
