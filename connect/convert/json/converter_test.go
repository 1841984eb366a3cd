package json

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/javagolden"
)

// configured returns a converter with options key, value, key, value ...
func configured(t testing.TB, options ...string) *Converter {
	t.Helper()
	props := map[string]string{}
	for i := 0; i < len(options); i += 2 {
		props[options[i]] = options[i+1]
	}
	c := New()
	if err := c.Configure(props, false); err != nil {
		t.Fatal(err)
	}
	return c
}

const orderSchema = `{"type":"struct","name":"order","optional":false,"fields":[` +
	`{"type":"int8","optional":true,"field":"i8"},{"type":"int16","optional":true,"field":"i16"},` +
	`{"type":"int32","optional":true,"default":7,"field":"i32"},{"type":"int64","optional":true,"field":"i64"},` +
	`{"type":"float","optional":true,"field":"f32"},{"type":"double","optional":true,"field":"f64"},` +
	`{"type":"boolean","optional":true,"field":"b"},{"type":"string","optional":true,"field":"s"},` +
	`{"type":"bytes","optional":true,"field":"raw"},` +
	`{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"optional":true,"field":"dec"},` +
	`{"type":"int32","name":"org.apache.kafka.connect.data.Date","version":1,"optional":true,"field":"date"},` +
	`{"type":"int32","name":"org.apache.kafka.connect.data.Time","version":1,"optional":true,"field":"time"},` +
	`{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1,"optional":true,"field":"ts"},` +
	`{"type":"array","items":{"type":"string","optional":true},"optional":true,"field":"list"},` +
	`{"type":"map","keys":{"type":"string"},"values":{"type":"int64","optional":true},"optional":true,"field":"map"},` +
	`{"type":"map","keys":{"type":"int32"},"values":{"type":"string"},"optional":true,"field":"pairs"},` +
	`{"type":"struct","fields":[{"type":"string","field":"must"}],"optional":true,"field":"sub"}]}`

var seeds = []string{
	"", " ", "null", "1", "-0", "-0.0", "01", "1e5", "1E400", `"x"`, `"\ud83d"`, `"\ud83d\ude00\n"`, "[1,null,{}]", `{"a":1,"a":2}`, "true x", "truex",
	`{"schema":null,"payload":{"a":[1.5,true]}}`, `{"payload":1,"schema":{"type":"int8"}}`, `{"schema":{"type":"string"},"payload":null}`,
	`{"schema":{"type":"int32","optional":true,"default":5},"payload":null}`, `{"schema":` + orderSchema + `,"payload":{}}`,
	`{"schema":` + orderSchema + `,"payload":{"i8":300,"i16":1e3,"i32":null,"i64":9223372036854775808,"f32":1e40,"f64":-0.0,"b":1,"s":5,` +
		`"raw":"AQI=","dec":"AQ==","date":1,"time":86400001,"ts":-1,"list":[null,"a\u0041"],"map":{"k":1.9},"pairs":[[1,"x"]],"sub":{"must":"y","extra":{}}}}`,
	`{"i8":1,"s":"é","sub":{}}`, "\xef\xbb\xbf1", "\x00\x31", "\"\xff\"", "{\"a\":\"\xc0\x80\"}", strings.Repeat("[", 1001), "1" + strings.Repeat("0", 1000),
	`{"schema":{"type":"map","keys":{"type":"string","name":"n"},"values":{"type":"int8"}},"payload":{"x":1}}`, `{"schema":{},"payload":1}`,
	`{"schema":{"type":"array"},"payload":1}`, `{"schema":{"type":"struct","fields":[{"type":"int8"}]},"payload":{}}`,
	`{"schema":{"type":"int32","default":"x"},"payload":1}`, `{"schema":{"type":"int32"},"payload":"x"}`,
}

// FuzzFastPathEqualsSlowPath compares both ways of reading on any text and options.
func FuzzFastPathEqualsSlowPath(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, options := range [][]string{
			{schemasEnable, "false"}, {}, {replaceNull, "false", schemasCacheSize, "0"}, {schemaContent, orderSchema},
			{schemaContent, `{"type":"array","items":{"type":"double"}}`},
		} {
			c := configured(t, options...)
			for range 2 { // the second time schemas are known
				checkBothPaths(t, c, raw)
			}
		}
	})
}

