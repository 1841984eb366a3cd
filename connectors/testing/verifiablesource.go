package testing

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// completeSchema is the value with complete.record.data.
var completeSchema = data.NewStructSchema().
	Field("name", data.StringSchema).
	Field("task", data.Int32Schema).
	Field("topic", data.StringSchema).
	Field("time_ms", data.Int64Schema).
	Field("seqno", data.Int64Schema).
	MustBuild()

// lineWriter gathers lines about commits, which come one by one, until Poll, Commit or
// Stop writes them out. While Poll waits nothing is gathered.
type lineWriter struct {
	out io.Writer

	mu     sync.Mutex
	lines  []byte
	direct bool
}

// gatherMost is how many bytes of lines are gathered.
const gatherMost = 32 << 10

// add takes lines; append appends them to what it is given.
func (w *lineWriter) add(appendTo func(dst []byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = appendTo(w.lines)
	if w.direct || len(w.lines) >= gatherMost {
		w.flush()
	}
}

// write writes out what was gathered; from then on lines are gathered, or not.
func (w *lineWriter) write(direct bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.direct = direct
	w.flush()
}

func (w *lineWriter) flush() {
	if len(w.lines) > 0 {
		w.out.Write(w.lines) //nolint:errcheck // Java parity: System.out knows no errors
		w.lines = w.lines[:0]
	}
}

type verifiableSourceTask struct {
	version string
	lines   lineWriter
	now     func() int64

	name      any // string, or nil: null
	topic     string
	id        int32
	key       any // id, boxed once
	partition *data.Map
	complete  bool
	throttle  throttle
	first     int64 // seqno of the first record since Start
	seqno     int64 // of the next record

	// The constant parts of a line: task and seqno, what is between seqno and time, the rest.
	head, tail []byte
}

var (
	_ connect.SourceTask      = (*verifiableSourceTask)(nil)
	_ connect.RecordCommitter = (*verifiableSourceTask)(nil)
	_ connect.OffsetCommitter = (*verifiableSourceTask)(nil)
)

func (t *verifiableSourceTask) Version() string { return t.version }

// Start goes on after the last number that was committed.
func (t *verifiableSourceTask) Start(ctx context.Context, tc connect.SourceTaskContext, props map[string]string) (err error) {
	p := &taskProps{props: props, task: "VerifiableSourceTask"}
	t.id = p.int32(idKey, nil)
	t.topic = p.topic()
	throughput := p.int64(throughputKey)
	if p.err != nil {
		return p.err
	}
	t.key, t.name, t.complete = t.id, nil, p.flag(completeRecordKey)
	if name, ok := props[nameKey]; ok {
		t.name = name
	}
	if t.partition, t.seqno, err = resume(ctx, tc.Offsets(), t.id); err != nil {
		return err
	}
	t.first = t.seqno
	t.throttle = throttle{throughput, time.Now()}
	t.head = append(strconv.AppendInt([]byte(`"task":`), int64(t.id), 10), `,"seqno":`...)
	t.tail, _ = appendValue([]byte(`,"name":`), t.name)
	t.tail = append(data.AppendJSONString(append(t.tail, `,"topic":`...), t.topic), "}\n"...)
	tc.Logger().Info("Started VerifiableSourceTask", zap.Int32("task", t.id), zap.String("topic", t.topic), zap.Int64("seqno", t.seqno))
	return nil
}

// resume returns the partition of a task and the number that follows the committed one.
func resume(ctx context.Context, offsets connect.OffsetReader, id int32) (partition *data.Map, next int64, err error) {
	partition = data.NewMap(1)
	partition.Put(idField, id)
	offset, err := offsets.Offset(ctx, partition)
	if err != nil || offset == nil {
		return partition, 0, err
	}
	value, _ := offset.Get(seqnoField)
	seqno, ok := value.(int64)
	if !ok {
		return nil, 0, &connect.Error{Msg: "The offset of the source partition " + partition.String() + " is " + offset.String() +
			": it has to have a whole number " + seqnoField + ". Set it with PATCH /connectors/<name>/offsets."}
	}
	return partition, seqno + 1, nil
}

// line appends a line with an opening such as {.
func (t *verifiableSourceTask) line(dst []byte, opening string, seqno, now int64) []byte {
	dst = append(append(dst, opening...), t.head...)
	dst = strconv.AppendInt(dst, seqno, 10)
	dst = strconv.AppendInt(append(dst, `,"time_ms":`...), now, 10)
	return append(dst, t.tail...)
}

// Poll returns what is due.
func (t *verifiableSourceTask) Poll(ctx context.Context) ([]connect.SourceRecord, error) {
	t.lines.write(true)
	n := t.throttle.wait(ctx, t.seqno-t.first)
	t.lines.write(false)
	if n == 0 {
		return nil, nil
	}
	now := t.now()
	records := make([]connect.SourceRecord, n)
	offsets := make([]data.Map, n)
	first := t.seqno
	for i := range records {
		offsets[i].Put(seqnoField, t.seqno)
		records[i] = t.record(&offsets[i], now)
		t.seqno++
	}
	t.lines.add(func(lines []byte) []byte {
		for seqno := first; seqno < t.seqno; seqno++ {
			lines = t.line(lines, "{", seqno, now)
		}
		return lines
	})
	t.lines.write(false) // before anybody else can see the records
	return records, nil
}

func (t *verifiableSourceTask) record(offset *data.Map, now int64) connect.SourceRecord {
	schema, value := data.Int64Schema, any(t.seqno)
	if t.complete {
		schema, value = completeSchema, data.StructOf(completeSchema, []any{t.name, t.id, t.topic, now, t.seqno})
	}
	r := connect.NewSourceRecord(t.partition, offset, t.topic, schema, value)
	r.Key.SetValue(data.Int32Schema, t.key)
	return r
}

// CommitRecord prints the line about a record that is in Kafka. With complete.record.data
// the JVM's prints an error instead, because it cannot write the struct.
func (t *verifiableSourceTask) CommitRecord(_ context.Context, r *connect.SourceRecord, _ *connect.RecordMetadata) error {
	value, _ := r.SourceOffset.Get(seqnoField)
	seqno, _ := value.(int64)
	now := t.now()
	t.lines.add(func(lines []byte) []byte { return t.line(lines, `{"committed":true,`, seqno, now) })
	return nil
}

// Commit writes out the lines about records.
func (t *verifiableSourceTask) Commit(context.Context) error {
	t.lines.mu.Lock()
	defer t.lines.mu.Unlock()
	t.lines.flush()
	return nil
}

// Stop writes out the lines about records.
func (t *verifiableSourceTask) Stop(context.Context) error {
	t.lines.write(true)
	return nil
}
