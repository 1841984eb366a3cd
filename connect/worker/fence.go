package worker

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/internal/kafka"
)

// FenceZombies shuts out the transactional producers of tasks 0 to tasks-1 of a source
// connector: whatever they have not committed is aborted, and they cannot write any more
// (KIP-618; Java: Worker.fenceZombies). config is the connector's raw one; its admin
// client settings are used. It is bounded by ctx, and may be repeated.
func (w *Worker) FenceZombies(ctx context.Context, connector string, tasks int, config map[string]string) error {
	if tasks <= 0 {
		return nil
	}
	props, err := w.Resolve(config)
	if err != nil {
		return err
	}
	admin, err := w.workerAdmin(ctx, connector, props)
	if err != nil {
		return err
	}
	defer w.closeClient(admin, connector)
	return admin.FenceProducers(ctx, w.transactionalIDs(connector, tasks))
}

func (w *Worker) transactionalIDs(connector string, tasks int) []string {
	ids := make([]string, tasks)
	for i := range ids {
		ids[i] = w.Settings.TransactionalID(connect.TaskID{Connector: connector, Task: i})
	}
	return ids
}

// workerAdmin connects the client with which the worker itself acts for a connector. It is
// for the caller to close.
func (w *Worker) workerAdmin(ctx context.Context, connector string, props map[string]string) (*kafka.Client, error) {
	settings, err := w.Settings.ConnectorWorkerAdmin(connector, props)
	if err != nil {
		return nil, err
	}
	admin, err := kafka.NewClient(ctx, settings, w.Log.Named("admin").With(zap.String("connector", connector)))
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka for connector %s: %w", connector, err)
	}
	return admin, nil
}

func (w *Worker) closeClient(c interface{ Close() error }, connector string) {
	if err := c.Close(); err != nil {
		w.Log.Warn("could not close a client", zap.String("connector", connector), zap.Error(err))
	}
}
