package transform

import (
	"slices"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// headerFrom copies or moves fields to headers.
type headerFrom struct {
	closer
	reader
	side            side
	fields, headers []string
	move            bool
	plans           plans[*headerPlan]
}

type headerPlan struct {
	fields []*data.Field // nil: there is none of the name
	rest   projection    // when fields are moved
}

func (*headerFrom) ConfigDef() *config.Def {
	return config.NewDef(required("fields", config.TypeList, "Names of the fields.", emptyList),
		required("headers", config.TypeList, "Names of the headers, one for each field.", emptyList),
		required("operation", config.TypeString, "move removes the fields, copy leaves them.", config.OneOf("move", "copy")), replaceNullKey())
}

func (t *headerFrom) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.fields, t.headers, t.move, t.withDefault = v.List("fields"), v.List("headers"), v.String("operation") == "move", v.Bool(replaceNull)
	if len(t.fields) != len(t.headers) {
		return &config.Error{Key: "headers", Msg: "'fields' config must have the same number of elements as 'headers' config."}
	}
	return nil
}

func (t *headerFrom) plan(s *data.Schema) (*headerPlan, error) {
	p := &headerPlan{}
	for _, name := range t.fields {
		p.fields = append(p.fields, s.Field(name))
	}
	if !t.move {
		return p, nil
	}
	b := basics(data.NewStructSchema(), s)
	for i, f := range s.Fields() {
		if !slices.Contains(t.fields, f.Name) {
			b.Field(f.Name, f.Schema)
			p.rest.from = append(p.rest.from, i)
		}
	}
	var err error
	p.rest.schema, err = b.Build()
	return p, asJava(err)
}

func (t *headerFrom) Apply(rec *connect.Record) (bool, error) {
	purpose := "header copy"
	if t.move {
		purpose = "header move"
	}
	headers := withRoom(rec.Headers, len(t.fields))
	d := t.side.of(rec)
	keep, err := fields(d, d, purpose, func(m *data.Map) (*data.Map, error) {
		out := m.AsHashCopy()
		if t.move {
			out = m.HashCopy(0)
		}
		for i, name := range t.fields {
			v, _ := m.Get(name)
			headers = append(headers, connect.Header{Key: t.headers[i], Value: v})
			if t.move {
				out.Delete(name)
			}
		}
		return out, nil
	}, func(in *data.Struct) (*data.Struct, error) {
		p, err := t.plans.get(in.Schema(), t.plan)
		if err != nil {
			return nil, err
		}
		out := in
		if t.move {
			if out, err = p.rest.apply(t.reader, in); err != nil {
				return nil, err
			}
		}
		for i, f := range p.fields {
			if f == nil {
				return nil, javaError("java.lang.NullPointerException", `Cannot invoke "org.apache.kafka.connect.data.Field.schema()" `+
					`because the return value of "org.apache.kafka.connect.data.Schema.field(String)" is null`)
			}
			if t.at(in, f.Index) == nil && !f.Schema.Optional() {
				return nil, dataError("A null value requires an optional schema but was %s", f.Schema)
			}
			headers = append(headers, connect.Header{Key: t.headers[i], Schema: f.Schema, Value: t.at(in, f.Index)})
		}
		return out, nil
	})
	rec.Headers = headers
	return keep, err
}
