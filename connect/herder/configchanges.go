package herder

import (
	"sync"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/storage"
)

// pendingConfig collects changes of the config topic for the loop. It implements
// storage.ConfigListener: called from the store's goroutine, it never blocks.
type pendingConfig struct {
	changed chan struct{} // capacity 1

	mu sync.Mutex
	configChanges
}

// configChanges are changes that the loop has not seen yet.
type configChanges struct {
	connectors map[string]bool // updated
	removed    map[string]bool
	tasks      map[connect.TaskID]bool
	targets    map[string]bool
	restarts   map[string]storage.RestartRequest
	levels     [][2]string
	sessionKey bool
	// reconfigure are connectors that asked for new task configs; not from the config topic.
	reconfigure map[string]bool
	// unprivileged: a write of the leader failed; not from the config topic either.
	unprivileged bool
}

func (p *pendingConfig) update(f func()) {
	p.mu.Lock()
	f()
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func set[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

// ConnectorConfigUpdated notes a new or changed connector.
func (p *pendingConfig) ConnectorConfigUpdated(name string) {
	p.update(func() { set(&p.connectors, name, true) })
}

// ConnectorConfigRemoved notes a deleted connector.
func (p *pendingConfig) ConnectorConfigRemoved(name string) {
	p.update(func() { set(&p.removed, name, true) })
}

// TaskConfigsUpdated notes new task configs.
func (p *pendingConfig) TaskConfigsUpdated(tasks []connect.TaskID) {
	p.update(func() {
		set(&p.tasks, connect.TaskID{Task: connectorItem}, true) // also an empty list is a change
		for _, id := range tasks {
			set(&p.tasks, id, true)
		}
	})
}

// TargetStateChanged notes a pause, resume or stop.
func (p *pendingConfig) TargetStateChanged(name string) {
	p.update(func() { set(&p.targets, name, true) })
}

// SessionKeyUpdated notes a new key.
func (p *pendingConfig) SessionKeyUpdated(storage.SessionKey) {
	p.update(func() { p.sessionKey = true })
}

// RestartRequested keeps, per connector, the request with the higher impact.
func (p *pendingConfig) RestartRequested(r storage.RestartRequest) {
	p.update(func() {
		if old, ok := p.restarts[r.Connector]; !ok || impact(r) > impact(old) {
			set(&p.restarts, r.Connector, r)
		}
	})
}

// LoggerLevelUpdated notes a cluster-wide logger change.
func (p *pendingConfig) LoggerLevelUpdated(namespace, level string) {
	p.update(func() { p.levels = append(p.levels, [2]string{namespace, level}) })
}

// take empties the collection.
func (p *pendingConfig) take() configChanges {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.configChanges
	p.configChanges = configChanges{}
	return t
}

// applyConfigChanges brings changes of the config topic into effect. New and removed
// connectors and new task configs need a rebalance; a changed connector is restarted
// where it runs; tasks with a changed config stop now and start after the rebalance.
func (h *Herder) applyConfigChanges() {
	p := h.pending.take()
	needsRebalance := len(p.removed) > 0 || len(p.tasks) > 0
	for name := range p.connectors {
		it := h.items[connect.TaskID{Connector: name, Task: connectorItem}]
		switch {
		case it != nil && it.wanted:
			it.restart = it.restart || it.phase == running || it.phase == starting
			h.reconcile(it)
		case !h.knownElsewhere(name):
			needsRebalance = true
		}
	}
	h.targetsChanged(p.targets)
	if len(p.tasks) > 0 {
		for _, it := range h.holdOvertaken(h.Configs.Snapshot()) {
			h.reconcile(it)
		}
	}
	for _, l := range p.levels {
		if h.ApplyLogLevel != nil {
			h.ApplyLogLevel(l[0], l[1])
		}
	}
	for _, r := range p.restarts {
		h.executeRestart(r)
	}
	if p.unprivileged {
		h.claimPrivileges()
	}
	for id := range p.tasks {
		h.failOutdatedFencing(id.Connector)
	}
	if p.sessionKey {
		h.checkSessionKey()
	}
	for name := range p.reconfigure {
		h.reconfigure(name)
	}
	if needsRebalance {
		h.publish(func(v *view) { v.needsReconfig = true })
		h.rejoinSoon("connector or task configs have changed")
	}
}

// knownElsewhere reports whether a connector was part of the configs that the current
// assignment was made for, and so runs on some other worker.
func (h *Herder) knownElsewhere(name string) bool {
	_, ok := h.assignedFor[name]
	return ok
}

func (h *Herder) targetsChanged(names map[string]bool) {
	if len(names) == 0 {
		return
	}
	for id, it := range h.items {
		if names[id.Connector] {
			h.applyTarget(it)
		}
	}
}
