package avro_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/convert/avro"
	"github.com/penstock-io/penstock/connect/data"
)

func encoder(t testing.TB, s *data.Schema, o avro.Options) *avro.Encoder {
	t.Helper()
	e, err := avro.NewEncoder(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestValuesThatDoNotFit(t *testing.T) {
	inner := data.NewStructSchema().Name("n.In").Field("x", data.Int32Schema).MustBuild()
	other := data.NewStructSchema().Name("n.In").Version(2).Field("x", data.Int32Schema).MustBuild()
	field := func(s *data.Schema, v any) (*data.Schema, any) {
		outer := data.NewStructSchema().Name("n.Out").Field("f", s).MustBuild()
		return outer, data.StructOf(outer, []any{v})
	}
	ints := data.NewMap(1)
	ints.Put("k", "v")
	list := data.NewArray(inner).MustBuild()
	enum := data.NewBuilder(data.String).Parameter("io.confluent.connect.avro.Enum", "n.E").
		Parameter("io.confluent.connect.avro.Enum.A", "A").MustBuild()
	for _, c := range []struct {
		schema *data.Schema
		value  any
		want   string
	}{
		{data.StringSchema, nil, `Found null value for non-optional schema (field "f")`},
		{data.Int32Schema, int64(1), `Invalid type for INT32: class java.lang.Long (field "f")`},
		{data.BytesSchema, "x", `Invalid type for BYTES: class java.lang.String (field "f")`},
		{inner, data.StructOf(other, []any{int32(1)}), `Mismatching struct schema (field "f")`},
		{inner, data.StructOf(inner, []any{nil}), `Found null value for non-optional schema (field "f.x")`},
		{list, []any{data.StructOf(inner, []any{int32(1)}), data.StructOf(inner, []any{"1"})},
			`Invalid type for INT32: class java.lang.String (field "f[1].x")`},
		{data.NewMapSchema(data.StringSchema, data.Int32Schema).MustBuild(), ints, `Invalid type for INT32: class java.lang.String (field "f[k]")`},
		{data.NewMapSchema(data.Int32Schema, data.Int32Schema).MustBuild(), ints, `Invalid type for INT32: class java.lang.String (field "f[k].key")`},
		{enum, "B", `enum value 'B' is not in the enum symbol set of Schema{STRING} (field "f")`},
		{data.DecimalSchema(2), data.NewDecimalInt(1, 3),
			`Decimal value has mismatching scale for given Decimal schema. Schema has scale 2, value has scale 3. (field "f")`},
		{data.DecimalSchema(2), "1.00", `Invalid type for Decimal, expected BigDecimal but was class java.lang.String (field "f")`},
		{data.DateSchema, int32(1), `Invalid type for Date, expected Date but was class java.lang.Integer (field "f")`},
		{data.DateSchema, time.UnixMilli(1), `Kafka Connect Date type should not have any time fields set to non-zero values. (field "f")`},
		{data.TimestampSchema, int64(1), `Invalid type for Timestamp, expected Date but was class java.lang.Long (field "f")`},
		{data.NewBuilder(data.Bytes).Name("n.F").Parameter("connect.fixed.size", "2").MustBuild(), []byte{1},
			`Invalid length for fixed n.F: it takes 2 bytes, the value has 1 (field "f")`},
	} {
		t.Run(c.want, func(t *testing.T) {
			s, v := field(c.schema, c.value)
			e := encoder(t, s, both)
			dst, err := e.Append([]byte("kept"), v)
			var d *connect.DataError
			if !errors.As(err, &d) || err.Error() != c.want {
				t.Errorf("error is %v", err)
			}
			if string(dst) != "kept" {
				t.Errorf("%q is left", dst)
			}
		})
	}
}

func TestSchemasThatHaveNoForm(t *testing.T) {
	one := data.NewStructSchema().Name("n.P").Field("x", data.Int32Schema).MustBuild()
	two := data.NewStructSchema().Name("n.P").Field("y", data.StringSchema).MustBuild()
	member := func(t data.Type) *data.Schema { return data.NewBuilder(t).Optional().MustBuild() }
	for want, s := range map[string]*data.Schema{
		"Can't redefine: n.P":            data.NewStructSchema().Name("n.Q").Field("a", one).Field("b", two).MustBuild(),
		"Illegal character in: a-b":      data.NewStructSchema().Name("n.Q").Field("a-b", one).MustBuild(),
		"Illegal initial character: 1st": data.NewStructSchema().Name("n.1st").MustBuild(),
		"Empty name":                     data.NewStructSchema().Name("n.").MustBuild(),
		"Duplicate in union:int": data.NewStructSchema().Name("io.confluent.connect.avro.Union").
			Field("a", member(data.Int8)).Field("b", member(data.Int32)).MustBuild(),
	} {
		_, err := avro.NewEncoder(s, both)
		var d *connect.DataError
		if !errors.As(err, &d) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error is %v", want, err)
		}
	}
}

// TestMapsAreInTheOrderOfJava compares with the order of a java.util.HashMap.
func TestMapsAreInTheOrderOfJava(t *testing.T) {
	inner := data.NewMapSchema(data.StringSchema, data.Int32Schema).MustBuild()
	s := data.NewMapSchema(data.StringSchema, inner).MustBuild()
	m := data.NewLinkedMap(3)
	for _, k := range []string{"b", "zeta", "a"} {
		in := data.NewMap(2)
		in.Put("2", int32(2))
		in.Put("1", int32(1))
		m.Put(k, in)
	}
	e := encoder(t, s, both)
	got, err := e.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	const in = "04" + "0231" + "02" + "0232" + "04" + "00"
	if want := "06" + "087a657461" + in + "0261" + in + "0262" + in + "00"; hex.EncodeToString(got) != want {
		t.Errorf("bytes are %x, not %s", got, want)
	}
}

func TestBigDecimals(t *testing.T) {
	s := data.DecimalSchema(0)
	e := encoder(t, s, both)
	fixed := data.NewDecimal(0).Parameter("connect.fixed.size", "12").MustBuild()
	f := encoder(t, fixed, both)
	for _, bits := range []uint{0, 1, 7, 8, 9, 15, 16, 63, 64, 65, 71} {
		for _, near := range []int64{-1, 0, 1} {
			for _, sign := range []int64{1, -1} {
				u := new(big.Int).Lsh(big.NewInt(1), bits)
				u.Add(u, big.NewInt(near)).Mul(u, big.NewInt(sign))
				d := data.Decimal{Unscaled: u}
				want := d.Bytes()
				got, err := e.Append(nil, d)
				if err != nil || fmt.Sprintf("%x", got[1:]) != fmt.Sprintf("%x", want) || int(got[0]) != 2*len(want) {
					t.Errorf("%d is %x, not %x: %v", u, got, want, err)
				}
				got, err = f.Append(nil, d)
				if err != nil || len(got) != 12 {
					t.Fatalf("%d is %x: %v", u, got, err)
				}
				if back, err := data.DecimalFromBytes(got, 0); err != nil || !back.Equal(d) {
					t.Errorf("%d comes back as %v: %v", u, back, err)
				}
			}
		}
	}
	if got, err := e.Append(nil, data.Decimal{}); err != nil || hex.EncodeToString(got) != "0200" {
		t.Errorf("zero is %x: %v", got, err)
	}
	if _, err := f.Append(nil, data.Decimal{Unscaled: new(big.Int).Lsh(big.NewInt(1), 200)}); err == nil {
		t.Error("a number that is too long for its fixed was written")
	}
}

func TestStringsAndNumbersOfJava(t *testing.T) {
	for _, c := range []struct {
		schema *data.Schema
		value  any
		want   string
	}{
		{data.StringSchema, "a\xed\xa0\xbdb", "06613f62"}, // half a pair
		{data.StringSchema, "\xed\x95\x9c", "06ed959c"},   // a Korean character begins alike
		{data.Float64Schema, math.NaN(), "000000000000f87f"},
		{data.Float32Schema, float32(math.NaN()), "0000c07f"},
		{data.Int64Schema, int64(math.MinInt64), "ffffffffffffffffff01"},
		{data.NewBuilder(data.Int32).Optional().Default(int32(1)).MustBuild(), nil, "02"},
		{data.OptionalInt32, nil, "00"},
	} {
		got, err := encoder(t, c.schema, both).Append(nil, c.value)
		if err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("%v is %x, not %s: %v", c.value, got, c.want, err)
		}
	}
}

