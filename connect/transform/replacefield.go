package transform

import (
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// replaceField leaves out and renames fields.
type replaceField struct {
	closer
	reader
	side             side
	include, exclude []string
	renames          map[string]string
	plans            plans[*projection]
}

func (*replaceField) ConfigDef() *config.Def {
	list := func(name, doc string) config.Key {
		k := optional(name, config.TypeList, []string{}, doc, nil)
		k.List = &config.ListRule{AllowEmpty: true}
		return k
	}
	return config.NewDef(list("exclude", "Names of the fields to leave out; stronger than include."),
		list("include", "Names of the fields to keep; empty = all."),
		optional("renames", config.TypeList, []string{}, "Pairs old:new.", func(_ string, v any) error {
			items, _ := v.([]string)
			_, err := parseRenames(items)
			return err
		}), replaceNullKey())
}

func parseRenames(items []string) (map[string]string, error) {
	renames := map[string]string{}
	for _, item := range items {
		parts := strings.Split(strings.TrimRight(item, ":"), ":")
		if len(parts) != 2 {
			return nil, config.Invalid("renames", config.JavaText(items), "Invalid rename mapping: "+item)
		}
		renames[parts[0]] = parts[1]
	}
	return renames, nil
}

func (t *replaceField) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.withDefault, t.include, t.exclude = v.Bool(replaceNull), v.List("include"), v.List("exclude")
	t.renames, err = parseRenames(v.List("renames"))
	return err
}

// name returns the new name of a field, false when it is left out.
func (t *replaceField) name(field string) (string, bool) {
	if slices.Contains(t.exclude, field) || len(t.include) > 0 && !slices.Contains(t.include, field) {
		return "", false
	}
	if to, ok := t.renames[field]; ok {
		return to, true
	}
	return field, true
}

func (t *replaceField) plan(s *data.Schema) (*projection, error) {
	p := &projection{}
	b := basics(data.NewStructSchema(), s)
	for i, f := range s.Fields() {
		if name, ok := t.name(f.Name); ok {
			b.Field(name, f.Schema)
			p.from = append(p.from, i)
		}
	}
	var err error
	p.schema, err = b.Build()
	return p, asJava(err)
}

func (t *replaceField) Apply(rec *connect.Record) (bool, error) {
	const purpose = "field replacement"
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
		out := data.NewMap(m.Len())
		for _, e := range m.Entries() {
			field, ok := e.Key.(string)
			if !ok {
				out.Put(e.Key, e.Value)
			} else if name, ok := t.name(field); ok {
				out.Put(name, e.Value)
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
	d.SetValue(p.schema, out)
	return true, nil
}
