package state

import (
	"errors"
	"maps"
	"slices"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
)

// Event tells a listener of one change. It may be called later, from any goroutine.
type Event func(storage.ConfigListener)

// Config is the state of the config topic up to some record. The zero value is not ready,
// see NewConfig. It belongs to one goroutine, or to one mutex; its snapshots do not.
//
// What a snapshot shows is never changed: the first change after Snapshot copies what it
// touches. A replay without snapshots copies nothing.
type Config struct {
	current *storage.ClusterConfig
	// deferred holds task configs that wait for their commit. An empty map, which a
	// commit leaves, is not the same as none: it decides about generations.
	deferred map[string]map[int]map[string]string

	shared  bool            // current was handed out
	mapMine bool            // current.ByName was made after the last snapshot
	mine    map[string]bool // entries of ByName that were made after the last snapshot
}

// NewConfig returns the state before any record.
func NewConfig() *Config {
	return &Config{
		current:  &storage.ClusterConfig{Offset: -1, ByName: map[string]*storage.ConnectorState{}},
		deferred: map[string]map[int]map[string]string{},
		mapMine:  true,
		mine:     map[string]bool{},
	}
}

// Snapshot returns the state as it is now.
func (c *Config) Snapshot() *storage.ClusterConfig {
	c.shared, c.mapMine = true, false
	clear(c.mine)
	return c.current
}

// Discard takes the record at an offset that records.DecodeConfig refused, with its error.
// The offset counts, unless the value is not even JSON: all workers of a group, the JVM's
// among them, must come to the same.
func (c *Config) Discard(offset int64, err error) {
	if errors.Is(err, records.ErrNotJSON) {
		return
	}
	c.cluster().Offset = offset + 1
	var commit *records.CommitError
	if errors.As(err, &commit) && c.current.Connector(commit.Connector) == nil {
		c.remove(commit.Connector)
	}
}

// Apply takes the record at an offset. The event is nil when nobody needs to know. The
// maps of the record become part of the state: they must not change any more.
func (c *Config) Apply(offset int64, r records.ConfigRecord) Event {
	c.cluster().Offset = offset + 1
	switch r := r.(type) {
	case records.ConnectorConfig:
		return c.connectorConfig(r)
	case records.TaskConfig:
		c.taskConfig(r)
	case records.TasksCommit:
		return c.commit(r)
	case records.TargetState:
		return c.targetState(r)
	case records.TaskCount:
		s := c.connector(r.Connector)
		s.TaskCountRecord, s.PendingFencing = r.Tasks, false
	case records.SessionKey:
		key := r.SessionKey
		c.cluster().SessionKey = &key
		return func(l storage.ConfigListener) { l.SessionKeyUpdated(key) }
	case records.Restart:
		return func(l storage.ConfigListener) { l.RestartRequested(r.RestartRequest) }
	case records.LoggerLevel:
		return func(l storage.ConfigListener) { l.LoggerLevelUpdated(r.Namespace, r.Level) }
	}
	return nil
}

func (c *Config) connectorConfig(r records.ConnectorConfig) Event {
	if r.Config == nil {
		c.remove(r.Connector)
		return func(l storage.ConfigListener) { l.ConnectorConfigRemoved(r.Connector) }
	}
	s := c.connector(r.Connector)
	s.Config = r.Config
	if s.Target == "" {
		s.Target = connect.TargetStarted // written before there were target states
	}
	return func(l storage.ConfigListener) { l.ConnectorConfigUpdated(r.Connector) }
}

// remove forgets config and tasks. What guards against zombies stays: a connector created
// anew under the same name goes on from there.
func (c *Config) remove(name string) {
	delete(c.deferred, name)
	if c.current.ByName[name] == nil {
		return
	}
	s := c.connector(name)
	s.Config, s.Applied, s.TaskCount, s.Tasks = nil, nil, -1, nil
	c.dropIfEmpty(name)
}

func (c *Config) taskConfig(r records.TaskConfig) {
	m := c.deferred[r.Task.Connector]
	if m == nil {
		m = map[int]map[string]string{}
		c.deferred[r.Task.Connector] = m
	}
	m[r.Task.Task] = r.Config
}

func (c *Config) commit(r records.TasksCommit) Event {
	if c.current.Connector(r.Connector) == nil {
		// The connector was deleted, and compaction took its config and the tombstone.
		c.remove(r.Connector)
		return nil
	}
	s := c.connector(r.Connector)
	deferred, exists := c.deferred[r.Connector]
	var updated []connect.TaskID
	if complete(deferred, r.Tasks) {
		if exists {
			if s.Tasks = maps.Clone(s.Tasks); s.Tasks == nil && len(deferred) > 0 {
				s.Tasks = make(map[int]map[string]string, len(deferred))
			}
			for _, n := range slices.Sorted(maps.Keys(deferred)) {
				s.Tasks[n] = deferred[n]
				updated = append(updated, connect.TaskID{Connector: r.Connector, Task: n})
			}
			s.Generation++
		}
		s.Applied = s.Config
		s.Inconsistent = false
	} else {
		s.Inconsistent = true
	}
	// Incomplete ones go, too: the next commit needs a set of its own.
	clear(deferred)
	s.TaskCount = r.Tasks
	s.PendingFencing = true
	return func(l storage.ConfigListener) { l.TaskConfigsUpdated(updated) }
}

// complete tells whether tasks 0 to n-1 are all there; more do no harm.
func complete(tasks map[int]map[string]string, n int) bool {
	if len(tasks) < n {
		return false
	}
	for i := range n {
		if _, ok := tasks[i]; !ok {
			return false
		}
	}
	return true
}

func (c *Config) targetState(r records.TargetState) Event {
	s := c.current.ByName[r.Connector]
	known := s != nil && s.Config != nil
	if r.State == "" {
		if s == nil {
			return nil
		}
		// The removal of a connector is told by its config's tombstone, not by this one.
		s = c.connector(r.Connector)
		if s.Target = ""; known {
			s.Target = connect.TargetStarted
		}
		c.dropIfEmpty(r.Connector)
		return nil
	}
	changed := s == nil || s.Target != r.State
	c.connector(r.Connector).Target = r.State
	if !changed || !known {
		return nil
	}
	return func(l storage.ConfigListener) { l.TargetStateChanged(r.Connector) }
}

// cluster returns the current state for a change of its own fields.
func (c *Config) cluster() *storage.ClusterConfig {
	if c.shared {
		copied := *c.current
		c.current, c.shared = &copied, false
	}
	return c.current
}

// connector returns the state of a connector for a change, made if there is none.
func (c *Config) connector(name string) *storage.ConnectorState {
	cluster := c.cluster()
	if !c.mapMine {
		cluster.ByName, c.mapMine = maps.Clone(cluster.ByName), true
	}
	s := cluster.ByName[name]
	switch {
	case s == nil:
		s = &storage.ConnectorState{TaskCount: -1, Generation: -1, TaskCountRecord: -1}
	case c.mine[name]:
		return s
	default:
		copied := *s
		s = &copied
	}
	cluster.ByName[name], c.mine[name] = s, true
	return s
}

// dropIfEmpty removes the entry of a connector, which connector() just returned, when it
// says nothing any more.
func (c *Config) dropIfEmpty(name string) {
	s := c.current.ByName[name]
	if s.Config == nil && s.Target == "" && s.TaskCount < 0 && len(s.Tasks) == 0 && !s.Inconsistent &&
		s.Generation < 0 && s.TaskCountRecord < 0 && !s.PendingFencing {
		delete(c.current.ByName, name)
		delete(c.mine, name)
	}
}
