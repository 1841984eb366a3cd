// Package group makes a worker a member of the "connect" group: it tells the other
// workers what this one has read and runs, decides as the leader who runs what, and
// passes assignments and revocations to a Listener (Java: WorkerGroupMember,
// WorkerCoordinator). Package protocol has the bytes, package assignor the decisions,
// kafka.Membership the conversation with the broker.
//
// A leader of ours does two things that a JVM leader does not: what a worker has stopped
// before it left is assigned at once, without scheduled.rebalance.max.delay.ms (release.go),
// and connectors go to workers that have their class (placement.go).
package group
