package group

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/connect/group/protocol"
	"github.com/penstock-io/penstock/internal/kafka"
	"github.com/penstock-io/penstock/storage"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// clusterOf returns configs with an offset and name:tasks pairs.
func clusterOf(offset int64, tasks map[string]int) *storage.ClusterConfig {
	c := &storage.ClusterConfig{Offset: offset, ByName: map[string]*storage.ConnectorState{}}
	for name, n := range tasks {
		c.ByName[name] = &storage.ConnectorState{Config: map[string]string{}, TaskCount: n}
	}
	return c
}

// board knows who runs what, and notices when somebody starts what another still runs.
type board struct {
	t  *testing.T
	mu sync.Mutex
	by map[connect.TaskID]string
}

func newBoard(t *testing.T) *board { return &board{t: t, by: map[connect.TaskID]string{}} }

// set is all that a worker runs from now on.
func (b *board) set(worker string, all []connect.TaskID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, w := range b.by {
		if w == worker && !slices.Contains(all, i) {
			delete(b.by, i)
		}
	}
	for _, i := range all {
		if other, taken := b.by[i]; taken && other != worker {
			b.t.Errorf("%v runs on %s and on %s", i, other, worker)
		}
		b.by[i] = worker
	}
}

func (b *board) stop(worker string, some []connect.TaskID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range some {
		if b.by[i] == worker {
			delete(b.by, i)
		}
	}
}

func (b *board) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprint(b.by)
}

func (b *board) count(worker string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, w := range b.by {
		if w == worker {
			n++
		}
	}
	return n
}

// worker is a group.Listener that starts and stops at once.
type worker struct {
	name  string
	board *board

	mu        sync.Mutex
	config    *storage.ClusterConfig
	behind    *storage.ClusterConfig // what Refresh finds; nil: nothing new
	joining   *storage.ClusterConfig // the last that Joining was called with
	refreshes int
	stopTime  time.Duration
	last      Assignment
	events    []string
	assigned  chan Assignment // may be nil
	statuses  map[connect.TaskID]storage.Status
	asked     int  // for statuses
	hangs     bool // the status topic cannot be read
}

func (w *worker) Snapshot(context.Context) (*storage.ClusterConfig, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.config, nil
}

func (w *worker) Joining(_ context.Context, told *storage.ClusterConfig) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.joining = told
}

func (w *worker) setConfig(c *storage.ClusterConfig) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.config = c
}

func (w *worker) Refresh(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refreshes++
	if w.behind == nil {
		return fmt.Errorf("the config topic cannot be read")
	}
	w.config = w.behind
	return nil
}

func (w *worker) Statuses(ctx context.Context, items []connect.TaskID) (map[connect.TaskID]storage.Status, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if w.hangs {
		w.mu.Unlock()
		<-ctx.Done()
		w.mu.Lock()
		return nil, context.Cause(ctx)
	}
	out := map[connect.TaskID]storage.Status{}
	for _, i := range items {
		if st, ok := w.statuses[i]; ok {
			out[i] = st
		}
	}
	return out, nil
}

func (w *worker) Revoked(ctx context.Context, connectors []string, tasks []connect.TaskID) {
	all := assignor.Items(connectors, tasks)
	if w.stopTime > 0 { // a task that takes its time to stop
		t := time.NewTimer(w.stopTime)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	w.board.stop(w.name, all)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, fmt.Sprintf("stop %v", all))
}

func (w *worker) Assigned(_ context.Context, a Assignment) {
	if a.Err == 0 {
		w.board.set(w.name, assignor.Items(a.Connectors, a.Tasks))
	}
	w.mu.Lock()
	w.last = a
	w.events = append(w.events, fmt.Sprintf("assigned generation %d", a.Generation))
	ch := w.assigned
	w.mu.Unlock()
	if ch != nil {
		ch <- a
	}
}

func (w *worker) lastAssignment() Assignment {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

func (w *worker) takeEvents() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.events
	w.events = nil
	return e
}

// fakeMembership keeps what the member says; the test is the broker.
type fakeMembership struct {
	gen  kafka.Generation
	left string

	mu      sync.Mutex
	rejoins []string
}

