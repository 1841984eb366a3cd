package kafkastore

import (
	"context"
	"errors"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// What a worker wrote before it left is there for the leader that reads to the end.
func TestRefreshOfStatuses(t *testing.T) {
	c := kafkatest.New(t)
	leader, leaving := startStatuses(t, c), startStatuses(t, c)
	leaving.PutTask(task, running("w:1", 3))
	leaving.PutTaskSafe(task, in(connect.StateUnassigned, "w:1", 3))
	must(t, leaving.Flush(t.Context()))
	must(t, leader.Refresh(t.Context()))
	if got, _ := leader.Task(task); got != in(connect.StateUnassigned, "w:1", 3) {
		t.Errorf("got %+v", got)
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no time"))
	if err := leader.Refresh(ended); err == nil {
		t.Error("read without time")
	}
	must(t, leader.Stop(t.Context()))
	if err := leader.Refresh(t.Context()); err == nil {
		t.Error("read after the end")
	}
}
