package hdfssink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/localfs"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/writer"
)

const (
	// parallel bounds how many partitions of a task recover or close at the same time.
	parallel = 8
	// openWait is how long Open waits for recoveries; what takes longer goes on in the
	// background, with the partition paused.
	openWait = 10 * time.Second
)

// task is one task of the connector. Its partitions do the work; it hands out the
// records and tells the runtime when to come back.
type task struct {
	// These are replaced by tests.
	openFS    func(ctx context.Context, c *Config, log *zap.Logger) (filesystem.FS, error)
	newFormat func(c *Config) (format.Format, error)
	now       func() int64

	context    connect.SinkTaskContext
	log        *zap.Logger
	config     *Config
	fs         filesystem.FS
	writing    writer.Config
	partitions map[connect.TopicPartition]*writer.Partition
	order      []*writer.Partition // all of them, by name
}

var _ connect.SinkTask = (*task)(nil)

func newTask() connect.SinkTask {
	return &task{openFS: openFS, newFormat: newFormat, now: func() int64 { return time.Now().UnixMilli() },
		partitions: map[connect.TopicPartition]*writer.Partition{}}
}

// openFS connects to where store.url points.
func openFS(ctx context.Context, c *Config, log *zap.Logger) (filesystem.FS, error) {
	if c.Scheme == "file" {
		return localfs.New("/"), nil
	}
	return hdfsfs.New(ctx, hdfsfs.Options{URL: c.StoreURL, ConfDir: c.HadoopConfDir, Logger: log})
}

// Version implements connect.SinkTask.
func (t *task) Version() string { return Version }

// Start implements connect.SinkTask.
func (t *task) Start(ctx context.Context, tc connect.SinkTaskContext, props map[string]string) error {
	c, err := ParseConfig(props)
	if err != nil {
		return &connect.Error{Msg: "Couldn't start HdfsSinkConnector due to configuration error.", Err: err}
	}
	t.context, t.config, t.log = tc, c, tc.Logger()
	files, err := t.newFormat(c)
	if err != nil {
		return &connect.Error{Msg: "Couldn't start HdfsSinkConnector due to configuration error.", Err: err}
	}
	if t.fs, err = t.openFS(ctx, c, t.log); err != nil {
		return &connect.Error{Err: err, Msg: fmt.Sprintf("Couldn't connect to %s: %v. Check store.url and hadoop.conf.dir, "+
			"and that the worker reaches the NameNode; then restart the task.", c.StoreURL, err)}
	}
	t.writing = writer.Config{
		FS: t.fs, Format: files, Partitioner: c.Partitioner, Extractor: c.RotateByRecord, Context: tc, Logger: t.log,
		PadWidth: c.PadWidth, FlushSize: c.FlushSize, RotateInterval: c.RotateInterval, ScheduleInterval: c.RotateSchedule,
		Location: c.Location, FlushInterval: c.FlushInterval, RetryBackoff: c.RetryBackoff,
		Compatibility: writer.ParseCompatibility(c.SchemaCompatibility), Slots: make(chan struct{}, parallel),
	}
	return nil
}

// Open implements connect.SinkTask. Partitions recover side by side; the store being
// down is no error, they try again.
func (t *task) Open(ctx context.Context, tps []connect.TopicPartition) error {
	tree := writer.NewTree(t.fs, writer.DefaultCallTimeout)
	var opened []*writer.Partition
	for _, tp := range tps {
		if t.partitions[tp] != nil {
			continue
		}
		dirs := writer.Dirs{URL: t.config.StoreURL, Delim: t.config.DirectoryDelim}
		var err error
		if dirs.Topics, err = t.config.TopicsDir(tp.Topic); err != nil {
			return err
		}
		if dirs.Logs, err = t.config.LogsDir(tp.Topic); err != nil {
			return err
		}
		p := writer.New(&t.writing, tp, dirs)
		t.partitions[tp] = p
		opened = append(opened, p)
	}
	t.reorder()
	for _, p := range opened {
		p.Open(ctx, tree)
	}
	wait, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	for _, p := range opened {
		p.Wait(wait)
	}
	return t.poll(ctx, opened, t.now())
}

func (t *task) reorder() {
	t.order = t.order[:0]
	for _, tp := range slices.SortedFunc(maps.Keys(t.partitions), connect.TopicPartition.Compare) {
		t.order = append(t.order, t.partitions[tp])
	}
}

// poll lets partitions do what time demands, and asks to be called again in time.
func (t *task) poll(ctx context.Context, partitions []*writer.Partition, now int64) error {
	for _, p := range partitions {
		if err := p.Put(ctx, nil, now); err != nil {
			return err
		}
	}
	wait := int64(-1)
	for _, p := range t.order {
		if at, ok := p.Due(now); ok && (wait < 0 || at-now < wait) {
			wait = max(at-now, 1)
		}
	}
	if wait >= 0 {
		t.context.Timeout(wait)
	}
	return nil
}

// Put implements connect.SinkTask.
func (t *task) Put(ctx context.Context, records []connect.SinkRecord) error {
	now := t.now()
	for len(records) > 0 {
		tp := source(&records[0])
		n := 1
		for n < len(records) && source(&records[n]) == tp {
			n++
		}
		p := t.partitions[tp]
		if p == nil {
			return &connect.Error{Msg: fmt.Sprintf("Record of topic partition %s at offset %d, which is not assigned to this task.", tp, records[0].Offset)}
		}
		if err := p.Put(ctx, records[:n:n], now); err != nil {
			return err
		}
		records = records[n:]
	}
	return t.poll(ctx, t.order, now)
}

// source is where a record was read.
func source(rec *connect.SinkRecord) connect.TopicPartition {
	if rec.Original.Topic == "" {
		return connect.TopicPartition{Topic: rec.Topic, Partition: rec.Partition}
	}
	return rec.Original
}

// PreCommit implements connect.SinkTask: the offset after the last committed file.
func (t *task) PreCommit(_ context.Context, offsets map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
	result := make(map[connect.TopicPartition]int64, len(offsets))
	for tp, consumed := range offsets {
		p := t.partitions[tp]
		if p == nil {
			continue
		}
		if next, ok := p.Next(); ok && next <= consumed {
			result[tp] = next
		}
	}
	return result, nil
}

// Close implements connect.SinkTask for the given partitions only: in a cooperative
// rebalance the others go on.
func (t *task) Close(ctx context.Context, tps []connect.TopicPartition) error {
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, tp := range tps {
		p := t.partitions[tp]
		if p == nil {
			continue
		}
		delete(t.partitions, tp)
		g.Go(func() error {
			if err := p.Close(ctx); err != nil {
				t.log.Warn("partition closed with an error; nothing is lost", zap.Stringer("partition", tp), zap.Error(err))
			}
			return nil
		})
	}
	t.reorder()
	return g.Wait()
}

// Stop implements connect.SinkTask, also after a Start that failed.
func (t *task) Stop(ctx context.Context) error {
	err := t.Close(ctx, slices.Collect(maps.Keys(t.partitions)))
	if t.fs != nil {
		err = errors.Join(err, t.fs.Close())
		t.fs = nil
	}
	return err
}