func TestRecursiveSchema(t *testing.T) {
	optional := data.NewStructSchema().Name("n.Node").Optional()
	optional.Field("v", data.Int32Schema).Field("next", optional.Self())
	next := optional.MustBuild()
	s := data.NewStructSchema().Name("n.Node").Version(2).Field("v", data.Int32Schema).Field("next", next).MustBuild()
	e := encoder(t, s, both)
	want := `{"type":"record","name":"Node","namespace":"n","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Node"],"default":null}],"connect.version":2,"connect.name":"n.Node"}`
	if e.Schema().String() != want {
		t.Errorf("schema is %s", e.Schema())
	}
	v := data.StructOf(s, []any{int32(1), data.StructOf(next, []any{int32(2), nil})})
	if got, err := e.Append(nil, v); err != nil || hex.EncodeToString(got) != "02020400" {
		t.Errorf("bytes are %x: %v", got, err)
	}
}

func TestRecordsThatDefaultToThemselvesOrRepeat(t *testing.T) {
	a, err := avro.Parse(`{"type":"record","name":"Node","fields":[{"name":"next","type":"Node","default":{}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := avro.ToConnect(a, avro.NoVersion, both); err != nil || s.Fields()[0].Schema != s {
		t.Errorf("schema is %v: %v", s, err)
	}
	text := `{"type":"record","name":"R0","fields":[]}`
	for i := 1; i < 60; i++ { // 2^60 records, if each was converted
		text = fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"a","type":%s,"default":{}},{"name":"b","type":"R%d","default":{}}]}`, i, text, i-1)
	}
	if a, err = avro.Parse(text); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		s, err := avro.ToConnect(a, avro.NoVersion, both)
		if err == nil {
			_, err = avro.NewEncoder(s, both)
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it takes too long")
	}
}

