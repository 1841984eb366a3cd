package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
)

// Subscription tells which topics a GroupConsumer wants: a list, or a full match.
type Subscription struct {
	Topics []string
	// Match is used when Topics is empty, and is re-checked every metadata.max.age.ms.
	// It must be safe for concurrent use.
	Match func(topic string) bool
}

// wants tells whether a topic is subscribed to.
func (s *Subscription) wants(topic string) bool {
	if len(s.Topics) > 0 {
		return slices.Contains(s.Topics, topic)
	}
	return s.Match != nil && s.Match(topic)
}

// RebalanceListener is called from within Poll and Close, in the caller's goroutine.
// An error is returned by that Poll or Close; the rebalance goes on.
type RebalanceListener interface {
	// Assigned: partitions gained; their positions are known, unless Position tells
	// why not. It is called after every rebalance, also with none.
	Assigned(ctx context.Context, tps []connect.TopicPartition) error
	// Revoked: partitions to be given up; offsets can still be committed.
	Revoked(ctx context.Context, tps []connect.TopicPartition) error
	// Lost: partitions already taken away; nothing can be committed.
	Lost(ctx context.Context, tps []connect.TopicPartition) error
}

// GroupConsumer is a member of a consumer group (Java: KafkaConsumer with
// subscribe). It takes group.id, client.id, session.timeout.ms,
// heartbeat.interval.ms, max.poll.interval.ms, partition.assignment.strategy and
// all of Consumer from the properties, and EvictOwnClientIDProperty. One goroutine
// uses it; Wake is for any.
//
// The membership joins and fetches committed offsets in a goroutine of its own. What
// needs the listener waits there until Poll runs it, so that, as in Java, no
// rebalance begins or ends without Poll.
type GroupConsumer struct {
	settings *groupSettings
	log      *zap.Logger
	sub      Subscription
	listener RebalanceListener
	inner    *Consumer
	member   *Membership

	ctx    context.Context //nolint:containedctx // the life of the background goroutines
	cancel context.CancelFunc
	wg     sync.WaitGroup
	expiry *time.Timer // max.poll.interval.ms
	woken  atomic.Bool // Wake was called, as opposed to news for Poll

	topicsChanged chan struct{} // the topics to watch changed

	mu        sync.Mutex
	started   bool
	closed    bool
	pending   *pollStep // waits for Poll
	owned     map[connect.TopicPartition]bool
	state     assignorState
	matched   []string         // topics of the last metadata that match; nil: not looked up yet
	snapshot  map[string]int32 // leader only: partition counts the assignment was made from
	fatal     error            // the membership ended
	commits   []*commitCall    // asynchronous ones, in order
	idle      chan struct{}    // closed when commits is empty
	callbacks []func()         // of commits that are done, for Poll
}

// pollStep is something to be done in the goroutine that calls Poll.
type pollStep struct {
	run      func(ctx context.Context) error
	taken    bool
	finished bool // run returned, it did not panic; set before done is closed
	done     chan struct{}
}

// NewGroupConsumer returns a consumer that joins at the first Poll. Wrong properties
// are reported all at once as *config.Error.
func NewGroupConsumer(ctx context.Context, props map[string]string, sub Subscription, l RebalanceListener, log *zap.Logger) (*GroupConsumer, error) {
	r := newPropReader(props)
	s := readGroupSettings(r)
	if err := errors.Join(r.err(), s.membership().check()); err != nil {
		return nil, err
	}
	if s.consumerProtocol {
		log.Warn("group.protocol=consumer is not supported: joining as a classic member")
	}
	inner, err := NewConsumer(ctx, props, log)
	if err != nil {
		return nil, err
	}
	g := &GroupConsumer{
		settings: s, log: log.With(zap.String("group", s.groupID)), sub: sub, listener: l, inner: inner,
		topicsChanged: make(chan struct{}, 1),
		owned:         map[connect.TopicPartition]bool{}, state: assignorState{generation: noGeneration},
		idle: make(chan struct{}),
	}
	close(g.idle)
	g.member = newMembership(inner.cluster, s.membership(), (*groupHandler)(g), log)
	g.member.polled = true
	if s.instanceID != "" {
		g.member.instanceID = &s.instanceID
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.expiry = time.AfterFunc(time.Duration(1<<62), g.pollTimedOut)
	return g, nil
}

// start joins the group.
func (g *GroupConsumer) start() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	if g.started {
		return nil
	}
	g.started = true
	g.wg.Go(func() {
		err := g.member.Run(g.ctx)
		g.mu.Lock()
		defer g.mu.Unlock()
		if err != nil {
			g.fatal = err
			g.inner.Wake()
		}
	})
	g.wg.Go(g.watchTopics)
	return nil
}

