package group

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/connect/group/protocol"
	"github.com/penstock-io/penstock/rest/api"
)

const (
	// askTimeout bounds one question for the plugins of a worker.
	askTimeout = 5 * time.Second
	// firstAnswers is how long the leader waits in a rebalance for members that it has just
	// asked, once for each. An answer takes milliseconds; a second rebalance because of it
	// takes until the next heartbeat of every member.
	firstAnswers = 300 * time.Millisecond
	// Pauses between questions that failed.
	firstAskPause = time.Second
	lastAskPause  = time.Minute
	// keptAddresses is how many addresses of former members are remembered at least.
	keptAddresses = 64
)

// host is a member as placement knows it.
type host struct {
	url string
	// catalog is nil as long as nothing is known. Until the member has answered it is what
	// a worker at the same address has said last: most likely it is that one, restarted.
	catalog *catalog
	asking  context.CancelFunc // nil: it has answered
	tried   chan struct{}      // closed when it has answered, or not, for the first time
	// passedOver: it had not told when the last round was computed, and got nothing that it
	// may be able to run.
	passedOver bool
}

// placement knows which member can run which connector classes (no Java counterpart: the
// JVM gives connectors to any worker). While this worker leads it asks each member once,
// in the background. A member that has not answered keeps what it has, and gets what no
// other member is known to have the class of. Its methods take a nil receiver, which knows
// nothing.
type placement struct {
	ask    func(ctx context.Context, url string) ([]api.PluginInfo, error)
	ownURL string
	own    *catalog
	log    *zap.Logger
	rejoin func(reason string)

	ctx    context.Context //nolint:containedctx // the life of the questions
	cancel context.CancelFunc
	asks   sync.WaitGroup

	mu        sync.Mutex
	members   map[string]*host
	addresses map[string]*catalog
	news      chan struct{} // closed, and made anew, when more is known
	// The last assignment, while it is in force and this worker leads.
	owners map[connect.TaskID]string // member ids
	needs  map[string]need           // by connector
}