func checkBothPaths(t *testing.T, c *Converter, raw []byte) {
	t.Helper()
	before := bytes.Clone(raw)
	var fast, slow, chosen data.Datum
	taken := c.fast(raw, &fast)
	slowErr := c.slow(raw, &slow)
	err := c.ToConnect("t", raw, &chosen)
	if !bytes.Equal(before, raw) {
		t.Fatalf("%q was changed", before)
	}
	if (err == nil) != (slowErr == nil) || err != nil && err.Error() != slowErr.Error() {
		t.Fatalf("%q: %v, slow path %v", raw, err, slowErr)
	}
	if taken && slowErr != nil {
		t.Fatalf("%q: the fast path takes what is wrong: %v", raw, slowErr)
	}
	if slowErr != nil {
		return
	}
	if taken {
		same(t, raw, &fast, &slow)
	}
	same(t, raw, &chosen, &slow)
}

func same(t *testing.T, raw []byte, got, want *data.Datum) {
	t.Helper()
	if got.Null() != want.Null() {
		t.Fatalf("%q: null %v, slow path %v", raw, got.Null(), want.Null())
	}
	g, err := got.Value()
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	w, _ := want.Value()
	if fmt.Sprintf("%T", g) != fmt.Sprintf("%T", w) || textOf(g) != textOf(w) {
		t.Fatalf("%q: %s, slow path %s", raw, textOf(g), textOf(w))
	}
	if (got.Schema() == nil) != (want.Schema() == nil) || got.Schema() != nil && !got.Schema().Equal(want.Schema()) {
		t.Fatalf("%q: schema %v, slow path %v", raw, got.Schema(), want.Schema())
	}
}

func textOf(v any) string { return fmt.Sprint(javagolden.Value(v)) }

// FuzzWhatIsReadIsWrittenAndReadAgain checks that the text of a value means that value.
func FuzzWhatIsReadIsWrittenAndReadAgain(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, options := range [][]string{{schemasEnable, "false"}, {replaceNull, "false"}, {replaceNull, "false", decimalFormat, "numeric"}} {
			c := configured(t, options...)
			var d data.Datum
			if c.ToConnect("t", raw, &d) != nil {
				continue
			}
			v, err := d.Value()
			if err != nil {
				t.Fatal(err)
			}
			text, err := c.FromConnect("t", d.Schema(), v)
			if err != nil {
				continue // e.g. a decimal of another scale, or a null key
			}
			if text != nil && !stdjson.Valid(text) {
				t.Fatalf("%q became %q, which is no JSON", raw, text)
			}
			again := data.Datum{}
			if err := c.ToConnect("t", text, &again); err != nil {
				if strings.Contains(string(text), `"NaN"`) || strings.Contains(string(text), "Infinity") {
					continue
				}
				t.Fatalf("%q became %q, which is not read: %v", raw, text, err)
			}
			second, err := c.FromConnect("t", again.Schema(), must(again.Value()))
			if err != nil || !bytes.Equal(text, second) {
				if !strings.Contains(string(text), "Infinity") { // read back as the text or 0
					t.Fatalf("%q became %q and then %q, %v", raw, text, second, err)
				}
			}
		}
	})
}

func must(v any, _ error) any { return v }

