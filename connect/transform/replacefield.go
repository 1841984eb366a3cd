package transform

import (
	"cmp"
	"maps"
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
	renames          []rename
	reverse          map[string]string // new to old names
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
	renames, err := parseRenames(v.List("renames"))
	if err != nil {
		return err
	}
	t.reverse = map[string]string{}
	for _, old := range config.HashOrder(slices.Sorted(maps.Keys(renames))) {
		t.renames = append(t.renames, rename{old, renames[old]})
		t.reverse[renames[old]] = old
	}
	return nil
}

// rename is an entry of renames; to is boxed for maps.
type rename struct {
	from string
	to   any
}

// name returns the new name of a field, and boxed: as it is if it stays. It is false when
// the field is left out.
func (t *replaceField) name(field string, boxed any) (any, bool) {
	if slices.Contains(t.exclude, field) || len(t.include) > 0 && !slices.Contains(t.include, field) {
		return nil, false
	}
	for i := range t.renames {
		if t.renames[i].from == field {
			return t.renames[i].to, true
		}
	}
	return boxed, true
}

// plan finds the source of each field by its new name. Java parity: where a field has the
// name that another one is to get, its value is taken from that one.
func (t *replaceField) plan(s *data.Schema) (*projection, error) {
	p := &projection{}
	b := basics(data.NewStructSchema(), s)
	missing := ""
	for i, f := range s.Fields() {
		renamed, ok := t.name(f.Name, f.Name)
		if !ok {
			continue
		}
		name := renamed.(string)
		b.Field(name, f.Schema)
		if old, ok := t.reverse[name]; ok && old != f.Name {
			from := s.Field(old)
			if from == nil {
				missing = cmp.Or(missing, old)
				continue
			}
			i, p.check = from.Index, p.check || from.Schema != f.Schema
		}
		p.from = append(p.from, i)
	}
	var err error
	if *p, err = p.build(b); err == nil && missing != "" {
		err = dataError("%s is not a valid field name", missing)
	}
	return p, err
}

func (t *replaceField) Apply(rec *connect.Record) (bool, error) {
	d := t.side.of(rec)
	if d.Null() {
		return true, nil
	}
	return fields(d, d, "field replacement", func(m *data.Map) (*data.Map, error) {
		out := data.NewHashMap(m.Len())
		entries := m.InOrderFor(m.Len())
		if len(t.renames) > 0 {
			entries = m.JavaOrder() // the last one to get a name wins
		}
		for _, e := range entries {
			field, ok := e.Key.(string)
			if !ok {
				return nil, notString(e.Key)
			}
			if name, ok := t.name(field, e.Key); ok {
				out.Put(name, e.Value)
			}
		}
		return out, nil
	}, func(in *data.Struct) (*data.Struct, error) {
		p, err := t.plans.get(in.Schema(), t.plan)
		if err != nil {
			return nil, err
		}
		return p.apply(t.reader, in)
	})
}
