package herder

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/config/provider"
)

// What a connector or task was started with may change outside of Kafka: a config provider
// says how long its values are good (Data.TTL; Java: WorkerConfigTransformer), or how often
// they are worth a look (Data.CheckEvery). Every worker looks after what it runs itself,
// tasks included, since files are its own and tasks hold most secrets. The loop decides;
// providers are asked in the background, by one look at a time.

const (
	// minTTL keeps values that are never good from making a connector restart without pause.
	minTTL = time.Second
	// settleTime is the pause before a second look at a value that has changed: only what both
	// have seen counts, since a file may be written bit by bit.
	settleTime = time.Second
)

// reload is when and how values are looked at. It belongs to the loop.
type reload struct {
	timer   *time.Timer
	next    time.Time // when the timer fires; zero: it does not
	looking bool
	// troubles are what was last wrong with a place, to be logged when it changes.
	troubles map[place]string
}

// place is a path of a provider.
type place struct{ provider, path string }

func (p place) String() string {
	return fmt.Sprintf("path %q of config provider %s", p.path, p.provider)
}

// digest stands for a value, so that no secret is kept.
type digest [sha256.Size]byte

// usedSource is what an item uses of a place.
type usedSource struct {
	provider.Source
	every     time.Duration     // between looks; 0 = never
	ttl       time.Duration     // 0 = for ever
	seen      map[string]digest // by key, at the start
	changed   map[string]digest // what a first look has seen, until a second one
	lookAt    time.Time         // zero: never
	restartAt time.Time         // the end of the TTL; zero: never
}

func (u *usedSource) place() place { return place{u.Provider, u.Path} }

// lookUp notes what placeholders stand for, before the plugin's own config is resolved: a
// change in between costs a restart, and is not missed. It is called outside the loop.
func (h *Herder) lookUp(configs ...map[string]string) []usedSource {
	var used []usedSource
	for _, s := range h.Providers.Sources(configs...) {
		data, err := h.Providers.Get(s)
		u := usedSource{Source: s, every: data.CheckEvery, seen: digests(data, err)}
		now := time.Now()
		if u.every > 0 {
			u.lookAt = u.nextLook(now)
		}
		if err == nil && data.TTL >= 0 {
			u.ttl = max(data.TTL, minTTL)
			u.restartAt = now.Add(u.ttl)
		}
		if u.every > 0 || !u.restartAt.IsZero() {
			used = append(used, u)
		}
	}
	return used
}

func digests(data provider.Data, err error) map[string]digest {
	if err != nil {
		return nil
	}
	all := make(map[string]digest, len(data.Values))
	for k, v := range data.Values {
		all[k] = sha256.Sum256([]byte(v))
	}
	return all
}

// watch has the values that an item was started with looked at.
func (h *Herder) watch(it *item, used []usedSource) {
	it.used = used
	for i := range used {
		u := &used[i]
		if !u.restartAt.IsZero() {
			h.Log.Info(fmt.Sprintf("Scheduling a restart of %s in %d ms", it.name(), time.Until(u.restartAt).Milliseconds()))
		}
		h.checkAt(u.due())
	}
}

// nextLook is the same for everything that is looked at as often, so that a place is read
// once for all that use it.
func (u *usedSource) nextLook(now time.Time) time.Time { return now.Truncate(u.every).Add(u.every) }

// due returns when something is to be done, zero for never.
func (u *usedSource) due() time.Time {
	if u.lookAt.IsZero() || !u.restartAt.IsZero() && u.restartAt.Before(u.lookAt) {
		return u.restartAt
	}
	return u.lookAt
}

// checkAt has checkProviders called at a time, if that is not to be earlier anyway.
func (h *Herder) checkAt(at time.Time) {
	r := &h.reload
	if at.IsZero() || r.looking || !r.next.IsZero() && !at.Before(r.next) {
		return
	}
	r.next = at
	r.timer.Reset(time.Until(at))
}

// reloads reports whether an item is to be started again when a value changes: it runs,
// and config.action.reload is not none. One that has FAILED counts as well: a wrong secret
// may be why.
func (h *Herder) reloads(it *item) bool {
	if h.stopping || it.phase != running || it.mustStop() {
		return false
	}
	state := h.Configs.Snapshot().Connector(it.id.Connector)
	return state != nil && !strings.EqualFold(strings.TrimSpace(state.Config["config.action.reload"]), "none")
}

