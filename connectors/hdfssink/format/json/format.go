// Package json is the format of the JVM sink's JsonFormat: one line of JSON per record.
//
// A structure is written as the JsonConverter does without schemas, anything else as
// Jackson's ObjectMapper writes its Java object. Values that are still encoded as JSON or
// text are not decoded but transcoded, to the same lines.
package json

import (
	"io"

	"github.com/penstock-io/penstock/connect"
	convjson "github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/internal/chunk"
)

// Options of the format; the connector has no keys for them.
type Options struct {
	// LineSeparator ends every line, "\n" when empty. In the JVM it is the system's.
	LineSeparator string
}

// Format makes .json files. It belongs to one task.
type Format struct {
	separator string
	pool      chunk.Pool
	encoder   convjson.Encoder
	raw       convjson.Transcoder
}

var _ format.Format = (*Format)(nil)

// New returns the format.
func New(o Options) *Format {
	if o.LineSeparator == "" {
		o.LineSeparator = "\n"
	}
	return &Format{separator: o.LineSeparator, encoder: convjson.Encoder{ReplaceNullWithDefault: true}}
}

// Extension implements format.Format.
func (f *Format) Extension() string { return ".json" }

// NewWriter implements format.Format. Any schema will do: each record has its own.
func (f *Format) NewWriter(w io.Writer, _ *data.Schema) (format.RecordWriter, error) {
	return &writer{format: f, out: chunk.NewWriter(w, &f.pool)}, nil
}

// ReadSchema implements format.Format: JSON keeps none.
func (f *Format) ReadSchema(io.Reader) (*data.Schema, error) { return nil, nil }

type writer struct {
	format *Format
	out    *chunk.Writer
}

// Write implements format.RecordWriter.
func (w *writer) Write(_ *connect.SinkRecord, value *data.Datum) error {
	if err := w.out.Err(); err != nil {
		return err
	}
	buf, err := w.format.append(w.out.Buf, value)
	if err != nil {
		return chunk.RecordError(err)
	}
	w.out.Buf = append(buf, w.format.separator...)
	return w.out.Recorded()
}

func (f *Format) append(dst []byte, value *data.Datum) ([]byte, error) {
	switch enc, raw := value.Raw(); enc {
	case data.JSON:
		return f.raw.Append(dst, raw), nil
	case data.UTF8:
		return convjson.AppendText(dst, raw), nil
	case data.RawBytes:
		return convjson.AppendBase64(dst, raw), nil
	default:
	}
	v, err := value.Value()
	if err != nil {
		return nil, err
	}
	if st, ok := v.(*data.Struct); ok {
		return f.encoder.Append(dst, value.Schema(), st)
	}
	return convjson.AppendObject(dst, v)
}

// Close implements format.RecordWriter.
func (w *writer) Close() error { return w.out.Close() }

// Buffered implements format.RecordWriter.
func (w *writer) Buffered() int { return len(w.out.Buf) }
