// Package herder decides what this worker runs. Its one event loop owns all cluster
// state: the assignment, the items that should run and the ones that do. Everything
// that can block (plugins, Kafka, other workers) happens in goroutines whose results
// come back as events, so that the loop always answers.
//
// What only the leader may do (writes to the config topic, zombie fencing, changes of
// offsets) is checked, and done one at a time where it has to be, by lead.go, fencing.go
// and offsets.go.
//
// The same herder serves distributed mode, where a group.Member tells what is assigned,
// and standalone mode, where a Solo member assigns everything to itself.
package herder