// pollTimedOut leaves the group when Poll was not called for max.poll.interval.ms.
func (g *GroupConsumer) pollTimedOut() {
	g.log.Warn("consumer poll timeout has expired. This means the time between subsequent calls to poll() was longer than the configured max.poll.interval.ms,"+
		" which typically implies that the poll loop is spending too much time processing messages."+
		" You can address this either by increasing max.poll.interval.ms or by reducing the maximum size of batches returned in poll() with max.poll.records.",
		zap.Duration("max.poll.interval.ms", g.settings.maxPollInterval))
	g.member.LeaveAndRejoin("consumer poll timeout has expired.", 0)
}

// Poll runs pending rebalance callbacks and those of commits, and returns what was
// fetched, see Consumer.Poll. It returns early, with nothing, after Wake. An error of
// a listener is returned as it is; when the membership has ended for good, every Poll
// returns why.
func (g *GroupConsumer) Poll(ctx context.Context, timeout time.Duration) ([]Batch, error) {
	if err := g.start(); err != nil {
		return nil, err
	}
	g.expiry.Stop()
	defer g.expiry.Reset(g.settings.maxPollInterval)
	deadline := time.Now().Add(timeout)
	for {
		if err := g.runPending(ctx); err != nil {
			return nil, err
		}
		if g.woken.Swap(false) {
			return nil, nil
		}
		batches, err := g.inner.Poll(ctx, max(0, time.Until(deadline)))
		switch {
		case err != nil || len(batches) > 0:
			return batches, err
		case !time.Now().Before(deadline):
			return nil, nil
		}
	}
}

// runPending does what waits for the caller's goroutine, until nothing does.
func (g *GroupConsumer) runPending(ctx context.Context) error {
	for {
		ran := g.runCallbacks()
		step, fatal := g.takePending()
		switch {
		case step != nil:
			if err := g.runStep(ctx, step); err != nil {
				return err
			}
		case fatal != nil:
			return errors.Join(fatal, g.loseFenced(ctx, fatal))
		case !ran:
			return nil
		}
	}
}

// runCallbacks calls those of commits that are done, and tells whether there were any.
func (g *GroupConsumer) runCallbacks() bool {
	g.mu.Lock()
	callbacks := g.callbacks
	g.callbacks = nil
	g.mu.Unlock()
	for _, fn := range callbacks {
		fn()
	}
	return len(callbacks) > 0
}

// takePending returns the step that waits, which the caller then runs, and why the
// membership ended.
func (g *GroupConsumer) takePending() (*pollStep, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	step := g.pending
	if step != nil {
		step.taken, g.pending = true, nil
	}
	return step, g.fatal
}

// errListenerPanicked is what Poll returns after a listener's panic has gone through it.
var errListenerPanicked = errors.New("a rebalance listener panicked during an earlier poll: close the consumer")

// runStep runs a step. The membership is told of its end also when the listener panics
// (or ends the goroutine), since the caller may yet Close.
func (g *GroupConsumer) runStep(ctx context.Context, step *pollStep) error {
	defer close(step.done)
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !step.finished && g.fatal == nil {
			g.fatal = errListenerPanicked
		}
	}()
	err := step.run(ctx)
	step.finished = true
	return err
}

// loseFenced gives up what another instance has taken over.
func (g *GroupConsumer) loseFenced(ctx context.Context, fatal error) error {
	if codeOf(fatal) != sarama.ErrFencedInstancedId {
		return nil //nolint:nilerr // the caller returns it
	}
	tps := g.Assignment()
	if len(tps) == 0 {
		return nil
	}
	defer g.disown(tps)
	return g.listen(func() error { return g.listener.Lost(ctx, tps) })
}

// listen calls the listener, which may take max.poll.interval.ms.
func (g *GroupConsumer) listen(fn func() error) error {
	g.expiry.Reset(g.settings.maxPollInterval)
	defer g.expiry.Stop()
	return fn()
}

