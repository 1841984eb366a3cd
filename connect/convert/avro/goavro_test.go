package avro_test

import (
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/linkedin/goavro/v2"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect/convert/avro"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/javagolden"
)

var both = avro.Options{EnhancedSchema: true, ConnectMetaData: true}

// generator draws schemas and values of them.
type generator struct {
	t     *rapid.T
	names int
	// simpleDefaults leaves out the defaults that goavro refuses: those of decimals, times
	// and fixed.
	simpleDefaults bool
}

func (g *generator) chance(label string) bool { return rapid.IntRange(0, 3).Draw(g.t, label) == 0 }

func (g *generator) name(prefix string) string {
	g.names++
	return prefix + strconv.Itoa(g.names)
}

func (g *generator) schema(depth int) *data.Schema {
	kinds := 14
	if depth == 0 {
		kinds = 11
	}
	var b *data.Builder
	switch kind := rapid.IntRange(0, kinds).Draw(g.t, "kind"); kind {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		b = data.NewBuilder(data.Type(kind))
	case 8:
		b = data.NewBuilder(data.Bytes)
		if g.chance("fixed") {
			b.Name(g.name("n.F")).Parameter("connect.fixed.size", "3")
		}
	case 9:
		b = data.NewDecimal(int32(rapid.IntRange(0, 5).Draw(g.t, "scale")))
		if g.chance("precision") {
			b.Parameter("connect.decimal.precision", "30")
		}
	case 10:
		b = []func() *data.Builder{data.NewDate, data.NewTime, data.NewTimestamp}[rapid.IntRange(0, 2).Draw(g.t, "time")]()
	case 11:
		name := g.name("n.E")
		b = data.NewBuilder(data.String).Name(name).Parameter("io.confluent.connect.avro.Enum", name)
		for _, symbol := range []string{"RED", "GREEN", "BLUE"} {
			b.Parameter("io.confluent.connect.avro.Enum."+symbol, symbol)
		}
	case 12:
		b = data.NewArray(g.schema(depth - 1))
	case 13:
		b = data.NewMapSchema(data.StringSchema, g.schema(depth-1))
	default:
		b = g.structure(depth)
	}
	return g.attributes(b)
}

func (g *generator) structure(depth int) *data.Builder {
	b := data.NewStructSchema()
	if !g.chance("unnamed") {
		b.Name(g.name("n.R"))
	}
	for range rapid.IntRange(0, 4).Draw(g.t, "fields") {
		b.Field(g.name("f"), g.schema(depth-1))
	}
	return b
}

func (g *generator) attributes(b *data.Builder) *data.Schema {
	if g.chance("doc") {
		b.Doc("what \"it\" is\n")
	}
	if s := b.Self(); s.Name() == "" || s.Type() == data.StructType {
		if g.chance("version") {
			b.Version(3)
		}
	}
	if g.chance("parameters") {
		b.Parameter("z", "1").Parameter("a", "é")
	}
	if g.chance("optional") {
		b.Optional()
	}
	if s := b.Self(); s.Type() <= data.Bytes && g.chance("default") && !(g.simpleDefaults && (strings.HasPrefix(s.Name(), "org.") || strings.HasPrefix(s.Name(), "n.F"))) {
		b.Default(g.value(s))
	}
	return b.MustBuild()
}

// value draws a value that is not null.
func (g *generator) value(s *data.Schema) any {
	switch s.Name() {
	case data.DecimalName:
		scale, _ := s.Scale()
		u := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(g.t, "unscaled"))
		if rapid.Bool().Draw(g.t, "negative") {
			u.Neg(u)
		}
		return data.Decimal{Unscaled: u, Scale: scale}
	case data.DateName:
		return time.UnixMilli(rapid.Int64Range(-30_000, 30_000).Draw(g.t, "days") * 86_400_000).UTC()
	case data.TimeName:
		return time.UnixMilli(rapid.Int64Range(0, 86_399_999).Draw(g.t, "ms")).UTC()
	case data.TimestampName:
		return time.UnixMilli(rapid.Int64Range(-1e12, 1e13).Draw(g.t, "ms")).UTC()
	}
	switch s.Type() {
	case data.Int8:
		return rapid.Int8().Draw(g.t, "int8")
	case data.Int16:
		return rapid.Int16().Draw(g.t, "int16")
	case data.Int32:
		return rapid.Int32().Draw(g.t, "int32")
	case data.Int64:
		return rapid.Int64().Draw(g.t, "int64")
	case data.Float32:
		return rapid.Float32().Draw(g.t, "float32")
	case data.Float64:
		return rapid.Float64().Draw(g.t, "float64")
	case data.Boolean:
		return rapid.Bool().Draw(g.t, "bool")
	case data.String:
		if len(s.Parameters()) > 2 {
			return rapid.SampledFrom([]string{"RED", "GREEN", "BLUE"}).Draw(g.t, "symbol")
		}
		return rapid.StringN(0, 70, -1).Draw(g.t, "text")
	case data.Bytes:
		size := 20
		if _, ok := s.Parameter("connect.fixed.size"); ok {
			size = 3
			return rapid.SliceOfN(rapid.Byte(), size, size).Draw(g.t, "fixed")
		}
		return rapid.SliceOfN(rapid.Byte(), 0, size).Draw(g.t, "bytes")
	default:
		return g.container(s)
	}
}

