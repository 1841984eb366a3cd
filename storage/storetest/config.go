package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
)

// RunConfig runs the suite for config stores. open returns a new, empty store that is not
// started yet; the suite starts and stops it.
func RunConfig(t *testing.T, open func(t *testing.T) storage.ConfigStore) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s storage.ConfigStore, l *Listener)
	}{
		{"a connector is there when the put returns", putConnector},
		{"an initial state comes before the config", initialState},
		{"a removed connector is gone", removeConnector},
		{"task configs come all at once", putTasks},
		{"no tasks are a commit, too", noTasks},
		{"target states", targetStates},
		{"session keys", sessionKeys},
		{"restarts and levels are told, not kept", passing},
		{"rounds of fencing", fencing},
		{"a leader may claim again and again", claims},
		{"the caller's maps stay the caller's", callersMaps},
		{"snapshots do not change", snapshots},
		{"snapshots show what the listener is told", shown},
		{"puts at the same time", concurrent},
		{"a put whose context is over", cancelled},
		{"an unknown target state is refused", unknownState},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, l := open(t), &Listener{}
			must(t, s.Start(t.Context(), l))
			t.Cleanup(func() { must(t, s.Stop(context.Background())) })
			must(t, s.ClaimWritePrivileges(t.Context()))
			tt.run(t, s, l)
		})
	}
	t.Run("life of a store", func(t *testing.T) { lifeOfConfigs(t, open(t)) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func config(version string) map[string]string { return map[string]string{"name": "n", "v": version} }

func lifeOfConfigs(t *testing.T, s storage.ConfigStore) {
	ctx := t.Context()
	if got := s.Snapshot(); got == nil || got.Offset != -1 || len(got.Connectors()) != 0 {
		t.Errorf("snapshot before the start: %+v", got)
	}
	if s.PutConnector(ctx, "a", config("1"), "") == nil {
		t.Error("a put before the start succeeded")
	}
	l := &Listener{}
	must(t, s.Start(ctx, l))
	if s.Start(ctx, l) == nil {
		t.Error("the store was started twice")
	}
	must(t, s.ClaimWritePrivileges(ctx))
	must(t, s.PutConnector(ctx, "a", config("1"), ""))
	must(t, s.Refresh(ctx))
	l.Await(t, "updated a")
	must(t, s.Stop(ctx))
	if s.PutConnector(ctx, "b", config("1"), "") == nil {
		t.Error("a put after the stop succeeded")
	}
	if s.PutTargetState(ctx, "a", connect.TargetPaused) == nil {
		t.Error("a target state after the stop succeeded")
	}
	equal(t, []string{"updated a"}, l.Lines())
	equal(t, []string{"a"}, s.Snapshot().Connectors())
	must(t, s.Stop(ctx))
}

func putConnector(t *testing.T, s storage.ConfigStore, l *Listener) {
	ctx := t.Context()
	must(t, s.PutConnector(ctx, "b", config("1"), ""))
	must(t, s.PutConnector(ctx, "a-x", config("1"), ""))
	must(t, s.PutConnector(ctx, "b", config("2"), ""))
	got := s.Snapshot()
	equal(t, []string{"a-x", "b"}, got.Connectors())
	equal(t, &storage.ConnectorState{Config: config("2"), Target: connect.TargetStarted, TaskCount: -1, Generation: -1, TaskCountRecord: -1}, got.Connector("b"))
	equal(t, 0, len(got.Tasks("b")))
	equal(t, []string{"updated b", "updated a-x", "updated b"}, l.Await(t, "updated b"))
}

func initialState(t *testing.T, s storage.ConfigStore, l *Listener) {
	must(t, s.PutConnector(t.Context(), "a", config("1"), connect.TargetStopped))
	equal(t, connect.TargetStopped, s.Snapshot().TargetState("a"))
	equal(t, []string{"updated a"}, l.Await(t, "updated a")) // the state of an unknown connector is no change
}

func removeConnector(t *testing.T, s storage.ConfigStore, l *Listener) {
	ctx := t.Context()
	must(t, s.PutConnector(ctx, "a", config("1"), ""))
	must(t, s.PutConnector(ctx, "b", config("1"), ""))
	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{config("t")}))
	must(t, s.RemoveConnector(ctx, "a"))
	got := s.Snapshot()
	equal(t, []string{"b"}, got.Connectors())
	equal(t, 0, len(got.Tasks("a")))
	equal(t, connect.TargetState(""), got.TargetState("a"))
	equal(t, []string{"updated a", "updated b", "tasks a-0", "removed a"}, l.Await(t, "removed a"))
	// What is created anew has no tasks, but goes on counting.
	must(t, s.PutConnector(ctx, "a", config("2"), ""))
	equal(t, &storage.ConnectorState{Config: config("2"), Target: connect.TargetStarted, TaskCount: -1, Generation: 0,
		TaskCountRecord: -1, PendingFencing: true}, s.Snapshot().Connector("a"))
}

