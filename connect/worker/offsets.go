package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/plugin"
)

// OffsetsError tells that offsets a user sent cannot be those of the connector.
type OffsetsError struct{ Msg string }

func (e *OffsetsError) Error() string { return e.Msg }

func offsetsErrorf(format string, args ...any) *OffsetsError {
	return &OffsetsError{fmt.Sprintf(format, args...)}
}

// ConnectorOffsets returns the offsets that a connector has committed (KIP-875; Java:
// Worker.connectorOffsets), in no particular order. Those of a sink have the partition
// {"kafka_partition":…,"kafka_topic":…} and the offset {"kafka_offset":…}. config is the raw
// one; the connector need not run here, or at all.
func (w *Worker) ConnectorOffsets(ctx context.Context, name string, config map[string]string) ([]connect.SourceOffset, error) {
	m, err := w.accessOffsets(name, config)
	if err != nil {
		return nil, err
	}
	if m.kind == plugin.KindSink {
		return m.sinkOffsets(ctx)
	}
	return m.sourceOffsets(ctx)
}

// AlterConnectorOffsets sets offsets of a connector whose tasks do not run; nil ones are
// forgotten, those that are not given stay (KIP-875; Java: Worker.modifyConnectorOffsets).
// The connector is asked before, if it implements connect.SinkOffsetAlterer or
// connect.SourceOffsetAlterer: told reports that. Offsets that cannot be those of a sink
// are an *OffsetsError. After any other error some may be changed; it may be repeated.
func (w *Worker) AlterConnectorOffsets(ctx context.Context, name string, config map[string]string, offsets []connect.SourceOffset) (told bool, err error) {
	m, err := w.accessOffsets(name, config)
	if err != nil {
		return false, err
	}
	if m.kind == plugin.KindSink {
		return m.alterSink(ctx, offsets)
	}
	return m.modifySource(ctx, offsets, false)
}

// ResetConnectorOffsets makes a connector whose tasks do not run forget all its offsets, as
// AlterConnectorOffsets does with single ones. None there are is no error.
func (w *Worker) ResetConnectorOffsets(ctx context.Context, name string, config map[string]string) (told bool, err error) {
	m, err := w.accessOffsets(name, config)
	if err != nil {
		return false, err
	}
	if m.kind == plugin.KindSink {
		return m.resetSink(ctx)
	}
	return m.modifySource(ctx, nil, true)
}

// offsetAccess is one look at or change of the offsets of a connector. It has an instance
// of the connector of its own, which is never started.
type offsetAccess struct {
	w         *Worker
	name      string
	kind      plugin.Kind
	connector connect.Connector
	props     map[string]string // placeholders resolved
}

func (w *Worker) accessOffsets(name string, config map[string]string) (*offsetAccess, error) {
	props, err := w.Resolve(config)
	if err != nil {
		return nil, err
	}
	p, err := w.Plugins.Connector(props["connector.class"])
	if err != nil {
		return nil, err
	}
	if err := p.CheckVersion(props["connector.plugin.version"]); err != nil {
		return nil, fmt.Errorf("Failed to instantiate class for connector %s: %w", name, err) //nolint:revive,staticcheck // the JVM's wording
	}
	return &offsetAccess{w: w, name: name, kind: p.Kind, connector: p.New(), props: props}, nil
}

// tell has the connector agree to a change, in a goroutine of its own: a connector that
// hangs is not waited for longer than ctx allows, and then nothing is changed.
func (m *offsetAccess) tell(ctx context.Context, alter func() error) error {
	answer := make(chan error, 1)
	go func() {
		var err error
		defer func() { answer <- err }()
		defer recoverPlugin(&err)
		err = alter()
	}()
	select {
	case err := <-answer:
		if errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("Failed to modify offsets for connector %s because it doesn't support external modification of offsets: %w", m.name, err) //nolint:revive,staticcheck // the JVM's wording
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("Timed out while calling the 'alterOffsets' method for %s connector %s: %w", m.kind, m.name, context.Cause(ctx)) //nolint:revive,staticcheck // the JVM's wording
	}
}
