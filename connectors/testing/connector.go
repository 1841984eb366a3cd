package testing

import (
	"context"
	"errors"
	"io"
	"maps"
	"strconv"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

const javaPackage = "org.apache.kafka.connect.tools."

// Class names under which JVM workers know the connectors.
const (
	MockSourceClass       = javaPackage + "MockSourceConnector"
	MockSinkClass         = javaPackage + "MockSinkConnector"
	VerifiableSourceClass = javaPackage + "VerifiableSourceConnector"
	VerifiableSinkClass   = javaPackage + "VerifiableSinkConnector"
	SchemaSourceClass     = javaPackage + "SchemaSourceConnector"
)

// noKeys is the definition of all of them: like the JVM's, they list no keys.
var noKeys = config.NewDef()

var errNotStarted = errors.New("the connector was not started")

// numbered is a connector whose tasks have its config and a number.
type numbered struct {
	version, taskClass string
	props              map[string]string
}

// Version implements connect.Connector.
func (c *numbered) Version() string { return c.version }

// ConfigDef implements connect.Connector; it lists no keys.
func (c *numbered) ConfigDef() *config.Def { return noKeys }

// TaskClass implements connect.Connector.
func (c *numbered) TaskClass() string { return c.taskClass }

// Start implements connect.Connector. What is wrong with the config is found by the tasks.
func (c *numbered) Start(_ context.Context, _ connect.ConnectorContext, props map[string]string) error {
	c.props = make(map[string]string, len(props))
	maps.Copy(c.props, props)
	return nil
}

// TaskConfigs implements connect.Connector: as many tasks as there may be, with their
// number as id.
func (c *numbered) TaskConfigs(most int) ([]map[string]string, error) {
	if c.props == nil {
		return nil, errNotStarted
	}
	configs := make([]map[string]string, most)
	for i := range configs {
		configs[i] = maps.Clone(c.props)
		configs[i][idKey] = strconv.Itoa(i)
	}
	return configs, nil
}

// Stop implements connect.Connector; there is nothing to stop.
func (c *numbered) Stop(context.Context) error { return nil }

// VerifiableSource counts: each task makes records with the numbers from 0 on, in the
// field seqno of its offsets, and prints a line per record, and another one when it is in
// Kafka. Its keys are name, topic, throughput (records a second of each task, negative =
// as many as possible) and complete.record.data (true: the value is the whole line as a
// struct, not only the number).
type VerifiableSource struct {
	numbered
	out io.Writer
}

// NewVerifiableSource returns a connector that was not started. version is what it and
// its tasks call themselves: the version of Kafka that is imitated. Lines are written to
// out (Java: System.out), which must be safe for concurrent use, as files are; each Write
// is of whole lines. Its errors are ignored.
func NewVerifiableSource(version string, out io.Writer) *VerifiableSource {
	return &VerifiableSource{numbered{version: version, taskClass: javaPackage + "VerifiableSourceTask"}, out}
}

// NewTask implements connect.SourceConnector.
func (c *VerifiableSource) NewTask() connect.SourceTask {
	return &verifiableSourceTask{version: c.version, lines: lineWriter{out: c.out}, now: wallClock}
}

// VerifiableSink prints a line per record, and another one when offsets are committed.
type VerifiableSink struct {
	numbered
	out io.Writer
}

// NewVerifiableSink returns a connector that was not started; for the arguments see
// NewVerifiableSource.
func NewVerifiableSink(version string, out io.Writer) *VerifiableSink {
	return &VerifiableSink{numbered{version: version, taskClass: javaPackage + "VerifiableSinkTask"}, out}
}

// NewTask implements connect.SinkConnector.
func (c *VerifiableSink) NewTask() connect.SinkTask {
	return &verifiableSinkTask{version: c.version, out: c.out, now: wallClock}
}

// SchemaSource makes records that are structs of a schema with many types, each task for
// the Kafka partition of its own number, and prints a line for each. Its keys are topic,
// num.messages (how many a task makes from its start on), throughput (as for the
// VerifiableSource), multiple.schema (true: every second record has a second version of
// the schema) and partition.count (the field partitioning counts from 0 up to it; 1).
type SchemaSource struct {
	numbered
	out io.Writer
}

// NewSchemaSource returns a connector that was not started; for the arguments see
// NewVerifiableSource.
func NewSchemaSource(version string, out io.Writer) *SchemaSource {
	return &SchemaSource{numbered{version: version, taskClass: javaPackage + "SchemaSourceTask"}, out}
}

// NewTask implements connect.SourceConnector.
func (c *SchemaSource) NewTask() connect.SourceTask {
	return &schemaSourceTask{version: c.version, out: c.out}
}

var (
	_ connect.SourceConnector = (*VerifiableSource)(nil)
	_ connect.SinkConnector   = (*VerifiableSink)(nil)
	_ connect.SourceConnector = (*SchemaSource)(nil)
)
