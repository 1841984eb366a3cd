package worker

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/tolerance"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// openingSink is a fakeSink that does something in Open.
type openingSink struct {
	*fakeSink
	open func()
}

func (s *openingSink) Open(ctx context.Context, tps []connect.TopicPartition) error {
	s.open()
	return s.fakeSink.Open(ctx, tps)
}

// idle is the listener of another member.
type idle struct{}

func (idle) Assigned(context.Context, []connect.TopicPartition) error { return nil }
func (idle) Revoked(context.Context, []connect.TopicPartition) error  { return nil }
func (idle) Lost(context.Context, []connect.TopicPartition) error     { return nil }

// A panic within a rebalance unwinds through the consumer, which the task closes meanwhile.
func TestASinkThatPanicsInARebalanceFails(t *testing.T) {
	for _, at := range []string{"Open", "PreCommit", "every PreCommit"} {
		t.Run(at, func(t *testing.T) {
			c := kafkatest.New(t)
			c.Topic("t", 1)
			props := c.Props("group.id", "g", "heartbeat.interval.ms", "20", "client.id", "")
			sub := kafka.Subscription{Topics: []string{"t"}}
			r := newRig(t, tolerance.Config{})
			r.task.newConsumer = func(ctx context.Context, l kafka.RebalanceListener) (consumer, error) {
				return kafka.NewGroupConsumer(ctx, props, sub, l, zap.NewNop())
			}
			opened := make(chan struct{}, 1)
			panicking := true
			once := func() {
				if panicking {
					panicking = at == "every PreCommit"
					panic("oh")
				}
			}
			sink := &openingSink{r.sink, func() { opened <- struct{}{} }}
			if at == "Open" {
				sink.open = once
			} else {
				r.sink.preCommit = func(offsets map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
					once()
					return offsets, nil
				}
			}
			r.task.sink = sink
			go r.task.run(t.Context(), r.task)
			if at != "Open" {
				<-opened
				joinGroup(t, props, sub)
			}
			select {
			case <-r.task.done:
			case <-time.After(20 * time.Second):
				t.Fatalf("the task hangs after\n%v", r.all())
			}
			if lines := r.all(); lines[len(lines)-1] != "status FAILED" || !slices.Contains(lines, "stop") {
				t.Errorf("%v", lines)
			}
			left := 0
			if at != "Open" {
				left = 1
			}
			if n := len(c.GroupInfo("g").Members); n != left {
				t.Errorf("%d members in the group", n)
			}
		})
	}
}

// joinGroup runs another member of a group until the test ends.
func joinGroup(t *testing.T, props map[string]string, sub kafka.Subscription) {
	t.Helper()
	other, err := kafka.NewGroupConsumer(t.Context(), props, sub, idle{}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if _, err := other.Poll(ctx, 10*time.Millisecond); err != nil && ctx.Err() == nil {
				t.Errorf("the other member: %v", err)
				return
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if err := other.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