// checkProviders starts again what has values that are good no longer, and looks at those
// that are due.
func (h *Herder) checkProviders() {
	h.reload.next = time.Time{}
	now := time.Now()
	due := map[place][]string{}
	for _, it := range h.items {
		for i := range it.used {
			u := &it.used[i]
			switch {
			case !u.restartAt.IsZero() && !now.Before(u.restartAt):
				u.restartAt = now.Add(u.ttl)
				if h.reloads(it) {
					h.startAgain(it, fmt.Sprintf("the time-to-live of %s is over", u.place()))
				}
			case u.lookAt.IsZero() || now.Before(u.lookAt):
			case h.reloads(it):
				due[u.place()] = append(due[u.place()], u.Keys...)
			default:
				u.lookAt = u.nextLook(now)
			}
		}
	}
	if len(due) == 0 {
		h.scheduleCheck()
		return
	}
	h.look(due)
}

// startAgain restarts an item because of its values.
func (h *Herder) startAgain(it *item, why string) {
	h.Log.Info(fmt.Sprintf("Restarting %s: %s", it.name(), why), zap.String("connector", it.id.Connector))
	it.restart, it.restarting = true, true
	h.reconcile(it)
}

// looked is what a look at a place has found.
type looked struct {
	values map[string]digest
	err    error
}

// look reads places in the background; each once, however many items use it.
func (h *Herder) look(due map[place][]string) {
	h.reload.looking = true
	h.background(h.runCtx, func(ctx context.Context) func() {
		found := make(map[place]looked, len(due))
		for p, keys := range due {
			slices.Sort(keys)
			data, err := h.Providers.Get(provider.Source{Provider: p.provider, Path: p.path, Keys: slices.Compact(keys)})
			found[p] = looked{digests(data, err), err}
			if ctx.Err() != nil {
				return nil
			}
		}
		return func() { h.haveLooked(found) }
	})
}

// haveLooked compares what was found with what items were started with.
func (h *Herder) haveLooked(found map[place]looked) {
	h.reload.looking = false
	for p, l := range found {
		h.reportTrouble(p, l.err)
	}
	now := time.Now()
	for _, it := range h.items {
		var why string
		for i := range it.used {
			u := &it.used[i]
			l, ok := found[u.place()]
			if !ok || u.lookAt.IsZero() || now.Before(u.lookAt) {
				continue // started after the look had begun
			}
			if u.compare(l, now) {
				why = "a value has changed in " + u.place().String()
			}
		}
		if why != "" && h.reloads(it) {
			h.startAgain(it, why)
		}
	}
	h.scheduleCheck()
}

// compare tells whether a value has changed, and was the same in two looks. What cannot be
// read or is gone is no change: the item goes on with what it has.
func (u *usedSource) compare(l looked, now time.Time) bool {
	u.lookAt = u.nextLook(now)
	if l.err != nil {
		u.changed = nil
		return false
	}
	changed := map[string]digest{}
	for _, k := range u.Keys {
		v, there := l.values[k]
		if old, had := u.seen[k]; there && (!had || old != v) {
			changed[k] = v
		}
	}
	again := len(changed) > 0
	for k, v := range changed {
		again = again && u.changed[k] == v
	}
	if u.changed = changed; !again && len(changed) > 0 {
		u.lookAt = now.Add(min(u.every, settleTime))
	}
	return again
}

// reportTrouble logs that a place cannot be read, once, and that it can be again.
func (h *Herder) reportTrouble(p place, err error) {
	r := &h.reload
	before, had := r.troubles[p]
	switch {
	case err == nil && had:
		delete(r.troubles, p)
		h.Log.Info("Config values can be read again: " + p.String())
	case err != nil && err.Error() != before:
		if r.troubles == nil {
			r.troubles = map[place]string{}
		}
		r.troubles[p] = err.Error()
		h.Log.Warn("Config values cannot be read; what uses them goes on with those it has: "+p.String(), zap.Error(err))
	}
}

// scheduleCheck sets the timer for what is due next.
func (h *Herder) scheduleCheck() {
	for _, it := range h.items {
		for i := range it.used {
			h.checkAt(it.used[i].due())
		}
	}
}
