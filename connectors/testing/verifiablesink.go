package testing

import (
	"context"
	"io"
	"math"
	"strconv"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// unflushedMost is how many bytes of lines a task keeps before it asks for a commit.
const unflushedMost = 16 << 20

// verifiableSinkTask prints the line of each record twice: when it comes and when it is
// committed. In between it keeps its two parts, before and after the time.
type verifiableSinkTask struct {
	version string
	out     io.Writer
	now     func() int64

	context   connect.SinkTaskContext
	name      any // string, or nil: null
	id        int32
	lines     []byte
	unflushed map[connect.TopicPartition]*keptLines
	kept      int // bytes
}

// keptLines are the lines of one partition.
type keptLines struct {
	text []byte
	// ends are where the parts of each line end in text: head, tail, head, …
	ends []int
}

func (t *verifiableSinkTask) Version() string { return t.version }

func (t *verifiableSinkTask) Start(_ context.Context, tc connect.SinkTaskContext, props map[string]string) error {
	p := &taskProps{props: props, task: "VerifiableSinkTask"}
	t.id = int32(p.integer(idKey, math.MinInt32, math.MaxInt32, nil))
	if p.err != nil {
		return p.err
	}
	t.context, t.name, t.unflushed = tc, nil, map[connect.TopicPartition]*keptLines{}
	if name, ok := props[nameKey]; ok {
		t.name = name
	}
	return nil
}

func (t *verifiableSinkTask) Open(context.Context, []connect.TopicPartition) error { return nil }

func (t *verifiableSinkTask) Put(_ context.Context, records []connect.SinkRecord) error {
	now := t.now()
	t.lines = t.lines[:0]
	for i := range records {
		r := &records[i]
		kept := t.unflushed[r.Original]
		if kept == nil {
			kept = &keptLines{}
			t.unflushed[r.Original] = kept
		}
		if err := t.put(kept, r, now); err != nil {
			return err
		}
	}
	t.print()
	if t.kept > unflushedMost {
		t.context.RequestCommit()
	}
	return nil
}

// put appends the line of a record to those that are printed and to those that are kept.
func (t *verifiableSinkTask) put(kept *keptLines, r *connect.SinkRecord, now int64) error {
	key, err := r.Key.Value()
	if err != nil {
		return t.context.ReportErrant(r, err)
	}
	value, err := r.Value.Value()
	if err != nil {
		return t.context.ReportErrant(r, err)
	}
	from := len(kept.text)
	text, ok := appendValue(append(kept.text, `{"task":`...), key)
	bad := ""
	if !ok {
		bad = unserializable(key, "task")
	} else if text, ok = appendValue(append(text, `,"seqno":`...), value); !ok {
		bad = unserializable(value, "seqno")
	}
	if bad != "" { // printed as it is, also when it is flushed
		text = append(append(text[:from], bad...), '\n')
		kept.text, kept.ends = text, append(kept.ends, len(text), len(text))
		t.lines = append(t.lines, text[from:]...)
		t.kept += len(text) - from
		return nil
	}
	text = strconv.AppendInt(append(text, `,"offset":`...), r.Offset, 10)
	text = append(text, `,"time_ms":`...)
	head := len(text)
	text, _ = appendValue(append(text, `,"name":`...), t.name)
	text = data.AppendJSONString(append(text, `,"topic":`...), r.Topic)
	text = strconv.AppendInt(append(text, `,"sinkTask":`...), int64(t.id), 10)
	kept.text, kept.ends = text, append(kept.ends, head, len(text))
	t.kept += len(text) - from
	t.lines = strconv.AppendInt(append(t.lines, text[from:head]...), now, 10)
	t.lines = append(append(t.lines, text[head:]...), "}\n"...)
	return nil
}

// PreCommit prints the lines of the partitions again, as flushed.
func (t *verifiableSinkTask) PreCommit(_ context.Context, offsets map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
	now := t.now()
	t.lines = t.lines[:0]
	for tp := range offsets {
		if kept := t.unflushed[tp]; kept != nil {
			t.flush(kept, now)
			t.forget(tp)
		}
	}
	t.print()
	return offsets, nil
}

func (t *verifiableSinkTask) flush(kept *keptLines, now int64) {
	from := 0
	for i := 0; i < len(kept.ends); i += 2 {
		head, end := kept.ends[i], kept.ends[i+1]
		t.lines = append(t.lines, kept.text[from:head]...)
		if head < end {
			t.lines = strconv.AppendInt(t.lines, now, 10)
			t.lines = append(append(t.lines, kept.text[head:end]...), `,"flushed":true}`+"\n"...)
		}
		from = end
	}
}

func (t *verifiableSinkTask) forget(tp connect.TopicPartition) {
	if kept := t.unflushed[tp]; kept != nil {
		t.kept -= len(kept.text)
		delete(t.unflushed, tp)
	}
}

func (t *verifiableSinkTask) print() {
	if len(t.lines) > 0 {
		t.out.Write(t.lines) //nolint:errcheck // Java parity: System.out knows no errors
	}
}

// Close forgets lines of partitions that were lost before a commit: whoever has them now
// gets the records again.
func (t *verifiableSinkTask) Close(_ context.Context, partitions []connect.TopicPartition) error {
	for _, tp := range partitions {
		t.forget(tp)
	}
	return nil
}

func (t *verifiableSinkTask) Stop(context.Context) error { return nil }