// drawValue makes a value of a schema.
func drawValue(rt *rapid.T, s *data.Schema, depth int) any {
	if s.Optional() && rapid.IntRange(0, 3).Draw(rt, "null") == 0 {
		return nil
	}
	switch s.Name() {
	case data.DecimalName:
		return data.Decimal{Unscaled: big.NewInt(rapid.Int64().Draw(rt, "decimal")), Scale: 2}
	case data.DateName:
		return time.UnixMilli(int64(rapid.Int32().Draw(rt, "date")) * 86_400_000).UTC()
	case data.TimeName:
		return time.UnixMilli(rapid.Int64Range(0, 86_399_999).Draw(rt, "time")).UTC()
	case data.TimestampName:
		return time.UnixMilli(rapid.Int64Range(-1e15, 1e15).Draw(rt, "timestamp")).UTC()
	}
	switch s.Type() {
	case data.Int8:
		return rapid.Int8().Draw(rt, "int8")
	case data.Int16:
		return rapid.Int16().Draw(rt, "int16")
	case data.Int32:
		return rapid.Int32().Draw(rt, "int32")
	case data.Int64:
		return rapid.Int64().Draw(rt, "int64")
	case data.Float32:
		return rapid.Float32().Draw(rt, "float32") + 0 // JSON has no negative zero here
	case data.Float64:
		return rapid.Float64().Draw(rt, "float64") + 0
	case data.Boolean:
		return rapid.Bool().Draw(rt, "boolean")
	case data.String:
		return rapid.String().Draw(rt, "string")
	case data.Bytes:
		return rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes")
	case data.Array:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(rt, "length") {
			list = append(list, drawValue(rt, s.ValueSchema(), depth+1))
		}
		return list
	case data.MapType:
		m := data.NewMap(0)
		for range rapid.IntRange(0, 3).Draw(rt, "entries") {
			m.Put(drawValue(rt, s.KeySchema(), depth+1), drawValue(rt, s.ValueSchema(), depth+1))
		}
		return m
	default:
		st := data.NewStruct(s)
		for i, f := range s.Fields() {
			st.SetAt(i, drawValue(rt, f.Schema, depth+1))
		}
		return st
	}
}

// drawSchema makes a schema of any shape.
func drawSchema(rt *rapid.T, depth int) *data.Schema {
	most := data.StructType
	if depth > 2 {
		most = data.Bytes
	}
	var b *data.Builder
	switch typ := data.Type(rapid.IntRange(0, int(most)).Draw(rt, "type")); {
	case rapid.IntRange(0, 9).Draw(rt, "logical") == 0:
		b = []func() *data.Builder{func() *data.Builder { return data.NewDecimal(2) }, data.NewDate, data.NewTime, data.NewTimestamp}[rapid.IntRange(0, 3).Draw(rt, "which")]()
	case typ == data.Array:
		b = data.NewArray(drawSchema(rt, depth+1))
	case typ == data.MapType:
		key := data.StringSchema
		if rapid.Bool().Draw(rt, "pairs") {
			key = data.Int32Schema
		}
		b = data.NewMapSchema(key, drawSchema(rt, depth+1))
	case typ == data.StructType:
		b = data.NewStructSchema()
		for i := range rapid.IntRange(0, 4).Draw(rt, "fields") {
			b.Field(fmt.Sprint("f", i, rapid.String().Draw(rt, "name")), drawSchema(rt, depth+1))
		}
	default:
		b = data.NewBuilder(typ)
	}
	if rapid.Bool().Draw(rt, "optional") {
		b.Optional()
	}
	if rapid.IntRange(0, 4).Draw(rt, "documented") == 0 {
		b.Doc(rapid.StringN(1, 5, 20).Draw(rt, "doc")).Parameter("p", rapid.String().Draw(rt, "parameter"))
	}
	return b.MustBuild()
}

func TestValuesComeBackWithTheirSchema(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		schema := drawSchema(rt, 0)
		value := drawValue(rt, schema, 0)
		c := New()
		format := rapid.SampledFrom([]string{"base64", "NUMERIC"}).Draw(rt, "format")
		if err := c.Configure(map[string]string{decimalFormat: format}, false); err != nil {
			rt.Fatal(err)
		}
		raw, err := c.FromConnect("t", schema, value)
		if err != nil {
			rt.Fatalf("%v of %v: %v", value, schema, err)
		}
		var d data.Datum
		if err := c.ToConnect("t", raw, &d); err != nil {
			rt.Fatalf("%s: %v", raw, err)
		}
		got, _ := d.Value()
		if !d.Schema().Equal(schema) || !data.Equal(got, value) && textOf(got) != textOf(value) {
			rt.Errorf("%s became %s", textOf(value), textOf(got))
		}
	})
}