// takeRejoins returns why a rebalance was asked for since the last call.
func (m *fakeMembership) takeRejoins() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rejoins
	m.rejoins = nil
	return r
}

func (m *fakeMembership) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (m *fakeMembership) Rejoin(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rejoins = append(m.rejoins, reason)
}
func (m *fakeMembership) LeaveAndRejoin(reason string, delay time.Duration) {
	m.left = fmt.Sprintf("%s for %v", reason, delay)
}
func (m *fakeMembership) Confirmed() kafka.Generation  { return m.gen }
func (m *fakeMembership) Generation() kafka.Generation { return m.gen }

// peer is a member with its worker and its place in the script.
type peer struct {
	id         string
	member     *Member
	membership *fakeMembership
	worker     *worker
}

// script plays the broker: the first peer leads.
type script struct {
	t          *testing.T
	board      *board
	generation int32
	peers      []*peer
	change     func(id string, o *Options) // of who joins; may be nil
}

func (s *script) join(id, connectProtocol string, config *storage.ClusterConfig) *peer {
	s.t.Helper()
	w := &worker{name: id, board: s.board, config: config}
	o := Options{URL: "http://" + id + "/", Protocol: connectProtocol, MaxDelay: time.Minute, Log: zap.NewNop()}
	if s.change != nil {
		s.change(id, &o)
	}
	m, err := newMember(o, w)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(m.placement.close)
	p := &peer{id: id, member: m, membership: &fakeMembership{}, worker: w}
	m.membership = p.membership
	s.peers = append(s.peers, p)
	return p
}

// rebalance is one round of JoinGroup and SyncGroup.
func (s *script) rebalance() {
	s.t.Helper()
	ctx := s.t.Context()
	s.generation++
	name := ""
	offers := map[*peer]map[string][]byte{}
	for _, p := range s.peers {
		last := p.membership.gen
		p.membership.gen = kafka.Generation{}
		if err := (*handler)(p.member).JoinPrepare(ctx, last, false); err != nil {
			s.t.Fatal(err)
		}
		protocols, err := (*handler)(p.member).Protocols(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		offers[p] = map[string][]byte{}
		for _, o := range protocols {
			offers[p][o.Name] = o.Metadata
		}
	}
	for _, candidate := range []string{"sessioned", "compatible", "default"} {
		if !slices.ContainsFunc(s.peers, func(p *peer) bool { return offers[p][candidate] == nil }) {
			name = candidate
			break
		}
	}
	var members []kafka.GroupMember
	for _, p := range s.peers {
		members = append(members, kafka.GroupMember{ID: p.id, Metadata: offers[p][name]})
	}
	leader := s.peers[0]
	gen := kafka.Generation{ID: s.generation, LeaderID: leader.id, Protocol: name}
	gen.MemberID = leader.id
	assignments, err := (*handler)(leader.member).Assign(ctx, gen, members)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range s.peers {
		gen.MemberID = p.id
		p.membership.gen = gen
		if err := (*handler)(p.member).Joined(ctx, gen, assignments[p.id]); err != nil {
			s.t.Fatal(err)
		}
	}
}

// settle rebalances until nothing is revoked.
func (s *script) settle() {
	s.t.Helper()
	for range 10 {
		s.rebalance()
		revoked := 0
		for _, p := range s.peers {
			revoked += len(p.worker.last.RevokedConnectors) + len(p.worker.last.RevokedTasks)
		}
		if revoked == 0 && len(s.peers[0].membership.takeRejoins()) == 0 {
			return
		}
	}
	s.t.Fatal("the group does not come to rest")
}

// leave takes a peer out, after it has stopped everything.
func (s *script) leave(p *peer) (had []connect.TaskID) {
	s.peers = slices.DeleteFunc(s.peers, func(o *peer) bool { return o == p })
	had = assignor.Items(p.worker.last.Connectors, p.worker.last.Tasks)
	s.board.stop(p.id, had)
	return had
}

// metadata is what a peer would tell in its best protocol.
func (p *peer) metadata(t *testing.T) protocol.WorkerState {
	t.Helper()
	protocols, err := (*handler)(p.member).Protocols(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := protocol.ReadMetadata(protocols[0].Metadata)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
