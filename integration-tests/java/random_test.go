//go:build integration

package java

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/data"
)

// gen generates schemas, values and configurations.
type gen struct{ *rand.Rand }

func pick[T any](g *gen, from ...T) T { return from[g.IntN(len(from))] }

// one is true in one of n cases.
func (g *gen) one(n int) bool { return g.IntN(n) == 0 }

// names are few, so that configurations name fields that exist.
var names = []string{"a", "b", "c", "id", "ts", "txt", "x.y", "n"}

func (g *gen) name() string { return pick(g, names...) }

func (g *gen) schema(depth int) *data.Schema {
	var b *data.Builder
	switch n := g.IntN(20); {
	case n < 11:
		b = data.NewBuilder(pick(g, data.Int8, data.Int16, data.Int32, data.Int64, data.Float32, data.Float64, data.Boolean, data.String, data.String, data.Bytes))
	case n == 11:
		b = data.NewDecimal(int32(g.IntN(4)))
	case n == 12:
		b = data.NewDate()
	case n == 13:
		b = data.NewTime()
	case n == 14:
		b = data.NewTimestamp()
	case depth == 0:
		b = data.NewBuilder(data.String)
	case n == 15:
		b = data.NewArray(g.schema(depth - 1))
	case n == 16 && g.one(3):
		b = data.NewMapSchema(g.schema(0), g.schema(depth-1))
	case n == 16:
		b = data.NewMapSchema(data.StringSchema, g.schema(depth-1))
	default:
		b = g.structSchema(depth - 1)
	}
	return g.finish(b)
}

func (g *gen) structSchema(depth int) *data.Builder {
	b := data.NewStructSchema()
	if g.one(2) {
		b.Name(fmt.Sprint("io.test.Rec", g.Uint32())) // one in another of the same name is taken for recursion
	}
	for _, i := range g.Perm(len(names))[:g.IntN(len(names)+1)] {
		b.Field(names[i], g.schema(depth))
	}
	return b
}

// finish adds attributes that a schema may have.
func (g *gen) finish(b *data.Builder) *data.Schema {
	if g.one(2) {
		b.Optional()
	}
	if g.one(12) {
		b.Doc("doc")
	}
	if g.one(12) {
		b.Parameter("z", "1") // sorts behind scale, in JSON
	}
	s := b.MustBuild()
	if s.Name() == "" && g.one(12) {
		b.Version(3)
	}
	if s.Type() != data.StructType && g.one(5) { // Java cannot make a struct of a schema that is being built
		if v := g.value(s); v != nil && !hasFloatBits(v) {
			b.Default(v)
		}
	}
	return b.MustBuild()
}

// hasFloatBits is true of values for which Java compares schemas in another way.
func hasFloatBits(v any) bool { f, ok := v.(float64); return ok && (f != f || f == 0) }

// value makes a legal value of a schema.
func (g *gen) value(s *data.Schema) any {
	if s.Optional() && g.one(5) {
		return nil
	}
	switch s.Name() {
	case data.DecimalName:
		scale, _ := s.Scale()
		return data.NewDecimalInt(g.int64(), scale)
	case data.DateName:
		return time.UnixMilli(g.Int64N(80000)*86400000 - 20000*86400000).UTC()
	case data.TimeName:
		return time.UnixMilli(g.Int64N(86400000)).UTC()
	case data.TimestampName:
		return time.UnixMilli(g.millis()).UTC()
	}
	switch s.Type() {
	case data.Array:
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.value(s.ValueSchema()))
		}
		return list
	case data.MapType:
		m := data.NewMap(0)
		for range g.IntN(4) {
			if k := g.value(s.KeySchema()); !bytesKey(k) {
				m.Put(k, g.value(s.ValueSchema()))
			}
		}
		return m
	case data.StructType:
		st := data.NewStruct(s)
		for i, f := range s.Fields() {
			if v := g.value(f.Schema); f.Schema.Default() == nil || !g.one(3) {
				st.SetAt(i, v)
			}
		}
		return st
	default:
		return g.primitive(s.Type())
	}
}

// bytesKey is true of keys whose place in a HashMap is another one in every JVM.
func bytesKey(v any) bool {
	switch v.(type) {
	case []byte, *data.Struct:
		return true
	}
	return false
}

func (g *gen) primitive(t data.Type) any {
	switch t {
	case data.Int8:
		return int8(g.int64())
	case data.Int16:
		return int16(g.int64())
	case data.Int32:
		return int32(g.int64())
	case data.Int64:
		return g.int64()
	case data.Float32:
		return float32(g.float())
	case data.Float64:
		return g.float()
	case data.Boolean:
		return g.one(2)
	case data.Bytes:
		return []byte(pick(g, "", "a", "\x00\xff", "bytes"))
	default:
		return g.text()
	}
}

