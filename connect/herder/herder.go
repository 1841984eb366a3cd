package herder

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config/provider"
	"github.com/penstock-io/penstock/connect/group"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/validate"
	"github.com/penstock-io/penstock/connect/worker"
	"github.com/penstock-io/penstock/internal/keyedlock"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// Runtime runs connectors and tasks; *worker.Worker does. Its methods may block on
// plugins, each bounded by the worker's graceful time-outs, and are safe for
// concurrent use.
type Runtime interface {
	// StartConnector starts an instance and returns after its first transition. A
	// failed one stays, as FAILED, until it is stopped.
	StartConnector(ctx context.Context, name string, config map[string]string, target connect.TargetState) error
	StopConnector(ctx context.Context, name string)
	// TaskConfigs asks a running connector for raw task configs.
	TaskConfigs(ctx context.Context, name string, config map[string]string) ([]map[string]string, error)
	// StartTask starts a task's goroutine; an error means that it could not be made.
	StartTask(ctx context.Context, id connect.TaskID, connectorConfig, taskConfig map[string]string, target connect.TargetState) error
	StopTask(ctx context.Context, id connect.TaskID)
	SetConnectorTarget(ctx context.Context, name string, target connect.TargetState) error
	SetTaskTarget(id connect.TaskID, target connect.TargetState)
	// FenceZombies makes sure that tasks 0 to tasks-1 of a source connector, wherever they
	// still run, cannot write any more.
	FenceZombies(ctx context.Context, connector string, tasks int, config map[string]string) error
	// ConnectorOffsets returns what a connector has committed: for a sink the offsets of its
	// consumer group, for a source what is stored for its source partitions.
	ConnectorOffsets(ctx context.Context, name string, config map[string]string) ([]connect.SourceOffset, error)
	// AlterConnectorOffsets and ResetConnectorOffsets change the offsets of a connector whose
	// tasks are stopped. told reports whether the connector itself took part (KIP-875). An
	// error of the offsets given is a *worker.OffsetsError.
	AlterConnectorOffsets(ctx context.Context, name string, config map[string]string, offsets []connect.SourceOffset) (told bool, err error)
	ResetConnectorOffsets(ctx context.Context, name string, config map[string]string) (told bool, err error)
}

// Member is this worker's place in the group: *group.Member or *Solo.
type Member interface {
	// Run stays in the group until ctx ends, calling the listener.
	Run(ctx context.Context) error
	Rejoin(reason string)
	// LeaveFor leaves the group and joins again after a pause.
	LeaveFor(reason string, pause time.Duration)
	// Leads tells whether this worker still leads as the member that it was in an
	// assignment: by an answer of the coordinator that is younger than the session.
	Leads(memberID string) bool
	// OwnerURL returns who runs an item, as the leader knows it, "" if unknown.
	OwnerURL(id connect.TaskID) string
	// Holders returns which members can run a connector class in a version that
	// connector.plugin.version allows; false: not known here.
	Holders(class, version string) (group.Holders, bool)
	// AwaitHolders waits, until ctx ends, while nobody is known to have the class and members
	// have not told yet.
	AwaitHolders(ctx context.Context, class, version string) (group.Holders, bool)
}

var (
	_ Runtime = (*worker.Worker)(nil)
	_ Member  = (*group.Member)(nil)
)

// LeaderClient makes internal requests to the leader; package rest/client has one. They
// are signed with the key, unless it is nil.
type LeaderClient interface {
	PutTaskConfigs(ctx context.Context, leaderURL, connector string, configs []map[string]string, key *storage.SessionKey) error
	// FenceZombies returns when the leader has fenced. What it answers is an *api.Error.
	FenceZombies(ctx context.Context, leaderURL, connector string, key *storage.SessionKey) error
}

// Options are what a Herder is made of. The timings, the switches
// and what is said to may be left out.
type Options struct {
	WorkerID string // host:port, as in statuses
	URL      string // advertised, with trailing slash
	Configs  storage.ConfigStore
	StatusDB storage.StatusStore
	// Providers resolve the placeholders of configs, for looking at them again; nil: nothing
	// is started again because a value has changed.
	Providers provider.Providers
	// Offsets is the worker's store of source offsets, which the herder only starts and
	// stops; nil: there is none.
	Offsets   storage.OffsetStore
	Statuses  *worker.Statuses
	Runtime   Runtime
	Plugins   *plugin.Registry
	Validator *validate.Validator
	Leader    LeaderClient
	// ValidateAt has the worker at a REST address check a connector config; nil: a class that
	// the leader lacks is refused.
	ValidateAt func(ctx context.Context, url string, config map[string]string) (api.ConfigInfos, error)
	// NewMember makes the member that calls the given listener.
	NewMember func(l group.Listener) (Member, error)

	// LeaderTransactions: the leader writes to the config topic in transactions, for which it
	// claims the privilege; exactly.once.source.support is preparing or enabled.
	LeaderTransactions bool
	// ExactlyOnce: exactly.once.source.support is enabled.
	ExactlyOnce bool

	SyncTimeout   time.Duration // worker.sync.timeout.ms
	MaxDelay      time.Duration // scheduled.rebalance.max.delay.ms
	UnsyncBackoff time.Duration // worker.unsync.backoff.ms
	Signing       Signing
	// RequireSignatures refuses internal requests without one also while the group has a protocol
	// without session keys: users have roles, which such a request would get round.
	RequireSignatures bool
	TrackTopics       bool
	ApplyLogLevel     func(namespace, level string) // cluster-wide logger changes; may be nil
	Log               *zap.Logger
	ShutdownBudget    time.Duration // for stopping all plugins; 0 = 10 s
}

