package group

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/connect/group/protocol"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// ProtocolType is what the group is called in Kafka's protocol.
const ProtocolType = "connect"

// Options are what a Member is made of.
type Options struct {
	GroupID string
	// WorkerID is host:port, URL the advertised REST address with trailing slash.
	WorkerID, URL string
	// Client has the Java client properties, see settings.Worker.GroupMember.
	Client map[string]string

	SessionTimeout    time.Duration // session.timeout.ms
	RebalanceTimeout  time.Duration // rebalance.timeout.ms
	HeartbeatInterval time.Duration // heartbeat.interval.ms
	RetryBackoff      time.Duration // retry.backoff.ms
	// MaxDelay is scheduled.rebalance.max.delay.ms: how long the work of a worker that
	// vanished waits for its return. What a worker has stopped before it left does not wait.
	MaxDelay time.Duration
	// Plugins asks the worker at a REST address for its connector classes. The leader calls
	// it in the background, several at a time, and assigns connectors to workers that have
	// their class. nil: to any worker, as the JVM does.
	Plugins func(ctx context.Context, url string) ([]api.PluginInfo, error)
	// OwnPlugins are the connector classes of this worker, for use with Plugins.
	OwnPlugins []api.PluginInfo
	// Protocol is connect.protocol: eager, compatible or sessioned, in any case.
	Protocol string
	Log      *zap.Logger
}

// membership is the conversation with the broker: *kafka.Membership, or a script in tests.
type membership interface {
	Run(ctx context.Context) error
	Rejoin(reason string)
	LeaveAndRejoin(reason string, delay time.Duration)
	Generation() kafka.Generation
	Confirmed() kafka.Generation
}

// Member is this worker's place in the group (Java: WorkerGroupMember and
// WorkerCoordinator). Run calls the listener; the other methods are safe for concurrent
// use.
//
// What the worker runs, the owned items, changes at these moments only:
//
//	               Joined: newly assigned are added
//	          .------------------------------------------.
//	          |                                          v
//	nothing owned                                  items owned <---. Joined, cooperative:
//	          ^                                          |  '------'  revoked are stopped, new are added
//	          |   JoinPrepare, eager: all are stopped    |
//	          '------------------------------------------'
//	              CoordinatorLost: all are stopped
//
// A cooperative member that lost its membership (unknown member, fenced) keeps what it
// runs and reports it when it joins again, as the JVM does: the leader takes back what
// somebody else has got meanwhile.
type Member struct {
	o          Options
	offered    []protocol.Version
	listener   Listener
	membership membership
	assignor   *assignor.Incremental
	placement  *placement // nil: without
	start      time.Time  // origin of the assignor's clock

	// Of the membership's goroutine.
	config        *storage.ClusterConfig // the leader assigns what its metadata told
	current       protocol.Version       // of the last generation
	last          *protocol.Assignment   // with everything owned; nil: nothing to report
	lastCompleted int32                  // generation, -1 for none
	// Of the last cooperative round that this worker led.
	tenures  tenures
	dealt    map[string][]connect.TaskID // by member id
	askAgain *time.Timer                 // for statuses, see released; nil: need not

	mu     sync.Mutex
	owners map[connect.TaskID]string // URLs, while this member leads
}

// NewMember returns a member that joins when it runs. Wrong settings are reported
// together.
func NewMember(ctx context.Context, o Options, l Listener) (*Member, error) {
	m, err := newMember(o, l)
	if err != nil {
		return nil, err
	}
	ms, err := kafka.NewMembership(ctx, o.Client, kafka.MembershipConfig{
		GroupID: o.GroupID, ProtocolType: ProtocolType, SessionTimeout: o.SessionTimeout, RebalanceTimeout: o.RebalanceTimeout,
		HeartbeatInterval: o.HeartbeatInterval, RetryBackoff: o.RetryBackoff,
		// Only a client id made of the worker id is this worker's alone; one that the
		// user has set may be the same on all workers.
		EvictOwnClientID: o.WorkerID != "" && strings.HasSuffix(o.Client["client.id"], o.WorkerID),
	}, (*handler)(m), o.Log)
	if err != nil {
		return nil, err
	}
	m.membership = ms
	return m, nil
}

