package group

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// live is a member in a real conversation, with a worker that rejoins where a herder would.
type live struct {
	t      *testing.T
	worker *worker
	member *Member
	stop   context.CancelFunc
	done   chan error
}

func start(t *testing.T, c *kafkatest.Cluster, b *board, name, connectProtocol string, maxDelay time.Duration, config map[string]int) *live {
	t.Helper()
	l := &live{t: t, worker: &worker{name: name, board: b, config: clusterOf(1, config), assigned: make(chan Assignment, 100),
		stopTime: 20 * time.Millisecond}, done: make(chan error, 1)}
	m, err := NewMember(t.Context(), Options{
		GroupID: "connect-cluster", WorkerID: name, URL: "http://" + name + "/", Client: c.Props("client.id", "connect-"+name),
		SessionTimeout: 6 * time.Second, RebalanceTimeout: 6 * time.Second, HeartbeatInterval: 50 * time.Millisecond,
		RetryBackoff: 5 * time.Millisecond, MaxDelay: maxDelay, Protocol: connectProtocol, Log: zaptest.NewLogger(t).Named(name),
	}, l.worker)
	if err != nil {
		t.Fatal(err)
	}
	l.member = m
	ctx, cancel := context.WithCancel(t.Context())
	l.stop = cancel
	go func() { l.done <- m.Run(ctx) }()
	t.Cleanup(l.end)
	return l
}

func (l *live) end() {
	l.stop()
	if err := <-l.done; err != nil && !errors.Is(err, context.Canceled) {
		l.t.Errorf("%s: %v", l.worker.name, err)
	}
	l.done <- nil
}

// until follows assignments, as a herder does, until one is right.
func until(t *testing.T, what string, right func() bool, members ...*live) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !right() {
		var a Assignment
		var l *live
		select {
		case a = <-members[0].worker.assigned:
			l = members[0]
		case a = <-members[len(members)-1].worker.assigned:
			l = members[len(members)-1]
		case <-time.After(10 * time.Millisecond): // the board changes by revocations, too
			continue
		case <-deadline:
			t.Fatalf("never: %s; runs %v", what, members[0].worker.board)
		}
		if len(a.RevokedConnectors)+len(a.RevokedTasks) > 0 {
			l.member.Rejoin("revoked work can be assigned")
		}
		if a.Delay > 0 {
			time.AfterFunc(a.Delay, func() { l.member.Rejoin("the scheduled rebalance delay is over") })
		}
	}
}

func TestTwoMembersShareTheWork(t *testing.T) {
	for _, connectProtocol := range []string{"sessioned", "eager"} {
		t.Run(connectProtocol, func(t *testing.T) {
			c := kafkatest.New(t)
			b := newBoard(t)
			config := map[string]int{"c": 6, "d": 2}
			first := start(t, c, b, "a:1", connectProtocol, 0, config)
			until(t, "the first runs everything", func() bool { return b.count("a:1") == 10 }, first)

			second := start(t, c, b, "b:1", connectProtocol, 0, config)
			until(t, "each runs a half", func() bool {
				told := first.worker.lastAssignment().Generation == second.worker.lastAssignment().Generation
				return told && b.count("a:1") == 5 && b.count("b:1") == 5
			}, first, second)
			until(t, "the leader names the owner of c", func() bool {
				url := first.member.OwnerURL(assignor.Connector("c")) + second.member.OwnerURL(assignor.Connector("c"))
				return url == "http://a:1/" || url == "http://b:1/"
			}, first, second)

			// The first goes: the second takes over, as the leader now.
			b.set("a:1", nil) // it stops everything before it leaves
			first.end()
			until(t, "the second runs everything", func() bool { return b.count("b:1") == 10 }, second)
			if a := second.worker.lastAssignment(); !a.IsLeader {
				t.Errorf("%+v", a)
			}
		})
	}
}

// two starts two members, and returns them when both have a share of the work that is the
// last of the rebalances: who leads, and who does not. Which of them leads is up to Kafka.
func two(t *testing.T, c *kafkatest.Cluster, b *board, maxDelay time.Duration, config map[string]int) (leads, follows *live) {
	t.Helper()
	all := 0
	for _, tasks := range config {
		all += 1 + tasks
	}
	first := start(t, c, b, "a:1", "sessioned", maxDelay, config)
	until(t, "the first runs everything", func() bool { return b.count("a:1") == all }, first)
	second := start(t, c, b, "b:1", "sessioned", maxDelay, config)
	until(t, "they share", func() bool {
		told := first.worker.lastAssignment().Generation == second.worker.lastAssignment().Generation
		return told && b.count("a:1") > 0 && b.count("b:1") > 0 && b.count("a:1")+b.count("b:1") == all
	}, first, second)
	if second.worker.lastAssignment().IsLeader {
		return second, first
	}
	return first, second
}

// The work of a follower that goes away waits for its return, and is given away then.
func TestLostWorkWaits(t *testing.T) {
	c := kafkatest.New(t)
	b := newBoard(t)
	leads, follows := two(t, c, b, 300*time.Millisecond, map[string]int{"c": 3})
	follows.end()
	b.set(follows.worker.name, nil)
	waited := false
	until(t, "the leader runs everything", func() bool {
		waited = waited || leads.worker.lastAssignment().Delay > 0
		return b.count(leads.worker.name) == 4
	}, leads)
	if !waited {
		t.Error("the work was given away at once")
	}
}

// The work of a follower that has stopped before it leaves does not wait, however long the
// delay is, and comes back to it when it returns.
func TestStoppedWorkIsHandedOver(t *testing.T) {
	c := kafkatest.New(t)
	b := newBoard(t)
	config := map[string]int{"c": 5}
	leads, follows := two(t, c, b, 5*time.Minute, config)
	stays, goes, last := leads.worker.name, follows.worker.name, follows.worker.lastAssignment()
	leads.worker.mu.Lock()
	leads.worker.statuses = said(connect.StateUnassigned, goes, last.Generation, assignor.Items(last.Connectors, last.Tasks)...)
	leads.worker.mu.Unlock()
	b.set(goes, nil)
	follows.end()
	began := time.Now()
	until(t, "the leader has taken over", func() bool { return b.count(stays) == 6 }, leads)
	t.Logf("handed over in %v", time.Since(began))
	back := start(t, c, b, goes, "sessioned", 5*time.Minute, config)
	until(t, "they share again", func() bool { return b.count(stays) > 0 && b.count(goes) > 0 && b.count(stays)+b.count(goes) == 6 }, leads, back)
}
