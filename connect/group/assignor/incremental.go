package assignor

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Round is what the leader knows when a rebalance asks for assignments.
type Round struct {
	// Now is the time since any fixed moment, from a clock that only goes forward.
	Now time.Duration
	// LastCompleted is the last generation that this member completed, -1 for none.
	LastCompleted int32
	// Generation is the one that is being assigned.
	Generation int32
	// Configured is everything that should run, in any order.
	Configured []Item
	// Owned is what each member of the group says it runs, in its order.
	Owned map[string][]Item
	// CanRun tells whether a member has what a connector and its tasks need. nil: every
	// member can run everything. What no member can run goes to any of them.
	CanRun func(member, connector string) Answer
	// Released returns those of the lost items of which it is certain that nobody runs
	// them. They do not wait for the return of the member that had them. It is asked at
	// most once in a round, and only when something would have to wait. nil: all wait.
	Released func(lost []Item) []Item
}

// Result is what a round decides. All maps have an entry for each member.
type Result struct {
	// Assigned holds what each member gets in addition to what it keeps.
	Assigned map[string][]Item
	// Revoked holds what each member must give up. Nobody else gets it in this round.
	Revoked map[string][]Item
	// Owners holds all that each member has when the round is done.
	Owners map[string][]Item
	// Delay is the time after which the group should rebalance once more, 0 for none.
	Delay time.Duration
}

// Incremental is the incremental cooperative assignor (Java:
// IncrementalCooperativeAssignor, KIP-415): what runs goes on running, work of a member
// that went away waits for its return, and work moves only to balance, in two rounds:
// revoked in the first, assigned as new in the second. It belongs to one goroutine. Its
// state is the view of a leader on its last round; a member that was not leader starts
// with what the members report.
//
// Two things go beyond the JVM, and change nothing where they are not used: work that was
// released (Round.Released) does not wait, and work goes to members that can run it
// (Round.CanRun).
type Incremental struct {
	maxDelay time.Duration // scheduled.rebalance.max.delay.ms

	previous           set // the assignment after the last round, lost items included
	previousRevoked    set // revoked in the last round
	previousGeneration int32
	previousMembers    []string

	revokedInPrevious bool // the last round moved work for balance
	successive        int  // rounds in a row that wanted to move work
	candidates        []string
	delay             time.Duration
	scheduled         time.Duration // end of the delay as Round.Now; 0 = none
}

// NewIncremental returns an assignor without history. Work of a lost member waits for
// at most maxDelay; 0 gives it away at once.
func NewIncremental(maxDelay time.Duration) *Incremental {
	return &Incremental{
		maxDelay: maxDelay.Truncate(time.Millisecond), previous: set{}, previousRevoked: set{}, previousGeneration: -1,
	}
}

// load is the work of one member while a round is computed.
type load struct {
	id    string
	items []Item
}

func (l *load) count(connectors bool) int {
	n := 0
	for _, i := range l.items {
		if IsConnector(i) == connectors {
			n++
		}
	}
	return n
}

// Assign computes a round and remembers it.
func (a *Incremental) Assign(r Round) Result {
	now := r.Now.Truncate(time.Millisecond)
	if a.previousGeneration != r.LastCompleted {
		// Another leader, or a round that this one could not complete: the members know better.
		a.previous = set{}
	}
	members := sortedKeys(r.Owned)
	owned := make(map[string][]Item, len(members))
	active, duplicated := set{}, set{}
	for _, id := range members {
		owned[id] = distinct(r.Owned[id])
		for _, i := range owned[id] {
			if active.has(i) {
				duplicated[i] = struct{}{}
			}
			active[i] = struct{}{}
		}
	}
	configured := newSet(r.Configured)
	place := newPlacing(r.CanRun, members, r.Configured)
	a.checkPreviousRevocation(active)

	// Difference to the JVM, which looks at what it assigned itself only: after a change
	// of the leader, a connector that was deleted meanwhile would run on until another
	// rebalance.
	deleted := newSet(a.previous.sorted(), active.sorted()).minus(configured)
	lost := a.previous.minus(active, deleted)
	created := configured.minus(a.previous, active)

	revoked := make(map[string]set, len(members))
	next := make([]*load, 0, len(members))
	for _, id := range members {
		revoked[id] = set{}
		for _, i := range owned[id] {
			// A duplicate is revoked from all: who keeps it could not be told apart. What
			// sits where it cannot run moves, like a duplicate, in the next round.
			if deleted.has(i) || duplicated.has(i) || place.misplaced(id, i) {
				revoked[id][i] = struct{}{}
			}
		}
		next = append(next, &load{id: id, items: without(owned[id], revoked[id])})
	}

	reassign := a.handleLost(lost, next, now, place, r.Released)
	toAssign := append(created.sorted(), reassign.sorted()...)
	if place.restricts() {
		a.placeAndBalance(place, configured, next, revoked, toAssign, now)
	} else {
		a.balance(balancingRevocations(configured, next), next, revoked, now)
		deal(next, toAssign, true)
		deal(next, toAssign, false)
	}
	return a.remember(r.Generation, members, owned, next, revoked, lost)
}

