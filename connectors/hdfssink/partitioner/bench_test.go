package partitioner

import (
	"strconv"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// steadyStates are the partitioners on records as they come: a name that was seen before.
func steadyStates(t testing.TB) map[string]func(i int) error {
	schema := data.NewBuilder(data.StructType).Field("id", data.Int64Schema).Field("region", data.StringSchema).
		Field("tier", data.OptionalInt32).Field("time", data.TimestampSchema).Field("text", data.StringSchema).MustBuild()
	structs := make([]connect.SinkRecord, 64)
	for i := range structs {
		s := data.NewStruct(schema)
		for name, v := range map[string]any{"id": int64(i), "region": "eu-" + strconv.Itoa(i%3), "tier": int32(i % 5),
			"time": time.UnixMilli(1445720400000 + int64(i)*250_000).UTC(), "text": "2015-10-21T07:28:00.123+02:00"} {
			if err := s.Put(name, v); err != nil {
				t.Fatal(err)
			}
		}
		structs[i] = connect.SinkRecord{Record: connect.Record{Topic: "orders", Partition: int32(i % 4), Offset: int64(i), Timestamp: 1445720400000 + int64(i)*250_000}}
		structs[i].Value.SetValue(schema, s)
	}
	raw := jsonRecord(t, `{"user":{"id":12345,"name":"somebody"},"tags":["a","b"],"time":1445720400123,"amount":12.5,"currency":"EUR","country":"de"}`)
	run := func(o Options) func(i int) error {
		p := mustNew(t, o)
		return func(i int) error {
			rec := &structs[i%len(structs)]
			rec.Offset += int64(len(structs)) // never the record asked about last
			_, err := p.Encode(rec, 1445720400000+int64(i))
			return err
		}
	}
	byText := run(timeOptions(func(o *Options) { o.Extractor, o.TimestampField = RecordField, "text" }))
	inJSON := mustNew(t, timeOptions(func(o *Options) { o.Extractor = RecordField }))
	return map[string]func(i int) error{
		"default":             run(Options{Class: storagePackage + "DefaultPartitioner"}),
		"field":               run(Options{Class: storagePackage + "FieldPartitioner", Fields: []string{"region", "tier"}, Delim: "/"}),
		"hourly/wallclock":    run(timeOptions(func(o *Options) { o.Extractor = Wallclock })),
		"hourly/record":       run(timeOptions(nil)),
		"hourly/record-field": run(timeOptions(func(o *Options) { o.Extractor = RecordField })),
		"hourly/text":         byText,
		"hourly/json": func(int) error {
			raw.Offset++
			_, err := inJSON.Encode(raw, 0)
			return err
		},
	}
}

func TestNoAllocationInTheSteadyState(t *testing.T) {
	for name, encode := range steadyStates(t) {
		for i := range 1000 {
			if err := encode(i); err != nil {
				t.Fatal(name, err)
			}
		}
		i := 0
		if n := testing.AllocsPerRun(1000, func() {
			if err := encode(i); err != nil {
				t.Fatal(name, err)
			}
			i++
		}); n > 0 {
			t.Errorf("%s: %g allocations per record", name, n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, encode := range steadyStates(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := encode(i); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// A bucket that was not seen before costs the zone, the pattern and one string.
func BenchmarkNewBucket(b *testing.B) {
	p := mustNew(b, timeOptions(nil))
	rec := aRecord
	b.ReportAllocs()
	for b.Loop() {
		rec.Timestamp += 3600_000
		if _, err := p.Encode(&rec, 0); err != nil {
			b.Fatal(err)
		}
	}
}
