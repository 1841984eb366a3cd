package filestream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// idleWait is how long a Poll waits for lines or for the file (Java: wait(1000)).
const idleWait = time.Second

// sourceTask reads one file. While the file does not exist it waits for it. It stays with
// the file that it has opened, whatever happens to the name.
type sourceTask struct {
	version string
	stdin   *os.File // replaced by tests
	now     func() int64

	log       *zap.Logger
	offsets   connect.OffsetReader
	filename  string // "" = the standard input
	topic     string
	batchSize int
	partition *data.Map

	in       *input // nil: not opened yet
	position int64  // after the last line that was handed out, in bytes
	lines    lineBuffer
	spans    []span
	last     int  // how many records the last batch had
	missing  bool // it was logged that the file is missing
	short    bool // it was logged that the file is shorter than the position
}

var _ connect.SourceTask = (*sourceTask)(nil)

func newSourceTask(version string) *sourceTask {
	return &sourceTask{version: version, stdin: os.Stdin, now: func() int64 { return time.Now().UnixMilli() }}
}

// Version implements connect.SourceTask.
func (t *sourceTask) Version() string { return t.version }

// Start implements connect.SourceTask. Where to go on is looked up when the file is there.
func (t *sourceTask) Start(_ context.Context, tc connect.SourceTaskContext, props map[string]string) error {
	values, err := sourceDef.Parse(props)
	if err != nil {
		return err
	}
	t.log, t.offsets = tc.Logger(), tc.Offsets()
	t.filename, t.topic, t.batchSize = values.String(fileKey), values.String(topicKey), max(values.Int(batchSizeKey), 1)
	if t.filename != "" {
		t.partition = partitionOf(t.filename)
		return nil
	}
	// Java parity: null for a file that is not set, "" for one that is empty.
	if t.partition = partitionOf(""); values.Null(fileKey) {
		t.partition = partitionOf(nil)
	}
	if t.in, err = inputOf(t.stdin); err != nil {
		return t.failed("open", err)
	}
	return nil
}

// Poll implements connect.SourceTask: as many complete lines as there are, up to
// batch.size.
func (t *sourceTask) Poll(ctx context.Context) ([]connect.SourceRecord, error) {
	if t.in == nil {
		if found, err := t.open(ctx); err != nil {
			return nil, err
		} else if !found {
			sleep(ctx, idleWait)
			return nil, nil
		}
	}
	var records []connect.SourceRecord
	for {
		records = t.take(records)
		if len(records) >= t.batchSize || ctx.Err() != nil {
			return records, nil //nolint:nilerr // the end of ctx is no error
		}
		n, err := t.read(ctx, len(records) == 0)
		switch {
		case n > 0:
		case len(records) > 0: // an error comes again
			return records, nil
		default:
			return nil, err
		}
	}
}

// open opens the file and goes on where the last task was. It reports false when there is
// no file yet.
func (t *sourceTask) open(ctx context.Context) (bool, error) {
	in, err := openInput(t.filename)
	if errors.Is(err, fs.ErrNotExist) {
		if !t.missing {
			t.log.Warn("Couldn't find file for FileStreamSourceTask, waiting for it to be created", zap.String("path", t.filename))
		}
		t.missing = true
		return false, nil
	}
	if err != nil {
		return false, t.failed("open", err)
	}
	if err := t.resume(ctx, in); err != nil {
		in.file.Close()
		return false, err
	}
	t.in = in
	return true, nil
}

func (t *sourceTask) resume(ctx context.Context, in *input) error {
	offset, err := t.offsets.Offset(ctx, t.partition)
	if err != nil {
		return err
	}
	if offset == nil {
		return nil
	}
	value, _ := offset.Get(positionField)
	if value == nil {
		return nil
	}
	position, ok := value.(int64)
	if !ok {
		return &connect.Error{Msg: fmt.Sprintf("Offset position is the incorrect type: it is %v of file '%s' and has to be a whole number. "+
			"Set it with PATCH /connectors/<name>/offsets.", value, t.filename)}
	}
	t.position = max(position, 0)
	if !in.regular || t.position == 0 { // a pipe has no past
		return nil
	}
	before := []byte{'\n'}
	if _, err := in.file.ReadAt(before, t.position-1); err == nil && before[0] != '\n' && before[0] != '\r' {
		t.log.Warn("going on within a line: the position was set by hand, or written by the JVM's connector, which counts "+
			"characters where it should count bytes; some text is repeated", zap.String("path", t.filename), zap.Int64("offset", t.position))
	}
	if _, err := in.file.Seek(t.position, io.SeekStart); err != nil {
		return t.failed("seek in", err)
	}
	return nil
}

