package partitioner

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect/data"
)

func TestTimesInMapsAndStructs(t *testing.T) {
	inner := data.NewStructSchema().Name("inner").Field("t", data.OptionalInt64).MustBuild()
	outer := data.NewStructSchema().Field("o", inner).Field("m", data.NewMapSchema(data.StringSchema, data.Int64Schema).MustBuild()).MustBuild()
	// The same fields in another order: a converter may have built the value with another schema.
	turned := data.NewStructSchema().Name("inner").Field("x", data.OptionalInt64).Field("t", data.OptionalInt64).MustBuild()
	m := func(v any) *data.Map {
		x := data.NewMap(1)
		x.Put("t", v)
		return x
	}
	wrap := func(v any) *data.Map {
		x := data.NewMap(1)
		x.Put("o", v)
		return x
	}
	for _, c := range []struct {
		field   string
		value   any
		want    int64
		problem string
	}{
		{"t", m(int8(1)), 1, ""}, {"t", m(int16(2)), 2, ""}, {"t", m(int32(3)), 3, ""}, {"t", m(float32(4.9)), 4, ""}, {"t", m(-5.9), -5, ""},
		{"t", m(math.NaN()), 0, ""}, {"t", m(1e30), math.MaxInt64, ""}, {"t", m(-1e30), math.MinInt64, ""},
		{"t", m(data.Decimal{Unscaled: big.NewInt(65), Scale: 1}), 6, ""}, {"t", m(time.UnixMilli(7)), 7, ""},
		{"o.t", wrap(m(int64(8))), 8, ""}, {"o.t", wrap(data.StructOf(inner, []any{int64(9)})), 9, ""},
		{"o.t", data.StructOf(outer, []any{data.StructOf(inner, []any{int64(10)}), nil}), 10, ""},
		{"o.t", data.StructOf(outer, []any{data.StructOf(turned, []any{int64(0), int64(11)}), nil}), 11, ""},
		{"o.t", data.StructOf(outer, []any{data.StructOf(inner, []any{nil}), nil}), 0, "The field 'o.t' does not exist. The value has no such field"},
		{"m.t", data.StructOf(outer, []any{data.StructOf(inner, []any{nil}), m(int64(1))}), 0, "The field 'm.t' does not exist. "},
		{"o.t.x", wrap(m(int64(8))), 0, "The field 'o.t.x' does not exist. "},
		{"t", m([]any{}), 0, "Error extracting timestamp from record field: t. "},
		{"t", nil, 0, "Error encoding partition. "},
	} {
		x, err := newExtractor(Options{Extractor: RecordField, TimestampField: c.field})
		if err != nil {
			t.Fatal(err)
		}
		rec := aRecord
		rec.Value.SetValue(nil, c.value)
		for range 2 {
			got, err := x.Extract(&rec, 0)
			if got != c.want || (err != nil) != (c.problem != "") || err != nil && !strings.HasPrefix(err.Error(), c.problem) {
				t.Errorf("%s of %v: %d, %v; want %d, %s", c.field, c.value, got, err, c.want, c.problem)
			}
		}
	}
}

// The runtime reuses records: another record in the same place is asked about anew.
func TestReusedRecords(t *testing.T) {
	x, err := newExtractor(Options{Extractor: RecordField, TimestampField: "t"})
	if err != nil {
		t.Fatal(err)
	}
	rec := jsonRecord(t, `{"t":1}`)
	if got, err := x.Extract(rec, 0); err != nil || got != 1 {
		t.Fatal(got, err)
	}
	next := jsonRecord(t, `{"t":2}`)
	next.Offset++
	*rec = *next
	if got, err := x.Extract(rec, 0); err != nil || got != 2 {
		t.Error(got, err)
	}
}