func newMember(o Options, l Listener) (*Member, error) {
	offered, err := protocol.Offered(o.Protocol)
	if err != nil {
		return nil, err
	}
	m := &Member{
		o: o, offered: offered, listener: l, assignor: assignor.NewIncremental(o.MaxDelay), start: time.Now(),
		// A new member reports nothing and counts as eager or not by what it offers best.
		current: offered[0], lastCompleted: -1,
	}
	m.placement = newPlacement(o, m.Rejoin)
	return m, nil
}

// Run stays in the group until ctx ends, and leaves it then. It returns an error when the
// group cannot be joined for good. It may be called once.
func (m *Member) Run(ctx context.Context) error {
	defer m.placement.close()
	defer (*handler)(m).stopAsking()
	return m.membership.Run(ctx)
}

// Rejoin asks for a rebalance.
func (m *Member) Rejoin(reason string) { m.membership.Rejoin(reason) }

// LeaveFor leaves the group and joins again, as a new member, after a pause. What runs
// goes on running and is reported then.
func (m *Member) LeaveFor(reason string, pause time.Duration) {
	m.membership.LeaveAndRejoin(reason, pause)
}

// Leads tells whether this worker still leads as the member that it was in an assignment.
// Nobody has told a worker that was frozen, or is cut off, that it has a successor.
func (m *Member) Leads(memberID string) bool {
	gen := m.membership.Confirmed()
	return memberID != "" && gen.MemberID == memberID && gen.LeaderID == memberID
}

