package herder

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/api"
)

var errShuttingDown = &api.Error{Status: http.StatusInternalServerError, Message: "Worker is shutting down"}

func errStaleConfig() error {
	return api.Errorf(http.StatusConflict, "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)")
}

func errNotLeader(v *view) error {
	return &api.ForwardError{URL: v.leaderURL, Reason: "Only the leader can process this request."}
}

// standalone reports whether this worker is a group of its own.
func (h *Herder) standalone() bool {
	_, solo := h.member.(*Solo)
	return solo
}

// checkLeader returns where to forward to when this worker is not the leader. One that was
// frozen or cut off may have a successor and not know it.
func (h *Herder) checkLeader() error {
	v := h.view.Load()
	if !v.known {
		return errNotLeader(v)
	}
	return h.leads(v)
}

// leads is what checkLeader asks for, but that the last assignment may be one with an error.
func (h *Herder) leads(v *view) error {
	switch {
	case !v.leader:
		return errNotLeader(v)
	case !h.member.Leads(v.memberID):
		return api.Errorf(http.StatusConflict, "Request cannot be completed because a rebalance is expected")
	}
	return nil
}

// PutConnector validates a config, on the worker that was asked, and has the leader write
// it. created tells whether the connector is new; with replace false that is demanded.
func (h *Herder) PutConnector(ctx context.Context, name string, config map[string]string, initial connect.TargetState, replace bool) (info api.ConnectorInfo, created bool, err error) {
	if err := h.validateConfig(ctx, config); err != nil {
		return info, false, err
	}
	if err := h.checkLeader(); err != nil {
		return info, false, err
	}
	var tasks []connect.TaskID
	err = h.lead(ctx, name, func() error {
		s := h.Configs.Snapshot()
		created, tasks = !s.Contains(name), s.Tasks(name)
		if created {
			tasks = nil
		} else if !replace {
			return api.Errorf(http.StatusConflict, "Connector %s already exists", name)
		}
		return h.Configs.PutConnector(ctx, name, config, initial)
	})
	if err != nil {
		return info, false, err
	}
	info, err = h.written(ctx, name, config, tasks)
	return info, created, err
}

// written is the answer to a config that was written: with the tasks of before, as in the
// JVM, since the next ones may be there at any moment. A standalone worker waits for them.
func (h *Herder) written(ctx context.Context, name string, config map[string]string, tasks []connect.TaskID) (api.ConnectorInfo, error) {
	if !h.standalone() {
		return h.describe(name, config, tasks), nil
	}
	if _, err := h.awaitAlone(ctx, h.settled(name)); err != nil {
		return api.ConnectorInfo{}, err
	}
	return h.ConnectorInfo(ctx, name)
}

func (h *Herder) validateConfig(ctx context.Context, config map[string]string) error {
	if done, err := h.validateElsewhere(ctx, config); done {
		return err
	}
	infos, err := h.Validate(ctx, config)
	if err != nil {
		return err
	}
	return infos.Err()
}

// PatchConnector changes single keys; nil removes one. The result is checked before it is this
// change's turn, since that may take its time: when another change comes first, it is checked again.
func (h *Herder) PatchConnector(ctx context.Context, name string, patch map[string]*string) (info api.ConnectorInfo, err error) {
	if err := h.checkLeader(); err != nil {
		return info, err
	}
	for {
		before := h.Configs.Snapshot().Connector(name)
		if before == nil {
			return info, errNotFound(name)
		}
		config := patched(before.Config, patch)
		if err := h.validateConfig(ctx, config); err != nil {
			return info, err
		}
		var tasks []connect.TaskID
		overtaken := false
		err := h.lead(ctx, name, func() error {
			s := h.Configs.Snapshot()
			if now := s.Connector(name); now == nil {
				return errNotFound(name)
			} else if overtaken = !maps.Equal(now.Config, before.Config); overtaken {
				return nil
			}
			tasks = s.Tasks(name)
			return h.Configs.PutConnector(ctx, name, config, "")
		})
		if err != nil {
			return info, err
		}
		if !overtaken {
			return h.written(ctx, name, config, tasks)
		}
	}
}

