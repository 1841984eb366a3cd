package group

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/connect/group/protocol"
	"github.com/penstock-io/penstock/storage"
)

const (
	// askTimeout bounds one question for the plugins of a worker.
	askTimeout = 5 * time.Second
	// Pauses between questions that failed.
	firstAskPause = time.Second
	lastAskPause  = time.Minute
	// keptAddresses is how many addresses of former members are remembered at least.
	keptAddresses = 64
)

// catalog is what one worker can run. It is never changed.
type catalog struct {
	classes []string
	// names leads from class names and aliases to how many classes have them.
	names map[string]int
}

// newCatalog knows classes by their full name, their simple name, and that without
// Connector (Java: PluginUtils). An alias that two classes share is none.
func newCatalog(classes []string) *catalog {
	c := &catalog{names: map[string]int{}}
	for _, class := range classes {
		if !slices.Contains(c.classes, class) { // a JVM worker lists each version
			c.classes = append(c.classes, class)
		}
	}
	for _, class := range c.classes {
		simple := class[strings.LastIndexAny(class, ".$")+1:]
		c.names[simple]++
		if at := strings.LastIndex(simple, "Connector"); at > 0 {
			c.names[simple[:at]]++
		}
	}
	for _, class := range c.classes {
		c.names[class] = 1
	}
	return c
}

// has reports whether connector.class, a class or an alias, can be run; nil can anything.
func (c *catalog) has(class string) bool { return c == nil || c.names[class] == 1 }

// host is a member as placement knows it.
type host struct {
	url string
	// catalog is nil as long as nothing is known. Until the member has answered it is what
	// a worker at the same address has said last: most likely it is that one, restarted.
	catalog *catalog
	asking  context.CancelFunc // nil: it has answered
}

// placement knows which member can run which connector classes (no Java counterpart: the
// JVM gives connectors to any worker). While this worker leads it asks each member once,
// in the background; a member that has not answered can run anything. Its methods take a
// nil receiver, which knows nothing.
type placement struct {
	ask    func(ctx context.Context, url string) ([]string, error)
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
	// The last assignment, while it is in force and this worker leads.
	owners  map[connect.TaskID]string // member ids
	classes map[string]string         // by connector
}

func newPlacement(o Options, rejoin func(reason string)) *placement {
	if o.Plugins == nil {
		return nil
	}
	p := &placement{ask: o.Plugins, ownURL: o.URL, own: newCatalog(o.OwnPlugins), log: o.Log, rejoin: rejoin,
		members: map[string]*host{}, addresses: map[string]*catalog{}}
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

// begin takes over who is in the group, asks those that are new, and returns what is known
// of each member that is to be looked at.
func (p *placement) begin(states map[string]protocol.WorkerState) map[string]*catalog {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owners, p.classes = nil, nil
	for id, m := range p.members {
		if s, ok := states[id]; !ok || s.URL != m.url {
			p.dropLocked(id)
		}
	}
	known := make(map[string]*catalog, len(states))
	for id, s := range states {
		m := p.members[id]
		if m == nil {
			m = p.addLocked(id, s.URL)
		}
		known[id] = m.catalog
	}
	if len(p.addresses) > keptAddresses+2*len(states) {
		p.forgetAddressesLocked()
	}
	return known
}

func (p *placement) addLocked(id, url string) *host {
	m := &host{url: url, catalog: p.addresses[url]}
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
		classes, err := p.ask(asking, m.url)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			p.answered(id, m, classes)
			return
		case attempt == 0:
			p.log.Warn("The plugins of a worker are not known yet, so any connector may be placed there; it is asked again",
				zap.String("worker", m.url), zap.Error(err))
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

func (p *placement) answered(id string, m *host, classes []string) {
	c := newCatalog(classes)
	p.mu.Lock()
	if p.members[id] != m {
		p.mu.Unlock()
		return
	}
	m.catalog = c
	m.asking() // releases its context
	m.asking = nil
	p.addresses[m.url] = c
	wrong := p.misplacedLocked()
	p.mu.Unlock()
	p.log.Info("Learned the connector plugins of a worker", zap.String("worker", m.url), zap.Int("classes", len(c.classes)))
	p.correct(wrong)
}

func (p *placement) correct(wrong int) {
	if wrong == 0 {
		return
	}
	p.log.Info("Connectors or tasks are on workers that do not have their class, while others do: they are moved", zap.Int("items", wrong))
	p.rejoin("connectors or tasks are on workers that do not have their plugin")
}

// assigned takes over a round. An answer that came while it was computed may have shown it
// to be wrong already.
func (p *placement) assigned(r assignor.Result, classes map[string]string) {
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
	p.owners, p.classes = owners, classes
	wrong := p.misplacedLocked()
	p.mu.Unlock()
	p.correct(wrong)
}

// misplacedLocked counts what sits where it cannot run, while it can elsewhere.
func (p *placement) misplacedLocked() int {
	n := 0
	for i, id := range p.owners {
		class := p.classes[i.Connector]
		if m := p.members[id]; class == "" || m == nil || m.catalog.has(class) {
			continue
		}
		for _, m := range p.members {
			if m.catalog.has(class) {
				n++
				break
			}
		}
	}
	return n
}

// suspend forgets the assignment while a rebalance is under way.
func (p *placement) suspend() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owners, p.classes = nil, nil
}

// resign stops the questions of a worker that does not lead. What members have answered is
// kept for the next time.
func (p *placement) resign() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owners, p.classes = nil, nil
	for id, m := range p.members {
		if m.asking != nil {
			p.dropLocked(id)
		}
	}
}

// Holders are the REST addresses of the members of the group, sorted, by whether they can
// run a connector class.
type Holders struct {
	Have, Lack []string
	Unknown    []string // have not told their plugins yet
}

// Holders returns who can run a connector class or alias, as the leader knows it; false on
// any other worker, and where Options.Plugins is not set.
func (m *Member) Holders(class string) (Holders, bool) {
	p := m.placement
	if p == nil {
		return Holders{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owners == nil {
		return Holders{}, false
	}
	var h Holders
	for _, m := range p.members {
		switch {
		case m.catalog == nil:
			h.Unknown = append(h.Unknown, m.url)
		case m.catalog.has(class):
			h.Have = append(h.Have, m.url)
		default:
			h.Lack = append(h.Lack, m.url)
		}
	}
	slices.Sort(h.Have)
	slices.Sort(h.Lack)
	slices.Sort(h.Unknown)
	return h, true
}

// classesOf returns the connector.class of each connector. One that has a placeholder is
// left out: what it stands for may differ between workers.
func classesOf(c *storage.ClusterConfig) map[string]string {
	classes := map[string]string{}
	for _, name := range c.Connectors() {
		if class := strings.TrimSpace(c.Connector(name).Config["connector.class"]); !strings.Contains(class, "${") {
			classes[name] = class
		}
	}
	return classes
}

// ability is what the assignor asks; nil when nothing is known of anybody.
func ability(known map[string]*catalog, classes map[string]string) func(member, connector string) bool {
	if known == nil {
		return nil
	}
	return func(member, connector string) bool {
		class := classes[connector]
		return class == "" || known[member].has(class)
	}
}
