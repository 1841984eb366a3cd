package assignor

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/penstock-io/penstock/connect/group/protocol"
	"github.com/penstock-io/penstock/internal/javagolden"
	"github.com/penstock-io/penstock/storage/records"
	"github.com/penstock-io/penstock/storage/state"
)

// The recorded runs of JVM workers and the config topics that go with them.
const (
	runs   = "../protocol/testdata/java/"
	topics = "../../../storage/records/testdata/java/"
)

// event is one line of a recorded run: see the README.md beside the runs.
type event struct {
	MS                     int64
	Kind, Note             string
	Client, Member, Leader string
	Err                    int16
	Generation             int32
	Protocol               string
	Blobs                  []struct {
		Name  string
		Bytes []byte
	}
}

// process is one JVM worker process, with the history that its assignor has.
type process struct {
	assignor      *Incremental
	lastCompleted int32
	joined        event // its last answer to a join that made it the leader
	// noted tells in which generation a member became a candidate for lost work.
	noted map[string]int32
}

// javaRun feeds ours with a run.
type javaRun struct {
	t         *testing.T
	config    []configRecord
	maxDelay  time.Duration
	processes map[string]*process
	done      tally
}

// tally counts the rounds by how they were compared.
type tally struct {
	eager, exact int // same work for each member
	reordered    int // same loads, another member has the item more
	swapped      int // candidates of one round have each other's lost work
	running      int // of these, rounds with the rest of a delay that runs
	orphans      int // of these, rounds in which ours revokes what is not configured, and the JVM a round later
}

func (n *tally) add(o tally) {
	n.eager, n.exact, n.reordered = n.eager+o.eager, n.exact+o.exact, n.reordered+o.reordered
	n.swapped += o.swapped
	n.running, n.orphans = n.running+o.running, n.orphans+o.orphans
}

type configRecord struct {
	Topic, Key string
	Offset     int64
	Value      *string
}

func newJavaRun(t *testing.T, name string) *javaRun {
	r := &javaRun{t: t, maxDelay: 3 * time.Second, processes: map[string]*process{}}
	for _, rec := range javagolden.ReadLines[configRecord](t, topics+name+".jsonl.gz") {
		if rec.Topic == "config" {
			r.config = append(r.config, rec)
		}
	}
	return r
}

// configured returns what should run when the config topic was read up to an offset.
func (r *javaRun) configured(offset int64) (all []Item) {
	c := state.NewConfig()
	for _, rec := range r.config {
		if rec.Offset >= offset {
			break
		}
		var value []byte
		if rec.Value != nil {
			value = []byte(*rec.Value)
		}
		decoded, err := records.DecodeConfig([]byte(rec.Key), value)
		if err != nil {
			r.t.Fatal(err)
		}
		c.Apply(rec.Offset, decoded)
	}
	s := c.Snapshot()
	for _, name := range s.Connectors() {
		all = append(append(all, Connector(name)), s.Tasks(name)...)
	}
	return all
}

func (r *javaRun) process(client string) *process {
	p := r.processes[client]
	if p == nil {
		p = &process{assignor: NewIncremental(r.maxDelay), lastCompleted: -1, noted: map[string]int32{}}
		r.processes[client] = p
	}
	return p
}

// take takes the next event of the run.
func (r *javaRun) take(e event) {
	p := r.process(e.Client)
	switch {
	case e.Kind == "note":
		r.note(e.Note)
	case e.Kind == "joined" && e.Err == 0 && len(e.Blobs) > 0:
		p.joined = e
	case e.Kind == "sync" && len(e.Blobs) > 0:
		r.round(p, e)
	case e.Kind == "synced" && e.Err == 0:
		p.lastCompleted = e.Generation
	}
}

// note finds the properties of the scenario.
func (r *javaRun) note(text string) {
	text, ok := strings.CutPrefix(text, "properties ")
	if !ok {
		return
	}
	var props map[string]string
	if err := json.Unmarshal([]byte(text), &props); err != nil {
		r.t.Fatal(err)
	}
	if ms := props["scheduled.rebalance.max.delay.ms"]; ms != "" {
		n, err := strconv.Atoi(ms)
		if err != nil {
			r.t.Fatal(err)
		}
		r.maxDelay = time.Duration(n) * time.Millisecond
	}
}

// decision is what the JVM's leader decided in a round, by member.
type decision struct {
	assigned, revoked map[string][]Item
	delay             time.Duration
	offset            int64
	err               int16
}

