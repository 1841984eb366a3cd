package transform_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// benchConfigs are typical configurations of each transform of fields named f0 to f9.
var benchConfigs = []struct {
	class string
	props map[string]string
}{
	{"Cast$Value", map[string]string{"spec": "f1:int64,f4:string"}},
	{"ExtractField$Value", map[string]string{"field": "f4"}},
	{"Flatten$Value", nil},
	{"HeaderFrom$Value", map[string]string{"fields": "f1", "headers": "h", "operation": "copy"}},
	{"HeaderFrom$Value", map[string]string{"fields": "f1", "headers": "h", "operation": "move"}},
	{"HoistField$Value", map[string]string{"field": "data"}},
	{"InsertField$Value", map[string]string{"topic.field": "topic", "partition.field": "partition", "offset.field": "offset", "timestamp.field": "at"}},
	{"InsertField$Value", map[string]string{"static.field": "site", "static.value": "north"}},
	{"InsertHeader", map[string]string{"header": "site", "value.literal": "north"}},
	{"DropHeaders", map[string]string{"headers": "trace"}},
	{"MaskField$Value", map[string]string{"fields": "f1,f3"}},
	{"RegexRouter", map[string]string{"regex": "logs-(.*)", "replacement": "archive-$1"}},
	{"RegexRouter", map[string]string{"regex": "events-(.*)", "replacement": "archive-$1"}},
	{"ReplaceField$Value", map[string]string{"exclude": "f2,f7"}},
	{"ReplaceField$Value", map[string]string{"renames": "f2:id,f3:name"}},
	{"SetSchemaMetadata$Value", map[string]string{"schema.name": "site.Log", "schema.version": "2"}},
	{"TimestampConverter$Value", map[string]string{"field": "f0", "target.type": "string", "format": "yyyy-MM-dd HH:mm:ss.SSS"}},
	{"TimestampConverter$Value", map[string]string{"field": "f5", "target.type": "Timestamp", "format": "yyyy-MM-dd HH:mm:ss"}},
	{"TimestampRouter", nil},
	{"ValueToKey", map[string]string{"fields": "f1,f3"}},
}

// benchValues are a struct of ten fields and its schemaless form.
func benchValues() (s *data.Schema, st *data.Struct, m *data.Map) {
	b := data.NewStructSchema().Name("Log")
	values := []any{int64(1445412480123), int32(7), "north-1", "user-4711", 12.75, "2015-10-21 07:28:00", true, int64(1 << 40), "GET /index.html", int32(200)}
	types := []*data.Schema{data.Int64Schema, data.Int32Schema, data.OptionalString, data.StringSchema, data.OptionalFloat64, data.StringSchema,
		data.OptionalBoolean, data.Int64Schema, data.OptionalString, data.OptionalInt32}
	m = data.NewMap(10)
	for i, v := range values {
		b.Field(fmt.Sprint("f", i), types[i])
		if n, ok := v.(int32); ok {
			v = int64(n)
		}
		m.Put(fmt.Sprint("f", i), v)
	}
	s = b.MustBuild()
	return s, data.StructOf(s, values), m
}

func BenchmarkTransforms(b *testing.B) {
	schema, st, m := benchValues()
	for _, c := range benchConfigs {
		tr := newTransform(b, "org.apache.kafka.connect.transforms."+c.class)
		if err := tr.Configure(c.props); err != nil {
			b.Fatal(err)
		}
		name, _, _ := strings.Cut(c.class, "$")
		for _, k := range []string{"field", "format", "renames", "operation", "replacement"} {
			if v, ok := c.props[k]; ok {
				name += "," + k + "=" + strings.ReplaceAll(v, " ", "_")
			}
		}
		run := func(form string, s *data.Schema, v any) {
			b.Run(name+"/"+form, func(b *testing.B) {
				b.ReportAllocs()
				headers := []connect.Header{{Key: "h0", Schema: data.StringSchema, Value: "x"}}
				rec := &connect.Record{}
				for i := int64(0); b.Loop(); i++ {
					*rec = connect.Record{Topic: "logs-web", Partition: 3, Offset: 1<<30 + i, Timestamp: 1445412480123, Headers: headers}
					rec.Value.SetValue(s, v)
					if _, err := tr.Apply(rec); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("struct", schema, st)
		if c.class != "SetSchemaMetadata$Value" {
			run("map", nil, m)
		}
	}
}