// inPoll has fn run by the next Poll and waits for it; in the membership's goroutine.
// What fn returns is Poll's result. When fn panics, the rebalance is not gone on with: as
// in Java, the member is left where it is, so that what was consumed before can be
// committed, until Close leaves the group (or max.poll.interval.ms is over).
func (g *GroupConsumer) inPoll(ctx context.Context, fn func(ctx context.Context) error) error {
	step := &pollStep{run: fn, done: make(chan struct{})}
	g.mu.Lock()
	g.pending = step
	g.mu.Unlock()
	g.inner.Wake()
	select {
	case <-step.done:
		if step.finished {
			return nil
		}
		<-ctx.Done()
		return context.Cause(ctx)
	case <-ctx.Done():
	}
	g.mu.Lock()
	taken := step.taken
	if !taken {
		g.pending = nil
	}
	g.mu.Unlock()
	if taken {
		<-step.done
	}
	return context.Cause(ctx)
}

// Assignment returns the current partitions, sorted.
func (g *GroupConsumer) Assignment() []connect.TopicPartition {
	g.mu.Lock()
	defer g.mu.Unlock()
	return sortedPartitions(g.owned)
}

func sortedPartitions(set map[connect.TopicPartition]bool) []connect.TopicPartition {
	return slices.SortedFunc(maps.Keys(set), connect.TopicPartition.Compare)
}

// disown stops fetching partitions.
func (g *GroupConsumer) disown(tps []connect.TopicPartition) {
	g.mu.Lock()
	for _, tp := range tps {
		delete(g.owned, tp)
	}
	g.mu.Unlock()
	g.inner.Remove(tps...)
}

// Position is Consumer.Position, for at most default.api.timeout.ms (ErrTimeout).
func (g *GroupConsumer) Position(ctx context.Context, tp connect.TopicPartition) (int64, error) {
	limit := g.settings.apiTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errAPITimeout)
	defer cancel()
	position, err := g.inner.Position(ctx, tp)
	if errors.Is(err, errAPITimeout) {
		return 0, fmt.Errorf("Timeout of %dms expired before the position for partition %s could be determined (default.api.timeout.ms): %w", limit.Milliseconds(), tp, ErrTimeout)
	}
	return position, err
}

// Seek is Consumer.Seek.
func (g *GroupConsumer) Seek(tp connect.TopicPartition, offset int64) { g.inner.Seek(tp, offset) }

// Pause is Consumer.Pause. A partition that is assigned anew is not paused.
func (g *GroupConsumer) Pause(tps ...connect.TopicPartition) { g.inner.Pause(tps...) }

// Resume is Consumer.Resume.
func (g *GroupConsumer) Resume(tps ...connect.TopicPartition) { g.inner.Resume(tps...) }

// Wake makes a Poll that waits return early; without one, the next Poll.
func (g *GroupConsumer) Wake() {
	g.woken.Store(true)
	g.inner.Wake()
}

// Close revokes (calling the listener), waits for commits under way, leaves the group
// and releases everything. When ctx ends, it stops waiting and cuts the connections.
// A static member (group.instance.id) does not leave. It may be called again.
func (g *GroupConsumer) Close(ctx context.Context) (err error) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	fenced := codeOf(g.fatal) == sarama.ErrFencedInstancedId
	g.mu.Unlock()
	g.expiry.Stop()
	defer func() { err = errors.Join(err, g.release(ctx)) }() // also when the listener panics
	tps := g.Assignment()
	if len(tps) == 0 {
		return nil
	}
	defer g.disown(tps)
	if fenced || g.member.wasLost() {
		return g.listener.Lost(ctx, tps)
	}
	return g.listener.Revoked(ctx, tps)
}

// release waits for commits under way, leaves the group, ends all goroutines and calls the
// last callbacks.
func (g *GroupConsumer) release(ctx context.Context) (err error) {
	g.awaitCommits(ctx)
	g.cancel() // the membership leaves the group, then ends
	stop := context.AfterFunc(ctx, g.inner.cluster.close)
	g.wg.Wait()
	stop()
	defer func() { err = g.inner.Close() }()
	g.runCallbacks()
	return nil
}
