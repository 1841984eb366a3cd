package state

import (
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
)

// A worker that stops its task says so in the generation in which it started it. Another
// worker's UNASSIGNED of that generation is late.
func TestWhoseUnassignedCounts(t *testing.T) {
	id := connect.TaskID{Connector: "a"}
	for _, tc := range []struct {
		worker     string
		generation int
		want       connect.State
	}{
		{"w:1", 5, connect.StateUnassigned}, {"w:1", 6, connect.StateUnassigned},
		{"w:2", 5, connect.StateRunning}, {"w:2", 4, connect.StateRunning}, {"w:2", 6, connect.StateUnassigned},
	} {
		s := NewStatuses()
		s.Read(records.TaskStatus{Task: id, Status: &storage.Status{State: connect.StateRunning, WorkerID: "w:1", Generation: 5}})
		s.Read(records.TaskStatus{Task: id, Status: &storage.Status{State: connect.StateUnassigned, WorkerID: tc.worker, Generation: tc.generation}})
		if got, _ := s.Task(id); got.State != tc.want {
			t.Errorf("UNASSIGNED of %s in generation %d: %s, want %s", tc.worker, tc.generation, got.State, tc.want)
		}
	}
}
