package assignor

import (
	"slices"
	"time"
)

// Answer is whether a member can run a connector.
type Answer int

// A member that is Unsure keeps what it has, but gets nothing while another one is sure.
const (
	No Answer = iota
	Unsure
	Yes
)

// placing knows which members can run what. Its methods take a nil receiver: then every
// member can run everything.
type placing struct {
	index   map[string]int // members, by id
	members []string       // sorted
	// kinds tell who can run the connectors of a kind; a kind is a distinct set of such
	// members.
	kinds  []kind
	kindOf map[string]int // of a connector
	// nobody holds the connectors that no member can run: they are of the kind of those
	// that all can run.
	nobody map[string]bool
	whole  bool // all kinds can run everywhere
}

// kind is, by member, who may keep the connectors of a kind, and who may get more of them:
// all that are sure, or if there is none, all that may keep them.
type kind struct{ keeps, gets []bool }

// kindOf sorts the members by what they say; nobody reports that all say No.
func kindOf(answers []Answer) (k kind, nobody bool) {
	best := slices.Max(answers)
	nobody = best == No
	for _, a := range answers {
		k.keeps = append(k.keeps, nobody || a != No)
		k.gets = append(k.gets, a == best)
	}
	return k, nobody
}

// key is the same for equal kinds.
func (k kind) key() string {
	key := make([]byte, 0, 2*len(k.keeps))
	for n := range k.keeps {
		at := byte('0')
		if k.keeps[n] {
			at++
		}
		if k.gets[n] {
			at += 2
		}
		key = append(key, at)
	}
	return string(key)
}

func newPlacing(canRun func(member, connector string) Answer, members []string, configured []Item) *placing {
	if canRun == nil || len(members) == 0 {
		return nil
	}
	p := &placing{index: map[string]int{}, members: members, kindOf: map[string]int{}, nobody: map[string]bool{}, whole: true}
	for n, id := range members {
		p.index[id] = n
	}
	known := map[string]int{}
	for _, i := range configured {
		if _, seen := p.kindOf[i.Connector]; seen {
			continue
		}
		answers := make([]Answer, len(members))
		for n, id := range members {
			answers[n] = canRun(id, i.Connector)
		}
		k, nobody := kindOf(answers)
		if nobody {
			p.nobody[i.Connector] = true
		}
		n, ok := known[k.key()]
		if !ok {
			n = len(p.kinds)
			known[k.key()] = n
			p.kinds = append(p.kinds, k)
			p.whole = p.whole && !slices.Contains(k.gets, false)
		}
		p.kindOf[i.Connector] = n
	}
	return p
}

// restricts reports whether something cannot run everywhere.
func (p *placing) restricts() bool { return p != nil && !p.whole }

// misplaced reports whether an item cannot run on a member, while it can on another.
func (p *placing) misplaced(member string, i Item) bool {
	if !p.restricts() {
		return false
	}
	kind, ok := p.kindOf[i.Connector]
	return ok && !p.kinds[kind].keeps[p.index[member]]
}

// mayGet reports whether a member may be given an item.
func (p *placing) mayGet(member string, i Item) bool {
	if !p.restricts() {
		return true
	}
	kind, ok := p.kindOf[i.Connector]
	return !ok || p.kinds[kind].gets[p.index[member]]
}

// stranded reports whether no member can run an item.
func (p *placing) stranded(i Item) bool { return p != nil && p.nobody[i.Connector] }

// placeAndBalance is balance and deal for a group in which not everything can run
// everywhere. What is given out now and what moves is planned together, so that the next
// round, which gives out what this one takes away, ends balanced.
func (a *Incremental) placeAndBalance(p *placing, configured set, next []*load, revoked map[string]set, toAssign []Item, now time.Duration) {
	pending := newSet(toAssign)
	if a.delay == 0 { // nothing waits: what is revoked comes back in the next round
		pending = configured.minus(newSet(itemsOf(next)...))
	}
	plans := p.planBoth(next, pending, a.delay == 0)
	surplus := map[string][]Item{}
	for _, pl := range plans {
		pl.surplus(next, surplus)
	}
	if !a.balance(surplus, next, revoked, now) && len(surplus) > 0 {
		plans = p.planBoth(next, pending, false) // not now: what runs stays where it is
	}
	for _, pl := range plans {
		pl.give(next, toAssign)
	}
}

func itemsOf(next []*load) [][]Item {
	all := make([][]Item, len(next))
	for n, l := range next {
		all[n] = l.items
	}
	return all
}

// plan says how many connectors, or tasks, of each kind each member should have. Members
// are equally loaded, as far as kinds allow, exactly when no chain of moves leads from a
// member to one that has at least two less: the plan follows such chains until there is
// none, first with what nobody has yet, then with what runs.
type plan struct {
	p          *placing
	connectors bool
	movable    bool    // what runs may move
	load       []int   // by member
	held       [][]int // by member and kind: what stays
	gives      [][]int // what it has and gives up
	fresh      [][]int // what it gets
}

func (p *placing) planBoth(next []*load, pending set, movable bool) []*plan {
	return []*plan{p.plan(next, pending, true, movable), p.plan(next, pending, false, movable)}
}

