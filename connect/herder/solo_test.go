package herder

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/worker"
	"github.com/penstock-io/penstock/storage"
)

// bubble runs a test over a running herder; what is left running is a failure.
func bubble(t *testing.T, solo bool, f func(t *testing.T, r *rig), change ...func(o *Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, solo, change...).run()
		f(t, r)
		if err := r.end(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestConnectorLife(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		info, created, err := r.h.PutConnector(t.Context(), "c", sinkConfig("c", "file", "a"), "", false)
		if err != nil || !created || info.Type != "sink" || len(info.Tasks) != 1 {
			t.Fatalf("create: %+v, %v, %v", info, created, err)
		}
		r.want("start connector c STARTED", "task configs c", "start task c-0 STARTED")

		_, _, err = r.h.PutConnector(t.Context(), "c", sinkConfig("c"), "", false)
		wantError(t, err, 409, "Connector c already exists")

		// A new config restarts the connector; its task gets a new config and starts
		// after the rebalance.
		r.put("c", "file", "b")
		r.want("stop connector c", "start connector c STARTED", "task configs c", "stop task c-0", "start task c-0 STARTED")
		infos, err := r.h.TaskInfos(t.Context(), "c")
		if err != nil || len(infos) != 1 || infos[0].Config["file"] != "b" {
			t.Errorf("tasks: %+v, %v", infos, err)
		}

		// The same text again changes nothing.
		r.put("c", "file", "b")
		r.want("stop connector c", "start connector c STARTED", "task configs c")

		if err := r.h.DeleteConnector(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		r.wantAnyOrder("stop connector c", "stop task c-0")
		wantError(t, r.h.DeleteConnector(t.Context(), "c"), 404, "Connector c not found")
		if names := r.status.Connectors(); len(names) > 0 {
			t.Errorf("statuses of deleted connectors: %v", names)
		}
		if st := r.status.Tasks("c"); len(st) > 0 {
			t.Errorf("statuses of deleted tasks: %v", st)
		}
	})
}

func TestPatchConnector(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		r.put("c", "file", "a", "errors.tolerance", "all")
		r.take()
		b := "b"
		info, err := r.h.PatchConnector(t.Context(), "c", map[string]*string{"file": &b, "errors.tolerance": nil})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sinkConfig("c", "file", "b"), info.Config); diff != "" {
			t.Errorf("config (-want +got):\n%s", diff)
		}
		wrong := "0"
		_, err = r.h.PatchConnector(t.Context(), "c", map[string]*string{"tasks.max": &wrong})
		wantError(t, err, 400, "Value must be at least 1")
		_, err = r.h.PatchConnector(t.Context(), "d", nil)
		wantError(t, err, 404, "Connector d not found")
	})
}

// A check may hang, or take its time: other changes go on, and none of them is lost.
func TestPatchIsCheckedAgainWhenAnotherChangeComesFirst(t *testing.T) {
	var first sync.Once
	var r *rig
	bubble(t, true, func(t *testing.T, of *rig) {
		r = of
		r.put("c", "file", "a")
		r.put("other")
		b := "b"
		info, err := r.h.PatchConnector(t.Context(), "c", map[string]*string{"file": &b})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sinkConfig("c", "file", "b", "errors.tolerance", "all"), info.Config); diff != "" {
			t.Errorf("config (-want +got):\n%s", diff)
		}
	}, func(o *Options) {
		check := *o.Validator
		check.Resolve = func(props map[string]string) (map[string]string, func(string) string, error) {
			if props["file"] == "b" {
				first.Do(func() { r.put("c", "file", "a", "errors.tolerance", "all") })
			}
			return props, func(text string) string { return text }, nil
		}
		o.Validator = &check
	}, transactional)
}

