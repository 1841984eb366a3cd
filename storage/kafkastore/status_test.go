package kafkastore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/storetest"
)

var task = connect.TaskID{Connector: "a", Task: 0}

func running(worker string, generation int) storage.Status {
	return storage.Status{State: connect.StateRunning, WorkerID: worker, Generation: generation}
}

func in(state connect.State, worker string, generation int) storage.Status {
	return storage.Status{State: state, WorkerID: worker, Generation: generation}
}

func awaitTask(t *testing.T, s *StatusStore, id connect.TaskID, want storage.Status) {
	t.Helper()
	storetest.Eventually(t, fmt.Sprintf("%s is %v", id, want), func() bool {
		got, ok := s.Task(id)
		return ok && got == want
	})
}

func TestStatusRecords(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("statuses", 1, "cleanup.policy", "compact")
	s := startStatuses(t, c)
	ctx := t.Context()
	put := func(fn func()) { fn(); must(t, s.Flush(ctx)) }
	put(func() {
		s.PutConnector("a", storage.Status{State: connect.StateRunning, WorkerID: "w:1", Generation: 3, Version: "1"})
	})
	put(func() { s.PutTask(task, storage.Status{State: connect.StateFailed, Trace: "x\n", WorkerID: "w:1"}) })
	put(func() { s.PutTopic(storage.TopicStatus{Topic: "t", Connector: "a", Task: 1, Discovered: 9}) })
	put(func() { s.DeleteTopic("a", "t") })
	put(func() { s.DeleteTask(task) })
	put(func() { s.DeleteConnector("a") })
	equal(t, []string{
		`status-connector-a {"state":"RUNNING","trace":null,"worker_id":"w:1","generation":3,"version":"1"}`,
		`status-task-a-0 {"state":"FAILED","trace":"x\n","worker_id":"w:1","generation":0,"version":null}`,
		`status-topic-t:connector-a {"topic":{"name":"t","connector":"a","task":1,"discoverTimestamp":9}}`,
		`status-topic-t:connector-a -`, `status-task-a-0 -`, `status-connector-a -`,
	}, dump(t, c, "statuses"))
}

func TestWorkersSeeEachOther(t *testing.T) {
	c := kafkatest.New(t)
	first := startStatuses(t, c)
	first.PutTask(task, running("w:1", 1))
	must(t, first.Flush(t.Context()))
	second := startStatuses(t, c)
	if got, ok := second.Task(task); !ok || got != running("w:1", 1) {
		t.Errorf("after the start: %v", got)
	}
	second.PutTask(task, running("w:2", 2))
	awaitTask(t, first, task, running("w:2", 2))
	// The old owner is late: neither its words nor those that are in the topic already count.
	first.PutTaskSafe(task, in(connect.StateFailed, "w:1", 1))
	produce(c, "statuses", "status-task-a-0", `{"state":"UNASSIGNED","trace":null,"worker_id":"w:1","generation":2}`, "status-task-a-1", "{oops")
	first.PutTask(connect.TaskID{Connector: "a", Task: 2}, running("w:1", 1))
	awaitTask(t, second, connect.TaskID{Connector: "a", Task: 2}, running("w:1", 1))
	must(t, second.log.ReadToEnd(t.Context()))
	equal(t, map[int]storage.Status{0: running("w:2", 2), 2: running("w:1", 1)}, second.Tasks("a"))
}

func TestFailedStatusesAreRepeated(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.RequestTimedOut} {
		t.Run(code.Message, func(t *testing.T) {
			c := kafkatest.New(t)
			s := startStatuses(t, c)
			h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: code, Count: 3})
			s.PutTask(task, running("w:1", 1))
			s.PutTopic(storage.TopicStatus{Topic: "t", Connector: "a"})
			must(t, s.Flush(t.Context()))
			c.Await(h, 3)
			awaitTask(t, s, task, running("w:1", 1))
			storetest.Eventually(t, "the topic is there", func() bool { return len(s.Topics("a")) == 1 })
		})
	}
}

func TestHopelessStatusesAreGivenUp(t *testing.T) {
	c := kafkatest.New(t)
	core, logs := observer.New(zap.ErrorLevel)
	o := statusOptions(t, c)
	o.Log = zap.New(core)
	s := NewStatusStore(o)
	must(t, s.Start(t.Context()))
	defer s.Stop(context.Background())
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed}, func(*kfake.FaultHandle) {
		s.PutTask(task, running("w:1", 1))
		must(t, s.Flush(t.Context()))
	})
	equal(t, 1, logs.FilterMessage("Failed to write status update").Len())
	s.PutConnector("a", running("w:1", 1))
	storetest.Eventually(t, "the store goes on", func() bool { return len(s.Connectors()) == 1 })
	equal(t, 0, len(s.Tasks("a")))
}

