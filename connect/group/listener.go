package group

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
)

// Listener is told what this worker must do; the herder is one. Its methods are called
// from the membership's goroutine, one after the other, while heartbeats go on: they
// may take as long as rebalance.timeout.ms, no longer.
type Listener interface {
	// Snapshot returns the configs as they are now.
	Snapshot(ctx context.Context) (*storage.ClusterConfig, error)
	// Joining is called before the group is told of configs, which makes it assign their
	// tasks: it stops the tasks of former configs of the same connectors, and returns when
	// they have stopped. Somebody else may start the new ones right after.
	Joining(ctx context.Context, told *storage.ClusterConfig)
	// Refresh reads the config topic to its end, within a bound of its own.
	Refresh(ctx context.Context) error
	// Statuses reads the status topic to its end, and returns what it says of those of the
	// items that have a status. It is for the leader, and must end when ctx does.
	Statuses(ctx context.Context, items []connect.TaskID) (map[connect.TaskID]storage.Status, error)
	// Revoked stops what must be given up, and returns when it has stopped: somebody
	// else may start it right after.
	Revoked(ctx context.Context, connectors []string, tasks []connect.TaskID)
	// Assigned takes a new assignment, with all that this worker is to run: also what
	// it runs already.
	Assigned(ctx context.Context, a Assignment)
}

// Assignment is what this worker is to do (Java: ExtendedAssignment, with what
// WorkerCoordinator knows beside it).
type Assignment struct {
	Generation   int32
	MemberID     string
	ProtocolName string // default, compatible or sessioned
	Version      int16  // 0 eager, 1 cooperative, 2 cooperative with signed requests
	// Err is 0, or 1 (config mismatch): the leader could not read the configs far
	// enough to assign anything, and the group must rebalance again.
	Err          int16
	LeaderID     string
	LeaderURL    string
	IsLeader     bool
	ConfigOffset int64 // the config offset that the assignment was made for
	// Connectors and Tasks are everything assigned, what was assigned before included.
	Connectors []string
	Tasks      []connect.TaskID
	// What was taken away by this rebalance, and has been stopped. Not empty means that
	// the group must rebalance again, to give it to somebody else.
	RevokedConnectors []string
	RevokedTasks      []connect.TaskID
	// Delay is the time after which the group should rebalance again, 0 for none.
	Delay time.Duration
}
