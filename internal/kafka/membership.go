package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/config"
)

// GroupProtocol is one protocol a member offers, with its metadata.
type GroupProtocol struct {
	Name     string
	Metadata []byte
}

// GroupMember is a member as the leader sees it.
type GroupMember struct {
	ID         string
	InstanceID string // group.instance.id, "" for a dynamic member
	Metadata   []byte
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
	GroupID           string        // group.id, required
	ProtocolType      string        // "connect" or "consumer"
	SessionTimeout    time.Duration // session.timeout.ms
	RebalanceTimeout  time.Duration // rebalance.timeout.ms or max.poll.interval.ms
	HeartbeatInterval time.Duration // heartbeat.interval.ms, below SessionTimeout
	RetryBackoff      time.Duration // 0: retry.backoff.ms of the properties
	// EvictOwnClientID removes members of the group that have our own client.id
	// before the first join: the ghost of a worker that was killed. Members with a
	// group.instance.id stay. Without the permission to do it, nothing happens.
	EvictOwnClientID bool
}

// MembershipHandler is told what happens to a member. Its methods are called one
// after the other from Membership.Run's goroutine; heartbeats go on meanwhile. A
// method that takes longer than RebalanceTimeout costs the membership.
type MembershipHandler interface {
	// Protocols returns what is offered, in order of preference, at every join.
	Protocols(ctx context.Context) ([]GroupProtocol, error)
	// JoinPrepare is called before every join; what must be given up is given up
	// before it returns. lost: the membership was taken away (unknown member, fenced,
	// session over), nothing may be committed any more. It is called a second time
	// for the same join when the membership got lost meanwhile.
	JoinPrepare(ctx context.Context, last Generation, lost bool) error
	// Assign computes the assignments, keyed by member id. Only the leader's is called.
	Assign(ctx context.Context, gen Generation, members []GroupMember) (map[string][]byte, error)
	// Joined is called with the member's own assignment.
	Joined(ctx context.Context, gen Generation, assignment []byte) error
	// CoordinatorLost is called when the coordinator could not be found, or not be
	// reached, for a heartbeat interval more than a session timeout since its last
	// answer. The membership counts as lost; it is sought again as soon as there is a
	// coordinator.
	CoordinatorLost(ctx context.Context)
}

// memberState is where a member stands (Java: AbstractCoordinator.MemberState).
//
//	          JoinGroup sent          answered            SyncGroup answered
//	unjoined ───────────────▶ joining ────────▶ syncing ─────────────────────▶ stable
//	    ▲                        │                 │                              │
//	    └──── refused, left ─────┴─────────────────┴──── unknown member, left ────┘
type memberState int

const (
	stateUnjoined memberState = iota
	stateJoining              // no heartbeats: the broker knows that we wait
	stateSyncing
	stateStable
)

// Membership keeps one member in a group (Java: AbstractCoordinator).
//
// Run's goroutine joins and calls the handler; a second one, owned by Run, sends
// heartbeats and leaves when asked to. JoinGroup and SyncGroup block for up to the
// rebalance timeout, so they have a connection of their own, open only meanwhile.
type Membership struct {
	cfg          MembershipConfig
	handler      MembershipHandler
	log          *zap.Logger
	settings     *clientSettings
	joinSettings *clientSettings // with a read timeout beyond the rebalance timeout
	cluster      *cluster
	ownsCluster  bool
	instanceID   *string // group.instance.id of a static member
	// polled: the handler runs in Poll's goroutine (GroupConsumer). It watches
	// max.poll.interval.ms itself, and keeps its partitions while there is no
	// coordinator, as the Java consumer does.
	polled bool

	looking chan struct{} // held by who looks for the coordinator
	wake    chan struct{} // Run has something to do
	beat    chan struct{} // the heartbeat goroutine has something to do
	evicted bool          // of Run's goroutine: the group was searched for ghosts

	mu           sync.Mutex
	coord        *node // nil: unknown
	coordFound   time.Time
	reach        coordinatorReach
	state        memberState
	current      Generation // of the join under way or done; ID -1: none
	last         Generation // the last that was completed and not lost
	rejoin       bool
	rejoinReason string
	rebalancing  bool // between JoinPrepare and Joined: heartbeats ask for no rejoin
	prepared     bool // JoinPrepare was called since the last Joined
	lost         bool // the membership was taken away, and JoinPrepare not told yet
	active       bool // Joined was called, and CoordinatorLost was not since
	leaveReason  string
	holdUntil    time.Time // no join before
	fatal        error
	lastAnswer   time.Time // of the coordinator, to this member
	confirmed    time.Time // when the last request was sent that confirmed the membership
	nextBeat     time.Time
	joined       time.Time // when the last rebalance was over for us
	handlerSince time.Time // zero: no handler method is running
}

