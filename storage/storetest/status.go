package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
)

// RunStatus runs the suite for status stores. open returns a new, empty store that is not
// started yet; the suite starts and stops it. What was put may become visible later.
func RunStatus(t *testing.T, open func(t *testing.T) storage.StatusStore) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s storage.StatusStore)
	}{
		{"connectors and tasks", putStatuses},
		{"deleted tasks and connectors", deleteStatuses},
		{"safe puts", safePuts},
		{"topics", topics},
		{"the last put of a key wins", lastWins},
		{"puts at the same time", concurrentStatuses},
		{"what was returned stays as it is", copies},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			must(t, s.Start(t.Context()))
			t.Cleanup(func() { must(t, s.Stop(context.Background())) })
			tt.run(t, s)
		})
	}
}

func status(state connect.State, worker string, generation int) storage.Status {
	return storage.Status{State: state, WorkerID: worker, Generation: generation, Version: "1.0"}
}

// await flushes and waits until ok.
func await(t *testing.T, s storage.StatusStore, what string, ok func() bool) {
	t.Helper()
	must(t, s.Flush(t.Context()))
	Eventually(t, what, ok)
}

func isTask(s storage.StatusStore, id connect.TaskID, want storage.Status) func() bool {
	return func() bool {
		got, ok := s.Task(id)
		return ok && cmp.Equal(want, got)
	}
}

func isConnector(s storage.StatusStore, name string, want storage.Status) func() bool {
	return func() bool {
		got, ok := s.Connector(name)
		return ok && cmp.Equal(want, got)
	}
}

func putStatuses(t *testing.T, s storage.StatusStore) {
	failed := storage.Status{State: connect.StateFailed, Trace: "x.Y: boom\n", WorkerID: "w:1", Generation: 3}
	s.PutConnector("b", status(connect.StateRunning, "w:1", 3))
	s.PutConnector("a-x", status(connect.StatePaused, "w:1", 3))
	s.PutTask(connect.TaskID{Connector: "a-x", Task: 10}, failed)
	s.PutTask(connect.TaskID{Connector: "a-x", Task: 2}, status(connect.StateRunning, "w:2", 3))
	await(t, s, "all are there", func() bool { return len(s.Connectors()) == 2 && len(s.Tasks("a-x")) == 2 })
	equal(t, []string{"a-x", "b"}, s.Connectors())
	equal(t, map[int]storage.Status{10: failed, 2: status(connect.StateRunning, "w:2", 3)}, s.Tasks("a-x"))
	if !isConnector(s, "a-x", status(connect.StatePaused, "w:1", 3))() {
		t.Error("wrong status of a-x")
	}
	if _, ok := s.Task(connect.TaskID{Connector: "a", Task: 2}); ok {
		t.Error("there is a task of an unknown connector")
	}
	if _, ok := s.Connector("c"); ok {
		t.Error("there is an unknown connector")
	}
	equal(t, 0, len(s.Tasks("c")))
}

func deleteStatuses(t *testing.T, s storage.StatusStore) {
	run := status(connect.StateRunning, "w:1", 1)
	s.PutConnector("a", run)
	for n := range 3 {
		s.PutTask(connect.TaskID{Connector: "a", Task: n}, run)
	}
	s.PutTask(connect.TaskID{Connector: "b"}, run)
	await(t, s, "all are there", func() bool { return len(s.Tasks("a")) == 3 && len(s.Connectors()) == 1 })
	s.DeleteTask(connect.TaskID{Connector: "a", Task: 1})
	await(t, s, "the task is gone", func() bool { return cmp.Equal(map[int]storage.Status{0: run, 2: run}, s.Tasks("a")) })
	s.PutTask(connect.TaskID{Connector: "a", Task: 2}, status(connect.StateDestroyed, "w:1", 1))
	await(t, s, "the destroyed task is gone", func() bool { return cmp.Equal(map[int]storage.Status{0: run}, s.Tasks("a")) })
	s.DeleteConnector("a")
	await(t, s, "the connector is gone", func() bool { return len(s.Connectors()) == 0 })
	equal(t, 0, len(s.Tasks("a")))
	await(t, s, "other connectors keep their tasks", isTask(s, connect.TaskID{Connector: "b"}, run))
}