func putTasks(t *testing.T, s storage.ConfigStore, l *Listener) {
	ctx := t.Context()
	must(t, s.PutConnector(ctx, "a", config("1"), ""))
	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{config("t0"), config("t1")}))
	must(t, s.PutConnector(ctx, "a", config("2"), ""))
	got := s.Snapshot()
	equal(t, []connect.TaskID{{Connector: "a", Task: 0}, {Connector: "a", Task: 1}}, got.Tasks("a"))
	equal(t, config("t1"), got.TaskConfig(connect.TaskID{Connector: "a", Task: 1}))
	equal(t, config("1"), got.Connector("a").Applied)
	equal(t, 0, got.Connector("a").Generation)

	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{config("t2")}))
	got = s.Snapshot()
	equal(t, []connect.TaskID{{Connector: "a", Task: 0}}, got.Tasks("a"))
	equal(t, config("t2"), got.TaskConfig(connect.TaskID{Connector: "a"}))
	equal(t, config("2"), got.Connector("a").Applied)
	equal(t, 1, got.Connector("a").Generation)
	equal(t, []string{"updated a", "tasks a-0 a-1", "updated a", "tasks a-0"}, l.Await(t, "tasks a-0"))
}

func noTasks(t *testing.T, s storage.ConfigStore, l *Listener) {
	ctx := t.Context()
	must(t, s.PutConnector(ctx, "a", config("1"), ""))
	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{{}}))
	must(t, s.PutTaskConfigs(ctx, "a", nil))
	got := s.Snapshot().Connector("a")
	equal(t, 0, got.TaskCount)
	equal(t, false, got.Inconsistent)
	equal(t, 0, len(s.Snapshot().Tasks("a")))
	equal(t, []string{"updated a", "tasks a-0", "tasks"}, l.Await(t, "tasks"))
}

func targetStates(t *testing.T, s storage.ConfigStore, l *Listener) {
	ctx := t.Context()
	must(t, s.PutConnector(ctx, "a", config("1"), ""))
	for _, st := range []connect.TargetState{connect.TargetPaused, connect.TargetPaused, connect.TargetStopped, connect.TargetStarted} {
		must(t, s.PutTargetState(ctx, "a", st))
		must(t, s.Refresh(ctx)) // this put does not read back
		equal(t, st, s.Snapshot().TargetState("a"))
	}
	must(t, s.PutTargetState(ctx, "unknown", connect.TargetPaused))
	must(t, s.PutLoggerLevel(ctx, "end", "INFO"))
	equal(t, []string{"updated a", "target a", "target a", "target a", "level end INFO"}, l.Await(t, "level end INFO"))
}

func sessionKeys(t *testing.T, s storage.ConfigStore, l *Listener) {
	equal(t, (*storage.SessionKey)(nil), s.Snapshot().SessionKey)
	key := storage.SessionKey{Key: []byte{1, 2, 3}, Algorithm: "HmacSHA256", Created: time.UnixMilli(1719999999999)}
	must(t, s.PutSessionKey(t.Context(), key))
	equal(t, &key, s.Snapshot().SessionKey)
	l.Await(t, "key HmacSHA256 [1 2 3]")
}

func passing(t *testing.T, s storage.ConfigStore, l *Listener) {
	ctx := t.Context()
	before := s.Snapshot().Offset
	must(t, s.PutRestartRequest(ctx, storage.RestartRequest{Connector: "a", IncludeTasks: true}))
	must(t, s.PutRestartRequest(ctx, storage.RestartRequest{Connector: "a", OnlyFailed: true}))
	must(t, s.PutLoggerLevel(ctx, "org.x", "debug"))
	equal(t, []string{"restart a tasks=true failed=false", "restart a tasks=false failed=true", "level org.x debug"}, l.Await(t, "level org.x debug"))
	got := s.Snapshot()
	equal(t, 0, len(got.ByName))
	if got.Offset <= before {
		t.Errorf("offset %d is not after %d", got.Offset, before)
	}
}

func fencing(t *testing.T, s storage.ConfigStore, _ *Listener) {
	ctx := t.Context()
	must(t, s.PutConnector(ctx, "a", config("1"), ""))
	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{{}}))
	equal(t, true, s.Snapshot().Connector("a").PendingFencing)
	_, known := s.Snapshot().TaskCountRecord("a")
	equal(t, false, known)
	must(t, s.PutTaskCountRecord(ctx, "a", 1))
	got := s.Snapshot().Connector("a")
	equal(t, false, got.PendingFencing)
	equal(t, 1, got.TaskCountRecord)
	// All of it goes on over a deletion: the zombies do.
	must(t, s.PutTaskConfigs(ctx, "a", nil))
	must(t, s.RemoveConnector(ctx, "a"))
	all := s.Snapshot()
	n, known := all.TaskCountRecord("a")
	equal(t, []any{true, 1, 1, true}, []any{all.PendingFencing("a"), n, all.TaskConfigGeneration("a"), known})
	_, known = all.TaskCountRecord("b")
	equal(t, []any{false, -1, false}, []any{all.PendingFencing("b"), all.TaskConfigGeneration("b"), known})
}

