package json_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/convert"
	rawbytes "github.com/penstock-io/penstock/connect/convert/bytes"
	convjson "github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/convert/text"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connectors/hdfssink/format"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/formattest"
	"github.com/penstock-io/penstock/connectors/hdfssink/format/json"
)

func lines(t testing.TB, file []byte) []string {
	t.Helper()
	if len(file) > 0 && file[len(file)-1] != '\n' {
		t.Error("the last line is not ended")
	}
	list := strings.Split(string(file), "\n")
	return list[:len(list)-1]
}

func TestSuiteOfStructs(t *testing.T) {
	schema := data.NewStructSchema().Name("n.S").
		Field("s", data.StringSchema).
		Field("n", data.NewBuilder(data.Int64).Optional().Default(int64(5)).MustBuild()).
		Field("o", data.OptionalInt32).MustBuild()
	other := data.NewStructSchema().Field("s", data.StringSchema).MustBuild()
	record := func(s *data.Schema, values ...any) any { return data.StructOf(s, values) }
	s := formattest.Suite{
		New:       func(testing.TB) format.Format { return json.New(json.Options{}) },
		Extension: ".json",
		Schema:    schema,
		Values:    []any{record(schema, "a", nil, nil), record(schema, `"`, int64(1), int32(2))},
		Want:      []string{`{"s":"a","n":5,"o":null}`, `{"s":"\"","n":1,"o":2}`},
		Bad:       []any{record(schema, nil, nil, nil), record(schema, "a", "b", nil), record(other, "a")},
		Big:       func(n int) any { return record(schema, strings.Repeat("x", n), nil, nil) },
		Read:      lines,
	}
	s.Run(t)
}

func TestSuiteWithoutSchema(t *testing.T) {
	m := data.NewMap(2)
	m.Put("b", int64(1))
	m.Put("a", []any{nil, 1.5})
	noKey := data.NewMap(1)
	noKey.Put(nil, "x")
	s := formattest.Suite{
		New:       func(testing.TB) format.Format { return json.New(json.Options{}) },
		Extension: ".json",
		Values:    []any{m, "text", nil, []byte{1}, true, int64(7)},
		Want:      []string{`{"a":[null,1.5],"b":1}`, `"text"`, `null`, `"AQ=="`, "true", "7"},
		Bad:       []any{noKey, []any{"a", struct{}{}}},
		Big:       func(n int) any { return strings.Repeat("x", n) },
		Read:      lines,
	}
	s.Run(t)
}

// converter returns the converter of a case whose values stay encoded, else nil.
func converter(t *testing.T, c *formattest.Case) convert.Converter {
	t.Helper()
	var conv convert.Converter
	switch c.Converter {
	case "org.apache.kafka.connect.json.JsonConverter":
		if c.Options["schemas.enable"] == "true" {
			return nil
		}
		conv = convjson.New()
	case "org.apache.kafka.connect.storage.StringConverter":
		conv = text.New()
	default:
		return nil
	}
	if err := conv.Configure(c.Options, false); err != nil {
		t.Fatal(err)
	}
	return conv
}

func writeAll(t *testing.T, schema *data.Schema, datums []data.Datum) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := json.New(json.Options{}).NewWriter(&file, schema)
	if err != nil {
		t.Fatal(err)
	}
	for i := range datums {
		if err := w.Write(&connect.SinkRecord{}, &datums[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestFilesAreThoseOfTheJVM(t *testing.T) {
	compared, encoded := 0, 0
	for _, c := range formattest.Cases(t) {
		for _, name := range c.Files("json") {
			want, err := os.ReadFile(filepath.Join("testdata/java", name))
			if err != nil {
				t.Fatal(err)
			}
			datums := make([]data.Datum, len(c.Values))
			for i, v := range c.Values {
				datums[i].SetValue(c.Schema, v)
			}
			if got := writeAll(t, c.Schema, datums); !bytes.Equal(got, want) {
				t.Errorf("%s is\n%s\nnot\n%s", name, got, want)
			}
			compared++
			conv := converter(t, &c)
			if conv == nil {
				continue
			}
			for i, raw := range c.Raw {
				if err := conv.ToConnect("t", raw, &datums[i]); err != nil {
					t.Fatal(err)
				}
			}
			if got := writeAll(t, c.Schema, datums); !bytes.Equal(got, want) {
				t.Errorf("%s from encoded values is\n%s\nnot\n%s", name, got, want)
			}
			encoded++
		}
	}
	if compared < 40 || encoded < 6 {
		t.Errorf("only %d and %d files were compared", compared, encoded)
	}
}

func TestEncodedBytesAreBase64(t *testing.T) {
	conv := rawbytes.New()
	if err := conv.Configure(nil, false); err != nil {
		t.Fatal(err)
	}
	d := make([]data.Datum, 1)
	if err := conv.ToConnect("t", []byte{0, 16}, &d[0]); err != nil {
		t.Fatal(err)
	}
	if got := string(writeAll(t, d[0].Schema(), d)); got != "\"ABA=\"\n" {
		t.Errorf("file is %q", got)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func benchmark(b *testing.B, rec *connect.SinkRecord, size int) {
	w, err := json.New(json.Options{}).NewWriter(discard{}, rec.Value.Schema())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(rec, &rec.Value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRawJSON(b *testing.B) {
	raw := []byte(`{"id":1234567,"ts":1445412480123,"user":"user-000123","region":"eu-west-1","amount":129.95,"currency":"EUR","active":true,"tags":["a","b"],"note":"some longer text that is copied","ref":null,"score":0.75}`)
	conv := convjson.New()
	if err := conv.Configure(map[string]string{"schemas.enable": "false"}, false); err != nil {
		b.Fatal(err)
	}
	var rec connect.SinkRecord
	if err := conv.ToConnect("t", raw, &rec.Value); err != nil {
		b.Fatal(err)
	}
	benchmark(b, &rec, len(raw))
}

func BenchmarkRawText(b *testing.B) {
	raw := []byte(strings.Repeat("x", 200))
	var rec connect.SinkRecord
	rec.Value.SetRaw(data.OptionalString, raw, data.UTF8, nil, nil)
	benchmark(b, &rec, len(raw))
}

func BenchmarkStruct(b *testing.B) {
	builder := data.NewStructSchema().Name("n.S")
	var values []any
	for i := range 5 {
		builder.Field("number"+string(rune('a'+i)), data.Int64Schema).Field("text"+string(rune('a'+i)), data.OptionalString)
		values = append(values, int64(123456*i), "some text")
	}
	schema := builder.MustBuild()
	var rec connect.SinkRecord
	rec.Value.SetValue(schema, data.StructOf(schema, values))
	benchmark(b, &rec, 200)
}
