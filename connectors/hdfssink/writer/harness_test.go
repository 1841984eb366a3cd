package writer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/writer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a format that writes the text of each value and a line feed. A value that
// starts with "bad" is the record's fault.
type lines struct{ buffer int }

func (lines) Extension() string { return ".txt" }

func (l lines) NewWriter(w io.Writer, _ *data.Schema) (format.RecordWriter, error) {
	return &lineWriter{w: w, limit: max(l.buffer, 32)}, nil
}

func (lines) ReadSchema(io.Reader) (*data.Schema, error) { return nil, nil }

type lineWriter struct {
	w     io.Writer
	limit int
	buf   []byte
}

func (l *lineWriter) Write(_ *connect.SinkRecord, v *data.Datum) error {
	_, raw := v.Raw()
	if bytes.HasPrefix(raw, []byte("bad")) {
		return &connect.DataError{Msg: "bad record"}
	}
	l.buf = append(append(l.buf, raw...), '\n')
	if len(l.buf) < l.limit {
		return nil
	}
	return l.flush()
}

func (l *lineWriter) flush() error {
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

func (l *lineWriter) Close() error  { return l.flush() }
func (l *lineWriter) Buffered() int { return len(l.buf) }

// byOffset spreads offsets over n directories.
type byOffset int64

func (n byOffset) Encode(rec *connect.SinkRecord, _ int64) (string, error) {
	return "p=" + strconv.FormatInt(rec.Offset%int64(n), 10), nil
}

// taskContext is the part of the runtime that a partition sees.
type taskContext struct {
	connect.SinkTaskContext
	seek     map[connect.TopicPartition]int64
	paused   map[connect.TopicPartition]bool
	errant   []int64 // offsets reported
	tolerate bool
}

func newTaskContext() *taskContext {
	return &taskContext{seek: map[connect.TopicPartition]int64{}, paused: map[connect.TopicPartition]bool{}}
}

func (c *taskContext) Offset(tp connect.TopicPartition, o int64) { c.seek[tp] = o }
func (c *taskContext) Pause(tps ...connect.TopicPartition) {
	for _, tp := range tps {
		c.paused[tp] = true
	}
}

func (c *taskContext) Resume(tps ...connect.TopicPartition) {
	for _, tp := range tps {
		delete(c.paused, tp)
	}
}

func (c *taskContext) ReportErrant(rec *connect.SinkRecord, err error) error {
	if !c.tolerate {
		return err
	}
	c.errant = append(c.errant, rec.Offset)
	return nil
}

// tb is what the harness needs of a testing.T or rapid.T.
type tb interface {
	Helper()
	Log(args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	Context() context.Context
}

var (
	tp   = connect.TopicPartition{Topic: "t", Partition: 3}
	dirs = writer.Dirs{URL: "hdfs://nn:8020", Topics: "topics", Logs: "logs", Delim: "/"}
)

// worker runs one partition as the runtime does: it polls records of an endless source
// whose value is the offset's text, seeks, pauses and commits.
type worker struct {
	t        tb
	fs       filesystem.FS
	cfg      writer.Config
	context  *taskContext
	p        *writer.Partition
	position int64
	group    int64 // offset committed to the group
	now      int64
	value    func(offset int64) string
}

func newWorker(t tb, fs filesystem.FS, position int64, change ...func(*writer.Config)) *worker {
	w := &worker{t: t, fs: fs, context: newTaskContext(), position: position, group: position, now: 1_000_000,
		value: func(o int64) string { return strconv.FormatInt(o, 10) }}
	w.cfg = writer.Config{FS: fs, Format: lines{}, Partitioner: byOffset(2), Context: w.context, Logger: zap.NewNop(),
		PadWidth: 10, FlushSize: 4, RetryBackoff: 100, CallTimeout: time.Second}
	for _, f := range change {
		f(&w.cfg)
	}
	w.p = writer.New(&w.cfg, tp, dirs)
	return w
}

func (w *worker) open() *worker {
	w.p.Open(w.t.Context(), writer.NewTree(w.fs, time.Second))
	w.settle()
	return w
}

// settle waits for the recovery and lets the partition take its result.
func (w *worker) settle() {
	w.p.Wait(w.t.Context())
	if err := w.p.Put(w.t.Context(), nil, w.now); err != nil {
		w.t.Fatal(err)
	}
}

// record makes a record as a converter does: still encoded.
func record(offset int64, text string) connect.SinkRecord {
	rec := connect.SinkRecord{Record: connect.Record{Topic: tp.Topic, Partition: tp.Partition, Offset: offset, Timestamp: offset}, Original: tp}
	rec.Value.SetRaw(stringSchema, []byte(text), data.UTF8, nil, nil)
	return rec
}

var stringSchema = func() *data.Schema {
	s, err := data.NewBuilder(data.String).Optional().Build()
	if err != nil {
		panic(err)
	}
	return s
}()

// step is one turn of the task's loop with at most n records before end.
func (w *worker) step(n int, end int64) error {
	if o, ok := w.context.seek[tp]; ok {
		delete(w.context.seek, tp)
		w.position = o
	}
	var recs []connect.SinkRecord
	for ; !w.context.paused[tp] && len(recs) < n && w.position < end; w.position++ {
		recs = append(recs, record(w.position, w.value(w.position)))
	}
	if err := w.p.Put(w.t.Context(), recs, w.now); err != nil {
		return err
	}
	if next, ok := w.p.Next(); ok {
		w.group = next
	}
	w.p.Wait(w.t.Context())
	time.Sleep(time.Millisecond) // of the bubble's clock
	w.now += 60
	return nil
}

// run goes on until everything before end is committed, at most some hundred turns.
func (w *worker) run(end int64) error {
	for range 300 {
		if err := w.step(3, end); err != nil {
			return err
		}
		if next, ok := w.p.Next(); ok && next >= end {
			return nil
		}
	}
	return errNotDone
}

var errNotDone = errors.New("records are not committed after 300 turns")

func (w *worker) close() {
	if err := w.p.Close(w.t.Context()); err != nil {
		w.t.Log("close:", err)
	}
}

// committedFile is a file below the topic's directory.
type committedFile struct {
	writer.CommittedName
	path  string
	lines []string
}

func readCommitted(t tb, fs filesystem.FS) []committedFile {
	t.Helper()
	var all []committedFile
	for _, p := range tree(t, fs, "/topics/t") {
		n, ok := writer.ParseCommittedName(path.Base(p))
		if !ok {
			t.Fatalf("%s is not the name of a committed file", p)
		}
		r, err := fs.Open(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, committedFile{n, p, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")})
	}
	slices.SortFunc(all, func(a, b committedFile) int { return int(a.Start - b.Start) })
	return all
}

// tree lists all files below dir.
func tree(t tb, fs filesystem.FS, dir string) []string {
	t.Helper()
	infos, err := fs.List(t.Context(), dir)
	if errors.Is(err, filesystem.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, info := range infos {
		if info.Dir {
			all = append(all, tree(t, fs, info.Path)...)
		} else {
			all = append(all, info.Path)
		}
	}
	return all
}

// checkOnce fails unless each offset of [0, end) is in exactly one committed file, whose
// name tells its first and last, and no temp file is left.
func checkOnce(t tb, fs filesystem.FS, end int64, except ...int64) {
	t.Helper()
	if err := once(t, fs, end, except...); err != nil {
		t.Error(err)
	}
	if temps := tree(t, fs, "/topics/+tmp"); len(temps) > 0 {
		t.Errorf("temp files are left: %v", temps)
	}
}

func once(t tb, fs filesystem.FS, end int64, except ...int64) error {
	t.Helper()
	seen := map[int64]string{}
	for _, f := range readCommitted(t, fs) {
		for i, line := range f.lines {
			o, err := strconv.ParseInt(line, 10, 64)
			if err != nil {
				return fmt.Errorf("%s: line %q", f.path, line)
			}
			if other, ok := seen[o]; ok {
				return fmt.Errorf("offset %d is in %s and in %s", o, other, f.path)
			}
			seen[o] = f.path
			if i == 0 && o != f.Start || i == len(f.lines)-1 && o != f.End || o < f.Start || o > f.End {
				return fmt.Errorf("%s has offset %d as line %d of %d", f.path, o, i, len(f.lines))
			}
		}
	}
	for o := range end {
		if seen[o] == "" && !slices.Contains(except, o) {
			return fmt.Errorf("offset %d is in no file", o)
		}
	}
	if int64(len(seen)+len(except)) != end {
		return fmt.Errorf("%d offsets are committed, want %d", len(seen), end)
	}
	return nil
}
