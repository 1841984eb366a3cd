package transform

import (
	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// hoistField wraps the key or value in a struct or map of one field.
type hoistField struct {
	closer
	side  side
	name  string
	plans plans[*data.Schema]
}

func (*hoistField) ConfigDef() *config.Def {
	return config.NewDef(ranked(config.Medium, required("field", config.TypeString, "Name of the field that holds the old key or value.", nil)))
}

func (t *hoistField) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err == nil {
		t.name = v.String("field")
	}
	return err
}

func (t *hoistField) Apply(rec *connect.Record) (bool, error) {
	d := t.side.of(rec)
	v, err := d.Value()
	if err != nil {
		return false, err
	}
	if d.Schema() == nil {
		m := data.NewMap(1)
		m.Put(t.name, v)
		d.SetValue(nil, m)
		return true, nil
	}
	s, err := t.plans.get(d.Schema(), func(s *data.Schema) (*data.Schema, error) {
		return data.NewStructSchema().Field(t.name, s).Build()
	})
	if err != nil {
		return false, asJava(err)
	}
	out := data.NewStruct(s)
	if err := out.PutAt(0, v); err != nil {
		return false, asJava(err)
	}
	d.SetValue(s, out)
	return true, nil
}
