package kafka

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// brittle is an application whose listener panics.
type brittle struct {
	*GroupConsumer
	c    *kafkatest.Cluster
	pump *pump // only its listener
}

// newBrittle returns a consumer whose listener panics, or ends its goroutine, at an event.
func newBrittle(t *testing.T, at string, breaks func(), pairs ...string) *brittle {
	c := groupCluster(t)
	c.Topic("t", 2)
	b := &brittle{c: c, pump: &pump{}}
	b.pump.onEvent = func(_ context.Context, kind string, _ []connect.TopicPartition) error {
		if kind == at {
			breaks()
		}
		return nil
	}
	g, err := NewGroupConsumer(t.Context(), groupProps(c, pairs...), topicT, b.pump, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	b.GroupConsumer = g
	t.Cleanup(g.inner.cluster.close)
	t.Cleanup(g.cancel)
	return b
}

// inTask runs fn as a task does, and returns what it panicked with, nil if its goroutine
// just ended.
func inTask(t *testing.T, what string, fn func()) any {
	t.Helper()
	ended := make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		fn()
	}()
	return receive(t, what, ended)
}

// pollOn polls until the listener breaks it; after the first assignment it calls then.
func (b *brittle) pollOn(t *testing.T, then func()) any {
	t.Helper()
	return inTask(t, "the panic to come through Poll", func() {
		for t.Context().Err() == nil {
			if then != nil && b.pump.lastEvent() != "" {
				then()
				then = nil
			}
			if _, err := b.Poll(t.Context(), 10*time.Millisecond); err != nil {
				t.Error(err)
				return
			}
		}
	})
}

// closes checks that Close ends everything and leaves the group.
func (b *brittle) closes(t *testing.T) {
	t.Helper()
	b.pump.onEvent = nil
	b.ends(t)
	b.awaitGone(t)
}

func (b *brittle) ends(t *testing.T) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- b.Close(t.Context()) }()
	if err := receive(t, "Close to return", done); err != nil {
		t.Error(err)
	}
}

func (b *brittle) awaitGone(t *testing.T) {
	t.Helper()
	eventually(t, "the member to leave", func() bool {
		info := b.c.GroupInfo("g")
		return info == nil || len(info.Members) == 0
	})
}

// A plugin that panics while it is given partitions, or gives them up, fails its task, which
// closes the consumer. Nobody may wait for the callback that never returned.
func TestGroupConsumerClosesAfterAPanicOfTheListener(t *testing.T) {
	for _, test := range []struct {
		at    string
		then  func(b *brittle) // makes it happen
		pairs []string
	}{
		{at: "assigned"},
		{at: "revoked", then: func(b *brittle) { b.member.Rejoin("test") }},
		{
			at: "lost", then: func(b *brittle) { b.c.FailOnce(kmsg.Heartbeat, kerr.UnknownMemberID) },
			pairs: []string{"session.timeout.ms", "1000"}, // of the id that is thrown away
		},
	} {
		for how, breaks := range map[string]func(){"panic": func() { panic("oh") }, "goexit": runtime.Goexit} {
			t.Run(test.at+"/"+how, func(t *testing.T) {
				t.Parallel()
				b := newBrittle(t, test.at, breaks, test.pairs...)
				then := func() {}
				if test.then != nil {
					then = func() { test.then(b) }
				}
				if p := b.pollOn(t, then); (p == "oh") != (how == "panic") {
					t.Errorf("ended with %v", p)
				}
				joins := b.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Observe: true, Count: -1})
				if _, err := b.Poll(t.Context(), 50*time.Millisecond); !errors.Is(err, errListenerPanicked) {
					t.Errorf("the next Poll returned %v", err)
				}
				b.closes(t)
				if joins.Hits() > 0 {
					t.Error("the rebalance went on as if the listener had agreed")
				}
			})
		}
	}
}

// What was consumed before the panic can still be committed: the task does so when it ends.
func TestGroupConsumerCommitsAfterAPanicOfTheListener(t *testing.T) {
	b := newBrittle(t, "assigned", func() { panic("oh") })
	b.pollOn(t, nil)
	if err := b.CommitSync(t.Context(), map[connect.TopicPartition]int64{tp("t", 0): 7}); err != nil {
		t.Error(err)
	}
	b.closes(t)
	if got := committedIn(b.c, "t")[0]; got != 7 {
		t.Errorf("committed %d", got)
	}
}

// In the second half of a cooperative rebalance the listener is called within Joined.
func TestGroupConsumerClosesAfterAPanicInACooperativeRebalance(t *testing.T) {
	b := newBrittle(t, "revoked", func() { panic("oh") }, strategyKey, cooperativeClass)
	second := func() { startPump(t, groupProps(b.c, strategyKey, cooperativeClass), topicT, nil) }
	if p := b.pollOn(t, second); p != "oh" {
		t.Errorf("ended with %v", p)
	}
	b.pump.onEvent = nil
	b.ends(t)
	eventually(t, "the other alone", func() bool { return len(b.c.GroupInfo("g").Members) == 1 })
}

// A rebalance that waits for Poll is not lost when a commit's callback, which runs before
// it, panics.
func TestGroupConsumerClosesAfterAPanicOfACallback(t *testing.T) {
	b := newBrittle(t, "", nil)
	waiting := func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.pending != nil
	}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a step for Poll", waiting)
	b.mu.Lock()
	b.callbacks = append(b.callbacks, func() { panic("oh") })
	b.mu.Unlock()
	if p := b.pollOn(t, nil); p != "oh" {
		t.Errorf("ended with %v", p)
	}
	b.closes(t)
}

// When the listener panics in Close, the group is left all the same.
func TestGroupConsumerLeavesWhenTheListenerPanicsInClose(t *testing.T) {
	b := newBrittle(t, "revoked", func() { panic("oh") })
	for b.pump.lastEvent() == "" {
		if _, err := b.Poll(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if p := inTask(t, "Close to end", func() { _ = b.Close(t.Context()) }); fmt.Sprint(p) != "oh" {
		t.Errorf("ended with %v", p)
	}
	b.awaitGone(t)
}
