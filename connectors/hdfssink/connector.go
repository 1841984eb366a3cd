package hdfssink

import (
	"context"
	"errors"
	"maps"
	"strconv"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

// Class names under which the connector and its tasks are known.
const (
	ConnectorClass  = "io.confluent.connect.hdfs.HdfsSinkConnector"
	TaskClass       = "io.confluent.connect.hdfs.HdfsSinkTask"
	Connector3Class = "io.confluent.connect.hdfs3.Hdfs3SinkConnector"
	Task3Class      = "io.confluent.connect.hdfs3.Hdfs3SinkTask"
)

// Version is the release of the JVM connector that is imitated; REST shows it.
const Version = "10.2.17"

// taskIDKey is added to the config of each task, counted from 0.
const taskIDKey = "task.id"

// Connector is the HDFS sink connector. Like every connector it is driven by one goroutine.
type Connector struct {
	taskClass string
	props     map[string]string
}

var (
	_ connect.SinkConnector   = (*Connector)(nil)
	_ connect.ConfigValidator = (*Connector)(nil)
)

// NewConnector returns a connector that was not started, for ConnectorClass.
func NewConnector() *Connector { return &Connector{taskClass: TaskClass} }

// NewConnector3 is NewConnector for Connector3Class; only the name of the task differs.
func NewConnector3() *Connector { return &Connector{taskClass: Task3Class} }

// Version implements connect.Connector.
func (c *Connector) Version() string { return Version }

// ConfigDef implements connect.Connector. Values of its CLASS keys are resolved by the
// definition itself: formats and partitioners are no plugins of the worker.
func (c *Connector) ConfigDef() *config.Def { return ConfigDef() }

// ValidateConfig implements connect.ConfigValidator: it is the definition's result with
// the errors that the JVM connector finds only when it starts.
func (c *Connector) ValidateConfig(props map[string]string) []config.Value {
	result := ConfigDef().Validate(props)
	values := make(config.Values, len(result))
	index := make(map[string]int, len(result))
	var problems []*config.Error
	for i := range result {
		index[result[i].Name] = i
		if len(result[i].Errors) > 0 {
			problems = append(problems, &config.Error{Key: result[i].Name})
			continue
		}
		values[result[i].Name] = result[i].Value
	}
	_, more := build(values, props, problems)
	for _, p := range more {
		v := &result[index[p.Key]]
		v.Errors = append(v.Errors, p.Msg)
	}
	return result
}

// Start implements connect.Connector. It fails with all that is wrong with the config.
func (c *Connector) Start(_ context.Context, _ connect.ConnectorContext, props map[string]string) error {
	if _, err := ParseConfig(props); err != nil {
		return &connect.Error{Msg: "Couldn't start HdfsSinkConnector due to configuration error", Err: err}
	}
	c.props = maps.Clone(props)
	return nil
}

// TaskConfigs implements connect.Connector: always as many copies as there may be tasks,
// which is tasks.max.
func (c *Connector) TaskConfigs(most int) ([]map[string]string, error) {
	if c.props == nil {
		return nil, errors.New("the connector was not started")
	}
	configs := make([]map[string]string, most)
	for i := range configs {
		configs[i] = maps.Clone(c.props)
		configs[i][taskIDKey] = strconv.Itoa(i)
	}
	return configs, nil
}

// Stop implements connect.Connector; there is nothing to stop.
func (c *Connector) Stop(context.Context) error { return nil }

// TaskClass implements connect.SinkConnector.
func (c *Connector) TaskClass() string { return c.taskClass }

// NewTask implements connect.SinkConnector.
func (c *Connector) NewTask() connect.SinkTask { return newTask() }
