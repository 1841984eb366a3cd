package herder

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
)

// told has the group told of the configs as they are now, as a join does.
func (r *rig) told() {
	r.t.Helper()
	r.member.work <- func(ctx context.Context) {
		if _, err := r.member.listener.Snapshot(ctx); err != nil {
			r.t.Error(err)
		}
	}
	synctest.Wait()
}

// An assignment that changes of the config topic have overtaken starts what they do not
// concern: while many connectors are created, every assignment is overtaken.
func TestAnOvertakenAssignment(t *testing.T) {
	const again = "rejoin: the assignment was not made for the current end of the config topic"
	other := []map[string]string{{"file": "other", "n": "0"}}
	d0 := connect.TaskID{Connector: "d"}
	for _, tc := range []struct {
		name   string
		change func(r *rig) error
		want   []string // started by the assignment of c, d and their tasks, but for the instances
		later  []string // started by the next
	}{
		{"a new connector", func(r *rig) error { return r.configs.PutConnector(r.t.Context(), "e", sinkConfig("e"), "") },
			[]string{"start task c-0 STARTED", "start task d-0 STARTED"}, nil},
		{"a new session key", func(r *rig) error { return r.configs.PutSessionKey(r.t.Context(), storage.SessionKey{}) },
			[]string{"start task c-0 STARTED", "start task d-0 STARTED"}, nil},
		{"other tasks", func(r *rig) error { return r.configs.PutTaskConfigs(r.t.Context(), "d", other) },
			[]string{"start task c-0 STARTED"}, []string{"start task d-0 STARTED"}},
		{"the same tasks once more", func(r *rig) error {
			return r.configs.PutTaskConfigs(r.t.Context(), "d", []map[string]string{{"file": "", "n": "0"}})
		}, []string{"start task c-0 STARTED"}, []string{"start task d-0 STARTED"}},
		{"a deletion", func(r *rig) error { return r.configs.RemoveConnector(r.t.Context(), "d") },
			[]string{"start task c-0 STARTED"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, false, func(t *testing.T, r *rig) {
				r.store("c")
				r.store("d")
				r.told()
				a := r.follower(1, nil, task0, d0)
				if err := tc.change(r); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				r.take()
				r.member.assigned(a)
				r.wantAnyOrder(append(tc.want, again)...)
				if !r.h.Started() {
					t.Error("not ready, though work was started")
				}
				r.told()
				r.member.assigned(r.follower(2, nil, task0, d0))
				r.wantAnyOrder(tc.later...)
			})
		})
	}
}

// What the worker has told is older than the assignment: what changed in between may have
// changed after it, too.
func TestAnOvertakenAssignmentOfALeaderThatKnewMore(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.told()
		r.store("d") // the leader has seen it
		a := r.follower(1, []string{"c", "d"}, task0, connect.TaskID{Connector: "d"})
		r.store("e")
		r.member.assigned(a)
		r.wantAnyOrder("rejoin: the assignment was not made for the current end of the config topic",
			"start connector c STARTED", "start connector d STARTED", "start task c-0 STARTED",
			"task configs c", "task configs d")
	})
}

// Table t may have moved from a task that is still stopping here to one that another worker
// starts as soon as the group knows the new configs.
func TestTasksOfFormerConfigsStopBeforeTheGroupIsTold(t *testing.T) {
	one := []map[string]string{{"file": "", "n": "0"}}
	for name, tasks := range map[string][]map[string]string{
		"changed": {one[0], {"file": "other", "n": "1"}}, "only a sibling is changed": {{"file": "other", "n": "0"}, {"file": "", "n": "1"}}, "no longer there": one,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, false, func(t *testing.T, r *rig) {
				commit := func(tasks []map[string]string) {
					if err := r.configs.PutTaskConfigs(t.Context(), "c", tasks); err != nil {
						t.Fatal(err)
					}
				}
				r.store("c")
				commit([]map[string]string{one[0], {"file": "", "n": "1"}})
				synctest.Wait()
				task1 := connect.TaskID{Connector: "c", Task: 1}
				r.member.assigned(r.follower(1, nil, task1))
				synctest.Wait()
				r.take()
				release := r.runtime.hold("stop task c-1")
				commit(tasks)
				joining := make(chan struct{})
				r.member.work <- func(ctx context.Context) {
					r.member.listener.Joining(ctx, r.configs.Snapshot())
					close(joining)
				}
				r.wantAnyOrder("rejoin: connector or task configs have changed", "stop task c-1")
				select {
				case <-joining:
					t.Error("the group is told while the task of the former configs stops")
				default:
				}
				release()
				<-joining
				// Told again, nothing is to be waited for, and nothing starts before the assignment.
				r.member.work <- func(ctx context.Context) { r.member.listener.Joining(ctx, r.configs.Snapshot()) }
				r.wantAnyOrder()
			})
		})
	}
}
