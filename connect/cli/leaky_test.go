package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
)

// leakySink is the worst of all plugins: it writes its whole config into the log, in every
// way there is, and into the error of the stage that its config names with fail.at.
type leakySink struct{ props map[string]string }

const leakyClass = "io.example.LeakySinkConnector"

func leakyPlugin() plugin.Plugin[connect.Connector] {
	return plugin.Plugin[connect.Connector]{Class: leakyClass, New: func() connect.Connector { return &leakySink{} }}
}

func leakyDef() *config.Def {
	notWrong := func(_ string, v any) error {
		if v == config.Password("wrong") || v == "wrong" {
			return errors.New("must not be wrong")
		}
		return nil
	}
	return config.NewDef(
		config.Key{Name: "pin", Type: config.TypePassword, Default: nil, Validator: notWrong, Order: -1},
		config.Key{Name: "db.token", Type: config.TypeString, Default: "", Order: -1},
		config.Key{Name: "endpoint", Type: config.TypeString, Default: "", Order: -1},
		config.Key{Name: "number", Type: config.TypeInt, Default: 0, Order: -1},
	)
}

func leak(log *zap.Logger, where string, props map[string]string) error {
	var parts []error
	for _, k := range slices.Sorted(maps.Keys(props)) {
		parts = append(parts, fmt.Errorf("%s=%s (%q)", k, props[k], props[k]))
		log.Debug(k+" is "+props[k], zap.String(k, props[k]))
	}
	log.Info(fmt.Sprintf("%s: %v", where, props), zap.Any("config", props), zap.Errors("parts", parts))
	log.Named("deeper").With(zap.Any("config", props)).Error(where, zap.Error(errors.Join(parts...)))
	if props["fail.at"] == where {
		return fmt.Errorf("%s failed with %v: %w", where, props, errors.Join(parts...))
	}
	if props["fail.at"] == "panic at "+where {
		panic(fmt.Sprintf("%s with %v", where, props))
	}
	return nil
}

func (*leakySink) Version() string        { return "1" }
func (*leakySink) ConfigDef() *config.Def { return leakyDef() }
func (*leakySink) TaskClass() string      { return "io.example.LeakySinkTask" }
func (*leakySink) NewTask() connect.SinkTask {
	return &leakyTask{}
}

func (l *leakySink) Start(_ context.Context, cc connect.ConnectorContext, props map[string]string) error {
	l.props = props
	return leak(cc.Logger(), "start", props)
}

func (l *leakySink) TaskConfigs(int) ([]map[string]string, error) {
	if err := leak(zap.NewNop(), "task configs", l.props); err != nil {
		return nil, err
	}
	return []map[string]string{maps.Clone(l.props)}, nil
}

func (l *leakySink) Stop(context.Context) error { return leak(zap.NewNop(), "stop", l.props) }

type leakyTask struct {
	connect.SinkTask
	context connect.SinkTaskContext
	log     *zap.Logger
	props   map[string]string
}

func (*leakyTask) Version() string { return "1" }

func (t *leakyTask) Start(_ context.Context, tc connect.SinkTaskContext, props map[string]string) error {
	t.context, t.log, t.props = tc, tc.Logger(), props
	return leak(t.log, "task start", props)
}

func (*leakyTask) Open(context.Context, []connect.TopicPartition) error  { return nil }
func (*leakyTask) Close(context.Context, []connect.TopicPartition) error { return nil }
func (t *leakyTask) Stop(context.Context) error                          { return leak(t.log, "task stop", t.props) }

func (t *leakyTask) Put(_ context.Context, records []connect.SinkRecord) error {
	if len(records) == 0 {
		return nil
	}
	for i := range records {
		if err := leak(t.log, "report", t.props); err != nil {
			if err := t.context.ReportErrant(&records[i], err); err != nil {
				return err
			}
		}
	}
	return leak(t.log, "put", t.props)
}

func (t *leakyTask) PreCommit(_ context.Context, offsets map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
	return offsets, leak(t.log, "commit", t.props)
}