const (
	noGeneration = -1
	// leaveReason is the JVM's, for workers too.
	leaveReason = "the consumer is being closed"
	// leaveTimeout bounds the farewell: the broker finds out by itself, too.
	leaveTimeout = 5 * time.Second
	// maxReason is what brokers accept of a reason (KIP-800).
	maxReason = 255
)

// NewMembership returns a member that did not join yet. props are Java client
// properties; the member has connections of its own, open while Run runs.
// Wrong settings are reported all at once as *config.Error.
func NewMembership(ctx context.Context, props map[string]string, cfg MembershipConfig, h MembershipHandler, log *zap.Logger) (*Membership, error) {
	r := newPropReader(props)
	s := readClientSettings(r, consumerReceiveBuffer)
	if err := errors.Join(r.err(), cfg.check()); err != nil {
		return nil, err
	}
	cl, err := newCluster(ctx, s, log)
	if err != nil {
		return nil, err
	}
	m := newMembership(cl, cfg, h, log)
	m.ownsCluster = true
	return m, nil
}

func (cfg MembershipConfig) check() error {
	var errs []error
	if cfg.GroupID == "" {
		errs = append(errs, &config.Error{Key: "group.id", Msg: "Missing required configuration \"group.id\" which has no default value." +
			" To use the group management, a valid group.id must be provided in the configuration."})
	}
	if cfg.HeartbeatInterval >= cfg.SessionTimeout {
		errs = append(errs, &config.Error{Key: "heartbeat.interval.ms", Msg: fmt.Sprintf("Heartbeat must be set lower than the session timeout."+
			" heartbeat.interval.ms is %d, session.timeout.ms is %d", cfg.HeartbeatInterval.Milliseconds(), cfg.SessionTimeout.Milliseconds())})
	}
	return errors.Join(errs...)
}

func newMembership(cl *cluster, cfg MembershipConfig, h MembershipHandler, log *zap.Logger) *Membership {
	if cfg.RetryBackoff <= 0 {
		cfg.RetryBackoff = cl.settings.retryBackoff
	}
	// sarama gives up a JoinGroup at Net.ReadTimeout; the broker answers it when
	// the rebalance timeout is over, at the latest.
	patient := *cl.settings
	saramaConfig := *cl.settings.sarama
	saramaConfig.Net.ReadTimeout = max(saramaConfig.Net.ReadTimeout, cfg.RebalanceTimeout+5*time.Second)
	patient.sarama = &saramaConfig
	return &Membership{
		cfg: cfg, handler: h, log: log.With(zap.String("group", cfg.GroupID)),
		settings: cl.settings, joinSettings: &patient, cluster: cl,
		looking: make(chan struct{}, 1), wake: make(chan struct{}, 1), beat: make(chan struct{}, 1),
		current: Generation{ID: noGeneration},
	}
}

// Run joins, heartbeats and rejoins until ctx ends; then it leaves the group. It
// returns an error only when the group cannot be joined for good (authorisation,
// inconsistent protocol, fenced …) or the handler failed. It may be called once.
func (m *Membership) Run(ctx context.Context) error {
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { m.heartbeat(beating) })
	err := m.run(ctx)
	stop()
	wg.Wait()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	m.leave(bounded, leaveReason)
	if n := m.dropCoordinator(nil); n != nil {
		n.retire()
	}
	if m.ownsCluster {
		m.cluster.close()
	}
	return err
}

func (m *Membership) run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := m.step(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// step does the next thing that is due, or waits for one.
func (m *Membership) step(ctx context.Context) error {
	if err := m.fatalError(); err != nil {
		return err
	}
	if err := m.awaitCoordinator(ctx); err != nil {
		return err
	}
	m.loseCoordinator(ctx)
	wait, join := m.due(time.Now())
	if join {
		return m.rebalance(ctx)
	}
	t := time.NewTimer(min(wait, m.untilLost()))
	defer t.Stop()
	select {
	case <-m.wake:
	case <-t.C:
	case <-ctx.Done():
	}
	return nil
}

// due tells whether to join now, and else how long there is nothing to do.
func (m *Membership) due(now time.Time) (wait time.Duration, join bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.leaveReason != "", m.fatal != nil:
		return idleWait, false // woken when it is done
	case m.state == stateStable && !m.rejoin:
		return idleWait, false
	case now.Before(m.holdUntil):
		return m.holdUntil.Sub(now), false
	}
	return 0, m.coord != nil
}