// Herder keeps what runs here equal to what should (Java: DistributedHerder,
// StandaloneHerder). Its request methods are safe for concurrent use.
type Herder struct {
	Options
	member Member

	events  chan func()
	done    chan struct{} // closed when the loop has ended
	ready   atomic.Bool   // the first assignment was worked off
	view    atomic.Pointer[view]
	told    atomic.Pointer[storage.ClusterConfig] // what the group was told last, see overtaken
	stage   atomic.Pointer[stage]
	writes  keyedlock.Lock // of the leader, see lead
	workers sync.WaitGroup
	pending pendingConfig
	// privileged: the leader may write; changed by who may write, and by the loop
	// when the leadership changes.
	privileged atomic.Bool
	modifying  keyedlock.Lock // by connector: one change of its offsets at a time

	// Owned by the loop.
	items      map[connect.TaskID]*item
	assignment group.Assignment
	resolved   bool // the last assignment was worked off
	// assignedFor holds the connectors that were configured when it was: any other is new.
	assignedFor map[string]struct{}
	rejoinAt    *time.Timer
	pacing      *time.Timer // see rejoinSoon
	assignedAt  time.Time   // when the last assignment came
	keyTimer    *time.Timer
	claimTimer  *time.Timer
	reload      reload
	claiming    bool                // write privileges are being claimed, or claimTimer runs
	fencings    map[string]*fencing // by connector
	readTries   int                 // left before everything is given up, see cannotReadConfigs
	reconfigs   map[string]*reconfig
	rotating    bool            // a session key is being written
	runCtx      context.Context //nolint:containedctx // the loop's own, for the goroutines it starts
	stopping    bool
	ran         map[connect.TaskID]struct{} // what had been started when the worker was told to stop
}

// view is what requests may know of the loop's state.
type view struct {
	generation    int32
	known         bool // there is an assignment without error
	leader        bool
	memberID      string // of the assignment
	leaderURL     string
	sessioned     bool
	needsReconfig bool // a rebalance is expected because configs changed
}

type stage struct {
	text  string
	start time.Time
	end   time.Time // zero: under way
}

// New returns a herder that does nothing until Run.
func New(o Options) (*Herder, error) {
	if o.ShutdownBudget == 0 {
		o.ShutdownBudget = 10 * time.Second
	}
	h := &Herder{
		Options: o, events: make(chan func()), done: make(chan struct{}),
		items: map[connect.TaskID]*item{}, reconfigs: map[string]*reconfig{}, fencings: map[string]*fencing{}, readTries: fullReadTries,
	}
	h.pending.changed = make(chan struct{}, 1)
	h.view.Store(&view{})
	m, err := o.NewMember((*listener)(h))
	if err != nil {
		return nil, err
	}
	h.member = m
	return h, nil
}

// Run starts the stores, joins the group and works until ctx ends; then it stops all
// plugins, leaves the group and stops the stores. It returns the error that made it
// end early.
func (h *Herder) Run(ctx context.Context) error {
	defer close(h.done)
	if err := h.startStores(ctx); err != nil {
		h.stopStores(ctx)
		return err
	}
	// The loop and the membership outlive ctx: both are needed for a graceful stop.
	loopCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	h.runCtx = loopCtx
	memberCtx, leave := context.WithCancel(loopCtx)
	defer leave()
	left := make(chan error, 1)
	go func() { left <- h.member.Run(memberCtx) }()

	h.setStage("joining the group " + h.WorkerID)
	err := h.loop(ctx, left)
	h.stopPlugins()
	if err == nil {
		h.leaveGroup(leave, left)
	}
	cancel()
	h.workers.Wait()
	h.stopStores(ctx)
	return err
}

