package rest

import (
	"context"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/api"
)

// Herder is what the handlers need of the cluster. Methods that may have to run on
// another worker return *api.ForwardError; errors with a status are *api.Error.
// All are safe for concurrent use and bounded by ctx.
type Herder interface {
	// Ready answers GET /health: it returns once the herder's loop has answered.
	Ready(ctx context.Context) error
	// Started tells whether the first tick has completed.
	Started() bool
	// Stage describes what the herder is doing, for time-out messages ("" = unknown).
	Stage() string

	Connectors() []string
	ConnectorInfo(ctx context.Context, name string) (api.ConnectorInfo, error)
	PutConnector(ctx context.Context, name string, config map[string]string, initial connect.TargetState, replace bool) (info api.ConnectorInfo, created bool, err error)
	PatchConnector(ctx context.Context, name string, patch map[string]*string) (api.ConnectorInfo, error)
	DeleteConnector(ctx context.Context, name string) error
	TaskInfos(ctx context.Context, name string) ([]api.TaskInfo, error)
	Pause(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	RestartConnector(ctx context.Context, name string) error
	RestartTask(ctx context.Context, id connect.TaskID) error
	// RestartConnectorAndTasks returns the planned status.
	RestartConnectorAndTasks(ctx context.Context, name string, includeTasks, onlyFailed bool) (api.ConnectorStatus, error)
	// PutTaskConfigs is the internal POST /connectors/{c}/tasks; the request's
	// signature was not checked yet: body, MAC and algorithm come along.
	PutTaskConfigs(ctx context.Context, name string, configs []map[string]string, sig api.Signature) error
	// FenceZombies is the internal PUT /connectors/{c}/fence, with its signature.
	FenceZombies(ctx context.Context, name string, sig api.Signature) error

	ConnectorOffsets(ctx context.Context, name string) (api.ConnectorOffsets, error)
	// AlterConnectorOffsets and ResetConnectorOffsets return what the user is told.
	AlterConnectorOffsets(ctx context.Context, name string, offsets api.ConnectorOffsets) (api.Message, error)
	ResetConnectorOffsets(ctx context.Context, name string) (api.Message, error)

	ConnectorStatus(name string) (api.ConnectorStatus, error)
	TaskStatus(id connect.TaskID) (api.TaskStatus, error)
	ActiveTopics(name string) []string
	ResetActiveTopics(name string)

	PluginInfos(connectorsOnly bool) []api.PluginInfo
	// PluginConfig returns the definitions of a plugin in a version, as *.plugin.version has it.
	PluginConfig(class, version string) ([]api.ConfigDefinition, error)
	// SetClusterLogLevel spreads a logger level to all workers.
	SetClusterLogLevel(ctx context.Context, namespace, level string) error
	// Validate checks a connector config as PUT …/config/validate does; nulls are keys whose
	// value is null.
	Validate(ctx context.Context, config map[string]string, nulls ...string) (api.ConfigInfos, error)
}
