package worker

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// fencedBody is a task that a newer producer with its transactional id has fenced out.
type fencedBody struct{}

func (fencedBody) finish(context.Context) error { return nil }
func (fencedBody) start(context.Context) error  { return nil }
func (fencedBody) loop(context.Context) error {
	return fmt.Errorf("Failed to flush offsets and/or records for task: %w", kafka.ErrFenced)
}

// TestAZombieDoesNotReportItsSuccessorAsFailed: a worker wakes up after others have taken
// its tasks over. It learns of the fencing before the group tells it to stop.
func TestAZombieDoesNotReportItsSuccessorAsFailed(t *testing.T) {
	for name, tc := range map[string]struct {
		stop bool
		want string
	}{
		"the worker finds out":          {true, "UNASSIGNED"},
		"the task is meant to run here": {false, "FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &trace{}
				st := &Statuses{Store: &fakeStatuses{trace: tr}, WorkerID: "w:1", Generation: func() int { return 1 }}
				task := newTask(connect.TaskID{Connector: "c"}, "", connect.TargetStarted, st, zap.NewNop())
				told := 0
				task.fenced = func() { told++ }
				go task.run(t.Context(), fencedBody{})
				if tc.stop {
					time.Sleep(successorTime - time.Second)
					synctest.Wait()
					if told != 1 {
						t.Errorf("the worker was told %d times", told)
					}
					task.requestStop()
				}
				<-task.done
				if got, want := tr.all(), []string{"status RUNNING", "status " + tc.want}; !slices.Equal(got, want) {
					t.Errorf("statuses %q, want %q", got, want)
				}
			})
		})
	}
}

// A worker says which of its tasks were fenced, and stops such a task at once.
func TestAWorkerTellsOfAFencedTask(t *testing.T) {
	r := newSourceWorker(t, settings.Distributed, "exactly.once.source.support", "enabled", "bootstrap.servers", kafkatest.New(t).Bootstrap())
	told := make(chan connect.TaskID, 1)
	r.Fenced = func(id connect.TaskID) { told <- id }
	r.TaskGeneration = func(string) int { return 1 }
	r.VerifyTask = func(context.Context, connect.TaskID, int) error { return nil }
	r.Fence = func(context.Context, string) error { return fmt.Errorf("init transactions: %w", kafka.ErrFenced) }
	id := connect.TaskID{Connector: "c", Task: 1}
	if err := r.StartTask(t.Context(), id, testSourceConfig(), map[string]string{}, connect.TargetStarted); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got != id {
		t.Errorf("told of %v", got)
	}
	r.StopTask(t.Context(), id)
	if st, _ := r.store.Task(id); st.State != connect.StateUnassigned {
		t.Errorf("%+v", st)
	}
}