// loop handles events until ctx ends (nil) or the membership fails.
func (h *Herder) loop(ctx context.Context, left <-chan error) error {
	h.rejoinAt, h.keyTimer, h.claimTimer, h.pacing = stoppedTimer(), stoppedTimer(), stoppedTimer(), stoppedTimer()
	h.reload.timer = stoppedTimer()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-left:
			if err == nil {
				err = fmt.Errorf("left the group unexpectedly")
			}
			return err
		case e := <-h.events:
			e()
		case <-h.pending.changed:
			h.applyConfigChanges()
		case <-h.rejoinAt.C:
			h.rejoin("the scheduled rebalance delay is over")
		case <-h.pacing.C:
			h.rejoin("connector or task configs have changed")
		case <-h.keyTimer.C:
			h.rotateSessionKey()
		case <-h.reload.timer.C:
			h.checkProviders()
		case <-h.claimTimer.C:
			h.claiming = false
			h.claimPrivileges()
		}
	}
}

// leaveGroup ends the membership, whose last calls of the listener are answered here.
func (h *Herder) leaveGroup(leave context.CancelFunc, left <-chan error) {
	leave()
	began := time.Now()
	for {
		select {
		case e := <-h.events:
			e()
		case err := <-left:
			if err != nil {
				h.Log.Warn("could not leave the group cleanly", zap.Error(err))
			}
			h.Log.Info("Left the group", zap.Duration("took", time.Since(began)))
			return
		}
	}
}

func (h *Herder) startStores(ctx context.Context) error {
	if h.Offsets != nil {
		h.setStage("reading the offset topic")
		if err := h.Offsets.Start(ctx); err != nil {
			return fmt.Errorf("start the offset store: %w", err)
		}
	}
	h.setStage("starting the status store")
	if err := h.StatusDB.Start(ctx); err != nil {
		return fmt.Errorf("start the status store: %w", err)
	}
	h.setStage("reading the config topic")
	if err := h.Configs.Start(ctx, &h.pending); err != nil {
		return fmt.Errorf("start the config store: %w", err)
	}
	h.endStage()
	return nil
}

func (h *Herder) stopStores(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := h.Configs.Stop(ctx); err != nil {
		h.Log.Warn("could not stop the config store", zap.Error(err))
	}
	if err := h.StatusDB.Stop(ctx); err != nil {
		h.Log.Warn("could not stop the status store", zap.Error(err))
	}
	if h.Offsets == nil {
		return
	}
	if err := h.Offsets.Stop(ctx); err != nil {
		h.Log.Warn("could not stop the offset store", zap.Error(err))
	}
}

// post runs f in the loop; it waits for the loop to take it, not for f.
func (h *Herder) post(ctx context.Context, f func()) error {
	select {
	case h.events <- f:
		return nil
	case <-h.done:
		return errShuttingDown
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// call runs f in the loop and waits for it.
func (h *Herder) call(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	if err := h.post(ctx, func() { defer close(ran); f() }); err != nil {
		return err
	}
	select {
	case <-ran:
		return nil
	case <-h.done:
		return errShuttingDown
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// background runs work outside the loop with ctx, and then what it returns inside it,
// also when ctx has ended. Called by the loop only.
func (h *Herder) background(ctx context.Context, work func(ctx context.Context) (then func())) {
	h.workers.Go(func() {
		if then := work(ctx); then != nil {
			// The loop is gone only after runCtx has ended.
			_ = h.post(h.runCtx, then)
		}
	})
}

// apart runs the work of a request outside the loop, as the herder's own: when ctx ends it
// goes on, since half of it may be worse than all, but nobody waits for it any more.
func (h *Herder) apart(ctx context.Context, work func(ctx context.Context) error) error {
	result := make(chan error, 1)
	err := h.call(ctx, func() {
		if h.stopping {
			result <- errShuttingDown
			return
		}
		h.background(h.runCtx, func(ctx context.Context) func() {
			result <- work(ctx)
			return nil
		})
	})
	if err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-h.done:
		return errShuttingDown
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *Herder) publish(change func(v *view)) {
	v := *h.view.Load()
	change(&v)
	h.view.Store(&v)
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (h *Herder) setStage(text string) { h.stage.Store(&stage{text: text, start: time.Now()}) }

func (h *Herder) endStage() {
	if s := h.stage.Load(); s != nil {
		h.stage.Store(&stage{text: s.text, start: s.start, end: time.Now()})
	}
}

// Stage describes what the herder does or did last, for time-out messages.
func (h *Herder) Stage() string {
	s := h.stage.Load()
	const form = "2006-01-02T15:04:05.000Z"
	switch {
	case s == nil:
		return ""
	case s.end.IsZero():
		return fmt.Sprintf("The worker is currently %s, which began at %s.", s.text, s.start.UTC().Format(form))
	}
	return fmt.Sprintf("The last operation the worker completed was %s, which began at %s and completed at %s.",
		s.text, s.start.UTC().Format(form), s.end.UTC().Format(form))
}