func newPlacement(o Options, rejoin func(reason string)) *placement {
	if o.Plugins == nil {
		return nil
	}
	p := &placement{ask: o.Plugins, ownURL: o.URL, own: newCatalog(o.OwnPlugins), log: o.Log, rejoin: rejoin,
		members: map[string]*host{}, addresses: map[string]*catalog{}, news: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// close ends all questions and waits for them.
func (p *placement) close() {
	if p != nil {
		p.cancel()
		p.asks.Wait()
	}
}

// begin takes over who is in the group, asks those that are new, waits for their answers
// for a moment, and returns what is known of each member.
func (p *placement) begin(ctx context.Context, states map[string]protocol.WorkerState) map[string]*catalog {
	if p == nil {
		return nil
	}
	p.await(ctx, p.enter(states))
	p.mu.Lock()
	defer p.mu.Unlock()
	known := make(map[string]*catalog, len(p.members))
	for id, m := range p.members {
		known[id] = m.catalog
	}
	return known
}

// enter returns those of the members that are new and not known from before.
func (p *placement) enter(states map[string]protocol.WorkerState) (fresh []*host) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owners, p.needs = nil, nil
	for id, m := range p.members {
		if s, ok := states[id]; !ok || s.URL != m.url {
			p.dropLocked(id)
		}
	}
	for id, s := range states {
		if p.members[id] != nil {
			continue
		}
		if m := p.addLocked(id, s.URL); m.catalog == nil {
			fresh = append(fresh, m)
		}
	}
	if len(p.addresses) > keptAddresses+2*len(states) {
		p.forgetAddressesLocked()
	}
	return fresh
}

// await waits until members have answered or could not be asked, for firstAnswers at most.
func (p *placement) await(ctx context.Context, members []*host) {
	limit := time.NewTimer(firstAnswers)
	defer limit.Stop()
	for _, m := range members {
		select {
		case <-m.tried:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (p *placement) addLocked(id, url string) *host {
	m := &host{url: url, catalog: p.addresses[url], tried: make(chan struct{})}
	p.members[id] = m
	if url == p.ownURL {
		m.catalog = p.own
		return m
	}
	ctx, cancel := context.WithCancel(p.ctx)
	m.asking = cancel
	p.asks.Go(func() { p.inquire(ctx, id, m) })
	return m
}

func (p *placement) dropLocked(id string) {
	if m := p.members[id]; m.asking != nil {
		m.asking()
	}
	delete(p.members, id)
}

// forgetAddressesLocked keeps the addresses of the members: where workers come and go,
// each with another address, there would be ever more.
func (p *placement) forgetAddressesLocked() {
	kept := map[string]*catalog{}
	for _, m := range p.members {
		if c := p.addresses[m.url]; c != nil {
			kept[m.url] = c
		}
	}
	p.addresses = kept
}

// inquire asks a member until it answers, leaves, or this worker leads no more.
func (p *placement) inquire(ctx context.Context, id string, m *host) {
	for attempt := 0; ; attempt++ {
		asking, cancel := context.WithTimeout(ctx, askTimeout)
		plugins, err := p.ask(asking, m.url)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			p.answered(id, m, plugins)
			return
		case attempt == 0:
			p.log.Warn("The plugins of a worker are not known yet, so connectors are placed there only if nobody is known to have their class; it is asked again",
				zap.String("worker", m.url), zap.Error(err))
			close(m.tried)
		}
		t := time.NewTimer(min(firstAskPause<<min(attempt, 10), lastAskPause))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

func (p *placement) answered(id string, m *host, plugins []api.PluginInfo) {
	c := newCatalog(plugins)
	p.mu.Lock()
	if p.members[id] != m {
		p.mu.Unlock()
		return
	}
	m.catalog = c
	m.asking() // releases its context
	m.asking = nil
	p.addresses[m.url] = c
	wrong, idle := p.misplacedLocked(), p.missedLocked(m)
	p.tellLocked()
	p.mu.Unlock()
	p.log.Info("Learned the connector plugins of a worker", zap.String("worker", m.url), zap.Int("classes", len(c.versions)))
	select {
	case <-m.tried: // after failures
	default:
		close(m.tried)
	}
	p.correct(wrong, idle)
}

// tellLocked wakes who waits for more to be known.
func (p *placement) tellLocked() {
	close(p.news)
	p.news = make(chan struct{})
}

// correct asks for a rebalance if the last one was decided with too little knowledge.
func (p *placement) correct(wrong int, idle bool) {
	switch {
	case wrong > 0:
		p.log.Info("Connectors or tasks are on workers that do not have their plugin, while others do: they are moved", zap.Int("items", wrong))
		p.rejoin("connectors or tasks are on workers that do not have their plugin")
	case idle:
		p.rejoin("a worker whose plugins were not known can take connectors or tasks")
	}
}

// assigned takes over a round. An answer that came while it was computed may have shown it
// to be wrong already.
func (p *placement) assigned(r assignor.Result, known map[string]*catalog, needs map[string]need) {
	if p == nil {
		return
	}
	owners := map[connect.TaskID]string{}
	for id, items := range r.Owners {
		for _, i := range items {
			owners[i] = id
		}
	}
	p.mu.Lock()
	p.owners, p.needs = owners, needs
	wrong, idle := p.misplacedLocked(), false
	for id, m := range p.members {
		m.passedOver = known[id] == nil
		idle = idle || m.catalog != nil && p.missedLocked(m)
	}
	p.tellLocked()
	p.mu.Unlock()
	p.correct(wrong, idle)
}

// missedLocked reports whether a member that has told by now might have got something in
// the last round. It is true once for a round.
func (p *placement) missedLocked(m *host) bool {
	if p.owners == nil || !m.passedOver {
		return false
	}
	m.passedOver = false
	for _, n := range p.needs {
		if n.class != "" && m.catalog.has(n) {
			return true
		}
	}
	return false
}

// misplacedLocked counts what sits where it cannot run, while it can elsewhere.
func (p *placement) misplacedLocked() int {
	wrong := 0
	for i, id := range p.owners {
		n := p.needs[i.Connector]
		if m := p.members[id]; m == nil || m.catalog.canRun(n) != assignor.No {
			continue
		}
		for _, m := range p.members {
			if m.catalog.canRun(n) != assignor.No {
				wrong++
				break
			}
		}
	}
	return wrong
}

// suspend forgets the assignment while a rebalance is under way.
func (p *placement) suspend() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owners, p.needs = nil, nil
}

// resign stops the questions of a worker that does not lead. What members have answered is
// kept for the next time.
func (p *placement) resign() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owners, p.needs = nil, nil
	for id, m := range p.members {
		if m.asking != nil {
			p.dropLocked(id)
		}
	}
}