func (r *javaRun) decision(e event) decision {
	d := decision{assigned: map[string][]Item{}, revoked: map[string][]Item{}}
	for _, b := range e.Blobs {
		a, err := protocol.ReadAssignment(b.Bytes)
		if err != nil {
			r.t.Fatal(err)
		}
		d.assigned[b.Name] = Items(a.Connectors, a.Tasks)
		d.revoked[b.Name] = Items(a.RevokedConnectors, a.RevokedTasks)
		d.delay, d.offset, d.err = a.Delay, a.ConfigOffset, a.Err
	}
	return d
}

// round lets ours decide in the place of the JVM's leader.
func (r *javaRun) round(p *process, e event) {
	if p.joined.Generation != e.Generation {
		r.t.Fatalf("generation %d is assigned by %s, which joined %d", e.Generation, e.Client, p.joined.Generation)
	}
	want := r.decision(e)
	if want.err != protocol.NoError {
		return // nothing was assigned
	}
	version, err := protocol.VersionOf(p.joined.Protocol)
	if err != nil {
		r.t.Fatal(err)
	}
	owned := map[string][]Item{}
	for _, b := range p.joined.Blobs {
		s, err := protocol.ReadMetadata(b.Bytes)
		if err != nil {
			r.t.Fatal(err)
		}
		owned[b.Name] = nil
		if s.Allocation != nil {
			owned[b.Name] = Items(s.Allocation.Connectors, s.Allocation.Tasks)
		}
	}
	configured := r.configured(want.offset)
	if version == protocol.Eager {
		if got := Eager(sortedKeys(owned), configured); !equalItems(want.assigned, got) {
			r.t.Errorf("generation %d, assigned (-JVM +ours):\n%s", e.Generation, itemDiff(want.assigned, got))
		}
		r.done.eager++
		return
	}
	got := p.assignor.Assign(Round{
		Now: time.Duration(e.MS) * time.Millisecond, LastCompleted: p.lastCompleted, Generation: e.Generation,
		Configured: configured, Owned: owned,
	})
	for _, id := range p.assignor.candidates {
		if _, known := p.noted[id]; !known {
			p.noted[id] = e.Generation
		}
	}
	r.compare(p, e, owned, want, got)
}

// compare holds ours against the JVM's decision.
//
// Exactly: who gets and who gives up what, and a delay that starts or that is none. What
// depends on the order of the JVM's hash maps leaves room: which members keep one item more
// than the others after a revocation for balance, and which of the members that became
// candidates in one round is the first to get lost work. So does the rest of a delay that
// runs: the leader's clock is known to some milliseconds.
func (r *javaRun) compare(p *process, e event, owned map[string][]Item, want decision, got Result) {
	r.t.Helper()
	r.dropOrphans(want, got)
	switch {
	case equalItems(want.assigned, got.Assigned) && equalItems(want.revoked, got.Revoked):
		r.done.exact++
	case equalItems(want.revoked, got.Revoked) && swapped(p.noted, want.assigned, got.Assigned):
		r.done.swapped++
	case equalItems(want.revoked, got.Revoked):
		r.t.Errorf("generation %d at %d ms, assigned (-JVM +ours):\n%s", e.Generation, e.MS, itemDiff(want.assigned, got.Assigned))
	default:
		r.done.reordered++
		r.sameUpToOrder(e, owned, want, got)
		adopt(p.assignor, want, got)
	}
	const clock = 300 * time.Millisecond
	off := (want.delay - got.Delay).Abs()
	if off == 0 {
		return
	}
	if off > clock || want.delay == 0 || got.Delay == 0 || want.delay == r.maxDelay {
		r.t.Errorf("generation %d at %d ms: the JVM's delay is %v, ours %v", e.Generation, e.MS, want.delay, got.Delay)
	}
	r.done.running++
	p.assignor.delay, p.assignor.scheduled = want.delay, time.Duration(e.MS)*time.Millisecond+want.delay
}

// dropOrphans takes out of our revocations what runs without being configured and is left
// running by the JVM: a new leader of it has no history, and notices such work in its
// second round only. That ours revokes it at once is wanted: see Assign.
func (r *javaRun) dropOrphans(want decision, got Result) {
	configured := newSet(r.configured(want.offset))
	found := false
	for id, items := range got.Revoked {
		orphans := newSet(items).minus(configured, newSet(want.revoked[id]))
		got.Revoked[id] = without(items, orphans)
		found = found || len(orphans) > 0
	}
	if found {
		r.done.orphans++
	}
}

