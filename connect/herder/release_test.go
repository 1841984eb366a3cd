package herder

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group"
	"github.com/penstock-io/penstock/storage"
)

// states returns the states of a connector and its tasks, with -1 for the connector.
func (r *rig) states(name string) map[int]connect.State {
	out := map[int]connect.State{}
	for n, st := range r.status.Tasks(name) {
		out[n] = st.State
	}
	if st, ok := r.status.Connector(name); ok {
		out[connectorItem] = st.State
	}
	return out
}

func TestEverythingIsUnassignedBeforeTheGroupIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false).run()
		r.store("c")
		if err := r.configs.PutTaskConfigs(t.Context(), "c", []map[string]string{{"n": "0"}, {"n": "1"}, {"n": "2"}}); err != nil {
			t.Fatal(err)
		}
		r.runtime.hold("start connector c STARTED")                 // hangs, and heeds its context
		r.runtime.failing("start task c-1 STARTED", errors.New("")) // FAILED
		release := r.runtime.hold("start task c-2 STARTED")
		r.member.assigned(r.follower(1, []string{"c"}, task0, connect.TaskID{Connector: "c", Task: 1}, connect.TaskID{Connector: "c", Task: 2}))
		synctest.Wait()
		r.take()
		r.stop()
		synctest.Wait()
		release()
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
		want := map[int]connect.State{connectorItem: "UNASSIGNED", 0: "UNASSIGNED", 1: "UNASSIGNED", 2: "UNASSIGNED"}
		if d := cmp.Diff(want, r.states("c")); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// What was assigned but could not be started yet is given back as well.
func TestWorkThatWasNeverStartedIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false).run()
		r.store("c")
		r.member.assigned(r.follower(6, []string{"c"}))
		synctest.Wait()
		behind := r.follower(7, []string{"c"}, task0)
		behind.ConfigOffset-- // a rebalance must come before anything starts
		r.member.assigned(behind)
		synctest.Wait()
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		st, _ := r.status.Task(task0)
		if want := (storage.Status{State: connect.StateUnassigned, WorkerID: "w:1", Generation: 7}); st != want {
			t.Errorf("got %+v, want %+v", st, want)
		}
		if st, _ := r.status.Connector("c"); st.State != connect.StateUnassigned || st.Version != "1" {
			t.Errorf("the connector's last word is not its own: %+v", st)
		}
	})
}

// A rebalance can end while the worker stops. What hangs keeps its status; what is new is
// given back.
func TestAnAssignmentDuringTheStopIsDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false).run()
		r.store("c")
		r.store("d")
		r.member.assigned(r.follower(1, nil, task0))
		synctest.Wait()
		release := r.runtime.hold("stop task c-0")
		r.stop()
		synctest.Wait()
		r.take()
		r.member.assigned(r.follower(2, []string{"d"}, task0, connect.TaskID{Connector: "d"}))
		synctest.Wait()
		if d := cmp.Diff(map[int]connect.State{connectorItem: "UNASSIGNED", 0: "UNASSIGNED"}, r.states("d")); d != "" {
			t.Errorf("d (-want +got):\n%s", d)
		}
		if d := cmp.Diff(map[int]connect.State{0: "RUNNING"}, r.states("c")); d != "" {
			t.Errorf("c (-want +got):\n%s", d)
		}
		if st, _ := r.status.Connector("d"); st.Generation != 2 {
			t.Errorf("%+v", st)
		}
		failed := r.follower(3, []string{"e"})
		failed.Err = 1
		r.member.assigned(failed)
		synctest.Wait()
		if len(r.states("e")) != 0 {
			t.Errorf("e: %v", r.states("e"))
		}
		release()
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
		r.want("leave the group", "stop the config store", "stop the status store")
		if d := cmp.Diff(map[int]connect.State{0: "UNASSIGNED"}, r.states("c")); d != "" {
			t.Errorf("c (-want +got):\n%s", d)
		}
	})
}

