package kafka

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// joiningPair are two cooperative members with one partition each. The second is in the
// middle of a rebalance that a third member has begun.
type joiningPair struct {
	c             *kafkatest.Cluster
	first, second *pump
}

// newJoiningPair brings the second member to a state and keeps it there, until release is
// called: unless the first member polls, not all have joined; and as long as it, the leader,
// does not assign, nobody goes on.
func newJoiningPair(t *testing.T, hold memberState) (j *joiningPair, release func()) {
	c := groupCluster(t)
	c.Topic("t", 2)
	props := groupProps(c, strategyKey, cooperativeClass)
	assigning, free := make(chan struct{}, 100), make(chan struct{})
	held := false
	j = &joiningPair{c: c}
	j.first = startPump(t, props, topicT, func(p *pump) {
		p.settings.assignors = slices.Clone(p.settings.assignors)
		assign := p.settings.assignors[0].assign
		p.settings.assignors[0].assign = func(counts map[string]int32, members []subscriber) map[string][]connect.TopicPartition {
			if len(members) == 3 && !held {
				held = true
				assigning <- struct{}{}
				<-free
			}
			return assign(counts, members)
		}
	})
	eventually(t, "the first to own both", func() bool { return len(j.first.Assignment()) == 2 })
	j.second = startPump(t, props, topicT, nil)
	eventually(t, "both to own one", func() bool {
		return len(j.first.Assignment()) == 1 && len(j.second.Assignment()) == 1 && j.first.settled() && j.second.settled()
	})
	if hold == stateJoining {
		blocked := make(chan struct{})
		j.first.tasks <- func(context.Context) { close(blocked); <-free }
		<-blocked
	}
	startPump(t, props, topicT, nil)
	eventually(t, "the second to join", func() bool { return j.second.memberState() == hold })
	if hold == stateSyncing {
		<-assigning
	}
	return j, func() { close(free) }
}

func (p *pump) memberState() memberState {
	p.member.mu.Lock()
	defer p.member.mu.Unlock()
	return p.member.state
}

// settled reports whether no rebalance is under way or wanted.
func (p *pump) settled() bool {
	p.member.mu.Lock()
	defer p.member.mu.Unlock()
	return p.member.state == stateStable && !p.member.rejoin && !p.member.prepared
}

// lastCommit stops the second member, as a task that stops does, and commits.
func (j *joiningPair) lastCommit(t *testing.T, offset int64) error {
	t.Helper()
	var err error
	j.second.do(t, func(ctx context.Context) {
		err = j.second.CommitSync(ctx, map[connect.TopicPartition]int64{j.second.Assignment()[0]: offset})
	})
	return err
}

// A task that is stopped in the middle of a rebalance commits what it has kept: its records
// must not come again.
func TestALastCommitIsTakenWhileOthersHaveNotJoined(t *testing.T) {
	j, release := newJoiningPair(t, stateJoining)
	defer release()
	of := j.second.Assignment()[0]
	if err := j.lastCommit(t, 9); err != nil {
		t.Error(err)
	}
	if got := committedIn(j.c, "t"); !maps.Equal(got, map[int32]int64{of.Partition: 9}) {
		t.Errorf("committed %v of %v", got, of)
	}
	if j.second.memberState() != stateJoining {
		t.Error("the rebalance has gone on")
	}
}

func TestALastCommitWaitsForTheLeadersAssignment(t *testing.T) {
	j, release := newJoiningPair(t, stateSyncing)
	of := j.second.Assignment()[0]
	timer := time.AfterFunc(300*time.Millisecond, release)
	defer timer.Stop()
	if err := j.lastCommit(t, 9); err != nil {
		t.Error(err)
	}
	if got := committedIn(j.c, "t"); !maps.Equal(got, map[int32]int64{of.Partition: 9}) {
		t.Errorf("committed %v of %v", got, of)
	}
}

// A leader that does not come to assign costs the commit, not the time to stop in order.
func TestALastCommitDoesNotWaitForEver(t *testing.T) {
	j, release := newJoiningPair(t, stateSyncing)
	defer release()
	began := time.Now()
	if err := j.lastCommit(t, 9); !errors.Is(err, ErrRebalanceInProgress) {
		t.Errorf("commit: %v", err)
	}
	if took := time.Since(began); took > rebalanceWait+5*time.Second {
		t.Errorf("took %v", took)
	}
	if events := j.second.eventList(); slices.ContainsFunc(events, func(e string) bool { return e[:4] == "lost" }) {
		t.Errorf("the refusals cost the membership: %q", events)
	}
}

// An answer to a commit of the last generation that comes when the group has gone on does
// not cost the membership.
func TestAStaleCommitDoesNotCostTheMembership(t *testing.T) {
	for _, state := range []memberState{stateJoining, stateSyncing} {
		gen := Generation{ID: 3, MemberID: "m"}
		m := &Membership{log: testLog(t), wake: make(chan struct{}, 1), state: state, current: gen, last: gen, rebalancing: true}
		err := m.commitRefused(gen, brokerError(sarama.ErrIllegalGeneration, ""))
		if !errors.Is(err, ErrRebalanceInProgress) || m.lost || m.current != gen {
			t.Errorf("state %d: %v, lost %v", state, err, m.lost)
		}
	}
}
