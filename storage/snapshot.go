package storage

import (
	"maps"
	"sort"
	"time"

	"github.com/penstock-io/penstock/connect"
)

// SessionKey signs requests between workers.
type SessionKey struct {
	Key       []byte
	Algorithm string
	Created   time.Time
}

// ConnectorState is what the config topic says of one connector.
type ConnectorState struct {
	Config  map[string]string // raw: placeholders unresolved; nil = no config (deleted)
	Applied map[string]string // Config at the time of the last task commit, nil before
	Target  connect.TargetState
	// TaskCount is the count of the last commit, -1 before any.
	TaskCount int
	// Tasks holds the raw task configs by number; nil entries where compaction left holes.
	Tasks map[int]map[string]string
	// Inconsistent: the last commit found its task configs incomplete.
	Inconsistent bool
	// Generation counts complete commits, from 0; -1 before any.
	Generation int
	// TaskCountRecord is the last tasks-fencing count: so many producers of tasks may
	// exist that nobody has fenced off. -1 without one.
	TaskCountRecord int
	// PendingFencing: task configs were committed after the last tasks-fencing record.
	PendingFencing bool
}

// Outdated reports whether the task configs were made for a former config of the
// connector: it has not been asked for new ones yet.
func (s *ConnectorState) Outdated() bool { return !maps.Equal(s.Applied, s.Config) }

// ClusterConfig is a snapshot of the config topic (Java: ClusterConfigState). It is
// never changed once published, and safe for concurrent use.
type ClusterConfig struct {
	// Offset is the offset after the last record that was applied, -1 when there was none.
	Offset     int64
	SessionKey *SessionKey
	// ByName also holds leftovers of deleted connectors: their Config is nil.
	ByName map[string]*ConnectorState
}

// Connectors returns the names of the connectors that have a config, sorted.
func (c *ClusterConfig) Connectors() []string {
	names := make([]string, 0, len(c.ByName))
	for n, s := range c.ByName {
		if s.Config != nil {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	return names
}

// Contains reports whether the connector has a config.
func (c *ClusterConfig) Contains(name string) bool {
	s := c.ByName[name]
	return s != nil && s.Config != nil
}

// Connector returns the state of a connector that has a config, else nil.
func (c *ClusterConfig) Connector(name string) *ConnectorState {
	if s := c.ByName[name]; s != nil && s.Config != nil {
		return s
	}
	return nil
}

// Tasks returns the tasks of a connector: none while it is inconsistent or has no commit.
func (c *ClusterConfig) Tasks(name string) []connect.TaskID {
	s := c.Connector(name)
	if s == nil || s.Inconsistent || s.TaskCount < 0 {
		return nil
	}
	ids := make([]connect.TaskID, s.TaskCount)
	for i := range ids {
		ids[i] = connect.TaskID{Connector: name, Task: i}
	}
	return ids
}

// TasksMade returns how many tasks the connector has made for its present config, to be
// held against tasks.max; 0 while those that there are belong to a former one.
func (c *ClusterConfig) TasksMade(name string) int {
	if s := c.Connector(name); s == nil || s.Outdated() {
		return 0
	}
	return len(c.Tasks(name))
}

// TaskConfig returns the raw config of a task, nil when unknown.
func (c *ClusterConfig) TaskConfig(id connect.TaskID) map[string]string {
	if s := c.Connector(id.Connector); s != nil {
		return s.Tasks[id.Task]
	}
	return nil
}

// TargetState returns the target state of a connector, "" when unknown.
func (c *ClusterConfig) TargetState(name string) connect.TargetState {
	if s := c.ByName[name]; s != nil {
		return s.Target
	}
	return ""
}

// TaskConfigGeneration returns how many complete sets of task configs were committed
// before the present one, -1 when there was none. It goes on over a deletion of the
// connector, but is not the same in every worker: each counts from where compaction left
// the topic when it started.
func (c *ClusterConfig) TaskConfigGeneration(name string) int {
	if s := c.ByName[name]; s != nil {
		return s.Generation
	}
	return -1
}

// TaskCountRecord returns the last tasks-fencing count of a connector, which outlives the
// connector, and whether there is one.
func (c *ClusterConfig) TaskCountRecord(name string) (count int, ok bool) {
	if s := c.ByName[name]; s != nil && s.TaskCountRecord >= 0 {
		return s.TaskCountRecord, true
	}
	return 0, false
}

// PendingFencing reports whether zombies of earlier task configs must be fenced off
// before tasks of the present ones may start (internal topics, exactly-once sources).
func (c *ClusterConfig) PendingFencing(name string) bool {
	s := c.ByName[name]
	return s != nil && s.PendingFencing
}