// The last word of a task that is given up in the middle of a restart is not RESTARTING:
// the leader would wait for it.
func TestAStopDuringARestartEndsUnassigned(t *testing.T) {
	for _, revoke := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, false).run()
			r.store("c")
			r.member.assigned(r.follower(1, nil, task0))
			synctest.Wait()
			release := r.runtime.hold("stop task c-0")
			restarted := make(chan error, 1)
			go func() { restarted <- r.h.RestartTask(t.Context(), task0) }()
			synctest.Wait()
			if revoke {
				r.member.work <- func(ctx context.Context) { r.member.listener.Revoked(ctx, nil, []connect.TaskID{task0}) }
			} else {
				r.stop()
			}
			synctest.Wait()
			release()
			if err := <-restarted; err == nil {
				t.Error("the restart succeeded")
			}
			synctest.Wait()
			if d := cmp.Diff(map[int]connect.State{0: "UNASSIGNED"}, r.states("c")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if err := r.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// slowStatuses takes its time to read and to write.
type slowStatuses struct {
	*tracedStatuses
	err error
}

func (s *slowStatuses) Refresh(ctx context.Context) error {
	s.add("read the statuses")
	return s.err
}

func TestTheLeaderReadsStatuses(t *testing.T) {
	slow := &slowStatuses{}
	bubble(t, false, func(t *testing.T, r *rig) {
		running := storage.Status{State: connect.StateRunning, WorkerID: "x:1", Generation: 4}
		stopped := storage.Status{State: connect.StateUnassigned, WorkerID: "x:1", Generation: 5}
		r.status.PutConnector("c", stopped)
		r.status.PutTask(task0, running)
		conn, other := connect.TaskID{Connector: "c", Task: connectorItem}, connect.TaskID{Connector: "c", Task: 7}
		got, err := r.member.listener.Statuses(t.Context(), []connect.TaskID{conn, task0, other})
		if d := cmp.Diff(map[connect.TaskID]storage.Status{conn: stopped, task0: running}, got); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
		r.want("read the statuses")
		slow.err = errors.New("no broker")
		if _, err := r.member.listener.Statuses(t.Context(), []connect.TaskID{conn}); err == nil {
			t.Error("statuses of a topic that cannot be read")
		}
		r.take()
	}, func(o *Options) {
		slow.tracedStatuses = o.StatusDB.(*tracedStatuses)
		o.StatusDB = slow
	})
}

// The lines that tests measure a hand-over by.
func TestTheLogTellsOfStartsAndStops(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false, func(o *Options) { o.Log = zap.New(core) }).run()
		r.store("c")
		release := r.runtime.hold("start task c-0 STARTED")
		r.member.assigned(r.follower(4, []string{"c"}, task0))
		synctest.Wait()
		const line = "All new connectors and tasks of the assignment have been started"
		if n := logs.FilterMessage(line).Len(); n != 0 {
			t.Error("said too early")
		}
		time.Sleep(2 * time.Second)
		release()
		synctest.Wait()
		found := logs.FilterMessage(line).All()
		if len(found) != 1 {
			t.Fatalf("said %d times", len(found))
		}
		got := found[0].ContextMap()
		if d := cmp.Diff(map[string]any{"generation": int32(4), "count": int64(2), "took": 2 * time.Second}, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		// Nothing new, nothing said.
		r.member.assigned(r.follower(5, []string{"c"}, task0))
		synctest.Wait()
		if n := logs.FilterMessage(line).Len(); n != 1 {
			t.Errorf("said %d times", n)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
	for _, line := range []string{"Connectors and tasks have stopped; leaving the group", "Left the group"} {
		if logs.FilterMessage(line).Len() != 1 {
			t.Errorf("not said: %s", line)
		}
	}
}

// A start that hangs is given up for a restart request, unless that is for what has failed.
func TestARestartRequestReachesAHangingStart(t *testing.T) {
	bubble(t, false, func(t *testing.T, r *rig) {
		r.store("c")
		r.status.PutConnector("c", storage.Status{State: connect.StateFailed, WorkerID: "x:1"}) // of the former owner
		release := r.runtime.hold("start connector c STARTED")
		r.member.assigned(r.leads(1, []string{"c"}))
		r.want("start connector c STARTED")
		restart := func(onlyFailed bool) {
			t.Helper()
			if _, err := r.h.RestartConnectorAndTasks(t.Context(), "c", false, onlyFailed); err != nil {
				t.Fatal(err)
			}
		}
		restart(true)
		r.want()
		restart(false)
		r.want("stop connector c", "status connector c RESTARTING", "start connector c STARTED")
		release()
		r.want("task configs c")
	})
}

func TestTaskConfigsOfAnInconsistentConnectorAreWrittenAgain(t *testing.T) {
	configs := []map[string]string{{"n": "0"}}
	s := &storage.ConnectorState{Config: map[string]string{"a": "b"}, Applied: map[string]string{"a": "b"}, TaskCount: 1,
		Tasks: map[int]map[string]string{0: {"n": "0"}}}
	if taskConfigsChanged(s, configs) {
		t.Error("the same configs count as changed")
	}
	for name, change := range map[string]func(s *storage.ConnectorState){
		"inconsistent":                       func(s *storage.ConnectorState) { s.Inconsistent = true },
		"another number of tasks":            func(s *storage.ConnectorState) { s.TaskCount = 2 },
		"another task config":                func(s *storage.ConnectorState) { s.Tasks = map[int]map[string]string{0: {"n": "1"}} },
		"a connector config not yet applied": func(s *storage.ConnectorState) { s.Applied = map[string]string{} },
	} {
		c := *s
		c.Tasks = maps.Clone(s.Tasks)
		change(&c)
		if !taskConfigsChanged(&c, configs) {
			t.Errorf("%s: not written", name)
		}
	}
}

var _ group.Listener = (*listener)(nil)
