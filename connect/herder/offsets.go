package herder

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/worker"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage/records"
)

// offsetsTimeout bounds a change of offsets. It is a little less than what a request may
// take, so that the client hears what took so long.
const offsetsTimeout = 85 * time.Second

var errOffsetsTimeout = errors.New("the offsets could not be changed within 85 s")

// ConnectorOffsets returns the offsets of a connector; any worker can tell.
func (h *Herder) ConnectorOffsets(ctx context.Context, name string) (api.ConnectorOffsets, error) {
	answer := api.ConnectorOffsets{Offsets: []api.ConnectorOffset{}}
	state := h.Configs.Snapshot().Connector(name)
	if state == nil {
		return answer, errNotFound(name)
	}
	offsets, err := h.Runtime.ConnectorOffsets(ctx, name, state.Config)
	if err != nil {
		return answer, err
	}
	for _, o := range offsets {
		shown, err := offsetJSON(o)
		if err != nil {
			return answer, fmt.Errorf("offsets of connector %s: %w", name, err)
		}
		answer.Offsets = append(answer.Offsets, shown)
	}
	return answer, nil
}

func offsetJSON(o connect.SourceOffset) (shown api.ConnectorOffset, err error) {
	if shown.Partition, err = records.OffsetValue(o.Partition); err != nil {
		return shown, err
	}
	shown.Offset, err = records.OffsetValue(o.Offset)
	return shown, err
}

// AlterConnectorOffsets sets offsets of a stopped connector (KIP-875), as the leader; null
// offsets are forgotten. The change goes on when ctx ends.
func (h *Herder) AlterConnectorOffsets(ctx context.Context, name string, offsets api.ConnectorOffsets) (api.Message, error) {
	changes := make([]connect.SourceOffset, len(offsets.Offsets))
	for i, o := range offsets.Offsets {
		var err error
		if changes[i].Partition, err = parseOffsetMap(o.Partition); err != nil {
			return api.Message{}, fmt.Errorf("partition %d of the offsets: %w", i, err)
		}
		if changes[i].Offset, err = parseOffsetMap(o.Offset); err != nil {
			return api.Message{}, fmt.Errorf("offset %d of the offsets: %w", i, err)
		}
	}
	return h.modifyOffsets(ctx, name, "altered", func(ctx context.Context, config map[string]string) (bool, error) {
		return h.Runtime.AlterConnectorOffsets(ctx, name, config, changes)
	})
}

// ResetConnectorOffsets forgets all offsets of a stopped connector (KIP-875), as the leader.
func (h *Herder) ResetConnectorOffsets(ctx context.Context, name string) (api.Message, error) {
	return h.modifyOffsets(ctx, name, "reset", func(ctx context.Context, config map[string]string) (bool, error) {
		return h.Runtime.ResetConnectorOffsets(ctx, name, config)
	})
}

func (h *Herder) modifyOffsets(ctx context.Context, name, done string, change func(ctx context.Context, config map[string]string) (told bool, err error)) (api.Message, error) {
	// What can be said at once need not wait for a change under way.
	if err := h.mayModifyOffsets(); err != nil {
		return api.Message{}, err
	}
	var told bool
	err := h.apart(ctx, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeoutCause(ctx, offsetsTimeout, errOffsetsTimeout)
		defer cancel()
		unlock, err := h.modifying.Lock(ctx, name)
		if err != nil {
			return err
		}
		defer unlock()
		told, err = h.runModification(ctx, name, change)
		return offsetsError(err)
	})
	if err != nil {
		return api.Message{}, err
	}
	if told {
		return api.Message{Message: "The offsets for this connector have been " + done + " successfully"}, nil
	}
	return api.Message{Message: fmt.Sprintf("The Connect framework-managed offsets for this connector have been %s successfully. However, if this connector "+
		"manages offsets externally, they will need to be manually %s in the system that the connector uses.", done, done)}, nil
}

// runModification changes the offsets once nothing of the connector runs any more.
func (h *Herder) runModification(ctx context.Context, name string, change func(ctx context.Context, config map[string]string) (bool, error)) (bool, error) {
	config, err := h.stoppedConfig(ctx, name)
	if err != nil {
		return false, err
	}
	if h.ExactlyOnce && h.connectorType(h.Configs.Snapshot(), name) == string(plugin.KindSource) {
		if err := h.fence(ctx, name); err != nil {
			var forward *api.ForwardError
			if errors.As(err, &forward) {
				return false, err
			}
			return false, api.Errorf(http.StatusInternalServerError, "Failed to perform zombie fencing for source connector prior to modifying offsets: %v", err)
		}
		// It may have taken long.
		if config, err = h.stoppedConfig(ctx, name); err != nil {
			return false, err
		}
	}
	return change(ctx, config)
}

func (h *Herder) mayModifyOffsets() error {
	// Alone there is nobody whose tasks might not have heard yet; see awaitRebalance.
	if h.view.Load().needsReconfig && !h.standalone() {
		return errStaleConfig()
	}
	if v := h.view.Load(); !v.leader || !v.known {
		return &api.ForwardError{URL: v.leaderURL, Reason: "Only the leader can process external offsets modification requests"}
	}
	return nil
}

// stoppedConfig returns the config of a connector if its offsets may be changed: it is
// stopped and has no tasks, and the group has taken note of that.
func (h *Herder) stoppedConfig(ctx context.Context, name string) (map[string]string, error) {
	if err := h.mayModifyOffsets(); err != nil {
		return nil, err
	}
	if err := (*listener)(h).Refresh(ctx); err != nil {
		return nil, api.Errorf(http.StatusInternalServerError, "Failed to read to end of config topic before modifying connector offsets: %v", err)
	}
	state := h.Configs.Snapshot().Connector(name)
	if state == nil {
		return nil, errNotFound(name)
	}
	if state.Target != connect.TargetStopped || state.TaskCount > 0 {
		return nil, api.Errorf(http.StatusBadRequest, "Connectors must be in the STOPPED state before their offsets can be modified. This can be done "+
			"for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint", name)
	}
	return state.Config, h.awaitRebalance(ctx, name)
}

// awaitRebalance makes sure that the group has heard of the stop: the loop may not have seen
// yet what the config topic says.
func (h *Herder) awaitRebalance(ctx context.Context, name string) error {
	if h.standalone() {
		stopped, err := h.awaitAlone(ctx, h.withoutTasks(name))
		if err == nil && !stopped {
			err = api.Errorf(http.StatusInternalServerError, "The offsets cannot be changed: tasks of the connector %s have not stopped yet. Try again later.", name)
		}
		return err
	}
	err := h.call(ctx, func() {
		if !h.stopping {
			h.applyConfigChanges()
		}
	})
	if err != nil {
		return err
	}
	return h.mayModifyOffsets()
}

// offsetsError gives a status to what the runtime says.
func offsetsError(err error) error {
	var wrong *worker.OffsetsError
	var coded *api.Error
	var forward *api.ForwardError
	switch {
	case err == nil, errors.As(err, &coded), errors.As(err, &forward):
		return err
	case errors.As(err, &wrong):
		return api.Errorf(http.StatusBadRequest, "%s", wrong.Msg)
	}
	return api.Errorf(http.StatusInternalServerError, "%s", err.Error())
}
