package herder

import (
	"testing"

	"github.com/penstock-io/penstock/connect/group"
)

// A worker that was frozen loses its membership and joins again. Its task was taken over
// meanwhile, and the successor is gone: the leader leaves the task where it was. It must not
// stay fenced, and FAILED, until somebody restarts it.
func TestATaskFencedByASuccessorThatIsGoneStartsAgain(t *testing.T) {
	again := func(r *rig, generation int32) group.Assignment {
		a := r.follower(generation, nil, task0)
		a.MemberID = "m3"
		return a
	}
	running := func(r *rig) {
		r.source("c", -1, 1)
		r.member.assigned(r.follower(1, nil, task0))
		r.want("start task c-0 STARTED")
	}
	t.Run("fenced before the worker joins again", func(t *testing.T) {
		bubble(t, false, func(t *testing.T, r *rig) {
			running(r)
			r.h.TaskFenced(task0)
			r.want()
			r.member.assigned(again(r, 5))
			r.want("stop task c-0", "start task c-0 STARTED")
			r.member.assigned(again(r, 6)) // once
			r.want()
		})
	})
	t.Run("fenced after the worker has joined again", func(t *testing.T) {
		bubble(t, false, func(t *testing.T, r *rig) {
			running(r)
			r.member.assigned(again(r, 5))
			r.want()
			r.h.TaskFenced(task0)
			r.want("rejoin: a task was fenced: whether it still belongs to this worker must be asked")
			r.member.assigned(again(r, 6))
			r.want("stop task c-0", "start task c-0 STARTED")
		})
	})
	t.Run("the successor lives", func(t *testing.T) {
		bubble(t, false, func(t *testing.T, r *rig) {
			running(r)
			r.member.assigned(again(r, 5))
			r.want()
			r.h.TaskFenced(task0)
			r.want("rejoin: a task was fenced: whether it still belongs to this worker must be asked")
			a := again(r, 6)
			a.Tasks = nil
			r.member.assigned(a)
			r.want("stop task c-0")
		})
	})
	// Another cluster with the same transactional ids: two would fence each other for ever.
	t.Run("the worker was a member all the time", func(t *testing.T) {
		bubble(t, false, func(t *testing.T, r *rig) {
			running(r)
			r.h.TaskFenced(task0)
			r.member.assigned(r.follower(2, nil, task0))
			r.want()
		})
	})
	t.Run("started anew in the new membership", func(t *testing.T) {
		bubble(t, false, func(t *testing.T, r *rig) {
			running(r)
			r.member.assigned(again(r, 5))
			r.want()
			if err := r.h.RestartTask(t.Context(), task0); err != nil {
				t.Fatal(err)
			}
			r.take()
			r.h.TaskFenced(task0)
			r.member.assigned(again(r, 6))
			r.want()
		})
	})
}
