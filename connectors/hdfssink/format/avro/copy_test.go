package avro_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	convavro "github.com/penstock-io/penstock/connect/convert/avro"
	"github.com/penstock-io/penstock/connect/data"
)

// decoder returns a fixed value, as a converter that decodes would.
type decoder struct {
	value any
	calls int
}

func (d *decoder) DecodeRaw([]byte) (any, error) {
	d.calls++
	if d.value == nil {
		return nil, errors.New("cannot be decoded")
	}
	return d.value, nil
}

func mustParse(t *testing.T, text string) *convavro.Schema {
	t.Helper()
	s, err := convavro.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const writerText = `{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","string"],"default":null}]}`

func TestDatumsOfTheSameSchemaAreCopied(t *testing.T) {
	schema := data.NewStructSchema().Name("n.R").Version(7).Field("a", data.Int32Schema).Field("b", data.OptionalString).MustBuild()
	defaulted := data.NewStructSchema().Name("n.R").Field("a", data.Int32Schema).
		Field("b", data.NewBuilder(data.String).Optional().Default("x").MustBuild()).MustBuild()
	for name, c := range map[string]struct {
		schema *data.Schema
		writer string
		copied bool
	}{
		"the same layout":              {schema, writerText, true},
		"null as the other branch":     {schema, strings.Replace(writerText, `["null","string"],"default":null`, `["string","null"]`, 1), false},
		"a number of another size":     {schema, strings.Replace(writerText, `"int"`, `"long"`, 1), false},
		"another name":                 {schema, strings.Replace(writerText, `"R"`, `"S"`, 1), false},
		"a field less":                 {schema, strings.Replace(writerText, `{"name":"a","type":"int"},`, ``, 1), false},
		"a null that is a default":     {defaulted, strings.Replace(writerText, `["null","string"],"default":null`, `["string","null"]`, 1), false},
		"properties that mean nothing": {schema, strings.Replace(writerText, `"type":"int"`, `"type":{"type":"int","x":1}`, 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			writer := mustParse(t, c.writer)
			dec := &decoder{value: data.StructOf(c.schema, []any{int32(5), "z"})}
			var file bytes.Buffer
			w, err := newFormat(t, defaults("")).NewWriter(&file, c.schema)
			if err != nil {
				t.Fatal(err)
			}
			raw := []byte{10, 2, 2, 'z'}
			for range 3 {
				var d data.Datum
				d.SetRaw(c.schema, raw, data.AvroDatum, dec, writer)
				if err := w.Write(&connect.SinkRecord{}, &d); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if copied := dec.calls == 0; copied != c.copied {
				t.Errorf("copied: %v", copied)
			}
			if got := readGoavro(t, file.Bytes()); c.schema == schema && !slices.Equal(got, []string{got[0], got[0], got[0]}) || c.copied && got[0] != "map[a:5 b:map[string:z]]" {
				t.Errorf("records are %q", got)
			}
		})
	}
}

func TestDatumOfAnotherSchemaIsDecoded(t *testing.T) {
	schema := data.NewStructSchema().Name("n.R").Version(7).Field("a", data.Int32Schema).Field("b", data.OptionalString).MustBuild()
	newer := data.NewStructSchema().Name("n.R").Version(8).Field("a", data.Int32Schema).Field("b", data.OptionalString).MustBuild()
	w, err := newFormat(t, defaults("")).NewWriter(&bytes.Buffer{}, schema)
	if err != nil {
		t.Fatal(err)
	}
	var d data.Datum
	d.SetRaw(newer, []byte{10, 0}, data.AvroDatum, &decoder{value: data.StructOf(newer, []any{int32(5), nil})}, mustParse(t, writerText))
	if err := w.Write(&connect.SinkRecord{}, &d); err == nil || err.Error() != "Mismatching struct schema" {
		t.Errorf("error is %v", err)
	}
	d.SetRaw(schema, []byte{10, 0}, data.AvroDatum, &decoder{}, nil)
	var e *connect.DataError
	if err := w.Write(&connect.SinkRecord{}, &d); !errors.As(err, &e) {
		t.Errorf("a value that cannot be decoded gives %v", err)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// tenFields returns a record as the benchmarks of the sink have them.
func tenFields() (*data.Schema, *data.Struct) {
	builder := data.NewStructSchema().Name("bench.Row").Version(1)
	var values []any
	for i := range 5 {
		c := string(rune('a' + i))
		builder.Field("number"+c, data.Int64Schema).Field("text"+c, data.OptionalString)
		values = append(values, int64(1234567*i), "some text here")
	}
	schema := builder.MustBuild()
	return schema, data.StructOf(schema, values)
}

func benchmark(b *testing.B, codec string, schema *data.Schema, set func(d *data.Datum, f *convavro.Encoder)) {
	f := newFormat(b, defaults(codec))
	w, err := f.NewWriter(discard{}, schema)
	if err != nil {
		b.Fatal(err)
	}
	e, err := convavro.NewEncoder(schema, convavro.Options{EnhancedSchema: true, ConnectMetaData: true})
	if err != nil {
		b.Fatal(err)
	}
	var rec connect.SinkRecord
	set(&rec.Value, e)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(&rec, &rec.Value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStruct(b *testing.B) {
	schema, st := tenFields()
	for _, codec := range []string{"null", "snappy", "deflate", "bzip2"} {
		b.Run(codec, func(b *testing.B) {
			benchmark(b, codec, schema, func(d *data.Datum, _ *convavro.Encoder) { d.SetValue(schema, st) })
		})
	}
}

func BenchmarkDatum(b *testing.B) {
	schema, st := tenFields()
	for _, codec := range []string{"null", "snappy"} {
		b.Run(codec, func(b *testing.B) {
			benchmark(b, codec, schema, func(d *data.Datum, e *convavro.Encoder) {
				raw, err := e.Append(nil, st)
				if err != nil {
					b.Fatal(err)
				}
				d.SetRaw(schema, raw, data.AvroDatum, nil, e.Schema())
			})
		})
	}
}
