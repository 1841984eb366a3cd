// Package text is the format of the JVM sink's StringFormat: one line per record that is
// a text, in UTF-8.
package text

import (
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/internal/chunk"
)

// Options of the format; the connector has no keys for them.
type Options struct {
	// LineSeparator ends every line, "\n" when empty. In the JVM it is the system's.
	LineSeparator string
}

// Format makes .txt files. It belongs to one task.
type Format struct {
	separator string
	pool      chunk.Pool
}

var _ format.Format = (*Format)(nil)

// New returns the format.
func New(o Options) *Format {
	if o.LineSeparator == "" {
		o.LineSeparator = "\n"
	}
	return &Format{separator: o.LineSeparator}
}

// Extension implements format.Format.
func (f *Format) Extension() string { return ".txt" }

// NewWriter implements format.Format. Any schema will do: what counts are the values.
func (f *Format) NewWriter(w io.Writer, _ *data.Schema) (format.RecordWriter, error) {
	return &writer{format: f, out: chunk.NewWriter(w, &f.pool)}, nil
}

// ReadSchema implements format.Format: text keeps none.
func (f *Format) ReadSchema(io.Reader) (*data.Schema, error) { return nil, nil }

type writer struct {
	format *Format
	out    *chunk.Writer
}

// Write implements format.RecordWriter. UTF-8 that is still encoded is copied.
func (w *writer) Write(_ *connect.SinkRecord, value *data.Datum) error {
	if err := w.out.Err(); err != nil {
		return err
	}
	if enc, raw := value.Raw(); enc == data.UTF8 {
		w.out.Buf = append(w.out.Buf, raw...)
	} else {
		v, err := value.Value()
		if err != nil {
			return chunk.RecordError(err)
		}
		s, ok := v.(string)
		if !ok {
			return notText(v)
		}
		w.out.Buf = appendText(w.out.Buf, s)
	}
	w.out.Buf = append(w.out.Buf, w.format.separator...)
	return w.out.Recorded()
}

// notText words what in the JVM is a ClassCastException or a NullPointerException.
func notText(v any) error {
	const advice = "StringFormat writes texts only; use the StringConverter for such values, or another format.class."
	if v == nil {
		return &connect.DataError{Msg: "A null value cannot be written as text. " + advice}
	}
	return &connect.DataError{Msg: fmt.Sprintf("class %s cannot be cast to class java.lang.String. %s", data.JavaClass(v), advice)}
}

// appendText appends a text. Halves of surrogate pairs, which values of the JSON
// converter may hold in three bytes, become question marks as in Java.
func appendText(dst []byte, s string) []byte {
	if utf8.ValidString(s) {
		return append(dst, s...)
	}
	for i := 0; i < len(s); i++ {
		if s[i] == 0xED && len(s)-i >= 3 && s[i+1]&0xE0 == 0xA0 && s[i+2]&0xC0 == 0x80 {
			dst = append(dst, '?')
			i += 2
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
}

// Close implements format.RecordWriter.
func (w *writer) Close() error { return w.out.Close() }

// Buffered implements format.RecordWriter.
func (w *writer) Buffered() int { return len(w.out.Buf) }