// OwnerURL returns the REST address of the worker that runs an item, as the leader knows
// it from the last assignment; "" on any other worker, during a rebalance, and for an item
// that nobody runs. A connector instance has the task number -1.
func (m *Member) OwnerURL(id connect.TaskID) string {
	if m.membership.Generation() == (kafka.Generation{}) {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owners[id]
}

func (m *Member) setOwners(owners map[connect.TaskID]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owners = owners
}

// handler is a Member as kafka.MembershipHandler.
type handler Member

// Protocols offers what connect.protocol allows, the best first, with what this worker
// has read and runs.
func (h *handler) Protocols(ctx context.Context) ([]kafka.GroupProtocol, error) {
	snapshot, err := h.listener.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	h.listener.Joining(ctx, snapshot)
	h.config = snapshot
	state := protocol.WorkerState{URL: h.o.URL, ConfigOffset: snapshot.Offset, Allocation: h.last}
	out := make([]kafka.GroupProtocol, 0, len(h.offered))
	for _, v := range h.offered {
		metadata, err := protocol.AppendMetadata(nil, v, state)
		if err != nil {
			return nil, err
		}
		out = append(out, kafka.GroupProtocol{Name: v.Name(), Metadata: metadata})
	}
	return out, nil
}

// JoinPrepare gives up everything in an eager group. In a cooperative one nothing stops
// for a rebalance.
func (h *handler) JoinPrepare(ctx context.Context, _ kafka.Generation, _ bool) error {
	h.o.Log.Info("Rebalance started")
	h.stopAsking()
	(*Member)(h).setOwners(nil)
	h.placement.suspend()
	if h.current == protocol.Eager && h.last != nil {
		h.giveUpAll(ctx)
	}
	return nil
}

// stopAsking forgets a later try to read statuses: this rebalance tries, or another leader.
func (h *handler) stopAsking() {
	if h.askAgain != nil {
		h.askAgain.Stop()
		h.askAgain = nil
	}
}

// giveUpAll has everything stopped that is owned, and reports nothing from now on.
func (h *handler) giveUpAll(ctx context.Context) {
	last := h.last
	h.last = nil
	if last != nil && len(last.Connectors)+len(last.Tasks) > 0 {
		h.listener.Revoked(ctx, last.Connectors, last.Tasks)
	}
}

// CoordinatorLost stops everything: a worker that is cut off cannot know what the others
// have been given.
func (h *handler) CoordinatorLost(ctx context.Context) {
	h.o.Log.Warn("Broker coordinator was unreachable for a session: revoking all connectors and tasks, to avoid running them while not being a member of the group")
	(*Member)(h).setOwners(nil)
	h.placement.resign()
	h.giveUpAll(ctx)
}

// Joined takes the own assignment. Its items come on top of those that are owned, without
// the revoked ones, which have been stopped when the listener is told.
func (h *handler) Joined(ctx context.Context, gen kafka.Generation, bytes []byte) error {
	version, err := protocol.VersionOf(gen.Protocol)
	if err != nil {
		return err
	}
	a, err := protocol.ReadAssignment(bytes)
	if err != nil {
		return fmt.Errorf("assignment of generation %d: %w", gen.ID, err)
	}
	h.current = version
	if a.LeaderID != gen.MemberID {
		h.placement.resign()
	}
	revoked := assignor.Items(a.RevokedConnectors, a.RevokedTasks)
	if version == protocol.Eager {
		// An eager assignment is complete. Only a member that was cooperative until now
		// still runs something.
		revoked = missing(h.owned(), assignor.Items(a.Connectors, a.Tasks))
	}
	if len(revoked) > 0 {
		h.listener.Revoked(ctx, items(revoked).connectors(), items(revoked).tasks())
	}
	if version != protocol.Eager {
		merge(&a, missing(h.owned(), revoked))
	}
	own := a
	own.RevokedConnectors, own.RevokedTasks = nil, nil
	h.last, h.lastCompleted = &own, gen.ID
	assigned := Assignment{
		Generation: gen.ID, MemberID: gen.MemberID, ProtocolName: version.Name(), Version: int16(version), Err: a.Err,
		LeaderID: a.LeaderID, LeaderURL: a.LeaderURL, IsLeader: a.LeaderID == gen.MemberID, ConfigOffset: a.ConfigOffset,
		Connectors: a.Connectors, Tasks: a.Tasks, RevokedConnectors: a.RevokedConnectors, RevokedTasks: a.RevokedTasks, Delay: a.Delay,
	}
	h.logJoined(assigned)
	h.listener.Assigned(ctx, assigned)
	return nil
}

// logJoined writes the line that tests of the ecosystem wait for.
func (h *handler) logJoined(a Assignment) {
	h.o.Log.Info(fmt.Sprintf("Joined group at generation %d with protocol version %d and got assignment: "+
		"Assignment{error=%d, leader='%s', leaderUrl='%s', offset=%d, connectorIds=[%s], taskIds=%v, revokedConnectorIds=[%s], revokedTaskIds=%v, delay=%d} with rebalance delay: %d",
		a.Generation, a.Version, a.Err, a.LeaderID, a.LeaderURL, a.ConfigOffset, strings.Join(a.Connectors, ", "), a.Tasks,
		strings.Join(a.RevokedConnectors, ", "), a.RevokedTasks, a.Delay.Milliseconds(), a.Delay.Milliseconds()),
		zap.Int32("generation", a.Generation), zap.String("member_id", a.MemberID))
}

func (h *handler) owned() []connect.TaskID {
	if h.last == nil {
		return nil
	}
	return assignor.Items(h.last.Connectors, h.last.Tasks)
}

// items splits what an assignment keeps apart.
type items []connect.TaskID

func (i items) connectors() []string {
	c, _ := assignor.Split(i)
	return c
}

func (i items) tasks() []connect.TaskID {
	_, t := assignor.Split(i)
	return t
}

// missing returns those of have that are not in want, in their order.
func missing(have, want []connect.TaskID) []connect.TaskID {
	if len(want) == 0 {
		return have
	}
	wanted := make(map[connect.TaskID]struct{}, len(want))
	for _, i := range want {
		wanted[i] = struct{}{}
	}
	var out []connect.TaskID
	for _, i := range have {
		if _, ok := wanted[i]; !ok {
			out = append(out, i)
		}
	}
	return out
}

// merge adds items that are not assigned yet behind those that are.
func merge(a *protocol.Assignment, kept []connect.TaskID) {
	for _, i := range missing(kept, assignor.Items(a.Connectors, a.Tasks)) {
		if assignor.IsConnector(i) {
			a.Connectors = append(a.Connectors, i.Connector)
		} else {
			a.Tasks = append(a.Tasks, i)
		}
	}
}