func patched(config map[string]string, patch map[string]*string) map[string]string {
	config = maps.Clone(config)
	for k, v := range patch {
		if v == nil {
			delete(config, k)
		} else {
			config[k] = *v
		}
	}
	return config
}

// DeleteConnector removes a connector; its offsets stay.
func (h *Herder) DeleteConnector(ctx context.Context, name string) error {
	if err := h.checkLeader(); err != nil {
		return err
	}
	err := h.lead(ctx, name, func() error {
		if !h.Configs.Snapshot().Contains(name) {
			return errNotFound(name)
		}
		return h.Configs.RemoveConnector(ctx, name)
	})
	if err != nil {
		return err
	}
	_, err = h.awaitAlone(ctx, h.forgotten(name))
	return err
}

// Pause writes the target state PAUSED; any worker may.
func (h *Herder) Pause(ctx context.Context, name string) error {
	return h.putTarget(ctx, name, connect.TargetPaused)
}

// Resume writes the target state STARTED; any worker may.
func (h *Herder) Resume(ctx context.Context, name string) error {
	return h.putTarget(ctx, name, connect.TargetStarted)
}

func (h *Herder) putTarget(ctx context.Context, name string, s connect.TargetState) error {
	if !h.Configs.Snapshot().Contains(name) {
		return api.Errorf(http.StatusNotFound, "Unknown connector %s", name)
	}
	return h.Configs.PutTargetState(ctx, name, s)
}

// Stop removes the tasks and then writes STOPPED (KIP-875).
func (h *Herder) Stop(ctx context.Context, name string) error {
	if err := h.checkLeader(); err != nil {
		return err
	}
	err := h.lead(ctx, name, func() error {
		if !h.Configs.Snapshot().Contains(name) {
			return api.Errorf(http.StatusNotFound, "Unknown connector %s", name)
		}
		if err := h.Configs.PutTaskConfigs(ctx, name, nil); err != nil {
			return err
		}
		if err := h.Configs.PutTargetState(ctx, name, connect.TargetStopped); err != nil {
			return err
		}
		return h.Configs.Refresh(ctx)
	})
	if err != nil {
		return err
	}
	_, err = h.awaitAlone(ctx, h.withoutTasks(name))
	return err
}

// PutTaskConfigs takes task configs from the worker that runs the connector.
func (h *Herder) PutTaskConfigs(ctx context.Context, name string, configs []map[string]string, sig api.Signature) error {
	if h.standalone() {
		return refuseAlone(sig, "externally setting task configurations")
	}
	if err := h.verify(sig); err != nil {
		return err
	}
	if err := h.checkLeader(); err != nil {
		return err
	}
	return h.putTaskConfigs(ctx, name, configs)
}

func (h *Herder) putTaskConfigs(ctx context.Context, name string, configs []map[string]string) error {
	return h.lead(ctx, name, func() error {
		state := h.Configs.Snapshot().Connector(name)
		if state == nil {
			return errNotFound(name)
		}
		if state.Target == connect.TargetStopped && len(configs) > 0 {
			return api.Errorf(http.StatusBadRequest, "Cannot submit non-empty set of task configs for stopped connector %s", name)
		}
		return h.Configs.PutTaskConfigs(ctx, name, configs)
	})
}

func errNotFound(name string) error {
	return api.Errorf(http.StatusNotFound, "Connector %s not found", name)
}

// Ready returns once the loop has answered and the first assignment was worked off.
func (h *Herder) Ready(ctx context.Context) error {
	if err := h.call(ctx, func() {}); err != nil {
		return err
	}
	if !h.ready.Load() {
		return fmt.Errorf("the worker has not joined its group yet")
	}
	return nil
}

// Started tells whether the first assignment was worked off.
func (h *Herder) Started() bool { return h.ready.Load() }

// Generation returns the group generation for statuses.
func (h *Herder) Generation() int { return int(h.view.Load().generation) }

// SetClusterLogLevel writes a logger level for all workers; each applies it when it reads it.
func (h *Herder) SetClusterLogLevel(ctx context.Context, namespace, level string) error {
	return h.Configs.PutLoggerLevel(ctx, namespace, level)
}