func (g *generator) container(s *data.Schema) any {
	switch s.Type() {
	case data.Array:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(g.t, "elements") {
			list = append(list, g.nullable(s.ValueSchema()))
		}
		return list
	case data.MapType:
		m := data.NewMap(0)
		for range rapid.IntRange(0, 3).Draw(g.t, "entries") {
			m.Put(rapid.StringN(0, 3, -1).Draw(g.t, "key"), g.nullable(s.ValueSchema()))
		}
		return m
	default:
		st := data.NewStruct(s)
		for i, f := range s.Fields() {
			st.SetAt(i, g.nullable(f.Schema))
		}
		return st
	}
}

func (g *generator) nullable(s *data.Schema) any {
	if s.Optional() && g.chance("null") {
		return nil
	}
	return g.value(s)
}

// native returns what goavro makes of a value. The type of a branch is named.
func native(s *data.Schema, v any) any {
	if v == nil {
		return nil
	}
	branch, out := "", any(nil)
	switch x := v.(type) {
	case int8:
		branch, out = "int", int32(x)
	case int16:
		branch, out = "int", int32(x)
	case int32:
		branch, out = "int", x
	case int64:
		branch, out = "long", x
	case float32:
		branch, out = "float", x
	case float64:
		branch, out = "double", x
	case bool:
		branch, out = "boolean", x
	case string:
		branch, out = "string", x
		if s.Name() != "" {
			branch = s.Name()
		}
	case []byte:
		branch, out = "bytes", x
		if s.Name() != "" {
			branch = s.Name()
		}
	case data.Decimal:
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(x.Scale)), nil)
		branch, out = "bytes.decimal", new(big.Rat).SetFrac(x.Unscaled, scale).String()
	case time.Time:
		switch s.Name() {
		case data.TimeName:
			branch, out = "int.time-millis", time.Duration(x.UnixMilli())*time.Millisecond
		case data.DateName:
			branch, out = "int.date", x
		default:
			branch, out = "long.timestamp-millis", x
		}
	case []any:
		list := make([]any, len(x))
		for i, e := range x {
			list[i] = native(s.ValueSchema(), e)
		}
		branch, out = "array", list
	case *data.Map:
		m := map[string]any{}
		for _, e := range x.Entries() {
			m[e.Key.(string)] = native(s.ValueSchema(), e.Value)
		}
		branch, out = "map", m
	case *data.Struct:
		m := map[string]any{}
		for i, f := range s.Fields() {
			m[f.Name] = native(f.Schema, x.At(i))
		}
		branch, out = "record", m
	}
	if s.Optional() {
		return map[string]any{branch: out}
	}
	return out
}

// normal makes results of goavro comparable.
func normal(v any) any {
	switch x := v.(type) {
	case *big.Rat:
		return x.String()
	case time.Time:
		return x.UTC()
	case []any:
		for i := range x {
			x[i] = normal(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = normal(x[k])
		}
	}
	return v
}

// sameNames forgets the names of records in unions.
func sameNames(v any) any {
	switch x := v.(type) {
	case []any:
		for i := range x {
			x[i] = sameNames(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = sameNames(x[k])
		}
		if len(x) == 1 {
			for k, e := range x {
				if len(k) > 2 && (k[:2] == "n." && k[2] == 'R' || k[:2] == "io") {
					return map[string]any{"record": e}
				}
			}
		}
	}
	return v
}

func TestGoavroReadsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{t: t, simpleDefaults: true}
		s := g.schema(3)
		e, err := avro.NewEncoder(s, both)
		if err != nil {
			t.Fatal(err)
		}
		codec, err := goavro.NewCodec(e.Schema().String())
		if err != nil {
			t.Fatalf("%s: %v", e.Schema(), err)
		}
		for range 2 {
			v := g.nullable(s)
			b, err := e.Append([]byte("x"), v)
			if err != nil {
				t.Fatal(err)
			}
			got, rest, err := codec.NativeFromBinary(b[1:])
			if err != nil || len(rest) > 0 {
				t.Fatalf("%s: %d bytes are left: %v", e.Schema(), len(rest), err)
			}
			if d := cmp.Diff(native(s, v), sameNames(normal(got))); d != "" {
				t.Fatalf("%s (-written +read):\n%s", e.Schema(), d)
			}
		}
	})
}

func TestSchemasComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{t: t}
		s := g.schema(3)
		a, err := avro.FromConnect(s, both)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := avro.Parse(a.String())
		if err != nil {
			t.Fatal(err)
		}
		if parsed.String() != a.String() {
			t.Fatalf("%s is printed as\n%s", a, parsed)
		}
		back, err := avro.ToConnect(parsed, avro.NoVersion, both)
		if err != nil {
			t.Fatal(err)
		}
		if !back.Equal(s) {
			t.Fatalf("%s (-before +after):\n%s", a, cmp.Diff(javagolden.Schema(s), javagolden.Schema(back)))
		}
	})
}
