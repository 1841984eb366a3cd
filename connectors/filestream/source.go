package filestream

import (
	"context"
	"errors"
	"maps"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// Class names of the source under which JVM workers know it.
const (
	SourceClass     = "org.apache.kafka.connect.file.FileStreamSourceConnector"
	SourceTaskClass = "org.apache.kafka.connect.file.FileStreamSourceTask"
)

// Keys of the connectors, and of the source's partitions and offsets.
const (
	fileKey      = "file"
	topicKey     = "topic"
	batchSizeKey = "batch.size"

	filenameField = "filename"
	positionField = "position"
)

const defaultBatchSize = 2000

var sourceDef = config.NewDef(
	config.Key{
		Name: fileKey, Type: config.TypeString, Importance: config.High, Order: -1,
		Doc: "The file to read, as a path on the worker's machine. Without it the standard input of the worker is read, and no offsets are kept.",
	},
	config.Key{
		Name: topicKey, Type: config.TypeString, Default: config.NoDefault, Validator: config.NonEmpty, Importance: config.High, Order: -1,
		Doc: "The topic that gets a record per line.", Hint: "Set it to the name of a topic.",
	},
	config.Key{
		Name: batchSizeKey, Type: config.TypeInt, Default: defaultBatchSize, Importance: config.Low, Order: -1,
		Doc:  "How many lines are handed over at once at most.",
		Hint: "Set it to a number of lines, e.g. 2000.",
	},
)

// SourceConnector reads the lines of one file with one task. Like every connector it is
// driven by one goroutine.
type SourceConnector struct {
	version string
	props   map[string]string
}

var (
	_ connect.SourceConnector      = (*SourceConnector)(nil)
	_ connect.ExactlyOnceSupporter = (*SourceConnector)(nil)
	_ connect.SourceOffsetAlterer  = (*SourceConnector)(nil)
)

// NewSource returns a source connector that was not started. version is what it and its
// tasks call themselves: the version of Kafka that is imitated, such as 4.3.1.
func NewSource(version string) *SourceConnector { return &SourceConnector{version: version} }

// Version implements connect.Connector.
func (c *SourceConnector) Version() string { return c.version }

// ConfigDef implements connect.Connector.
func (c *SourceConnector) ConfigDef() *config.Def { return sourceDef }

// TaskClass implements connect.Connector.
func (c *SourceConnector) TaskClass() string { return SourceTaskClass }

// Start implements connect.Connector. It fails with all that is wrong with the config.
func (c *SourceConnector) Start(_ context.Context, cc connect.ConnectorContext, props map[string]string) error {
	values, err := sourceDef.Parse(props)
	if err != nil {
		return err
	}
	c.props = maps.Clone(props)
	from := values.String(fileKey)
	if from == "" {
		from = "standard input"
	}
	cc.Logger().Info("Starting file source connector", zap.String("path", from))
	return nil
}

// TaskConfigs implements connect.Connector: a file is read by one task, however many there
// may be.
func (c *SourceConnector) TaskConfigs(int) ([]map[string]string, error) {
	if c.props == nil {
		return nil, errNotStarted
	}
	return []map[string]string{maps.Clone(c.props)}, nil
}

var errNotStarted = errors.New("the connector was not started")

// Stop implements connect.Connector; there is nothing to stop.
func (c *SourceConnector) Stop(context.Context) error { return nil }

// NewTask implements connect.SourceConnector.
func (c *SourceConnector) NewTask() connect.SourceTask { return newSourceTask(c.version) }

// SupportsExactlyOnce implements connect.ExactlyOnceSupporter: true for a file, which has
// to be one that is only appended to, and false for the standard input, which cannot be
// read again.
func (c *SourceConnector) SupportsExactlyOnce(props map[string]string) bool {
	return props[fileKey] != ""
}

// AlterOffsets implements connect.SourceOffsetAlterer. Any partition may be forgotten; an
// offset has to be a position in a file. The texts are the JVM's.
func (c *SourceConnector) AlterOffsets(props map[string]string, offsets []connect.SourceOffset) error {
	if _, err := sourceDef.Parse(props); err != nil {
		return err
	}
	if props[fileKey] == "" {
		return refused("Offsets cannot be modified if the 'file' configuration is unspecified. " +
			"This is because stdin is used for input and offsets are not tracked.")
	}
	for _, o := range offsets {
		if err := checkOffset(o); err != nil {
			return err
		}
	}
	return nil
}

func checkOffset(o connect.SourceOffset) error {
	if o.Offset == nil {
		return nil
	}
	position, ok := o.Offset.Get(positionField)
	if !ok {
		return refused("Offset objects should either be null or contain the key '" + positionField + "'")
	}
	n, ok := position.(int64)
	if !ok {
		return refused("The value for the '" + positionField + "' key in the offset is expected to be a Long value")
	}
	if n < 0 {
		return refused("The value for the '" + positionField + "' key in the offset should be a non-negative value")
	}
	if o.Partition == nil {
		return refused("Partition objects cannot be null")
	}
	if _, ok := o.Partition.Get(filenameField); !ok {
		return refused("Partition objects should contain the key '" + filenameField + "'")
	}
	return nil
}

func refused(msg string) error { return &connect.Error{Msg: msg} }

// partitionOf is the source partition of a file; nil stands for the standard input.
func partitionOf(filename any) *data.Map {
	m := data.NewMap(1)
	m.Put(filenameField, filename)
	return m
}
