package data

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// failsWith checks the text of an error and the Java class it stands for.
func failsWith(t *testing.T, err error, kind Kind, want string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind || e.Msg != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestBuilderKeepsItsFirstMistake(t *testing.T) {
	for _, test := range []struct {
		b    *Builder
		want string
	}{
		{NewBuilder(Int8).Name("a").Name("b").Doc("x").Doc("y"), "Invalid SchemaBuilder call: name has already been set."},
		{NewBuilder(Int8).Version(1).Version(2), "Invalid SchemaBuilder call: version has already been set."},
		{NewBuilder(Int8).Doc("x").Doc("y"), "Invalid SchemaBuilder call: doc has already been set."},
		{NewBuilder(Int8).Optional().Required(), "Invalid SchemaBuilder call: optional has already been set."},
		{NewBuilder(Int8).Default(int8(1)).Default(int8(1)), "Invalid SchemaBuilder call: default has already been set."},
		{NewBuilder(Int8).Default("x"), "Invalid default value"},
		{NewBuilder(Int8).Default(nil), "Invalid default value"},
		{NewBuilder(Int8).Field("a", StringSchema), "Cannot create fields on type INT8"},
		{NewStructSchema().Field("", StringSchema), "fieldName cannot be null."},
		{NewStructSchema().Field("a", nil), "fieldSchema for field a cannot be null."},
		{NewStructSchema().Field("a", StringSchema).Field("a", StringSchema), "Cannot create field because of field name duplication a"},
		{NewArray(nil), "valueSchema cannot be null."},
		{NewMapSchema(nil, StringSchema), "keySchema cannot be null."},
		{NewMapSchema(StringSchema, nil), "valueSchema cannot be null."},
	} {
		s, err := test.b.Build()
		if s != nil {
			t.Errorf("%s: a schema is returned", test.want)
		}
		failsWith(t, err, BadSchema, test.want)
	}
	if _, err := NewBuilder(Int8).Name("a").Name("a").Optional().Optional().Build(); err != nil {
		t.Errorf("the same again is no mistake: %v", err)
	}
}

func TestValidationNamesWhereTheValueIs(t *testing.T) {
	list := NewArray(Int32Schema).Name("l").MustBuild()
	maps := NewMapSchema(StringSchema, Int32Schema).MustBuild()
	inner := NewStructSchema().Field("n", Int32Schema).MustBuild()
	other := NewStructSchema().Field("m", Int32Schema).MustBuild()
	m := NewMap(0)
	m.Put("k", "v")
	k := NewMap(0)
	k.Put(int8(1), int32(1))
	for _, test := range []struct {
		schema *Schema
		value  any
		want   string
	}{
		{Int32Schema, nil, "Invalid value: null used for required value, schema type: INT32"},
		{Int32Schema, int64(1), "Invalid Java object for schema with type INT32: class java.lang.Long for value"},
		{NewBuilder(Int8).Name("n").MustBuild(), "x", `Invalid Java object for schema "n" with type INT8: class java.lang.String for value`},
		{list, []any{int32(1), nil}, "Invalid value: null used for required element of array value, schema type: INT32"},
		{maps, m, "Invalid Java object for schema with type INT32: class java.lang.String for value of map value"},
		{maps, k, "Invalid Java object for schema with type STRING: class java.lang.Byte for key of map value"},
		{inner, NewStruct(other), "Struct schemas do not match."},
		{inner, NewStruct(inner), `Invalid value: null used for required field: "n", schema type: INT32`},
	} {
		failsWith(t, Validate(test.schema, test.value), Invalid, test.want)
	}
}

func TestStructFields(t *testing.T) {
	withDefault := NewBuilder(Int32).Default(int32(7)).MustBuild()
	s := NewStruct(NewStructSchema().Field("a", withDefault).Field("b", OptionalString).MustBuild())
	failsWith(t, s.Put("a", nil), Invalid, `Invalid value: null used for required field: "a", schema type: INT32`)
	failsWith(t, s.Put("a", "x"), Invalid, `Invalid Java object for schema with type INT32: class java.lang.String for field: "a"`)
	failsWith(t, s.Put("z", nil), Invalid, "z is not a valid field name")
	_, err := s.GetType("a", String)
	failsWith(t, err, Invalid, "Field 'a' is not of type STRING")
	if err := s.Validate(); err != nil {
		t.Errorf("a null that has a default is legal in a struct: %v", err)
	}
	get, _ := s.Get("a")
	bare, _ := s.GetWithoutDefault("a")
	if get != int32(7) || bare != nil {
		t.Errorf("Get %v, GetWithoutDefault %v", get, bare)
	}
	defer func() {
		if e, ok := recover().(*Error); !ok || e.Msg != "Not a struct schema: Schema{INT8}" {
			t.Errorf("%v", e)
		}
	}()
	NewStruct(Int8Schema)
}

func TestProjection(t *testing.T) {
	narrow := NewStructSchema().Name("r").Field("n", Int8Schema).Field("gone", StringSchema).MustBuild()
	wide := NewStructSchema().Name("r").Field("n", Float64Schema).Field("new", NewBuilder(String).Default("d").MustBuild()).
		Field("maybe", OptionalInt8).MustBuild()
	in := NewStruct(narrow)
	in.SetAt(0, int8(5))
	got, err := Project(narrow, in, wide)
	if err != nil || JavaString(got) != "Struct{n=5.0,new=d}" {
		t.Errorf("%v, %v", got, err)
	}
	for _, test := range []struct {
		source *Schema
		value  any
		target *Schema
		want   string
	}{
		{Int32Schema, int32(1), Int8Schema, "Schema type mismatch. source type: INT32 and target type: INT8"},
		{StringSchema, "x", Int8Schema, "Schema type mismatch. source type: STRING and target type: INT8"},
		{StringSchema, "x", NewBuilder(String).Name("n").MustBuild(), "Schema name mismatch. source name: null and target name: n"},
		{DecimalSchema(1), nil, DecimalSchema(2), "Schema parameters not equal. source parameters: {scale=1} and target parameters: {scale=2}"},
		{OptionalString, "x", StringSchema, "Writer schema is optional, however, target schema does not provide a default value."},
		{narrow, in, NewStructSchema().Name("r").Field("must", StringSchema).MustBuild(), "Required field `must` is missing from source schema: Schema{r:STRUCT}"},
		{narrow, in, NewStructSchema().Name("r").Field("n", StringSchema).MustBuild(), "Error projecting n"},
	} {
		_, err := Project(test.source, test.value, test.target)
		failsWith(t, err, NotProjectable, test.want)
	}
	def := NewBuilder(String).Default("d").MustBuild()
	if got, err := Project(OptionalString, nil, def); got != "d" || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestNumbersKeepTheirValueWhenWidened(t *testing.T) {
	types := []*Schema{Int8Schema, Int16Schema, Int32Schema, Int64Schema, Float32Schema, Float64Schema}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.Int8().Draw(rt, "n")
		from := rapid.IntRange(0, 5).Draw(rt, "from")
		to := rapid.IntRange(from, 5).Draw(rt, "to")
		v, err := ConvertTo(types[from], nil, n)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := Project(types[from], v, types[to])
		if err != nil || Validate(types[to], got) != nil {
			rt.Fatalf("%v (%T), %v", got, got, err)
		}
		if f, _ := AsFloat64(got, nil); f != float64(n) {
			rt.Errorf("%d became %v", n, got)
		}
	})
}