// checkPreviousRevocation notices when somebody still runs what the last round revoked:
// then that round did not arrive everywhere, and what members report counts.
func (a *Incremental) checkPreviousRevocation(active set) {
	for i := range a.previousRevoked {
		if active.has(i) {
			a.previous = active.minus()
			break
		}
	}
	a.previousRevoked = set{}
}

// handleLost decides about work that nobody runs any more: it may set or end the delay,
// put work on candidates, or return what shall be dealt like new work.
func (a *Incremental) handleLost(lost set, next []*load, now time.Duration, place *placing, ask func([]Item) []Item) (reassign set) {
	if len(lost) == 0 && !a.revokedInPrevious {
		a.resetDelay()
		return nil
	}
	switch {
	case a.scheduled <= 0 && a.allPresent(next):
		// Nobody left: a member missed its assignment.
		return lost
	case a.maxDelay == 0:
		return lost
	case a.scheduled > 0 && now >= a.scheduled:
		reassign = a.giveToCandidates(lost, next, place)
		a.resetDelay()
		a.revokedInPrevious = false
		return reassign
	}
	released := releasedOf(lost, place, ask)
	if len(released) > 0 && len(released) == len(lost) {
		// As without a maximum delay: who stopped in order is not waited for.
		a.resetDelay()
		return released
	}
	// Who has nothing is new, or the lost member come back under another id.
	for _, l := range next {
		if len(l.items) == 0 && !slices.Contains(a.candidates, l.id) {
			a.candidates = append(a.candidates, l.id)
		}
	}
	if now < a.scheduled {
		a.delay = min(a.scheduled-now, a.maxDelay)
	} else {
		a.delay = a.maxDelay
	}
	a.scheduled = now + a.delay
	return released
}

// releasedOf asks which lost items nobody runs. One that no member of the group can run
// waits all the same: it would only fail elsewhere, and is assigned as soon as a member
// comes that can.
func releasedOf(lost set, place *placing, ask func([]Item) []Item) set {
	released := set{}
	if len(lost) == 0 || ask == nil {
		return released
	}
	for _, i := range ask(lost.sorted()) {
		if lost.has(i) && !place.stranded(i) {
			released[i] = struct{}{}
		}
	}
	return released
}

func (a *Incremental) allPresent(next []*load) bool {
	for _, id := range a.previousMembers {
		if !slices.ContainsFunc(next, func(l *load) bool { return l.id == id }) {
			return false
		}
	}
	return true
}

// giveToCandidates deals the lost work to the candidates that are still here, in the
// order in which they were noted; it returns what none of them can take.
func (a *Incremental) giveToCandidates(lost set, next []*load, place *placing) (rest set) {
	var takers []*load
	for _, id := range a.candidates {
		for _, l := range next {
			if l.id == id {
				takers = append(takers, l)
			}
		}
	}
	rest = set{}
	turn := map[bool]int{}
	for _, i := range lost.sorted() {
		kind, taken := IsConnector(i), false
		for range takers {
			l := takers[turn[kind]%len(takers)]
			turn[kind]++
			if taken = place.mayGet(l.id, i); taken {
				l.items = append(l.items, i)
				break
			}
		}
		if !taken {
			rest[i] = struct{}{}
		}
	}
	return rest
}

func (a *Incremental) resetDelay() {
	a.candidates, a.scheduled, a.delay = nil, 0, 0
}