// A null key is written as "null", of which an object can have only one.
func TestNullKeyBesideItsName(t *testing.T) {
	m := data.NewMap(2)
	m.Put(nil, int32(1))
	m.Put("null", int32(2))
	s := data.NewMapSchema(data.OptionalString, data.Int32Schema).MustBuild()
	if got, err := configured(t, schemasEnable, "false").FromConnect("t", s, m); err != nil || string(got) != `{"null":2}` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestSchemalessDataStaysEncoded(t *testing.T) {
	c := configured(t, schemasEnable, "false")
	raw := []byte(" {\"a\" : [1, \"é\"]}\n trailing")
	var d data.Datum
	if err := c.ToConnect("t", raw, &d); err != nil {
		t.Fatal(err)
	}
	enc, got := d.Raw()
	if enc != data.JSON || string(got) != "{\"a\" : [1, \"é\"]}" || &got[0] != &raw[1] {
		t.Errorf("encoding %d, %q", enc, got)
	}
	if n := testing.AllocsPerRun(100, func() { _ = c.ToConnect("t", raw, &d) }); n != 0 {
		t.Errorf("%v allocations per record", n)
	}
}

func TestKnownSchemasAreTheSameSchema(t *testing.T) {
	c := configured(t)
	read := func(text string) *data.Schema {
		t.Helper()
		var d data.Datum
		if err := c.ToConnect("t", []byte(text), &d); err != nil {
			t.Fatal(err)
		}
		return d.Schema()
	}
	first := read(`{"schema":{"type":"int8"},"payload":1}`)
	for _, text := range []string{
		`{"schema":{"type":"int8"},"payload":2}`, `{"payload":2,"schema":{"type":"int8"}}`, `{"schema":{"optional":false,"type":"int8"},"payload":2}`,
		`{"schema":{"ty\u0070e":"int8"},"payload":2}`, `{"sch\u0065ma":{"type":"int8"},"payload":2}`,
	} {
		if got := read(text); got != first {
			t.Errorf("%s: another schema, so a new file", text)
		}
	}
}

func TestSchemaCacheIsBounded(t *testing.T) {
	c := configured(t, schemasCacheSize, "3")
	for i := range 50 {
		var d data.Datum
		text := fmt.Sprintf(`{"schema":{"type":"int8","name":"n%d"},"payload":1}`, i)
		if err := c.ToConnect("t", []byte(text), &d); err != nil {
			t.Fatal(err)
		}
		if _, err := c.FromConnect("t", d.Schema(), int8(1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.read) > 3 || len(c.readKey) > 3 || len(c.written) > 3 {
		t.Errorf("%d read, %d keys, %d written", len(c.read), len(c.readKey), len(c.written))
	}
}

func TestHeadersAreConvertedLikeValues(t *testing.T) {
	c := New()
	if err := c.ConfigureHeader(map[string]string{schemasEnable: "false"}); err != nil {
		t.Fatal(err)
	}
	schema, v, err := c.ToConnectHeader("t", "h", []byte(`[1]`))
	if err != nil || schema != nil || textOf(v) != "[map[int64:1]]" {
		t.Errorf("%v %v %v", schema, textOf(v), err)
	}
	if raw, err := c.FromConnectHeader("t", "h", data.Int8Schema, int8(5)); err != nil || string(raw) != "5" {
		t.Errorf("%s %v", raw, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestAppendLeavesTheBufferAsItWasOnAnError(t *testing.T) {
	c := configured(t)
	out, isNull, err := c.AppendFromConnect([]byte("x"), "t", data.Int8Schema, "no number")
	if err == nil || isNull || string(out) != "x" {
		t.Errorf("%q %v %v", out, isNull, err)
	}
	out, isNull, err = c.AppendFromConnect([]byte("x"), "t", nil, nil)
	if err != nil || !isNull || string(out) != "x" {
		t.Errorf("%q %v %v", out, isNull, err)
	}
}

func TestNumbersThatAreNoneAreQuoted(t *testing.T) {
	c := configured(t, schemasEnable, "false")
	for v, want := range map[float64]string{math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`, math.Copysign(0, -1): "-0.0", 1e21: "1.0E21"} {
		if got, err := c.FromConnect("t", data.Float64Schema, v); err != nil || string(got) != want {
			t.Errorf("%v: %s, %v", v, got, err)
		}
	}
	if got, _ := c.FromConnect("t", data.Float32Schema, float32(math.NaN())); string(got) != `"NaN"` {
		t.Errorf("%s", got)
	}
}