var (
	anyOrder = cmpopts.SortSlices(func(a, b Item) bool { return compareItems(a, b) < 0 })
	noItems  = cmpopts.EquateEmpty()
)

func itemDiff(want, got map[string][]Item) string { return cmp.Diff(want, got, noItems, anyOrder) }

func equalItems(want, got map[string][]Item) bool { return cmp.Equal(want, got, noItems, anyOrder) }

// sameUpToOrder: the same work is given out, and the same number of members ends with the
// same number of connectors and of tasks; what is revoked for balance comes from the front
// of what a member reported.
func (r *javaRun) sameUpToOrder(e event, owned map[string][]Item, want decision, got Result) {
	r.t.Helper()
	fail := func(what string) {
		r.t.Helper()
		r.t.Errorf("generation %d at %d ms: %s; revoked (-JVM +ours):\n%s\nassigned:\n%s", e.Generation, e.MS, what,
			itemDiff(want.revoked, got.Revoked), itemDiff(want.assigned, got.Assigned))
	}
	if !cmp.Equal(union(want.assigned), union(got.Assigned)) {
		fail("other work is assigned")
	}
	configured := newSet(r.configured(want.offset))
	for _, kind := range []bool{true, false} {
		var theirs, ours []int
		for _, id := range sortedKeys(owned) {
			mine := ofKind(owned[id], kind)
			theirs = append(theirs, len(mine)+len(ofKind(want.assigned[id], kind))-len(ofKind(want.revoked[id], kind)))
			ours = append(ours, len(mine)+len(ofKind(got.Assigned[id], kind))-len(ofKind(got.Revoked[id], kind)))
			// Work that is not configured any more is revoked wherever it is.
			kept := newSet(mine).minus(configured)
			mine = without(mine, kept)
			front := ofKind(without(want.revoked[id], kept), kind)
			if !cmp.Equal(newSet(mine[:min(len(front), len(mine))]), newSet(front)) {
				fail("the JVM's revocations are not the first items of " + id)
			}
		}
		slices.Sort(theirs)
		slices.Sort(ours)
		if !slices.Equal(theirs, ours) {
			fail(fmt.Sprintf("loads %v, ours %v (connectors: %t)", theirs, ours, kind))
		}
	}
}

// swapped: all members have the same, but for those noted in one generation, which have
// the same among them.
func swapped(noted map[string]int32, want, got map[string][]Item) bool {
	shares := func(m map[string][]Item) map[string][]string {
		out := map[string][]string{}
		for _, id := range sortedKeys(m) {
			group := id
			if generation, ok := noted[id]; ok {
				group = fmt.Sprint("noted in ", generation)
			}
			out[group] = append(out[group], itemNames(m[id]))
			slices.Sort(out[group])
		}
		return out
	}
	return cmp.Equal(shares(want), shares(got))
}

func union(m map[string][]Item) set {
	all := set{}
	for _, items := range m {
		for _, i := range items {
			all[i] = struct{}{}
		}
	}
	return all
}

func ofKind(items []Item, connectors bool) (out []Item) {
	for _, i := range items {
		if IsConnector(i) == connectors {
			out = append(out, i)
		}
	}
	return out
}

// adopt lets ours remember the JVM's revocations in the place of its own: the next
// round is about what really happened.
func adopt(a *Incremental, want decision, got Result) {
	theirs := union(want.revoked)
	for i := range union(got.Revoked) {
		a.previous[i] = struct{}{}
	}
	a.previous = a.previous.minus(theirs)
	a.previousRevoked = theirs
}

func TestRecordedRunsOfTheJVM(t *testing.T) {
	files, err := filepath.Glob(runs + "*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded runs", err)
	}
	slices.Sort(files)
	var all tally
	played := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl.gz")
		t.Run(name, func(t *testing.T) {
			r := newJavaRun(t, name)
			for _, e := range javagolden.ReadLines[event](t, file) {
				r.take(e)
			}
			t.Logf("rounds: %+v", r.done)
			all.add(r.done)
			played++
		})
	}
	t.Logf("all rounds: %+v", all)
	if played < len(files) {
		return
	}
	if all.eager < 20 || all.exact < 100 || all.running < 5 {
		t.Errorf("the recordings are poor: %+v", all)
	}
}
