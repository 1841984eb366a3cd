package transform

import (
	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// maxDepth bounds the nesting that is flattened, against recursive schemas.
const maxDepth = 512

// flatten lifts the fields of nested structs and maps to the top.
type flatten struct {
	closer
	side      side
	delimiter string
	plans     plans[*flattenPlan]
}

// flattenPlan leads to each field of the flat schema by the indexes on its way.
type flattenPlan struct {
	schema *data.Schema
	paths  [][]int
}

func (*flatten) ConfigDef() *config.Def {
	return config.NewDef(optional("delimiter", config.TypeString, ".", "Text between the names of nested fields.", nil))
}

func (t *flatten) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err == nil {
		t.delimiter = v.String("delimiter")
	}
	return err
}

func (t *flatten) join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + t.delimiter + name
}

func (t *flatten) Apply(rec *connect.Record) (bool, error) {
	const purpose = "flattening"
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
		out := data.NewLinkedMap(m.Len())
		if err := t.flattenMap(out, m, "", 0); err != nil {
			return false, err
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
	out := data.NewStruct(p.schema)
	for to, path := range p.paths {
		v := in.At(path[0])
		for _, i := range path[1:] {
			s, ok := v.(*data.Struct)
			if !ok {
				v = nil
				break
			}
			v = s.At(i)
		}
		if v != nil {
			out.SetAt(to, v)
		}
	}
	d.SetValue(p.schema, out)
	return true, nil
}

func (t *flatten) flattenMap(out, m *data.Map, prefix string, depth int) error {
	if depth > maxDepth {
		return dataError("Flatten transformation does not support maps nested deeper than %d (for field %s).", maxDepth, prefix)
	}
	for _, e := range m.Entries() {
		name := t.join(prefix, data.JavaString(e.Key))
		switch v := e.Value.(type) {
		case *data.Map:
			if err := t.flattenMap(out, v, name, depth+1); err != nil {
				return err
			}
		case *data.Struct:
			return dataError("Flatten transformation does not support class %s for record without schemas (for field %s).", data.JavaClass(v), name)
		default:
			out.Put(name, v)
		}
	}
	return nil
}

func (t *flatten) plan(s *data.Schema) (*flattenPlan, error) {
	p := &flattenPlan{}
	b := basics(data.NewStructSchema(), s)
	parent, _ := s.Default().(*data.Struct)
	if err := t.addFields(p, b, s, "", nil, s.Optional(), parent); err != nil {
		return nil, err
	}
	var err error
	p.schema, err = b.Build()
	return p, asJava(err)
}

func (t *flatten) addFields(p *flattenPlan, b *data.Builder, s *data.Schema, prefix string, path []int, optional bool, parent *data.Struct) error {
	if len(path) > maxDepth {
		return dataError("Flatten transformation does not support recursive schemas (for field %s).", prefix)
	}
	for _, f := range s.Fields() {
		name := t.join(prefix, f.Name)
		opt := optional || f.Schema.Optional()
		def := f.Schema.Default()
		if def == nil && parent != nil {
			def = parent.At(f.Index)
		}
		at := append(path[:len(path):len(path)], f.Index)
		var fb *data.Builder
		switch f.Schema.Type() {
		case data.MapType:
			return dataError("Flatten transformation does not support MAP for record with schemas (for field %s).", name)
		case data.StructType:
			nested, _ := def.(*data.Struct)
			if err := t.addFields(p, b, f.Schema, name, at, opt, nested); err != nil {
				return err
			}
			continue
		case data.Array:
			fb = data.NewArray(f.Schema.ValueSchema())
		default:
			fb = data.NewBuilder(f.Schema.Type())
		}
		basics(fb, f.Schema)
		if opt {
			fb.Optional()
		}
		if def != nil {
			fb.Default(def)
		}
		fs, err := fb.Build()
		if err != nil {
			return asJava(err)
		}
		b.Field(name, fs)
		p.paths = append(p.paths, at)
	}
	return nil
}
