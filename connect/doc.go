// Package connect is the contract between the runtime and a connector: what a
// connector author implements and what the runtime hands over. Together with
// connect/data and connect/config it is all that a connector may import of
// Penstock (hdfssink is held to that too).
//
// Threads: every connector and every task is driven by one goroutine of its
// own; its methods are never called concurrently, except Version. A method that
// blocks must return soon after its context ends.
package connect