func (g *gen) int64() int64 {
	return pick(g, 0, 1, -1, 127, 128, -129, 300, 65536, 1<<31-1, 1<<31, -1<<31, 1<<53+1, math.MaxInt64, math.MinInt64, 1445412480123, int64(g.Uint64()), g.Int64N(1000)-500)
}

// float makes numbers on whose text all JDKs agree.
func (g *gen) float() float64 {
	return pick(g, 0, 1, -1.5, 0.1, 2.75, 1e7, 12345.678, 1e-5, -0.001, math.Inf(1), math.Inf(-1), math.NaN(), float64(g.IntN(100000))/8, 1e300, 3.5e9, 1e19)
}

func (g *gen) millis() int64 {
	return pick(g, 0, 1445412480123, -1, 86400000, g.Int64N(4e12)-1e12, g.Int64N(1e15)-9e14, g.Int64N(86400000), -86400000*7)
}

func (g *gen) text() string {
	switch g.IntN(6) {
	case 0:
		return g.valueText(2)
	case 1:
		return pick(g, "", "topic-a", "true", "TRUE", "2015-10-21", "2015-10-21 07:28:00", "naïve", "\U0001F600", "a\"b\\", "null", "1.5f", "0x10p1", " 7 ", "Infinity", "1e400")
	default:
		return fmt.Sprint(g.int64())
	}
}

// schemaless makes what a schemaless converter or a connector may deliver.
func (g *gen) schemaless(depth int) any {
	switch n := g.IntN(13); {
	case n < 2:
		return g.text()
	case n < 4:
		return g.int64()
	case n == 4:
		return g.float()
	case n == 5:
		return g.one(2)
	case n == 6:
		return nil
	case n == 7:
		return pick[any](g, int8(1), int16(-2), int32(77), float32(1.5), []byte("ab"), data.NewDecimalInt(1234, 2), time.UnixMilli(g.millis()).UTC(),
			data.Decimal{Unscaled: new(big.Int).Lsh(big.NewInt(1), 70)})
	case depth == 0:
		return "leaf"
	case n < 10:
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.schemaless(depth-1))
		}
		return list
	default:
		return g.fieldMap(depth - 1)
	}
}

// fieldMap is a schemaless map with the names of fields.
func (g *gen) fieldMap(depth int) *data.Map {
	m := data.NewMap(0)
	for range g.IntN(12) {
		m.Put(g.name()+pick(g, "", "", "", "2", "33"), g.schemaless(depth))
	}
	if g.one(40) {
		m.Put(int64(5), "number")
	}
	return m
}

// valueText makes a text such as headers have.
func (g *gen) valueText(depth int) string {
	switch g.IntN(15) {
	case 0:
		return pick(g, "true", "false", "null", " true ", "TRUE", "nullx", "")
	case 1, 2:
		return pick(g, "", "+", "-", "0", "00") + fmt.Sprint(g.int64())
	case 3:
		return fmt.Sprintf("%d.%d", g.IntN(1000)-500, g.IntN(1000)) + pick(g, "", "", "e3", "E-4", "f", "e400", "E50", "e-50")
	case 4:
		return pick(g, "2015-10-21", "07:28:00.123Z", "2015-10-21T07:28:00.123Z", "07\\:28\\:00.123Z", "2015-1-021", "1582-10-10", "0001-01-01", "2015-99-99", "201510-211", "1e1000000", "١٢٣")
	case 5, 6:
		return `"` + pick(g, "a", "", "a b", " c ", `\"`, "2015-10-21", "true", "[", "x:y", "ü") + `"`
	case 7:
		return pick(g, "a", "word", "two words", "a,b", "a:b", `a\"b`, "   ", `\`, "[", "{", "]", "}", ",", ":", `"`, "[]x", "{}", "[]", "[ ]", "{ }", "[,]", "{:}")
	}
	if depth == 0 {
		return "1"
	}
	var parts []string
	brackets := pick(g, "[]", "{}")
	for range g.IntN(4) {
		e := g.valueText(depth - 1)
		if brackets == "{}" {
			e += pick(g, ":", ":", " : ", "") + g.valueText(depth-1)
		}
		parts = append(parts, e)
	}
	closing := brackets[1:]
	if g.one(15) {
		closing = ""
	}
	return pick(g, "", "", " ") + brackets[:1] + strings.Join(parts, pick(g, ",", ",", " , ", ", ")) + closing + pick(g, "", "", "", " ", "x")
}