// anyDecimal draws decimals of all sizes and scales.
func anyDecimal(rt *rapid.T) Decimal {
	u := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(rt, "digits"))
	if rapid.Bool().Draw(rt, "negative") {
		u.Neg(u)
	}
	return Decimal{Unscaled: u, Scale: rapid.Int32Range(-400, 400).Draw(rt, "scale")}
}

func TestDecimalsComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := anyDecimal(rt)
		back, err := DecimalFromBytes(d.Bytes(), d.Scale)
		if err != nil || !back.Equal(d) {
			rt.Errorf("bytes: %s became %s, %v", d, back, err)
		}
		if back, err = ParseDecimal(d.String()); err != nil || !back.Equal(d) {
			rt.Errorf("text: %s became %s, %v", d, back, err)
		}
		back, err = ParseDecimal(d.PlainString())
		want := new(big.Rat).SetFrac(d.Unscaled, big.NewInt(1))
		got := new(big.Rat).SetFrac(back.Unscaled, big.NewInt(1))
		scaled := func(r *big.Rat, scale int32) *big.Rat {
			p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, -scale))), nil))
			if scale > 0 {
				return r.Quo(r, p)
			}
			return r.Mul(r, p)
		}
		if err != nil || scaled(got, back.Scale).Cmp(scaled(want, d.Scale)) != 0 {
			rt.Errorf("plain text: %s is %s, %v", d, d.PlainString(), err)
		}
		if back, err = BytesToDecimal(DecimalSchema(d.Scale), must(DecimalToBytes(DecimalSchema(d.Scale), d))); err != nil || !back.Equal(d) {
			rt.Errorf("schema: %s became %s, %v", d, back, err)
		}
	})
	_, err := DecimalToBytes(DecimalSchema(2), NewDecimalInt(1, 3))
	failsWith(t, err, Invalid, "Decimal value has mismatching scale for given Decimal schema. Schema has scale 2, value has scale 3.")
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestDatesComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		days := rapid.Int32().Draw(rt, "days")
		date, err := IntToDate(DateSchema, days)
		if err != nil {
			rt.Fatal(err)
		}
		if got, err := DateToInt(DateSchema, date); got != days || err != nil {
			rt.Errorf("%d became %d, %v", days, got, err)
		}
		ms := rapid.Int32Range(0, millisPerDay-1).Draw(rt, "ms")
		clock, err := IntToTime(TimeSchema, ms)
		if err != nil {
			rt.Fatal(err)
		}
		if got, err := TimeToInt(TimeSchema, clock); got != ms || err != nil {
			rt.Errorf("%d became %d, %v", ms, got, err)
		}
		stamp := rapid.Int64Range(math.MinInt64/1000, math.MaxInt64/1000).Draw(rt, "stamp")
		at, err := IntToTimestamp(TimestampSchema, stamp)
		if err != nil {
			rt.Fatal(err)
		}
		if got, err := TimestampToInt(TimestampSchema, at); got != stamp || err != nil {
			rt.Errorf("%d became %d, %v", stamp, got, err)
		}
	})
	_, err := DateToInt(DateSchema, time.UnixMilli(1))
	failsWith(t, err, Invalid, "Kafka Connect Date type should not have any time fields set to non-zero values.")
	_, err = TimeToInt(TimeSchema, time.UnixMilli(millisPerDay+1))
	failsWith(t, err, Invalid, "Kafka Connect Time type should not have any date fields set to non-zero values.")
	for _, ms := range []int32{-1, millisPerDay + 1} {
		_, err = IntToTime(TimeSchema, ms)
		failsWith(t, err, Invalid, "Time values must use number of milliseconds greater than 0 and less than 86400000")
	}
}