func safePuts(t *testing.T, s storage.StatusStore) {
	id := connect.TaskID{Connector: "a"}
	run := status(connect.StateRunning, "w:1", 5)
	s.PutTaskSafe(id, status(connect.StateFailed, "w:2", 4))
	await(t, s, "nobody has spoken before", isTask(s, id, status(connect.StateFailed, "w:2", 4)))
	s.PutTask(id, run)
	s.PutConnector("a", run)
	await(t, s, "all are there", func() bool { return isTask(s, id, run)() && isConnector(s, "a", run)() })
	s.PutTaskSafe(id, status(connect.StateFailed, "w:2", 4))
	s.PutConnectorSafe("a", status(connect.StateFailed, "w:2", 4))
	s.PutConnector("end", run)
	await(t, s, "the end", isConnector(s, "end", run))
	if !isTask(s, id, run)() || !isConnector(s, "a", run)() {
		t.Error("a safe put of an older generation was written")
	}
	s.PutTaskSafe(id, status(connect.StateFailed, "w:2", 5))
	s.PutConnectorSafe("a", status(connect.StateFailed, "w:1", 4))
	await(t, s, "the same generation, and the same worker, may speak", func() bool {
		return isTask(s, id, status(connect.StateFailed, "w:2", 5))() && isConnector(s, "a", status(connect.StateFailed, "w:1", 4))()
	})
	s.PutTask(id, status(connect.StateRunning, "w:1", 1))
	await(t, s, "other puts are always written", isTask(s, id, status(connect.StateRunning, "w:1", 1)))
}

func topics(t *testing.T, s storage.StatusStore) {
	first := storage.TopicStatus{Topic: "t1", Connector: "a:b", Task: 2, Discovered: 1719999999999}
	second := storage.TopicStatus{Topic: "t0", Connector: "a:b", Task: 0, Discovered: 3}
	s.PutTopic(first)
	s.PutTopic(second)
	await(t, s, "both are there", func() bool { return len(s.Topics("a:b")) == 2 })
	equal(t, []storage.TopicStatus{second, first}, s.Topics("a:b"))
	got, ok := s.Topic("a:b", "t1")
	equal(t, true, ok)
	equal(t, first, got)
	if _, ok := s.Topic("a", "t1"); ok {
		t.Error("another connector uses the topic")
	}
	equal(t, 0, len(s.Topics("a")))
	s.DeleteTopic("a:b", "t0")
	await(t, s, "one is gone", func() bool { return cmp.Equal([]storage.TopicStatus{first}, s.Topics("a:b")) })
}

func lastWins(t *testing.T, s storage.StatusStore) {
	id := connect.TaskID{Connector: "a"}
	for g := range 200 {
		s.PutTask(id, status(connect.StateRunning, "w:1", g))
	}
	await(t, s, "the last one is there", isTask(s, id, status(connect.StateRunning, "w:1", 199)))
	s.DeleteTask(id)
	s.PutTask(id, status(connect.StatePaused, "w:1", 200))
	await(t, s, "it was written after the tombstone", isTask(s, id, status(connect.StatePaused, "w:1", 200)))
}

func concurrentStatuses(t *testing.T, s storage.StatusStore) {
	var wg sync.WaitGroup
	for i := range 20 {
		name := fmt.Sprintf("c%d", i)
		wg.Go(func() {
			for g := range 10 {
				s.PutConnector(name, status(connect.StateRunning, "w:1", g))
				s.PutTask(connect.TaskID{Connector: name}, status(connect.StateRunning, "w:1", g))
				s.Connectors()
			}
		})
	}
	wg.Wait()
	await(t, s, "all are there", func() bool {
		for i := range 20 {
			name := fmt.Sprintf("c%d", i)
			want := status(connect.StateRunning, "w:1", 9)
			if !isConnector(s, name, want)() || !isTask(s, connect.TaskID{Connector: name}, want)() {
				return false
			}
		}
		return true
	})
}

func copies(t *testing.T, s storage.StatusStore) {
	id := connect.TaskID{Connector: "a"}
	s.PutTask(id, status(connect.StateRunning, "w:1", 1))
	await(t, s, "it is there", isTask(s, id, status(connect.StateRunning, "w:1", 1)))
	got := s.Tasks("a")
	got[7] = storage.Status{}
	equal(t, 1, len(s.Tasks("a")))
}
