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
}

const (
	firstReconfigRetry = 250 * time.Millisecond
	maxReconfigRetry   = time.Minute
)

// RequestReconfiguration asks for new task configs of a connector that runs here. Safe
// for concurrent use; it does not wait.
func (h *Herder) RequestReconfiguration(name string) {
	h.background(func(context.Context) func() { return func() { h.reconfigure(name) } })
}

// reconfigure asks the connector for its task configs and has them written when they
// differ from what the config topic holds.
func (h *Herder) reconfigure(name string) {
	it := h.items[connect.TaskID{Connector: name, Task: connectorItem}]
	if it == nil || !it.wanted || it.phase != running || h.Configs.Snapshot().TargetState(name) != connect.TargetStarted {
		return
	}
	if r := h.reconfigs[name]; r != nil {
		r.again = true
		return
	}
	h.reconfigs[name] = &reconfig{}
	h.runReconfig(name, 0)
}

func (h *Herder) runReconfig(name string, delay time.Duration) {
	h.background(func(ctx context.Context) func() {
		if !sleep(ctx, delay) {
			return nil
		}
		err := h.writeTaskConfigs(ctx, name)
		return func() { h.reconfigured(name, err) }
	})
}

func (h *Herder) reconfigured(name string, err error) {
	r := h.reconfigs[name]
	it := h.items[connect.TaskID{Connector: name, Task: connectorItem}]
	if it == nil || !it.wanted || it.phase != running {
		delete(h.reconfigs, name)
		return
	}
	var tooMany *worker.TooManyTasksError
	switch {
	case errors.As(err, &tooMany):
		delete(h.reconfigs, name) // the connector is FAILED; a new config starts it again
	case err != nil:
		delay := min(firstReconfigRetry<<min(r.tries, 16), maxReconfigRetry)
		r.tries++
		h.Log.Error("Failed to reconfigure connector's tasks, retrying after backoff.",
			zap.String("connector", name), zap.Int("attempt", r.tries), zap.Duration("delay", delay), zap.Error(err))
		h.runReconfig(name, delay)
	case r.again:
		*r = reconfig{}
		h.runReconfig(name, 0)
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
	return h.Leader.PutTaskConfigs(ctx, v.leaderURL, name, configs, h.Configs.Snapshot().SessionKey)
}

func taskConfigsChanged(s *storage.ConnectorState, configs []map[string]string) bool {
	if s.Inconsistent || s.TaskCount != len(configs) || !maps.Equal(s.Applied, s.Config) {
		return true
	}
	for i, c := range configs {
		if !maps.Equal(s.Tasks[i], c) {
			return true
		}
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