// read adds what the file has; 0 when there is nothing new. With wait it waits for it.
func (t *sourceTask) read(ctx context.Context, wait bool) (int, error) {
	patience := time.Duration(0)
	if wait {
		patience = idleWait
	}
	ready, err := t.in.ready(ctx, patience)
	if err != nil {
		return 0, t.readFailed(ctx, err)
	}
	if !ready {
		return 0, nil
	}
	room, err := t.lines.room()
	if err != nil {
		return 0, &connect.Error{Msg: fmt.Sprintf("%s at position %d: %v. Is it a text file?", t.name(), t.position, err)}
	}
	n, err := t.in.read(room)
	if n > 0 {
		t.lines.added(n)
		return n, nil
	}
	if err != nil {
		return 0, t.readFailed(ctx, err)
	}
	if wait {
		t.checkSize()
		sleep(ctx, idleWait)
	}
	return 0, nil
}

// readFailed makes a failed read one that is tried again: the position has not moved.
func (t *sourceTask) readFailed(ctx context.Context, err error) error {
	sleep(ctx, idleWait)
	return &connect.RetriableError{Err: t.failed("read", err)}
}

// checkSize tells once why nothing comes of a file that has become shorter.
func (t *sourceTask) checkSize() {
	if !t.in.regular || t.short {
		return
	}
	if size, err := t.in.size(); err == nil && size < t.position {
		t.short = true
		t.log.Warn("the file is shorter than the position reached: it was truncated or replaced. Nothing is read until it is longer again; "+
			"to read it from its start, stop the connector and delete its offsets",
			zap.String("path", t.filename), zap.Int64("offset", t.position), zap.Int64("size", size))
	}
}

// take appends a record for each line that was read completely. The text of all of them
// is one string: records are in flight together anyway.
func (t *sourceTask) take(records []connect.SourceRecord) []connect.SourceRecord {
	t.spans = t.spans[:0]
	for len(records)+len(t.spans) < t.batchSize {
		s, ok := t.lines.next()
		if !ok {
			break
		}
		t.spans = append(t.spans, s)
	}
	if len(t.spans) == 0 {
		return records
	}
	if records == nil {
		records = make([]connect.SourceRecord, 0, max(len(t.spans), t.last))
	}
	base := t.spans[0].from
	text := string(t.lines.buf[base:t.spans[len(t.spans)-1].to])
	valid := utf8.ValidString(text)
	offsets := make([]data.Map, len(t.spans))
	now := t.now()
	for i, s := range t.spans {
		line := text[s.from-base : s.to-base]
		if !valid {
			line = decode(line)
		}
		t.position += int64(s.after - s.from)
		if t.filename == "" {
			offsets[i].Put(positionField, nil)
		} else {
			offsets[i].Put(positionField, t.position)
		}
		r := connect.NewSourceRecord(t.partition, &offsets[i], t.topic, data.StringSchema, line)
		r.Timestamp = now
		records = append(records, r)
	}
	t.last = len(records)
	return records
}

// Stop implements connect.SourceTask.
func (t *sourceTask) Stop(context.Context) error {
	if t.in == nil || t.in.file == t.stdin {
		return nil
	}
	err := t.in.file.Close()
	t.in = nil
	return err
}

func (t *sourceTask) name() string {
	if t.filename == "" {
		return "standard input"
	}
	return "file '" + t.filename + "'"
}

func (t *sourceTask) failed(what string, err error) error {
	return &connect.Error{Err: err, Msg: fmt.Sprintf("Couldn't %s %s for FileStreamSourceTask: %v. "+
		"Check the path and that the worker's user may read it.", what, t.name(), err)}
}

// sleep waits until ctx ends at most.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
