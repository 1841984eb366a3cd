package herder

import (
	"context"
	"errors"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/worker"
	"github.com/penstock-io/penstock/storage"
)

// reconfig is the generation of a connector's task configs under way: one at a time,
// and one more when the connector asked again meanwhile.
type reconfig struct {
	again bool
	tries int
	wake  chan struct{} // capacity 1: ends a pause between tries
}

const (
	firstReconfigRetry = 250 * time.Millisecond
	maxReconfigRetry   = time.Minute
)

// RequestReconfiguration asks for new task configs of a connector that runs here. Safe
// for concurrent use, also by a connector that was abandoned; it does not wait.
func (h *Herder) RequestReconfiguration(name string) {
	h.pending.update(func() { set(&h.pending.reconfigure, name, true) })
}

// configurable returns the connector's item if task configs can be asked for.
func (h *Herder) configurable(name string) *item {
	it := h.items[connect.TaskID{Connector: name, Task: connectorItem}]
	if it == nil || !it.wanted || it.restart || it.phase != running ||
		h.Configs.Snapshot().TargetState(name) != connect.TargetStarted {
		return nil
	}
	return it
}

// reconfigure asks the connector for its task configs and has them written when they
// differ from what the config topic holds.
func (h *Herder) reconfigure(name string) {
	it := h.configurable(name)
	if it == nil {
		return
	}
	if r := h.reconfigs[name]; r != nil {
		r.again = true
		select {
		case r.wake <- struct{}{}:
		default:
		}
		return
	}
	h.reconfigs[name] = &reconfig{wake: make(chan struct{}, 1)}
	h.runReconfig(it, 0)
}

// runReconfig works with the context of the instance: one that hangs holds up its
// successor only until it is stopped.
func (h *Herder) runReconfig(it *item, delay time.Duration) {
	name, wake := it.id.Connector, h.reconfigs[it.id.Connector].wake
	h.background(it.ctx, func(ctx context.Context) func() {
		sleep(ctx, delay, wake)
		err := h.writeTaskConfigs(ctx, name)
		return func() { h.reconfigured(name, err) }
	})
}

func (h *Herder) reconfigured(name string, err error) {
	r, it := h.reconfigs[name], h.configurable(name)
	if it == nil {
		delete(h.reconfigs, name) // asked again when it has started
		return
	}
	var tooMany *worker.TooManyTasksError
	switch {
	case r.again:
		*r = reconfig{wake: r.wake}
		h.runReconfig(it, 0)
	case errors.As(err, &tooMany), errors.Is(err, worker.ErrNotRunning):
		// The connector is FAILED; a new config or a restart starts it again.
		h.Log.Warn("Skipping reconfiguration of the connector's tasks since it is not running", zap.String("connector", name), zap.Error(err))
		delete(h.reconfigs, name)
	case err != nil:
		delay := min(firstReconfigRetry<<min(r.tries, 16), maxReconfigRetry)
		r.tries++
		h.Log.Error("Failed to reconfigure connector's tasks, retrying after backoff.",
			zap.String("connector", name), zap.Int("attempt", r.tries), zap.Duration("delay", delay), zap.Error(err))
		h.runReconfig(it, delay)
	default:
		delete(h.reconfigs, name)
	}
}

// writeTaskConfigs brings the config topic up to date with the connector's wishes, by
// itself or through the leader.
func (h *Herder) writeTaskConfigs(ctx context.Context, name string) error {
	state := h.Configs.Snapshot().Connector(name)
	if state == nil {
		return nil
	}
	configs, err := h.Runtime.TaskConfigs(ctx, name, state.Config)
	if err != nil {
		return err
	}
	if !taskConfigsChanged(state, configs) {
		return nil
	}
	v := h.view.Load()
	if v.leader {
		return h.putTaskConfigs(ctx, name, configs)
	}
	if v.leaderURL == "" {
		return errors.New("Request to leader to reconfigure connector tasks failed because the URL of the leader's REST interface is empty!") //nolint:revive,staticcheck // the JVM's wording
	}
	ctx, cancel := context.WithTimeoutCause(ctx, forwardTimeout, errForwardTimeout)
	defer cancel()
	return h.Leader.PutTaskConfigs(ctx, v.leaderURL, name, configs, h.signingKey())
}

// forwardTimeout is how long a request served through the herder may take (Java:
// RestRequestTimeout).
const forwardTimeout = 90 * time.Second

var errForwardTimeout = errors.New("the leader did not answer within 90 s")

func taskConfigsChanged(s *storage.ConnectorState, configs []map[string]string) bool {
	if s.Inconsistent || s.TaskCount != len(configs) || s.Outdated() {
		return true
	}
	for i, c := range configs {
		if !maps.Equal(s.Tasks[i], c) {
			return true
		}
	}
	return false
}

// sleep waits for a while, at most until ctx ends or wake says that there is news.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}