func claims(t *testing.T, s storage.ConfigStore, _ *Listener) {
	ctx := t.Context()
	for v := range 3 {
		must(t, s.ClaimWritePrivileges(ctx))
		must(t, s.PutConnector(ctx, "a", config(fmt.Sprint(v)), ""))
		equal(t, config(fmt.Sprint(v)), s.Snapshot().Connector("a").Config)
	}
}

func callersMaps(t *testing.T, s storage.ConfigStore, _ *Listener) {
	ctx := t.Context()
	c, task := config("1"), config("t")
	must(t, s.PutConnector(ctx, "a", c, ""))
	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{task}))
	c["v"], task["v"] = "changed", "changed"
	equal(t, config("1"), s.Snapshot().Connector("a").Config)
	equal(t, config("t"), s.Snapshot().TaskConfig(connect.TaskID{Connector: "a"}))
}

func snapshots(t *testing.T, s storage.ConfigStore, _ *Listener) {
	ctx := t.Context()
	must(t, s.PutConnector(ctx, "a", config("1"), ""))
	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{config("t")}))
	got := s.Snapshot()
	must(t, s.PutConnector(ctx, "a", config("2"), ""))
	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{config("u"), config("u")}))
	must(t, s.RemoveConnector(ctx, "a"))
	equal(t, config("1"), got.Connector("a").Config)
	equal(t, config("t"), got.TaskConfig(connect.TaskID{Connector: "a"}))
	equal(t, 1, len(got.Tasks("a")))
}

func shown(t *testing.T, s storage.ConfigStore, l *Listener) {
	var mu sync.Mutex
	seen := map[string]bool{}
	l.Look = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		seen[line] = s.Snapshot().Contains("a")
	}
	must(t, s.PutConnector(t.Context(), "a", config("1"), ""))
	l.Await(t, "updated a")
	must(t, s.RemoveConnector(t.Context(), "a"))
	l.Await(t, "removed a")
	equal(t, map[string]bool{"updated a": true, "removed a": false}, seen)
}

func concurrent(t *testing.T, s storage.ConfigStore, _ *Listener) {
	var wg sync.WaitGroup
	for i := range 8 {
		name := fmt.Sprintf("c%d", i)
		wg.Go(func() {
			for v := range 3 {
				tasks := make([]map[string]string, v+1)
				for n := range tasks {
					tasks[n] = config(fmt.Sprint(v))
				}
				if err := errors.Join(s.PutConnector(t.Context(), name, config(fmt.Sprint(v)), ""), s.PutTaskConfigs(t.Context(), name, tasks)); err != nil {
					t.Error(err)
				}
				if got := s.Snapshot(); got.Connector(name).Config["v"] != fmt.Sprint(v) || len(got.Tasks(name)) != v+1 {
					t.Errorf("%s: its own put is not there", name)
				}
			}
		})
	}
	// The same connector from two sides: whoever comes last, the tasks are of one put.
	for i := range 2 {
		wg.Go(func() {
			if err := s.PutConnector(t.Context(), "same", config("1"), ""); err != nil {
				t.Error(err)
			}
			for range 5 {
				if err := s.PutTaskConfigs(t.Context(), "same", []map[string]string{config(fmt.Sprint(i)), config(fmt.Sprint(i))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := s.Snapshot()
	equal(t, 9, len(got.Connectors()))
	equal(t, got.TaskConfig(connect.TaskID{Connector: "same"}), got.TaskConfig(connect.TaskID{Connector: "same", Task: 1}))
}

func cancelled(t *testing.T, s storage.ConfigStore, _ *Listener) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the user went away")
	cancel(gone)
	for name, err := range map[string]error{
		"connector": s.PutConnector(ctx, "a", config("1"), ""),
		"remove":    s.RemoveConnector(ctx, "a"),
		"tasks":     s.PutTaskConfigs(ctx, "a", []map[string]string{{}}),
		"target":    s.PutTargetState(ctx, "a", connect.TargetPaused),
		"key":       s.PutSessionKey(ctx, storage.SessionKey{}),
		"restart":   s.PutRestartRequest(ctx, storage.RestartRequest{}),
		"fencing":   s.PutTaskCountRecord(ctx, "a", 1),
		"level":     s.PutLoggerLevel(ctx, "a", "INFO"),
		"refresh":   s.Refresh(ctx),
		"claim":     s.ClaimWritePrivileges(ctx),
	} {
		if !errors.Is(err, gone) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func unknownState(t *testing.T, s storage.ConfigStore, l *Listener) {
	if s.PutTargetState(t.Context(), "a", "FLYING") == nil {
		t.Error("it was accepted")
	}
	if s.PutConnector(t.Context(), "a", config("1"), "FLYING") == nil {
		t.Error("it was accepted as initial state")
	}
	must(t, s.Refresh(t.Context()))
	if lines := l.Lines(); slices.Contains(lines, "updated a") || s.Snapshot().Contains("a") {
		t.Error("the connector was written")
	}
}