func TestTargetStates(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		r.put("c")
		r.take()
		if err := r.h.Pause(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		r.wantAnyOrder("connector c PAUSED", "task c-0 PAUSED")
		if err := r.h.Resume(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		r.wantAnyOrder("connector c STARTED", "task c-0 STARTED", "task configs c")
		if err := r.h.Stop(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		r.ignore = "task c-0 STOPPED" // unless it was stopped before it heard of the state
		r.wantAnyOrder("connector c STOPPED", "stop task c-0")
		if s := r.configs.Snapshot().Connector("c"); s.TaskCount != 0 || s.Target != connect.TargetStopped {
			t.Errorf("stopped: %+v", s)
		}
		if err := r.h.putTaskConfigs(t.Context(), "c", []map[string]string{{}}); err == nil {
			t.Error("a stopped connector got tasks")
		}
		if err := r.h.Resume(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		r.want("connector c STARTED", "task configs c", "start task c-0 STARTED")
		for _, err := range []error{r.h.Pause(t.Context(), "x"), r.h.Resume(t.Context(), "x"), r.h.Stop(t.Context(), "x")} {
			wantError(t, err, 404, "Unknown connector x")
		}
	})
}

// Changes of the target state that come faster than a connector follows must not
// overtake one another.
func TestTargetStatesComeInOrder(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		r.put("c")
		r.take()
		release := r.runtime.hold("connector c PAUSED")
		for _, f := range []func() error{
			func() error { return r.h.Pause(t.Context(), "c") }, func() error { return r.h.Resume(t.Context(), "c") },
		} {
			if err := f(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		r.wantAnyOrder("connector c PAUSED", "task c-0 PAUSED", "task c-0 STARTED")
		release()
		r.want("connector c STARTED", "task configs c")
	})
}

func TestCreateInAnotherState(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		if _, _, err := r.h.PutConnector(t.Context(), "c", sinkConfig("c"), connect.TargetStopped, false); err != nil {
			t.Fatal(err)
		}
		r.want("start connector c STOPPED")
	})
}

func TestRestarts(t *testing.T) {
	id := connect.TaskID{Connector: "c"}
	bubble(t, true, func(t *testing.T, r *rig) {
		r.put("c")
		r.take()
		if err := r.h.RestartConnector(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		r.want("stop connector c", "status connector c RESTARTING", "start connector c STARTED", "task configs c")
		if err := r.h.RestartTask(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		r.want("stop task c-0", "status task c-0 RESTARTING", "start task c-0 STARTED")

		r.runtime.failing("start connector c STARTED", errors.New("no disk"))
		wantError(t, r.h.RestartConnector(t.Context(), "c"), 500, "Failed to start connector: c")
		r.want("stop connector c", "status connector c RESTARTING", "start connector c STARTED")
		r.runtime.failing("start connector c STARTED", nil)

		// Only what has failed: the connector, not its task.
		st, err := r.h.RestartConnectorAndTasks(t.Context(), "c", true, true)
		if err != nil || st.Connector.State != "RESTARTING" || st.Tasks[0].State != "RUNNING" {
			t.Errorf("plan: %+v, %v", st, err)
		}
		r.want("stop connector c", "status connector c RESTARTING", "start connector c STARTED", "task configs c")

		if st, err = r.h.RestartConnectorAndTasks(t.Context(), "c", true, false); err != nil || st.Tasks[0].State != "RESTARTING" {
			t.Errorf("plan: %+v, %v", st, err)
		}
		r.wantAnyOrder("stop connector c", "status connector c RESTARTING", "start connector c STARTED", "task configs c",
			"stop task c-0", "status task c-0 RESTARTING", "start task c-0 STARTED")

		wantError(t, r.h.RestartConnector(t.Context(), "x"), 404, "Connector x not found")
		wantError(t, r.h.RestartTask(t.Context(), connect.TaskID{Connector: "c", Task: 7}), 404, "Task c-7 not found")
		_, err = r.h.RestartConnectorAndTasks(t.Context(), "x", true, false)
		wantError(t, err, 404, "Unknown connector: x")
	})
}

// overtakenRestarts returns from a restart request when the restart has begun.
type overtakenRestarts struct{ storage.ConfigStore }

func (s overtakenRestarts) PutRestartRequest(ctx context.Context, r storage.RestartRequest) error {
	defer time.Sleep(time.Second)
	return s.ConfigStore.PutRestartRequest(ctx, r)
}

// The answer to a restart had no version when the restart was faster than the answer.
func TestTheAnswerToARestartShowsTheStatusOfBefore(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		r.put("c")
		r.status.PutConnector("c", storage.Status{State: connect.StateRunning, WorkerID: "w:1", Version: "1.2"})
		release := r.runtime.hold("start connector c STARTED")
		st, err := r.h.RestartConnectorAndTasks(t.Context(), "c", false, true)
		if err != nil || st.Connector.State != "RUNNING" {
			t.Errorf("nothing has failed: %+v, %v", st.Connector, err)
		}
		st, err = r.h.RestartConnectorAndTasks(t.Context(), "c", true, false)
		if err != nil || st.Connector.State != "RESTARTING" || st.Connector.Version == nil || *st.Connector.Version != "1.2" {
			t.Errorf("%+v, %v", st.Connector, err)
		}
		release()
		r.take()
	}, func(o *Options) { o.Configs = overtakenRestarts{o.Configs} })
}

