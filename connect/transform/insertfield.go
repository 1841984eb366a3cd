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
	side        side
	inserts     []insertion
	staticValue string
	plans       plans[*projection]
}

// insertion is one field to add; what is the key that asked for it.
type insertion struct {
	what, name string
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
		t.inserts = append(t.inserts, in)
	}
	if len(t.inserts) == 0 {
		return &config.Error{Msg: "No field insertion configured"}
	}
	if last := t.inserts[len(t.inserts)-1]; last.what == "static.field" && v.Null("static.value") {
		return config.Invalid("static.value", nil, "No value specified for static field: "+last.name)
	}
	t.staticValue = v.String("static.value")
	return nil
}

// value returns what is inserted, nil for nothing.
func (t *insertField) value(what string, rec *connect.Record) any {
	switch what {
	case "topic.field":
		return rec.Topic
	case "partition.field":
		return rec.Partition
	case "offset.field":
		return rec.Offset
	case "timestamp.field":
		if rec.Timestamp == connect.NoTimestamp {
			return nil
		}
		return rec.Timestamp
	default:
		return t.staticValue
	}
}

func (t *insertField) plan(s *data.Schema) (*projection, error) {
	p := &projection{}
	b := basics(data.NewStructSchema(), s)
	for i, f := range s.Fields() {
		b.Field(f.Name, f.Schema)
		p.from = append(p.from, i)
	}
	for _, in := range t.inserts {
		b.Field(in.name, in.schema)
	}
	var err error
	p.schema, err = b.Build()
	return p, asJava(err)
}

func (t *insertField) Apply(rec *connect.Record) (bool, error) {
	const purpose = "field insertion"
	d := t.side.of(rec)
	if d.Null() {
		return true, nil
	}
	v, err := d.Value()
	if err != nil {
		return false, err
	}
	if d.Schema() == nil {
		m, err := needMap(v, purpose)
		if err != nil {
			return false, err
		}
		out := m.Clone()
		for _, in := range t.inserts {
			if v := t.value(in.what, rec); v != nil {
				out.Put(in.name, v)
			}
		}
		d.SetValue(nil, out)
		return true, nil
	}
	in, err := needStruct(v, purpose)
	if err != nil {
		return false, err
	}
	p, err := t.plans.get(in.Schema(), t.plan)
	if err != nil {
		return false, err
	}
	out, err := p.apply(t.reader, in)
	if err != nil {
		return false, err
	}
	for i, ins := range t.inserts {
		v := t.value(ins.what, rec)
		if ms, ok := v.(int64); ok && ins.what == "timestamp.field" {
			v = time.UnixMilli(ms).UTC()
		}
		if v != nil {
			out.SetAt(len(p.from)+i, v)
		}
	}
	d.SetValue(p.schema, out)
	return true, nil
}
