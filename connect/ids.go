package connect

import (
	"strconv"
	"strings"
)

// TopicPartition names one partition of a Kafka topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String returns the Kafka form, e.g. events-3.
func (tp TopicPartition) String() string {
	return tp.Topic + "-" + strconv.Itoa(int(tp.Partition))
}

// Compare orders by topic, then partition.
func (tp TopicPartition) Compare(o TopicPartition) int {
	if c := strings.Compare(tp.Topic, o.Topic); c != 0 {
		return c
	}
	return int(tp.Partition) - int(o.Partition)
}

// TaskID names one task of a connector.
type TaskID struct {
	Connector string
	Task      int
}

// String returns the Java form, e.g. events-to-hdfs-0.
func (id TaskID) String() string { return id.Connector + "-" + strconv.Itoa(id.Task) }

// TargetState is what a user asked a connector to be (Java: TargetState). It is
// another vocabulary than the status, see State.
type TargetState string

// The target states.
const (
	TargetStarted TargetState = "STARTED"
	TargetPaused  TargetState = "PAUSED"
	TargetStopped TargetState = "STOPPED"
)

// State is what a connector or task reports to be (Java: AbstractStatus.State).
type State string

// The states. StateDestroyed is never written as text: it is a tombstone.
const (
	StateUnassigned State = "UNASSIGNED"
	StateRunning    State = "RUNNING"
	StatePaused     State = "PAUSED"
	StateFailed     State = "FAILED"
	StateRestarting State = "RESTARTING"
	StateStopped    State = "STOPPED"
	StateDestroyed  State = "DESTROYED"
)