func (p *placing) plan(next []*load, pending set, connectors, movable bool) *plan {
	pl := &plan{p: p, connectors: connectors, movable: movable, load: make([]int, len(p.members)),
		held: p.counts(), gives: p.counts(), fresh: p.counts()}
	for _, l := range next {
		m := p.index[l.id]
		for _, i := range l.items {
			if IsConnector(i) == connectors {
				pl.held[m][p.kindOf[i.Connector]]++
				pl.load[m]++
			}
		}
	}
	todo := make([]int, len(p.kinds))
	for i := range pending {
		if IsConnector(i) == connectors {
			todo[p.kindOf[i.Connector]]++
		}
	}
	for kind, n := range todo {
		for range n {
			m := pl.least(kind)
			pl.fresh[m][kind]++
			pl.load[m]++
		}
	}
	for pl.improve() {
	}
	pl.keep()
	return pl
}

func (p *placing) counts() [][]int {
	c := make([][]int, len(p.members))
	for m := range c {
		c[m] = make([]int, len(p.kinds))
	}
	return c
}

// least returns the member with the least load of those that may get more of a kind.
func (pl *plan) least(kind int) int {
	best := -1
	for m, gets := range pl.p.kinds[kind].gets {
		if gets && (best < 0 || pl.load[m] < pl.load[best]) {
			best = m
		}
	}
	return best
}

// improve follows one chain of moves from the fullest member that has one. Among the
// chains from there it takes the one that moves the least of what runs.
func (pl *plan) improve() bool {
	order := make([]int, len(pl.load))
	for m := range order {
		order[m] = m
	}
	slices.SortStableFunc(order, func(x, y int) int { return pl.load[y] - pl.load[x] })
	for _, from := range order {
		if pl.load[from] < pl.load[order[len(order)-1]]+2 {
			return false
		}
		if pl.moveFrom(from) {
			return true
		}
	}
	return false
}

// step is how a search has come to a member: one item of a kind moved from another.
type step struct {
	from, kind int
	held       bool
	cost       int // moves of what runs, from the start
}

func (pl *plan) moveFrom(from int) bool {
	steps := pl.search(from)
	to := -1
	for m, s := range steps {
		if s == nil || m == from || pl.load[m] > pl.load[from]-2 {
			continue
		}
		if to < 0 || s.cost < steps[to].cost || s.cost == steps[to].cost && pl.load[m] < pl.load[to] {
			to = m
		}
	}
	if to < 0 {
		return false
	}
	pl.load[from]--
	pl.load[to]++
	for m := to; m != from; m = steps[m].from {
		s := steps[m]
		if s.held {
			pl.held[s.from][s.kind]--
			pl.gives[s.from][s.kind]++
		} else {
			pl.fresh[s.from][s.kind]--
		}
		pl.fresh[m][s.kind]++
	}
	return true
}

// search finds the cheapest way to every member that can be reached from one: a move of
// what nobody has yet costs nothing, one of what runs costs one.
func (pl *plan) search(from int) []*step {
	steps := make([]*step, len(pl.load))
	steps[from] = &step{from: from}
	queue, later := []int{from}, []int(nil)
	done := make([]bool, len(pl.load))
	for cost := 0; len(queue) > 0; cost++ {
		for len(queue) > 0 {
			m := queue[0]
			queue = queue[1:]
			if done[m] {
				continue
			}
			done[m] = true
			for kind, k := range pl.p.kinds {
				free := pl.fresh[m][kind] > 0
				if !free && (!pl.movable || pl.held[m][kind] == 0) {
					continue
				}
				s := step{from: m, kind: kind, held: !free, cost: cost}
				if s.held {
					s.cost++
				}
				for to := range k.gets {
					if !k.gets[to] || done[to] || steps[to] != nil && steps[to].cost <= s.cost {
						continue
					}
					steps[to] = &s
					if s.held {
						later = append(later, to)
					} else {
						queue = append(queue, to)
					}
				}
			}
		}
		queue, later = later, nil
	}
	return steps
}

// keep lets a member that both gives up and gets items of a kind keep its own instead.
func (pl *plan) keep() {
	for m := range pl.gives {
		for kind := range pl.gives[m] {
			n := min(pl.gives[m][kind], pl.fresh[m][kind])
			pl.gives[m][kind] -= n
			pl.fresh[m][kind] -= n
			pl.held[m][kind] += n
		}
	}
}

// surplus adds what members give up, the first of their lists, as in balancingRevocations.
func (pl *plan) surplus(next []*load, to map[string][]Item) {
	for _, l := range next {
		gives := slices.Clone(pl.gives[pl.p.index[l.id]])
		for _, i := range l.items {
			kind := pl.p.kindOf[i.Connector]
			if IsConnector(i) == pl.connectors && gives[kind] > 0 {
				gives[kind]--
				to[l.id] = append(to[l.id], i)
			}
		}
	}
}

// give hands out items, each to the least loaded of the members that are to get one of
// its kind.
func (pl *plan) give(next []*load, items []Item) {
	byMember := make([]*load, len(pl.load))
	sizes := make([]int, len(pl.load))
	for _, l := range next {
		m := pl.p.index[l.id]
		byMember[m], sizes[m] = l, l.count(pl.connectors)
	}
	for _, i := range items {
		if IsConnector(i) != pl.connectors {
			continue
		}
		kind, best := pl.p.kindOf[i.Connector], -1
		for m := range sizes {
			if pl.fresh[m][kind] > 0 && (best < 0 || sizes[m] < sizes[best]) {
				best = m
			}
		}
		if best < 0 {
			best = pl.least(kind) // not reached: whoever is planned for is pending
		}
		pl.fresh[best][kind]--
		sizes[best]++
		byMember[best].items = append(byMember[best].items, i)
	}
}
