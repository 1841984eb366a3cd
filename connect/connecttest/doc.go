// Package connecttest is for authors of connectors: it runs a connector and its tasks
// without Kafka, and checks that they keep to the contract of package connect.
//
// StartSource and StartSink start a connector, ask it for task configs and start the
// tasks, as the runtime does; the test then plays the runtime's part step by step: Poll
// and Ack, or Open, Put, Commit and Close. Offsets are what source tasks have committed;
// given to a second run it goes on where the first one was.
//
// RunSource and RunSink are suites that any connector can be put through, with a config
// that works and some that do not.
//
// Nothing here needs a network, and no goroutine is left when a test ends.
package connecttest