// balance takes the surplus away from members that have more than their share, unless a
// delay runs, and reports whether it did. Two rounds in a row may not do so without a
// growing delay in between: members that come and go would else stop and start everything
// all the time.
func (a *Incremental) balance(surplus map[string][]Item, next []*load, revoked map[string]set, now time.Duration) (moved bool) {
	if a.delay != 0 {
		a.revokedInPrevious = false
		return false
	}
	if len(surplus) == 0 {
		if a.revokedInPrevious {
			a.revokedInPrevious, a.successive = false, 0
		}
		return false
	}
	if a.revokedInPrevious {
		a.successive++
		if a.delay = a.backoff(a.successive); a.delay != 0 {
			a.scheduled = now + a.delay
			return false
		}
	}
	for _, l := range next {
		drop := newSet(surplus[l.id])
		for i := range drop {
			revoked[l.id][i] = struct{}{}
		}
		l.items = without(l.items, drop)
	}
	a.revokedInPrevious = true
	return true
}

// backoff returns 40 ms to the power of n, at most the maximum delay.
func (a *Incremental) backoff(n int) time.Duration {
	if a.maxDelay == 0 {
		return 0
	}
	d := math.Pow(40, float64(n)) * float64(time.Millisecond)
	if d > float64(a.maxDelay) {
		return a.maxDelay
	}
	return time.Duration(d)
}

// balancingRevocations returns what members have above their share, by member.
func balancingRevocations(configured set, next []*load) map[string][]Item {
	out := map[string][]Item{}
	idle := !slices.ContainsFunc(next, func(l *load) bool { return len(l.items) > 0 })
	if idle || len(configured) == 0 {
		return out
	}
	for _, kind := range []bool{true, false} {
		total := 0
		for i := range configured {
			if IsConnector(i) == kind {
				total++
			}
		}
		least, extra := total/len(next), total%len(next)
		if balanced(next, kind, least, extra) {
			continue
		}
		used := 0
		for _, l := range next {
			limit := least
			size := l.count(kind)
			if size <= least {
				continue
			}
			if used < extra {
				used++
				limit++
			}
			for _, i := range l.items {
				if size <= limit {
					break
				}
				if IsConnector(i) == kind {
					out[l.id] = append(out[l.id], i)
					size--
				}
			}
		}
	}
	return out
}

// balanced: exactly extra members have one more than least, all others exactly least.
func balanced(next []*load, kind bool, least, extra int) bool {
	more := 0
	for _, l := range next {
		switch l.count(kind) {
		case least:
		case least + 1:
			more++
		default:
			return false
		}
	}
	return more == extra
}

// deal gives the items of one kind, in order, to the members with the least of that kind:
// one each to all that are level with the first, then again.
func deal(next []*load, items []Item, kind bool) {
	var todo []Item
	for _, i := range items {
		if IsConnector(i) == kind {
			todo = append(todo, i)
		}
	}
	if len(next) == 0 {
		return
	}
	sizes := make(map[string]int, len(next))
	for _, l := range next {
		sizes[l.id] = l.count(kind)
	}
	slices.SortFunc(next, func(x, y *load) int {
		if d := sizes[x.id] - sizes[y.id]; d != 0 {
			return d
		}
		return strings.Compare(x.id, y.id)
	})
	for len(todo) > 0 {
		level := sizes[next[0].id]
		for _, l := range next {
			if len(todo) == 0 || sizes[l.id] > level {
				break
			}
			l.items = append(l.items, todo[0])
			sizes[l.id]++
			todo = todo[1:]
		}
	}
}

// remember keeps the round for the next one and returns it.
func (a *Incremental) remember(generation int32, members []string, owned map[string][]Item, next []*load, revoked map[string]set, lost set) Result {
	res := Result{
		Assigned: map[string][]Item{}, Revoked: map[string][]Item{}, Owners: map[string][]Item{}, Delay: a.delay,
	}
	a.previous = set{}
	for _, l := range next {
		res.Owners[l.id] = without(l.items, revoked[l.id])
		res.Assigned[l.id] = without(l.items, newSet(owned[l.id]))
		res.Revoked[l.id] = revoked[l.id].sorted()
		for _, i := range l.items {
			a.previous[i] = struct{}{}
		}
	}
	for _, items := range revoked {
		for i := range items {
			delete(a.previous, i)
			a.previousRevoked[i] = struct{}{}
		}
	}
	for i := range lost {
		a.previous[i] = struct{}{}
	}
	a.previousGeneration, a.previousMembers = generation, members
	return res
}
