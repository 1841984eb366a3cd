package kafka

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// GroupProtocol is one protocol a member offers, with its metadata.
type GroupProtocol struct {
	Name     string
	Metadata []byte
}

// GroupMember is a member as the leader sees it.
type GroupMember struct {
	ID       string
	Metadata []byte
}

// Generation is one completed rebalance. The zero Generation means: not a stable member.
type Generation struct {
	ID       int32
	MemberID string
	LeaderID string
	Protocol string
}

// MembershipConfig has the settings of a group member; the names are the Java properties.
type MembershipConfig struct {
	GroupID           string
	ProtocolType      string // "connect" or "consumer"
	SessionTimeout    time.Duration
	RebalanceTimeout  time.Duration
	HeartbeatInterval time.Duration
	RetryBackoff      time.Duration
	// EvictOwnClientID removes members of the group that have our own client.id
	// before the first join: the ghost of a worker that was killed.
	EvictOwnClientID bool
}

// MembershipHandler is told what happens to a member. Its methods are called one
// after the other from Membership.Run's goroutine; heartbeats go on meanwhile.
type MembershipHandler interface {
	// Protocols returns what is offered, in order of preference, at every join.
	Protocols(ctx context.Context) ([]GroupProtocol, error)
	// JoinPrepare is called before every join; what must be given up is given up
	// before it returns. lost: the membership was taken away (unknown member, fenced,
	// session over), nothing may be committed any more.
	JoinPrepare(ctx context.Context, last Generation, lost bool) error
	// Assign computes the assignments, keyed by member id. Only the leader's is called.
	Assign(ctx context.Context, gen Generation, members []GroupMember) (map[string][]byte, error)
	// Joined is called with the member's own assignment.
	Joined(ctx context.Context, gen Generation, assignment []byte) error
	// CoordinatorLost is called when the coordinator could not be found for a
	// heartbeat interval and a session timeout has passed since the last answer.
	CoordinatorLost(ctx context.Context)
}

// Membership keeps one member in a group (Java: AbstractCoordinator).
type Membership struct{}

// NewMembership returns a member that did not join yet. props are Java client properties.
func NewMembership(ctx context.Context, props map[string]string, cfg MembershipConfig, h MembershipHandler, log *zap.Logger) (*Membership, error) {
	panic("not written yet")
}

// Run joins, heartbeats and rejoins until ctx ends; then it leaves the group with
// leaveReason. It returns an error only when the group cannot be joined for good
// (authorisation, inconsistent protocol …) or the handler failed.
func (m *Membership) Run(ctx context.Context) error { panic("not written yet") }

// Rejoin asks for a new rebalance. Safe for concurrent use.
func (m *Membership) Rejoin(reason string) { panic("not written yet") }

// LeaveAndRejoin leaves the group now with a reason and joins again, as a new member, after delay.
func (m *Membership) LeaveAndRejoin(reason string, delay time.Duration) { panic("not written yet") }

// Generation returns the current generation, zero while a rebalance is under way.
func (m *Membership) Generation() Generation { panic("not written yet") }
