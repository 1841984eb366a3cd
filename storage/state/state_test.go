package state_test

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
	"github.com/penstock-io/penstock/storage/state"
)

// drawRecord makes a record for one of two connectors, so that records meet.
func drawRecord(t *rapid.T) records.ConfigRecord {
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "connector")
	config := map[string]string{"v": strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "version"))}
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0:
		return records.ConnectorConfig{Connector: name, Config: config}
	case 1:
		return records.ConnectorConfig{Connector: name}
	case 2:
		state := rapid.SampledFrom([]connect.TargetState{"", connect.TargetStarted, connect.TargetPaused, connect.TargetStopped}).Draw(t, "state")
		return records.TargetState{Connector: name, State: state}
	case 3:
		return records.TaskCount{Connector: name, Tasks: rapid.IntRange(0, 3).Draw(t, "count")}
	case 4, 5:
		return records.TasksCommit{Connector: name, Tasks: rapid.IntRange(0, 3).Draw(t, "count")}
	default:
		return records.TaskConfig{Task: connect.TaskID{Connector: name, Task: rapid.IntRange(0, 2).Draw(t, "task")}, Config: config}
	}
}

func asJSON(t *rapid.T, c *storage.ClusterConfig) string {
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSnapshotsNeverChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, plain := state.NewConfig(), state.NewConfig()
		type taken struct {
			snapshot *storage.ClusterConfig
			text     string
		}
		var all []taken
		for i := range rapid.IntRange(1, 60).Draw(t, "records") {
			r := drawRecord(t)
			c.Apply(int64(i), r)
			plain.Apply(int64(i), r)
			if rapid.Bool().Draw(t, "snapshot") {
				s := c.Snapshot()
				all = append(all, taken{s, asJSON(t, s)})
			}
		}
		for i, s := range all {
			if diff := cmp.Diff(s.text, asJSON(t, s.snapshot)); diff != "" {
				t.Fatalf("snapshot %d changed (-before +after):\n%s", i, diff)
			}
		}
		if diff := cmp.Diff(plain.Snapshot(), c.Snapshot()); diff != "" {
			t.Fatalf("snapshots change the outcome (-without +with):\n%s", diff)
		}
	})
}

// A task config is seen only when a commit found all of them, and then all at once.
func TestTasksAreCompleteOrNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := state.NewConfig()
		for i := range rapid.IntRange(1, 80).Draw(t, "records") {
			c.Apply(int64(i), drawRecord(t))
			s := c.Snapshot()
			for _, name := range []string{"a", "b"} {
				for _, id := range s.Tasks(name) {
					if s.TaskConfig(id) == nil {
						t.Fatalf("after record %d task %s has no config", i, id)
					}
				}
				if !s.Contains(name) && len(s.Tasks(name)) > 0 {
					t.Fatalf("after record %d %s has tasks but no config", i, name)
				}
				if s.Contains(name) && s.TargetState(name) == "" {
					t.Fatalf("after record %d %s has no target state", i, name)
				}
			}
		}
	})
}

func TestNothingIsLeftOfAConnectorWithoutHistory(t *testing.T) {
	c := state.NewConfig()
	for i, r := range []records.ConfigRecord{
		records.ConnectorConfig{Connector: "a", Config: map[string]string{}},
		records.ConnectorConfig{Connector: "a"}, records.TargetState{Connector: "a"},
	} {
		c.Apply(int64(i), r)
	}
	if s := c.Snapshot(); len(s.ByName) != 0 || s.Offset != 3 {
		t.Errorf("left: %v, offset %d", s.ByName, s.Offset)
	}
}

func TestSafeStatuses(t *testing.T) {
	s := state.NewStatuses()
	id := connect.TaskID{Connector: "a", Task: 1}
	status := func(worker string, generation int) *storage.Status {
		return &storage.Status{State: connect.StateRunning, WorkerID: worker, Generation: generation}
	}
	s.Read(records.TaskStatus{Task: id, Status: status("w1", 5)})
	s.Read(records.ConnectorStatus{Connector: "a", Status: status("w1", 5)})
	tests := []struct {
		name string
		next *storage.Status
		want bool
	}{
		{"another worker, older generation", status("w2", 4), false},
		{"another worker, same generation", status("w2", 5), true},
		{"another worker, newer generation", status("w2", 6), true},
		{"the same worker, older generation", status("w1", 4), true},
		{"tombstone", nil, true},
	}
	for _, tt := range tests {
		if got := s.Safe(records.TaskStatus{Task: id, Status: tt.next}); got != tt.want {
			t.Errorf("task, %s: %t", tt.name, got)
		}
		if got := s.Safe(records.ConnectorStatus{Connector: "a", Status: tt.next}); got != tt.want {
			t.Errorf("connector, %s: %t", tt.name, got)
		}
		if !s.Safe(records.TaskStatus{Task: connect.TaskID{Connector: "b"}, Status: tt.next}) {
			t.Errorf("unknown task, %s: not safe", tt.name)
		}
	}
	if !s.Safe(records.TopicStatus{Connector: "a", Topic: "t", Status: &storage.TopicStatus{}}) {
		t.Error("a topic is not safe")
	}
}

func BenchmarkReplay(b *testing.B) {
	c := state.NewConfig()
	const connectors = 1000
	for i := 0; b.Loop(); i++ {
		name := strconv.Itoa(i % connectors)
		c.Apply(int64(4*i), records.ConnectorConfig{Connector: name, Config: map[string]string{"name": name}})
		c.Apply(int64(4*i+1), records.TaskConfig{Task: connect.TaskID{Connector: name}, Config: map[string]string{}})
		c.Apply(int64(4*i+2), records.TasksCommit{Connector: name, Tasks: 1})
	}
}
