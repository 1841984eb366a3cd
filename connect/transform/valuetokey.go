package transform

import (
	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// valueToKey makes a key of fields of the value.
type valueToKey struct {
	closer
	reader
	fields []string
	keys   []any // fields, for maps
	plans  plans[*projection]
}

func (*valueToKey) ConfigDef() *config.Def {
	return config.NewDef(names("fields", "Names of the fields of the value that make the key."), replaceNullKey())
}

func (t *valueToKey) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err == nil {
		t.fields, t.withDefault = v.List("fields"), v.Bool(replaceNull)
		for _, name := range t.fields {
			t.keys = append(t.keys, name)
		}
	}
	return err
}

func (t *valueToKey) plan(s *data.Schema) (*projection, error) {
	p := &projection{}
	b := data.NewStructSchema()
	for _, name := range t.fields {
		f := s.Field(name)
		if f == nil {
			return nil, dataError("Field does not exist: %s", name)
		}
		b.Field(name, f.Schema)
		p.from = append(p.from, f.Index)
	}
	var err error
	p.schema, err = b.Build()
	return p, asJava(err)
}

func (t *valueToKey) Apply(rec *connect.Record) (bool, error) {
	return fields(&rec.Value, &rec.Key, "copying fields from value to key", func(m *data.Map) (*data.Map, error) {
		key := data.NewHashMap(len(t.fields))
		for _, name := range t.keys {
			field, _ := m.Get(name)
			key.Put(name, field)
		}
		return key, nil
	}, func(in *data.Struct) (*data.Struct, error) {
		p, err := t.plans.get(in.Schema(), t.plan)
		if err != nil {
			return nil, err
		}
		return p.apply(t.reader, in)
	})
}