// TestMapBehavesLikeAList drives a Map and the list that it stands for.
func TestMapBehavesLikeAList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m, want := NewMap(0), []MapEntry{}
		find := func(k any) int {
			for i := range want {
				if Equal(want[i].Key, k) {
					return i
				}
			}
			return -1
		}
		for range rapid.IntRange(0, 60).Draw(rt, "steps") {
			n := rapid.IntRange(0, 25).Draw(rt, "key")
			key := []any{int32(n), int64(n), strings.Repeat("k", n), float64(n), []byte{byte(n)}}[rapid.IntRange(0, 4).Draw(rt, "kind")]
			if b, ok := key.([]byte); ok { // Java compares arrays by identity; here they are equal by content
				key = string(b)
			}
			i := find(key)
			if rapid.IntRange(0, 3).Draw(rt, "delete") == 0 {
				m.Delete(key)
				if i >= 0 {
					want = append(want[:i:i], want[i+1:]...)
				}
			} else {
				m.Put(key, n)
				if i >= 0 {
					want[i].Value = n
				} else {
					want = append(want, MapEntry{key, n})
				}
			}
		}
		if d := cmp.Diff(want, append([]MapEntry{}, m.Entries()...)); d != "" {
			rt.Fatal(d)
		}
		c := m.Clone()
		if !c.Equal(m) || c.Len() != len(want) {
			rt.Error("the clone is not equal")
		}
		ordered := m.JavaOrder()
		if len(ordered) != len(want) {
			rt.Errorf("%d entries in Java's order, want %d", len(ordered), len(want))
		}
		for _, e := range ordered {
			if v, ok := m.Get(e.Key); !ok || !Equal(v, e.Value) && v != e.Value {
				rt.Errorf("%v is not in the map", e)
			}
		}
		c.Put("new", 1)
		if _, ok := m.Get("new"); ok {
			rt.Error("the clone is the map itself")
		}
	})
}

