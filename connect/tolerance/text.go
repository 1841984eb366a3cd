package tolerance

import (
	"fmt"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// logFailure writes the error log, if errors.log.enable is set (Java: LogReporter).
func (o *Operator) logFailure(f Failure) {
	if !o.cfg.Log {
		return
	}
	o.ErrorsLogged.Add(1)
	msg := fmt.Sprintf("Error encountered in task %s. Executing stage '%s' with class '%s'", o.id, f.Stage, f.Class)
	if o.cfg.LogMessages {
		switch {
		case f.Record != nil:
			msg += ", where consumed record is " + consumedText(&f)
		case f.Source != nil:
			msg += ", where source record is = " + sourceText(f.Source)
		}
	}
	o.log.Error(msg+".", zap.Error(f.Err))
}

// consumedText tells of the record as it was read; a transform may have set another time.
func consumedText(f *Failure) string {
	r := f.Record
	timestamp, kind := r.Timestamp, r.TimestampType
	if f.Raw != nil {
		timestamp, kind = f.Raw.Timestamp, f.Raw.TimestampType
	}
	text := fmt.Sprintf("{topic='%s', partition=%d, offset=%d", r.Original.Topic, r.Original.Partition, r.Offset)
	if kind != connect.NoTimestampType {
		text += fmt.Sprintf(", timestamp=%d, timestampType=%s", timestamp, kind)
	}
	return text + "}"
}

// sourceText is Java's SourceRecord.toString. It shows values: errors.log.include.messages
// asks for them.
func sourceText(r *connect.SourceRecord) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SourceRecord{sourcePartition=%s, sourceOffset=%s} ConnectRecord{topic='%s', kafkaPartition=%s, key=%s, keySchema=%s, value=%s, valueSchema=%s, timestamp=%s, headers=ConnectHeaders(headers=",
		mapText(r.SourcePartition), mapText(r.SourceOffset), r.Topic, unlessMinusOne(int64(r.Partition)),
		datumText(&r.Key), r.Key.Schema(), datumText(&r.Value), r.Value.Schema(), unlessMinusOne(r.Timestamp))
	for i, h := range r.Headers {
		if i > 0 {
			b.WriteString(", ")
		} else {
			b.WriteByte('[')
		}
		fmt.Fprintf(&b, "ConnectHeader(key=%s, value=%s, schema=%s)", h.Key, data.JavaString(h.Value), h.Schema)
	}
	if len(r.Headers) > 0 {
		b.WriteByte(']')
	}
	b.WriteString(")}")
	return b.String()
}

func mapText(m *data.Map) string {
	if m == nil {
		return "null"
	}
	return data.JavaString(m)
}

func datumText(d *data.Datum) string {
	v, err := d.Value()
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return data.JavaString(v)
}

// unlessMinusOne shows what Java has as null: connect.AnyPartition, connect.NoTimestamp.
func unlessMinusOne(n int64) string {
	if n == -1 {
		return "null"
	}
	return strconv.FormatInt(n, 10)
}

// exceeded is the error that fails a task; the JVM's sentence comes first.
func exceeded(f Failure) error {
	msg := "Tolerance exceeded in error handler" + where(f) + ". "
	switch key := f.Stage.configKey(); {
	case key == "":
		msg += "S"
	case f.Source != nil:
		msg += "Set " + key + " to what fits the records, or s"
	default:
		msg += "Set " + key + " to what the topic holds, or s"
	}
	return &connect.Error{Msg: msg + "et errors.tolerance=all to skip such records.", Err: f.Err}
}

// unhandled is the error of a stage whose failures errors.tolerance does not cover.
func unhandled(f Failure) error {
	return &connect.Error{Err: f.Err, Msg: "Unhandled exception in error handler" + where(f) +
		". errors.tolerance does not cover this stage: see the cause."}
}

// where names the record and the stage; a source's record is named by its place in the
// source, never by its data.
func where(f Failure) string {
	at := fmt.Sprintf("failed at stage %s with class %s", f.Stage, f.Class)
	switch {
	case f.Record != nil:
		r := f.Record
		return fmt.Sprintf(": the record of topic %s, partition %d, offset %d %s", r.Original.Topic, r.Original.Partition, r.Offset, at)
	case f.Source != nil:
		r := f.Source
		return fmt.Sprintf(": the record for topic %s of source partition %s, source offset %s %s",
			r.Topic, mapText(r.SourcePartition), mapText(r.SourceOffset), at)
	}
	return ": stage " + string(f.Stage) + " failed with class " + f.Class
}
