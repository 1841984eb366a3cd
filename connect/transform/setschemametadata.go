package transform

import (
	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// setSchemaMetadata sets the name and version of a struct schema.
type setSchemaMetadata struct {
	closer
	reader
	side       side
	name       string
	version    int
	hasName    bool
	hasVersion bool
	plans      plans[*projection]
}

func (*setSchemaMetadata) ConfigDef() *config.Def {
	return config.NewDef(ranked(config.High, optional("schema.name", config.TypeString, nil, "Name of the schema.", nil)),
		ranked(config.High, optional("schema.version", config.TypeInt, nil, "Version of the schema.", nil)), replaceNullKey())
}

func (t *setSchemaMetadata) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.withDefault, t.hasName, t.hasVersion = v.Bool(replaceNull), !v.Null("schema.name"), !v.Null("schema.version")
	if !t.hasName && !t.hasVersion {
		return &config.Error{Msg: "Neither schema name nor version configured"}
	}
	if t.hasName {
		t.name = v.String("schema.name")
	}
	if t.hasVersion {
		t.version = v.Int("schema.version")
	}
	return nil
}

func (t *setSchemaMetadata) plan(s *data.Schema) (*projection, error) {
	fields, err := structFields(s)
	if err != nil {
		return nil, err
	}
	b := data.NewStructSchema()
	switch name := s.Name(); {
	case t.hasName:
		b.Name(t.name)
	case name != "":
		b.Name(name)
	}
	if v, ok := s.Version(); t.hasVersion {
		b.Version(t.version)
	} else if ok {
		b.Version(v)
	}
	if s.Doc() != "" {
		b.Doc(s.Doc())
	}
	b.Parameters(s.Parameters())
	if s.Optional() {
		b.Optional()
	}
	p := &projection{}
	for i, f := range fields {
		b.Field(f.Name, f.Schema)
		p.from = append(p.from, i)
	}
	p.schema, err = b.Build()
	return p, asJava(err)
}

func (t *setSchemaMetadata) Apply(rec *connect.Record) (bool, error) {
	d := t.side.of(rec)
	v, err := d.Value()
	if err != nil {
		return false, err
	}
	if d.Schema() == nil {
		if v == nil {
			return true, nil
		}
		return false, dataError("Schema required for [updating schema metadata]")
	}
	p, err := t.plans.get(d.Schema(), t.plan)
	if err != nil {
		return false, err
	}
	in, ok := v.(*data.Struct)
	if !ok {
		d.SetValue(p.schema, v)
		return true, nil
	}
	out, err := p.apply(t.reader, in)
	if err != nil {
		return false, err
	}
	d.SetValue(p.schema, out)
	return true, nil
}
