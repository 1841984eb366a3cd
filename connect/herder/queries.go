package herder

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// Reads are answered from the latest snapshot on any worker, also while a rebalance
// runs: unlike the JVM worker they neither wait for the loop nor answer 409.

// Connectors returns the names of all connectors, sorted.
func (h *Herder) Connectors() []string { return h.Configs.Snapshot().Connectors() }

// ConnectorInfo returns a connector with its raw config.
func (h *Herder) ConnectorInfo(_ context.Context, name string) (api.ConnectorInfo, error) {
	s := h.Configs.Snapshot()
	state := s.Connector(name)
	if state == nil {
		return api.ConnectorInfo{}, errNotFound(name)
	}
	return h.describe(name, state.Config, s.Tasks(name)), nil
}

func (h *Herder) describe(name string, config map[string]string, tasks []connect.TaskID) api.ConnectorInfo {
	info := api.ConnectorInfo{Name: name, Config: config, Tasks: []api.TaskRef{}, Type: h.Plugins.ConnectorType(config["connector.class"])}
	for _, id := range tasks {
		info.Tasks = append(info.Tasks, api.TaskRef{Connector: name, Task: id.Task})
	}
	return info
}

// TaskInfos returns the tasks of a connector with their raw configs.
func (h *Herder) TaskInfos(_ context.Context, name string) ([]api.TaskInfo, error) {
	s := h.Configs.Snapshot()
	state := s.Connector(name)
	if state == nil {
		return nil, errNotFound(name)
	}
	infos := make([]api.TaskInfo, 0, max(state.TaskCount, 0))
	for n := range max(state.TaskCount, 0) {
		infos = append(infos, api.TaskInfo{ID: api.TaskRef{Connector: name, Task: n}, Config: state.Tasks[n]})
	}
	return infos, nil
}

// ConnectorStatus returns the status of a connector and its tasks as this worker has
// read it from the status topic.
func (h *Herder) ConnectorStatus(name string) (api.ConnectorStatus, error) {
	st, ok := h.StatusDB.Connector(name)
	if !ok {
		return api.ConnectorStatus{}, api.Errorf(http.StatusNotFound, "No status found for connector %s", name)
	}
	status := api.ConnectorStatus{Name: name, Connector: instanceStatus(st), Tasks: []api.TaskStatus{},
		Type: h.connectorType(h.Configs.Snapshot(), name)}
	for n, st := range h.StatusDB.Tasks(name) {
		status.Tasks = append(status.Tasks, api.TaskStatus{ID: n, InstanceStatus: instanceStatus(st)})
	}
	slices.SortFunc(status.Tasks, func(a, b api.TaskStatus) int { return a.ID - b.ID })
	return status, nil
}

// TaskStatus returns the status of one task.
func (h *Herder) TaskStatus(id connect.TaskID) (api.TaskStatus, error) {
	st, ok := h.StatusDB.Task(id)
	if !ok {
		return api.TaskStatus{}, api.Errorf(http.StatusNotFound, "No status found for task %s", id)
	}
	return api.TaskStatus{ID: id.Task, InstanceStatus: instanceStatus(st)}, nil
}

func instanceStatus(st storage.Status) api.InstanceStatus {
	s := api.InstanceStatus{State: string(st.State), WorkerID: st.WorkerID, Trace: st.Trace}
	if st.Version != "" {
		s.Version = &st.Version
	}
	return s
}

func (h *Herder) connectorType(s *storage.ClusterConfig, name string) string {
	state := s.Connector(name)
	if state == nil {
		return "unknown"
	}
	return h.Plugins.ConnectorType(state.Config["connector.class"])
}

// ActiveTopics returns the topics a connector has used, sorted.
func (h *Herder) ActiveTopics(name string) []string {
	topics := []string{}
	for _, t := range h.StatusDB.Topics(name) {
		topics = append(topics, t.Topic)
	}
	slices.SortFunc(topics, strings.Compare)
	return topics
}

// ResetActiveTopics forgets the topics a connector has used.
func (h *Herder) ResetActiveTopics(name string) {
	for _, t := range h.StatusDB.Topics(name) {
		h.StatusDB.DeleteTopic(name, t.Topic)
	}
}

// Validate checks a connector config as PUT …/config/validate shows it.
func (h *Herder) Validate(ctx context.Context, config map[string]string, nulls ...string) (api.ConfigInfos, error) {
	return h.Validator.Validate(ctx, config, nulls...)
}

// PluginInfos lists what this worker can run.
func (h *Herder) PluginInfos(connectorsOnly bool) []api.PluginInfo {
	return h.Plugins.Infos(connectorsOnly)
}

// PluginConfig returns the definitions of one plugin's keys.
func (h *Herder) PluginConfig(class, version string) ([]api.ConfigDefinition, error) {
	return h.Validator.PluginConfig(class, version)
}
