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
	plans  plans[*projection]
}

func (*valueToKey) ConfigDef() *config.Def {
	return config.NewDef(required("fields", config.TypeList, "Names of the fields of the value that make the key.", emptyList), replaceNullKey())
}

func (t *valueToKey) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err == nil {
		t.fields, t.withDefault = v.List("fields"), v.Bool(replaceNull)
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
	const purpose = "copying fields from value to key"
	v, err := rec.Value.Value()
	if err != nil {
		return false, err
	}
	if rec.Value.Schema() == nil {
		m, err := needMap(v, purpose)
		if err != nil {
			return false, err
		}
		key := data.NewMap(len(t.fields))
		for _, name := range t.fields {
			field, _ := m.Get(name)
			key.Put(name, field)
		}
		rec.Key.SetValue(nil, key)
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
	key, err := p.apply(t.reader, in)
	if err != nil {
		return false, err
	}
	rec.Key.SetValue(p.schema, key)
	return true, nil
}
