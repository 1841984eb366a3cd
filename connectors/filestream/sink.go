package filestream

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// Class names of the sink under which JVM workers know it.
const (
	SinkClass     = "org.apache.kafka.connect.file.FileStreamSinkConnector"
	SinkTaskClass = "org.apache.kafka.connect.file.FileStreamSinkTask"
)

var sinkDef = config.NewDef(config.Key{
	Name: fileKey, Type: config.TypeString, Importance: config.High, Order: -1,
	Doc: "The file to append to, as a path on the worker's machine; it is made if it is missing. Without it lines go to the standard output of the worker.",
})

// SinkConnector appends a line per record to one file. All tasks write to the same file;
// lines stay whole. Like every connector it is driven by one goroutine.
type SinkConnector struct {
	version string
	props   map[string]string
}

var (
	_ connect.SinkConnector     = (*SinkConnector)(nil)
	_ connect.SinkOffsetAlterer = (*SinkConnector)(nil)
)

// NewSink returns a sink connector that was not started; version is as for NewSource.
func NewSink(version string) *SinkConnector { return &SinkConnector{version: version} }

// Version implements connect.Connector.
func (c *SinkConnector) Version() string { return c.version }

// ConfigDef implements connect.Connector.
func (c *SinkConnector) ConfigDef() *config.Def { return sinkDef }

// TaskClass implements connect.Connector.
func (c *SinkConnector) TaskClass() string { return SinkTaskClass }

// Start implements connect.Connector.
func (c *SinkConnector) Start(_ context.Context, cc connect.ConnectorContext, props map[string]string) error {
	c.props = maps.Clone(props)
	if c.props == nil {
		c.props = map[string]string{}
	}
	to := props[fileKey]
	if to == "" {
		to = "standard output"
	}
	cc.Logger().Info("Starting file sink connector", zap.String("path", to))
	return nil
}

// TaskConfigs implements connect.Connector: always as many copies as there may be tasks.
func (c *SinkConnector) TaskConfigs(most int) ([]map[string]string, error) {
	if c.props == nil {
		return nil, errNotStarted
	}
	configs := make([]map[string]string, most)
	for i := range configs {
		configs[i] = maps.Clone(c.props)
	}
	return configs, nil
}

// Stop implements connect.Connector; there is nothing to stop.
func (c *SinkConnector) Stop(context.Context) error { return nil }

// NewTask implements connect.SinkConnector.
func (c *SinkConnector) NewTask() connect.SinkTask { return newSinkTask(c.version) }

// AlterOffsets implements connect.SinkOffsetAlterer: any offset will do, the file knows
// none.
func (c *SinkConnector) AlterOffsets(map[string]string, map[connect.TopicPartition]*int64) error {
	return nil
}

// writeSize is how many bytes of lines are gathered for one write.
const writeSize = 256 << 10

// sinkTask appends lines. They are written at the end of each Put, always whole ones, and
// made durable by PreCommit.
type sinkTask struct {
	version string
	stdout  io.Writer // replaced by tests

	context  connect.SinkTaskContext
	filename string // "" = the standard output
	out      io.Writer
	file     *os.File // nil: the standard output
	durable  bool     // file can be synced
	lines    []byte
	dirty    bool // something was written since the last sync
}

var _ connect.SinkTask = (*sinkTask)(nil)

func newSinkTask(version string) *sinkTask { return &sinkTask{version: version, stdout: os.Stdout} }

// Version implements connect.SinkTask.
func (t *sinkTask) Version() string { return t.version }

// Start implements connect.SinkTask.
func (t *sinkTask) Start(_ context.Context, tc connect.SinkTaskContext, props map[string]string) error {
	t.context, t.filename, t.out = tc, props[fileKey], t.stdout
	if t.filename == "" {
		return nil
	}
	f, err := os.OpenFile(t.filename, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return &connect.Error{Err: err, Msg: "Couldn't find or create file '" + t.filename + "' for FileStreamSinkTask: " + err.Error() +
			". Check the path and that the worker's user may write to it."}
	}
	t.file, t.out = f, f
	info, err := f.Stat()
	t.durable = err == nil && info.Mode().IsRegular()
	if t.durable && torn(t.filename, info.Size()) {
		if err := t.write([]byte{'\n'}); err != nil {
			return err
		}
	}
	return nil
}

// torn reports whether a file ends within a line. One that may not be read is taken to be
// whole.
func torn(name string, size int64) bool {
	if size == 0 {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	last := make([]byte, 1)
	_, err = f.ReadAt(last, size-1)
	return err == nil && last[0] != '\n'
}

// Open implements connect.SinkTask.
func (t *sinkTask) Open(context.Context, []connect.TopicPartition) error { return nil }

// Put implements connect.SinkTask.
func (t *sinkTask) Put(_ context.Context, records []connect.SinkRecord) error {
	t.lines = t.lines[:0]
	for i := range records {
		r := &records[i]
		if enc, raw := r.Value.Raw(); enc == data.UTF8 {
			t.lines = append(t.lines, raw...)
		} else if v, err := r.Value.Value(); err == nil {
			t.lines = data.AppendJavaString(t.lines, v)
		} else if err := t.context.ReportErrant(r, err); err != nil {
			return err
		} else {
			continue
		}
		t.lines = append(t.lines, '\n')
		if len(t.lines) >= writeSize {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	return t.flush()
}

// flush writes the lines that were gathered.
func (t *sinkTask) flush() error {
	if len(t.lines) == 0 {
		return nil
	}
	err := t.write(t.lines)
	t.lines = t.lines[:0]
	return err
}

func (t *sinkTask) write(lines []byte) error {
	if _, err := t.out.Write(lines); err != nil {
		return t.failed("write to", err)
	}
	t.dirty = true
	return nil
}

// PreCommit implements connect.SinkTask: all that was put may be committed once it is
// durable. When that fails the records are put again, so lines may be repeated.
func (t *sinkTask) PreCommit(_ context.Context, offsets map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
	if t.dirty && t.durable {
		if err := t.file.Sync(); err != nil {
			return nil, t.failed("sync", err)
		}
	}
	t.dirty = false
	return offsets, nil
}

// Close implements connect.SinkTask.
func (t *sinkTask) Close(context.Context, []connect.TopicPartition) error { return nil }

// Stop implements connect.SinkTask.
func (t *sinkTask) Stop(context.Context) error {
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	if err != nil {
		return t.failed("close", err)
	}
	return nil
}

func (t *sinkTask) failed(what string, err error) error {
	name := "standard output"
	if t.filename != "" {
		name = "file '" + t.filename + "'"
	}
	return &connect.Error{Err: err, Msg: fmt.Sprintf("Couldn't %s %s for FileStreamSinkTask: %v. "+
		"Free or mount the disk and restart the task: it goes on after the last committed record.", what, name, err)}
}