func TestEqualityNeedsTheSameTypeAndContent(t *testing.T) {
	swapped := func(keys ...any) *Map {
		m := NewMap(0)
		for _, k := range keys {
			m.Put(k, "v")
		}
		return m
	}
	for _, test := range []struct {
		a, b any
		want bool
	}{
		{int32(1), int64(1), false},
		{nil, nil, true},
		{nil, "", false},
		{[]byte{1}, []byte{1}, true},
		{[]any{int8(1), nil}, []any{int8(1), nil}, true},
		{[]any{int8(1)}, []any{int8(1), nil}, false},
		{swapped("a", "b"), swapped("b", "a"), true},
		{swapped("a"), swapped("b"), false},
		{NewDecimalInt(10, 1), NewDecimalInt(100, 2), false},
		{time.UnixMilli(5).UTC(), time.UnixMilli(5).In(time.FixedZone("x", 3600)), true},
	} {
		if got := Equal(test.a, test.b); got != test.want || Equal(test.b, test.a) != got {
			t.Errorf("%v and %v: %v", test.a, test.b, got)
		}
	}
}

func TestRecursiveSchemasAreCompared(t *testing.T) {
	tree := func(doc string) *Schema {
		b := NewStructSchema().Name("tree").Optional()
		return b.Field("child", b.Self()).Field("leaf", NewBuilder(Int8).Doc(doc).MustBuild()).MustBuild()
	}
	if a, b := tree("x"), tree("x"); !a.Equal(b) || !b.Equal(a) {
		t.Error("equal schemas are not")
	}
	if a, b := tree("x"), tree("y"); a.Equal(b) {
		t.Error("different schemas are equal")
	}
}

// counting counts how often it decodes.
type counting struct{ calls int }

func (c *counting) DecodeRaw(raw []byte) (any, error) {
	if c.calls++; len(raw) == 0 {
		return nil, errors.New("no bytes")
	}
	return string(raw), nil
}

func TestDatumDecodesOnce(t *testing.T) {
	dec := &counting{}
	var d Datum
	d.SetRaw(OptionalString, []byte("x"), UTF8, dec, "w")
	if d.Null() || dec.calls != 0 {
		t.Errorf("null %v, decoded %d times", d.Null(), dec.calls)
	}
	for range 3 {
		if v, err := d.Value(); v != "x" || err != nil {
			t.Errorf("%v, %v", v, err)
		}
	}
	if enc, raw := d.Raw(); enc != UTF8 || string(raw) != "x" || dec.calls != 1 || d.Writer != "w" || d.Schema() != OptionalString {
		t.Errorf("encoding %d, %q, decoded %d times", enc, raw, dec.calls)
	}
	d.SetRaw(nil, []byte{}, JSON, dec, nil)
	for range 2 {
		if _, err := d.Value(); err == nil {
			t.Error("no error")
		}
	}
	d.SetValue(nil, nil)
	if enc, raw := d.Raw(); !d.Null() || enc != Decoded || raw != nil || d.Writer != nil {
		t.Errorf("%v, %d, %v", d.Null(), enc, raw)
	}
}

// FuzzParseString checks that the text of what a text means, means the same.
func FuzzParseString(f *testing.F) {
	for _, s := range []string{"", "null", "1", "-0.5", "1e400", "1e-999999999", "[1,2.5]", `{"a":null}`, "2020-01-01", "23:59:59.999Z",
		"2020-02-30T00:00:00.000Z", `["a\"b"]`, "[[", "\xff", "{1:{}}", "[,]", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseString(text)
		if err != nil || v.Value == nil {
			return
		}
		if v.Schema == nil || v.Schema.typ == String && v.Value == text {
			return
		}
		if v.Schema.typ.Primitive() {
			if err := Validate(v.Schema, v.Value); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
		back, err := ConvertToString(v.Value)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := ParseString(back)
		if err != nil {
			t.Fatalf("%q is written as %q: %v", text, back, err)
		}
		switch v.Value.(type) {
		case int8, int16, int32, int64, bool:
			if !Equal(again.Value, v.Value) {
				t.Errorf("%q is %v, written as %q, which is %v", text, v.Value, back, again.Value)
			}
		}
	})
}