func (m *Membership) fatalError() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fatal
}

// Rejoin asks for a new rebalance; one that is under way goes through first. Safe
// for concurrent use.
func (m *Membership) Rejoin(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rejoinLocked(reason)
}

func (m *Membership) rejoinLocked(reason string) {
	if !m.rejoin {
		m.log.Info("Request joining group due to: " + reason)
		m.rejoin, m.rejoinReason = true, reason
	}
	signal(m.wake)
}

// LeaveAndRejoin leaves the group now with a reason and joins again, as a new
// member, after delay. It does not wait for either, and does not interrupt a handler
// method; what is owned counts as lost. Safe for concurrent use.
func (m *Membership) LeaveAndRejoin(reason string, delay time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holdUntil = time.Now().Add(delay)
	m.leaveReason = reason
	m.rejoinLocked(reason)
	signal(m.beat)
}

// Generation returns the current generation, zero while a rebalance is under way:
// from the moment JoinPrepare has returned until Joined is called.
func (m *Membership) Generation() Generation {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != stateStable || m.current.ID == noGeneration {
		return Generation{}
	}
	return m.current
}

// Confirmed returns the last completed generation while nobody else can have got this
// member's part in it: the coordinator has confirmed the membership by its answer to a request
// that is younger than the session, and it is neither lost nor to be left. Otherwise it
// returns zero; also for a moment when a rebalance takes longer than a session. What counts is
// when the request was sent, since a process that was frozen reads an old answer when it
// awakes.
func (m *Membership) Confirmed() Generation {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leaveReason != "" || m.lost || time.Since(m.confirmed) >= m.cfg.SessionTimeout {
		return Generation{}
	}
	return m.last
}

// lastGeneration returns the last completed generation that was not lost, zero if none.
func (m *Membership) lastGeneration() Generation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// wasLost tells that the membership was taken away and JoinPrepare has not been told.
func (m *Membership) wasLost() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost
}

// rejoinWanted tells that another rebalance waits for the handler.
func (m *Membership) rejoinWanted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rejoin || m.lost || m.fatal != nil
}

// resetLocked forgets the generation, and with all the member id: the broker said
// that it knows neither any more, or we left.
func (m *Membership) resetLocked(all bool, reason string) {
	id := m.current.MemberID
	if all {
		id = ""
	}
	m.current = Generation{ID: noGeneration, MemberID: id}
	m.state = stateUnjoined
	if m.last != (Generation{}) {
		m.lost = true
		m.last = Generation{}
	}
	m.rejoin, m.rejoinReason = true, reason
	m.log.Info("Resetting generation and rejoining: "+reason, zap.Bool("member id kept", id != ""))
	signal(m.wake)
}

// failLocked ends Run.
func (m *Membership) failLocked(err error) {
	if m.fatal == nil {
		m.fatal = err
	}
	signal(m.wake)
}

// call runs a handler method under the watch of the heartbeat goroutine.
func (m *Membership) call(fn func() error) error {
	m.setHandlerSince(time.Now())
	defer m.setHandlerSince(time.Time{})
	return fn()
}

func (m *Membership) setHandlerSince(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handlerSince = t
	signal(m.beat)
}

// denied names the right on the group that is missing.
func (m *Membership) denied(err error, right string) error {
	return m.settings.denied(err, onGroup(m.cfg.GroupID, right))
}

// refusal is what is said of errors that end a membership for good.
func (m *Membership) refusal(what string, err error) error {
	hint := ""
	var broker *BrokerError
	if errors.As(err, &broker) {
		switch sarama.KError(broker.Code) { //nolint:exhaustive // the rest explains itself
		case sarama.ErrInconsistentGroupProtocol:
			hint = " Another kind of client uses the group, or one without a common protocol: check group.id and, for consumers, partition.assignment.strategy."
		case sarama.ErrInvalidSessionTimeout:
			hint = fmt.Sprintf(" session.timeout.ms is %d: it must lie between group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers.",
				m.cfg.SessionTimeout.Milliseconds())
		case sarama.ErrGroupMaxSizeReached:
			hint = " Use fewer members, or raise group.max.size of the brokers."
		case sarama.ErrFencedInstancedId:
			hint = " Another member has registered with the same group.instance.id: give each its own."
		}
	}
	return fmt.Errorf("%s %s: %w.%s", what, m.cfg.GroupID, m.denied(err, "Read"), hint)
}