func TestRestartRequestsAreRanked(t *testing.T) {
	requests := []storage.RestartRequest{
		{OnlyFailed: true}, {OnlyFailed: true, IncludeTasks: true}, {}, {IncludeTasks: true},
	}
	for i, r := range requests {
		if impact(r) != i {
			t.Errorf("impact(%+v) = %d, want %d", r, impact(r), i)
		}
	}
	p := pendingConfig{changed: make(chan struct{}, 1)}
	p.RestartRequested(requests[3])
	p.RestartRequested(requests[0])
	if got := p.take().restarts[""]; got != requests[3] {
		t.Errorf("the weaker request won: %+v", got)
	}
}

// A connector whose start hangs must hold up neither requests nor other connectors, and
// a new config must get it going.
func TestAConnectorThatHangs(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		release := r.runtime.hold("start connector slow STARTED")
		r.put("slow")
		r.put("fast")
		r.want("start connector slow STARTED", "start connector fast STARTED", "task configs fast", "start task fast-0 STARTED")
		if err := r.h.Ready(t.Context()); err != nil {
			t.Errorf("Ready: %v", err)
		}
		if _, err := r.h.ConnectorInfo(t.Context(), "slow"); err != nil {
			t.Error(err)
		}
		release()
		r.want("task configs slow", "start task slow-0 STARTED")

		r.runtime.hold("start connector slow STARTED")
		r.put("slow", "file", "x")
		r.want("stop connector slow", "start connector slow STARTED")
		delete(r.runtime.hang, "start connector slow STARTED")
		r.put("slow", "file", "y")
		r.want("stop connector slow", "start connector slow STARTED", "task configs slow", "stop task slow-0", "start task slow-0 STARTED")
	})
}

func TestADeletedConnectorThatHangs(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		r.runtime.hold("start connector c STARTED")
		r.put("c")
		if err := r.h.DeleteConnector(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		r.want("start connector c STARTED", "stop connector c")
	})
}

func TestReconfigurationIsRetried(t *testing.T) {
	bubble(t, true, func(t *testing.T, r *rig) {
		r.runtime.failing("task configs c", errors.New("no answer"))
		put := make(chan error, 1)
		go func() {
			_, _, err := r.h.PutConnector(t.Context(), "c", sinkConfig("c"), "", true)
			put <- err // it does not wait for more than one try
		}()
		r.want("start connector c STARTED", "task configs c")
		for _, delay := range []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second} {
			time.Sleep(delay - time.Millisecond)
			r.want()
			time.Sleep(time.Millisecond)
			r.want("task configs c")
		}
		if err := <-put; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(r.take()); n < 60 || n > 70 {
			t.Errorf("%d tries in an hour, want one a minute", n)
		}
		// The connector itself asks: no waiting for the rest of the pause.
		r.runtime.failing("task configs c", nil)
		time.Sleep(time.Second)
		r.h.RequestReconfiguration("c")
		r.wantAnyOrder("task configs c", "task configs c", "start task c-0 STARTED")
	})
}

func TestReconfigurationEndsWithTheConnector(t *testing.T) {
	for name, err := range map[string]error{
		"too many tasks": &worker.TooManyTasksError{Connector: "c", Tasks: 2, TasksMax: 1}, "failed": worker.ErrNotRunning,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, true, func(t *testing.T, r *rig) {
				r.runtime.failing("task configs c", err)
				r.put("c")
				time.Sleep(time.Hour)
				r.want("start connector c STARTED", "task configs c")
			})
		})
	}
}

func TestClusterLogLevels(t *testing.T) {
	var levels [][2]string
	bubble(t, true, func(t *testing.T, r *rig) {
		if err := r.h.SetClusterLogLevel(t.Context(), "root", "debug"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if diff := cmp.Diff([][2]string{{"root", "debug"}}, levels); diff != "" {
			t.Error(diff)
		}
	}, func(o *Options) {
		o.ApplyLogLevel = func(namespace, level string) { levels = append(levels, [2]string{namespace, level}) }
	})
}

func TestShutdownOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, true).run()
		r.put("c")
		r.take()
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		got := r.take()
		if len(got) != 4 || got[2] != "stop the config store" || got[3] != "stop the status store" {
			t.Errorf("want connector and task stopped, then the stores, got %v", got)
		}
		if err := r.h.Ready(t.Context()); err == nil {
			t.Error("a herder that has ended is ready")
		}
	})
}

// A plugin that does not stop holds up the end only for as long as it may.
func TestShutdownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, true).run()
		r.put("c")
		r.runtime.hold("stop task c-0")
		start := time.Now()
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}
