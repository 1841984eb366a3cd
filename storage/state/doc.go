// Package state makes of the records of the config topic and of the status topic what
// the cluster's state is. It does no I/O, starts nothing and knows no clock: the same
// records in the same order give the same state (Java: the callbacks of
// KafkaConfigBackingStore and KafkaStatusBackingStore).
//
// A connector in the config topic:
//
//	task-X-n            deferred, not visible
//	commit-X, complete  deferred configs become the tasks; a new generation
//	commit-X, holes     X is inconsistent: it keeps its config, but has no tasks
//	connector-X, null   config and tasks go; target state, generation, fencing stay
//	commit-X, no config leftover of a deleted connector: its tasks go
//
// A commit with holes happens on replay, when compaction took some of the task configs
// that it stood for.
package state
