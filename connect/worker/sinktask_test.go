package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
)

func TestSinkTaskLife(t *testing.T) {
	failOnce := func(err error) func([]connect.SinkRecord) error {
		failed := false
		return func(rs []connect.SinkRecord) error {
			if len(rs) > 0 && !failed {
				failed = true
				return err
			}
			return nil
		}
	}
	for _, tc := range []struct {
		name   string
		tol    tolerance.Config
		script []func(c *fakeConsumer) []kafka.Batch
		set    func(r *rig)
		want   []string
	}{
		{
			name:   "a batch is put and committed when the task stops",
			script: []func(c *fakeConsumer) []kafka.Batch{assign(tp0), fetch(tp0, 0, "a", "b")},
			want: []string{"start", "status RUNNING", "resume [t-0]", "open [t-0]", "put [0 1]",
				"close [t-0]", "commit at close map[t-0:2]", "stop", "leave", "status UNASSIGNED"},
		},
		{
			name:   "a retriable error pauses everything and the same batch is put again",
			script: []func(c *fakeConsumer) []kafka.Batch{assign(tp0, tp1), fetch(tp0, 5, "a", "b"), nothing},
			set:    func(r *rig) { r.sink.put = failOnce(&connect.RetriableError{Err: errors.New("later")}) },
			want: []string{"start", "status RUNNING", "resume [t-0]", "resume [t-1]", "open [t-0 t-1]", "put [5 6]",
				"pause [t-0 t-1]", "put [5 6]", "resume [t-0]", "resume [t-1]",
				"close [t-0 t-1]", "commit at close map[t-0:7 t-1:0]", "stop", "leave", "status UNASSIGNED"},
		},
		{
			name:   "any other error fails the task, after what was consumed before is committed",
			script: []func(c *fakeConsumer) []kafka.Batch{assign(tp0), fetch(tp0, 0, "a"), fetch(tp0, 1, "b")},
			set: func(r *rig) {
				r.sink.put = func(rs []connect.SinkRecord) error {
					if len(rs) > 0 && rs[0].Offset == 1 {
						return errors.New("broken")
					}
					return nil
				}
			},
			want: []string{"start", "status RUNNING", "resume [t-0]", "open [t-0]", "put [0]", "put [1]",
				"close [t-0]", "commit at close map[t-0:1]", "stop", "leave", "status FAILED"},
		},
		{
			name:   "a panic of the plugin fails the task only",
			script: []func(c *fakeConsumer) []kafka.Batch{assign(tp0), fetch(tp0, 0, "a")},
			set: func(r *rig) {
				r.sink.put = func(rs []connect.SinkRecord) error {
					if len(rs) > 0 {
						panic("oops")
					}
					return nil
				}
			},
			want: []string{"start", "status RUNNING", "resume [t-0]", "open [t-0]", "put [0]",
				"close [t-0]", "stop", "leave", "status FAILED"},
		},
		{
			name: "a failed start is stopped",
			set:  func(r *rig) { r.sink.startErr = errors.New("no") },
			want: []string{"start", "stop", "leave", "status FAILED"},
		},
		{
			name:   "an offset of the task is sought before the next poll and is the one committed",
			script: []func(c *fakeConsumer) []kafka.Batch{assign(tp0), fetch(tp0, 0, "a", "b")},
			set: func(r *rig) {
				r.sink.put = func(rs []connect.SinkRecord) error {
					if len(rs) > 0 {
						r.sink.tc.Offset(tp0, 1)
					}
					return nil
				}
			},
			want: []string{"start", "status RUNNING", "resume [t-0]", "open [t-0]", "put [0 1]", "seek t-0 to 1",
				"close [t-0]", "stop", "leave", "status UNASSIGNED"},
		},
		{
			name:   "records that cannot be converted are skipped with tolerance all and count as consumed",
			tol:    tolerance.Config{All: true},
			script: []func(c *fakeConsumer) []kafka.Batch{assign(tp0), fetch(tp0, 0, "a", "bad", "c", "bad")},
			want: []string{"start", "status RUNNING", "resume [t-0]", "open [t-0]", "put [0 2]",
				"close [t-0]", "commit at close map[t-0:4]", "stop", "leave", "status UNASSIGNED"},
		},
		{
			name:   "and fail the task without",
			script: []func(c *fakeConsumer) []kafka.Batch{assign(tp0), fetch(tp0, 0, "a", "bad")},
			want: []string{"start", "status RUNNING", "resume [t-0]", "open [t-0]",
				"close [t-0]", "stop", "leave", "status FAILED"},
		},
		{
			name: "partitions that are revoked are committed, closed and forgotten",
			script: []func(c *fakeConsumer) []kafka.Batch{assign(tp0, tp1), fetch(tp0, 0, "a"), fetch(tp1, 0, "b"),
				func(c *fakeConsumer) []kafka.Batch {
					c.assigned = c.assigned[1:]
					if err := c.listener.Revoked(context.Background(), []connect.TopicPartition{tp0}); err != nil {
						panic(err)
					}
					return nil
				}},
			want: []string{"start", "status RUNNING", "resume [t-0]", "resume [t-1]", "open [t-0 t-1]", "put [0]", "put [0]",
				"close [t-0]", "commit at close map[t-0:1]",
				"close [t-1]", "commit at close map[t-1:1]", "stop", "leave", "status UNASSIGNED"},
		},
		{
			name: "partitions that are lost are closed without a commit, their pending records dropped",
			script: []func(c *fakeConsumer) []kafka.Batch{assign(tp0, tp1), fetch(tp0, 0, "a"),
				func(c *fakeConsumer) []kafka.Batch {
					c.assigned = c.assigned[1:]
					if err := c.listener.Lost(context.Background(), []connect.TopicPartition{tp0}); err != nil {
						panic(err)
					}
					return fetch(tp1, 9, "b")(c)
				}},
			set: func(r *rig) { r.sink.put = failOnce(&connect.RetriableError{Err: errors.New("later")}) },
			want: []string{"start", "status RUNNING", "resume [t-0]", "resume [t-1]", "open [t-0 t-1]", "put [0]", "pause [t-0 t-1]",
				"close [t-0]", "put [9]", "resume [t-1]",
				"close [t-1]", "commit at close map[t-1:10]", "stop", "leave", "status UNASSIGNED"},
		},
		{
			name:   "an offset beyond what was consumed is not committed",
			script: []func(c *fakeConsumer) []kafka.Batch{assign(tp0), fetch(tp0, 0, "a")},
			set: func(r *rig) {
				r.sink.preCommit = func(map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
					return map[connect.TopicPartition]int64{tp0: 99, tp1: 5}, nil
				}
			},
			want: []string{"start", "status RUNNING", "resume [t-0]", "open [t-0]", "put [0]",
				"close [t-0]", "stop", "leave", "status UNASSIGNED"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.tol, tc.script...)
			if tc.set != nil {
				tc.set(r)
			}
			if diff := cmp.Diff(tc.want, r.run()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestOffsetsAreCommittedWhenTheIntervalIsOver(t *testing.T) {
	r := newRig(t, tolerance.Config{}, assign(tp0), fetch(tp0, 0, "a"), nothing, nothing)
	r.task.flushInterval = time.Nanosecond
	got := strings.Join(r.run(), "; ")
	if !strings.Contains(got, "put [0]; commit map[t-0:1]; close") || strings.Contains(got, "commit at close") {
		t.Errorf("one asynchronous commit is wanted: %s", got)
	}
}

func TestAPreCommitThatFailsRewindsToTheLastCommittedOffsets(t *testing.T) {
	r := newRig(t, tolerance.Config{}, assign(tp0), fetch(tp0, 0, "a"), nothing)
	r.task.flushInterval = time.Nanosecond
	calls := 0
	r.sink.preCommit = func(o map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
		if calls++; calls == 2 {
			return nil, errors.New("cannot flush")
		}
		return o, nil
	}
	if got := strings.Join(r.run(), "; "); !strings.Contains(got, "put [0]; seek t-0 to 0") {
		t.Errorf("no rewind: %s", got)
	}
}

func TestAPausedTaskKeepsPollingAndResumes(t *testing.T) {
	r := newRig(t, tolerance.Config{}, assign(tp0),
		func(c *fakeConsumer) []kafka.Batch { return nil })
	r.consumer.script = append(r.consumer.script,
		func(*fakeConsumer) []kafka.Batch { r.task.setTarget(connect.TargetPaused); return nil },
		func(c *fakeConsumer) []kafka.Batch {
			if !c.paused[tp0] {
				t.Error("the partition is not paused")
			}
			r.task.setTarget(connect.TargetStarted)
			return nil
		})
	got := strings.Join(r.run(), "; ")
	if !strings.Contains(got, "pause [t-0]; status PAUSED") || !strings.Contains(got, "resume [t-0]; status RUNNING; ") {
		t.Errorf("trace %s", got)
	}
}

func TestATaskCreatedPausedStartsWhenItIsResumed(t *testing.T) {
	r := newRig(t, tolerance.Config{})
	r.task.target = connect.TargetPaused
	paused := make(chan struct{})
	r.task.statuses.Store.(*fakeStatuses).paused = paused
	go func() {
		<-paused
		r.task.setTarget(connect.TargetStarted)
	}()
	got := r.run()
	if len(got) < 3 || got[0] != "status PAUSED" || got[1] != "start" || got[2] != "status RUNNING" {
		t.Errorf("trace %v", got)
	}
}

func TestATaskThatHangsIsAbandonedAndSilent(t *testing.T) {
	r := newRig(t, tolerance.Config{}, assign(tp0), fetch(tp0, 0, "a"))
	hanging := make(chan struct{})
	ctx, release := context.WithCancel(t.Context())
	r.sink.put = func(rs []connect.SinkRecord) error {
		if len(rs) > 0 {
			close(hanging)
			<-ctx.Done()
		}
		return nil
	}
	go r.task.run(t.Context(), r.task)
	<-hanging
	r.task.requestStop()
	over := make(chan time.Time)
	close(over)
	if r.task.await(over) {
		t.Error("the task counts as stopped")
	}
	before := len(r.all())
	release()
	<-r.task.done
	for _, line := range r.all()[before:] {
		if strings.HasPrefix(line, "status") {
			t.Errorf("the abandoned task wrote %q", line)
		}
	}
}
