package storage

import "testing"

// A worker that starts between a lower tasks.max and the new task configs failed the old
// tasks, which nobody started again.
func TestTasksOfAFormerConfigAreNotHeldAgainstTheNewTasksMax(t *testing.T) {
	four, one := map[string]string{"tasks.max": "4"}, map[string]string{"tasks.max": "1"}
	tasks := map[int]map[string]string{0: {}, 1: {}, 2: {}, 3: {}}
	for name, tc := range map[string]struct {
		state *ConnectorState
		want  int
	}{
		"made for it":          {&ConnectorState{Config: four, Applied: map[string]string{"tasks.max": "4"}, TaskCount: 4, Tasks: tasks}, 4},
		"more than it may":     {&ConnectorState{Config: one, Applied: one, TaskCount: 4, Tasks: tasks}, 4},
		"of a former config":   {&ConnectorState{Config: one, Applied: four, TaskCount: 4, Tasks: tasks}, 0},
		"of an unknown config": {&ConnectorState{Config: one, TaskCount: 4, Tasks: tasks}, 0},
		"of a deleted one":     {&ConnectorState{Applied: four, TaskCount: 4, Tasks: tasks}, 0},
		"inconsistent":         {&ConnectorState{Config: four, Applied: four, TaskCount: 4, Inconsistent: true}, 0},
	} {
		c := &ClusterConfig{ByName: map[string]*ConnectorState{"c": tc.state}}
		if got := c.TasksMade("c"); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
