// Package worker runs the connectors and tasks of this process: start, stop, pause,
// the sink and source loops and their offset commits. What should run is the herder's
// decision.
//
// Every connector and every task has one goroutine; its owner is the Worker, which
// waits for it when it is stopped, or abandons it when a plugin does not come back
// within task.shutdown.graceful.timeout.ms: an abandoned task writes no status any
// more, its context is cancelled and its consumer or producer is closed, so that it can
// neither commit nor report.
package worker
