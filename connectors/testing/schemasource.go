package testing

import (
	"context"
	"io"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// recordSchema and recordSchema2 are the two versions of the value.
var (
	recordSchema  = recordFields(1).Field("id", data.Int32Schema).Field("seqno", data.Int64Schema).MustBuild()
	recordSchema2 = recordFields(2).
			Field("string", data.NewBuilder(data.String).Default("abc").MustBuild()).
			Field("id", data.Int32Schema).Field("seqno", data.Int64Schema).MustBuild()
)

func recordFields(version int) *data.Builder {
	return data.NewStructSchema().Version(version).Name("record").
		Field("boolean", data.BooleanSchema).
		Field("int", data.Int32Schema).
		Field("long", data.Int64Schema).
		Field("float", data.Float32Schema).
		Field("double", data.Float64Schema).
		Field("partitioning", data.Int32Schema)
}

type schemaSourceTask struct {
	version string
	out     io.Writer

	topic      string
	id         int32
	partition  *data.Map
	multiple   bool
	partitions int64
	throttle   throttle
	most       int64 // records since Start
	count      int64 // of them made
	seqno      int64 // of the next record
	lines      []byte
}

func (t *schemaSourceTask) Version() string { return t.version }

// Start goes on after the last number that was committed.
func (t *schemaSourceTask) Start(ctx context.Context, tc connect.SourceTaskContext, props map[string]string) (err error) {
	p := &taskProps{props: props, task: "SchemaSourceTask"}
	one := int64(1)
	t.id = p.int32(idKey, nil)
	t.topic = p.topic()
	t.most = p.int64(numMessagesKey)
	t.multiple = p.flag(multipleSchemaKey)
	t.partitions = int64(p.int32(partitionCountKey, &one))
	throughput := p.int64(throughputKey)
	if p.err == nil && t.partitions == 0 {
		p.err = &connect.Error{Msg: "Invalid SchemaSourceTask configuration: " + partitionCountKey + " is 0; set it to 1 or more"}
	}
	if p.err != nil {
		return p.err
	}
	if t.partition, t.seqno, err = resume(ctx, tc.Offsets(), t.id); err != nil {
		return err
	}
	t.count, t.throttle = 0, throttle{throughput, time.Now()}
	tc.Logger().Info("Started SchemaSourceTask", zap.Int32("task", t.id), zap.String("topic", t.topic), zap.Int64("seqno", t.seqno))
	return nil
}

// Poll returns what is due. When all was made it waits until ctx ends.
func (t *schemaSourceTask) Poll(ctx context.Context) ([]connect.SourceRecord, error) {
	if t.count >= t.most {
		<-ctx.Done()
		return nil, nil
	}
	n := min(int64(t.throttle.wait(ctx, t.count)), t.most-t.count)
	if n == 0 {
		return nil, nil
	}
	records := make([]connect.SourceRecord, n)
	t.lines = t.lines[:0]
	for i := range records {
		records[i] = t.record()
		t.lines = strconv.AppendInt(append(t.lines, `{"task": `...), int64(t.id), 10)
		t.lines = strconv.AppendInt(append(t.lines, `, "seqno": `...), t.seqno, 10)
		t.lines = append(t.lines, "}\n"...)
		t.seqno++
		t.count++
	}
	t.out.Write(t.lines) //nolint:errcheck // Java parity: System.out knows no errors
	return records, nil
}

func (t *schemaSourceTask) record() connect.SourceRecord {
	schema := recordSchema
	values := []any{true, int32(12), int64(12), float32(12.2), 12.2, int32(t.seqno % t.partitions)}
	if t.multiple && t.count%2 == 1 {
		schema = recordSchema2
		values = append(values, "def")
	}
	offset := data.NewMap(1)
	offset.Put(seqnoField, t.seqno)
	r := connect.NewSourceRecord(t.partition, offset, t.topic, schema, data.StructOf(schema, append(values, t.id, t.seqno)))
	r.Partition = t.id
	r.Key.SetValue(data.StringSchema, "key")
	return r
}

func (t *schemaSourceTask) Stop(context.Context) error { return nil }
