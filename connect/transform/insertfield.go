package transform

import (
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// insertField adds fields with facts about the record, or a fixed text.
type insertField struct {
	closer
	reader
	side      side
	inserts   []insertion
	static    any // text of static.field
	topic     boxed[string]
	partition boxed[int32]
	plans     plans[*insertPlan]
}

// insertPlan copies the fields of a struct and leaves room for others.
type insertPlan struct {
	projection
	inserted int // index of the first field to insert
}

const insertPurpose = "field insertion"

// boxed keeps the last value as an interface, since making one allocates.
type boxed[T comparable] struct{ last any }

func (b *boxed[T]) of(v T) any {
	if last, ok := b.last.(T); !ok || last != v {
		b.last = v
	}
	return b.last
}

// insertion is one field to add; what is the key that asked for it.
type insertion struct {
	what, name string
	key        any // name, for maps
	schema     *data.Schema
}

func (*insertField) ConfigDef() *config.Def {
	const suffix = " With the suffix ! the field is required, with ? or none it is optional."
	return config.NewDef(optional("topic.field", config.TypeString, nil, "Name of the field for the topic."+suffix, nil),
		optional("partition.field", config.TypeString, nil, "Name of the field for the partition."+suffix, nil),
		optional("offset.field", config.TypeString, nil, "Name of the field for the offset."+suffix, nil),
		optional("timestamp.field", config.TypeString, nil, "Name of the field for the record's timestamp."+suffix, nil),
		optional("static.field", config.TypeString, nil, "Name of the field for static.value."+suffix, nil),
		optional("static.value", config.TypeString, nil, "Text of static.field.", nil), replaceNullKey())
}

func (t *insertField) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.withDefault = v.Bool(replaceNull)
	optionalTimestamp := data.NewTimestamp().Optional().MustBuild()
	for _, k := range []struct {
		what               string
		required, optional *data.Schema
	}{
		{"topic.field", data.StringSchema, data.OptionalString}, {"partition.field", data.Int32Schema, data.OptionalInt32},
		{"offset.field", data.Int64Schema, data.OptionalInt64}, {"timestamp.field", data.TimestampSchema, optionalTimestamp},
		{"static.field", data.StringSchema, data.OptionalString},
	} {
		if v.Null(k.what) {
			continue
		}
		in := insertion{what: k.what, name: v.String(k.what), schema: k.optional}
		if name, ok := strings.CutSuffix(in.name, "!"); ok {
			in.name, in.schema = name, k.required
		} else {
			in.name = strings.TrimSuffix(in.name, "?")
		}
		in.key = in.name
		t.inserts = append(t.inserts, in)
	}
	if len(t.inserts) == 0 {
		return &config.Error{Msg: "No field insertion configured"}
	}
	if last := t.inserts[len(t.inserts)-1]; last.what == "static.field" && v.Null("static.value") {
		return config.Invalid("static.value", nil, "No value specified for static field: "+last.name)
	}
	t.static = v.String("static.value")
	return nil
}

// insert gives each field to insert to put, by its number; those without a value are left
// out. Errors are those of the JVM at the same place.
func (t *insertField) insert(rec *connect.Record, put func(i int, v any)) error {
	for i := range t.inserts {
		switch t.inserts[i].what {
		case "topic.field":
			put(i, t.topic.of(rec.Topic))
		case "partition.field":
			if rec.Partition != connect.AnyPartition {
				put(i, t.partition.of(rec.Partition))
			}
		case "offset.field":
			if rec.Offset == connect.NoOffset {
				return dataError("Only SinkRecord supported for [%s], found: org.apache.kafka.connect.source.SourceRecord", insertPurpose)
			}
			put(i, rec.Offset)
		case "timestamp.field":
			if rec.Timestamp != connect.NoTimestamp {
				put(i, rec.Timestamp)
			}
		default:
			put(i, t.static)
		}
	}
	return nil
}

func (t *insertField) plan(s *data.Schema) (*insertPlan, error) {
	p := &insertPlan{inserted: len(s.Fields())}
	b := basics(data.NewStructSchema(), s)
	for i, f := range s.Fields() {
		b.Field(f.Name, f.Schema)
		p.from = append(p.from, i)
	}
	for _, in := range t.inserts {
		b.Field(in.name, in.schema)
	}
	var err error
	p.projection, err = p.build(b)
	return p, err
}

func (t *insertField) Apply(rec *connect.Record) (bool, error) {
	d := t.side.of(rec)
	if d.Null() {
		return true, nil
	}
	return fields(d, d, insertPurpose, func(m *data.Map) (*data.Map, error) {
		out := m.HashCopy(len(t.inserts))
		return out, t.insert(rec, func(i int, v any) { out.Put(t.inserts[i].key, v) })
	}, func(in *data.Struct) (*data.Struct, error) {
		p, err := t.plans.get(in.Schema(), t.plan)
		if err != nil {
			return nil, err
		}
		out, err := p.apply(t.reader, in)
		if err != nil {
			return nil, err
		}
		return out, t.insert(rec, func(i int, v any) {
			if t.inserts[i].what == "timestamp.field" {
				v = time.UnixMilli(rec.Timestamp).UTC()
			}
			out.SetAt(p.inserted+i, v)
		})
	})
}