func TestEncoderDoesNotAllocate(t *testing.T) {
	s := data.NewStructSchema().Name("n.R").
		Field("d", data.DecimalSchema(2)).Field("m", data.NewMapSchema(data.StringSchema, data.Int64Schema).MustBuild()).
		Field("t", data.TimestampSchema).Field("l", data.NewArray(data.StringSchema).MustBuild()).MustBuild()
	m := data.NewMap(2)
	m.Put("b", int64(1))
	m.Put("a", int64(2))
	v := data.StructOf(s, []any{data.NewDecimalInt(-12345, 2), m, time.UnixMilli(5), []any{"x", "y"}})
	e := encoder(t, s, both)
	dst, err := e.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(100, func() {
		if dst, err = e.Append(dst[:0], v); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`"int"`, `["null",{"type":"fixed","name":"F","size":2}]`,
		`{"type":"record","name":"a.R","fields":[{"name":"n","type":["null","R"],"default":null},{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]},"default":"A"}]}`,
		`{"type":"array","items":{"type":"record","name":"M","connect.internal.type":"MapEntry","fields":[{"name":"key","type":"int"},{"name":"value","type":"bytes","default":"\u00ff"}]},"connect.default":[[1,"a"]]}`,
		`{"type":"bytes","logicalType":"decimal","scale":2,"connect.parameters":{"scale":"2"},"connect.version":1}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := avro.Parse(text)
		if err != nil {
			return
		}
		again, err := avro.Parse(a.String())
		if err != nil {
			t.Fatalf("%s is printed as %s: %v", text, a, err)
		}
		if again.String() != a.String() {
			t.Fatalf("%s is printed as %s and then %s", text, a, again)
		}
		s, err := avro.ToConnect(a, avro.NoVersion, both)
		if err != nil || s == nil {
			return
		}
		if _, err := avro.NewEncoder(s, both); err != nil {
			return // names may be any text in Connect
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	builder := data.NewStructSchema().Name("bench.Row").Version(1)
	var values []any
	for i := range 5 {
		c := string(rune('a' + i))
		builder.Field("number"+c, data.Int64Schema).Field("text"+c, data.OptionalString)
		values = append(values, int64(1234567*i), "some text here")
	}
	s := builder.MustBuild()
	v := data.StructOf(s, values)
	e := encoder(b, s, both)
	var dst []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = e.Append(dst[:0], v); err != nil {
			b.Fatal(err)
		}
	}
}