// While a status cannot be written, what happens meanwhile decides about it.
func TestWaitingStatuses(t *testing.T) {
	other := connect.TaskID{Connector: "a", Task: 9}
	tests := []struct {
		name      string
		put       func(s *StatusStore)
		meanwhile func(c *kafkatest.Cluster, s *StatusStore)
		want      storage.Status // zero: none
	}{
		{"nothing happens", func(s *StatusStore) { s.PutTask(task, running("w:1", 2)) }, func(*kafkatest.Cluster, *StatusStore) {}, running("w:1", 2)},
		{"a newer put replaces it", func(s *StatusStore) { s.PutTask(task, running("w:1", 2)) },
			func(_ *kafkatest.Cluster, s *StatusStore) { s.PutTaskSafe(task, in(connect.StateFailed, "w:1", 2)) }, in(connect.StateFailed, "w:1", 2)},
		{"another task is written in a newer generation", func(s *StatusStore) { s.PutTask(task, running("w:1", 2)) },
			func(_ *kafkatest.Cluster, s *StatusStore) { s.PutTask(other, running("w:1", 3)) }, running("w:1", 2)},
		{"another worker speaks in a newer generation", func(s *StatusStore) { s.PutTask(task, running("w:1", 2)) },
			func(c *kafkatest.Cluster, _ *StatusStore) {
				produce(c, "statuses", "status-task-a-0", `{"state":"RUNNING","trace":null,"worker_id":"w:2","generation":3}`)
			}, running("w:2", 3)},
		{"another worker spoke in an older generation", func(s *StatusStore) { s.PutTask(task, running("w:1", 2)) },
			func(c *kafkatest.Cluster, _ *StatusStore) {
				produce(c, "statuses", "status-task-a-0", `{"state":"RUNNING","trace":null,"worker_id":"w:2","generation":1}`)
			}, running("w:1", 2)},
		{"the task is deleted", func(s *StatusStore) { s.PutTask(task, running("w:1", 2)) },
			func(c *kafkatest.Cluster, _ *StatusStore) { produce(c, "statuses", "status-task-a-0", "-") }, storage.Status{}},
		{"the connector is deleted", func(s *StatusStore) { s.PutTask(task, running("w:1", 2)) },
			func(c *kafkatest.Cluster, _ *StatusStore) { produce(c, "statuses", "status-connector-a", "-") }, storage.Status{}},
		{"another connector is deleted", func(s *StatusStore) { s.PutTask(task, running("w:1", 2)) },
			func(c *kafkatest.Cluster, _ *StatusStore) { produce(c, "statuses", "status-connector-b", "-") }, running("w:1", 2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := kafkatest.New(t)
			c.Topic("statuses", 1, "cleanup.policy", "compact")
			s := startStatuses(t, c)
			// Only the store's producer has this client id; what the test writes gets through.
			during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, When: fromStore}, func(h *kfake.FaultHandle) {
				tt.put(s)
				c.Await(h, 1)
				tt.meanwhile(c, s)
				must(t, s.log.ReadToEnd(t.Context()))
			})
			must(t, s.Flush(t.Context()))
			must(t, s.log.ReadToEnd(t.Context()))
			got, _ := s.Task(task)
			equal(t, tt.want, got)
		})
	}
}

// fromStore tells the store's requests, which have no transactional or producer id, from
// those of the test's client, which is idempotent.
func fromStore(r kmsg.Request) bool {
	p, ok := r.(*kmsg.ProduceRequest)
	if !ok || len(p.Topics) == 0 || len(p.Topics[0].Partitions) == 0 {
		return false
	}
	var b kmsg.RecordBatch
	return b.ReadFrom(p.Topics[0].Partitions[0].Records) == nil && b.ProducerID < 0
}

func TestAnUnavailablePartitionHoldsUpItsOwn(t *testing.T) {
	c := kafkatest.New(t)
	s := startStatuses(t, c)
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Partitions: []int32{0}}, func(*kfake.FaultHandle) {
		for n := range 30 {
			s.PutTask(connect.TaskID{Connector: "a", Task: n}, running("w:1", 1))
		}
		storetest.Eventually(t, "others are written", func() bool { return len(s.Tasks("a")) >= 15 })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := s.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush: %v", err)
		}
	})
	must(t, s.Flush(t.Context()))
	storetest.Eventually(t, "all are written", func() bool { return len(s.Tasks("a")) == 30 })
}

func TestStatusesOverAnOutage(t *testing.T) {
	c := kafkatest.New(t)
	s := startStatuses(t, c)
	s.PutTask(task, running("w:1", 1))
	awaitTask(t, s, task, running("w:1", 1))
	down(c)
	for g := range 50 {
		s.PutTask(task, running("w:1", 2+g))
		s.PutConnector("a", running("w:1", 2+g))
	}
	up(c)
	awaitTask(t, s, task, running("w:1", 51))
	storetest.Eventually(t, "the connector is there", func() bool {
		got, _ := s.Connector("a")
		return got == running("w:1", 51)
	})
}

func TestStopWritesWhatIsWaiting(t *testing.T) {
	c := kafkatest.New(t)
	s := startStatuses(t, c)
	for n := range 20 {
		s.PutTaskSafe(connect.TaskID{Connector: "a", Task: n}, in(connect.StateUnassigned, "w:1", 1))
	}
	must(t, s.Stop(t.Context()))
	s.PutTask(task, running("w:1", 1)) // too late, but harmless
	must(t, s.Stop(t.Context()))
	equal(t, 20, len(startStatuses(t, c).Tasks("a")))
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	c := kafkatest.New(t)
	s := startStatuses(t, c)
	during(c, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas}, func(h *kfake.FaultHandle) {
		s.PutTask(task, running("w:1", 1))
		c.Await(h, 1)
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("shut down"))
		defer cancel()
		want := "flush statuses to topic statuses, waiting for status-task-a-0: shut down"
		if err := s.Stop(ctx); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}

func TestPutsBeforeTheStartAreDropped(t *testing.T) {
	c := kafkatest.New(t)
	s := NewStatusStore(statusOptions(t, c))
	s.PutTask(task, running("w:1", 1))
	must(t, s.Flush(t.Context()))
	must(t, s.Start(t.Context()))
	if s.Start(t.Context()) == nil {
		t.Error("the store was started twice")
	}
	equal(t, 0, len(s.Tasks("a")))
	must(t, s.Stop(t.Context()))
}
