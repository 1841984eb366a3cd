package protocol

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/penstock-io/penstock/connect"
)

// Errors of an assignment.
const (
	NoError int16 = 0
	// ConfigMismatch: the leader has not read the config topic far enough to assign.
	ConfigMismatch int16 = 1
)

// ConnectorTask is the task number that stands for the connector instance itself.
const ConnectorTask = -1

// Assignment is what the leader tells one member, and, as part of the metadata, what a
// member runs (Java: ExtendedAssignment).
type Assignment struct {
	Version      Version // as read; AppendAssignment writes this layout
	Err          int16
	LeaderID     string
	LeaderURL    string
	ConfigOffset int64
	Connectors   []string
	Tasks        []connect.TaskID
	// What the member must give up, and the time until the next scheduled rebalance
	// (whole milliseconds): not in the eager layout.
	RevokedConnectors []string
	RevokedTasks      []connect.TaskID
	Delay             time.Duration
}

// Failed reports whether nothing was assigned because of an error.
func (a *Assignment) Failed() bool { return a.Err != NoError }

// AppendAssignment appends a in the layout of its version. It fails when a text or a
// number is too large for the wire.
func AppendAssignment(dst []byte, a Assignment) ([]byte, error) {
	if err := checkString("the member id of the leader", a.LeaderID); err != nil {
		return nil, err
	}
	if err := checkString("the REST address of the leader", a.LeaderURL); err != nil {
		return nil, err
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(a.Version))
	dst = binary.BigEndian.AppendUint16(dst, uint16(a.Err))
	dst = appendString(dst, a.LeaderID)
	dst = appendString(dst, a.LeaderURL)
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.ConfigOffset))
	dst, err := appendItems(dst, a.Connectors, a.Tasks)
	if err != nil || a.Version == Eager {
		return dst, err
	}
	if dst, err = appendItems(dst, a.RevokedConnectors, a.RevokedTasks); err != nil {
		return nil, err
	}
	delay := min(max(a.Delay.Milliseconds(), 0), math.MaxInt32)
	return binary.BigEndian.AppendUint32(dst, uint32(delay)), nil
}

// appendItems writes one entry per connector name in order of first appearance: its
// instance (-1) first, then its tasks.
func appendItems(dst []byte, connectors []string, tasks []connect.TaskID) ([]byte, error) {
	var names []string
	numbers := map[string][]int{}
	add := func(name string, number int) error {
		if _, known := numbers[name]; !known {
			if err := checkString("the connector name", name); err != nil {
				return err
			}
			names = append(names, name)
		}
		if number > math.MaxInt32 || number < math.MinInt32 {
			return fmt.Errorf("the number of task %s-%d is too large for the group protocol", name, number)
		}
		numbers[name] = append(numbers[name], number)
		return nil
	}
	seen := map[string]bool{}
	for _, c := range connectors {
		if seen[c] {
			continue
		}
		seen[c] = true
		if err := add(c, ConnectorTask); err != nil {
			return nil, err
		}
	}
	for _, t := range tasks {
		if err := add(t.Connector, t.Task); err != nil {
			return nil, err
		}
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(names)))
	for _, name := range names {
		dst = appendString(dst, name)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(numbers[name])))
		for _, n := range numbers[name] {
			dst = binary.BigEndian.AppendUint32(dst, uint32(int32(n)))
		}
	}
	return dst, nil
}

// ReadAssignment reads an assignment of any version. Bytes after the known fields are
// ignored.
func ReadAssignment(b []byte) (Assignment, error) {
	r := reader{b: b}
	v, err := readVersion(&r)
	if err != nil {
		return Assignment{}, err
	}
	a := Assignment{
		Version:      v,
		Err:          r.int16("error"),
		LeaderID:     r.string("leader"),
		LeaderURL:    r.string("leader-url"),
		ConfigOffset: r.int64("config-offset"),
	}
	if !r.end() {
		a.Connectors, a.Tasks = readItems(&r, "assignment")
	}
	if !r.end() {
		a.RevokedConnectors, a.RevokedTasks = readItems(&r, "revoked")
	}
	if !r.end() {
		a.Delay = time.Duration(r.int32("delay")) * time.Millisecond
	}
	if err := r.err(); err != nil {
		return Assignment{}, err
	}
	return a, nil
}

func readItems(r *reader, field string) (connectors []string, tasks []connect.TaskID) {
	const smallestEntry = 2 + 4
	for range r.count(smallestEntry, true, field) {
		name := r.string("connector")
		for range r.count(4, false, "tasks") {
			n := r.int32("tasks")
			if r.bad != "" {
				return nil, nil
			}
			if n == ConnectorTask {
				connectors = append(connectors, name)
			} else {
				tasks = append(tasks, connect.TaskID{Connector: name, Task: int(n)})
			}
		}
		if r.bad != "" {
			return nil, nil
		}
	}
	return connectors, tasks
}
