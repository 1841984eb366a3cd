package transform

import (
	"time"

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
	d := t.side.of(rec)
	if d.Null() {
		return true, nil
	}
	return fields(d, d, "flattening", func(m *data.Map) (*data.Map, error) {
		if isFlat(m) {
			return m.AsLinked(), nil
		}
		out := data.NewLinkedMap(m.Len())
		return out, t.flattenMap(out, m, "", 0)
	}, func(in *data.Struct) (*data.Struct, error) {
		p, err := t.plans.get(in.Schema(), t.plan)
		if err != nil {
			return nil, err
		}
		return p.apply(in)
	})
}

func (p *flattenPlan) apply(in *data.Struct) (*data.Struct, error) {
	out := data.NewStruct(p.schema)
	for to, path := range p.paths {
		parent := in
		for _, i := range path[:len(path)-1] {
			if parent, _ = parent.At(i).(*data.Struct); parent == nil {
				break
			}
		}
		if parent == nil {
			continue // the fields of a null struct stay null, required or not
		}
		if v := parent.At(path[len(path)-1]); v != nil {
			out.SetAt(to, v)
		} else if err := out.PutAt(to, nil); err != nil {
			return nil, asJava(err)
		}
	}
	return out, nil
}

// isFlat tells that nothing is to be done for any entry.
func isFlat(m *data.Map) bool {
	for _, e := range m.Entries() {
		switch e.Value.(type) {
		case *data.Map, *data.Struct, time.Time, data.Decimal:
			return false
		}
		if _, ok := e.Key.(string); !ok {
			return false
		}
	}
	return true
}

func (t *flatten) flattenMap(out, m *data.Map, prefix string, depth int) error {
	if depth > maxDepth {
		return dataError("Flatten transformation does not support maps nested deeper than %d (for field %s).", maxDepth, prefix)
	}
	for _, e := range m.JavaOrder() {
		key, ok := e.Key.(string)
		if !ok {
			return notString(e.Key)
		}
		name, boxed := key, e.Key
		if prefix != "" {
			name = t.join(prefix, key)
			boxed = name
		}
		switch v := e.Value.(type) {
		case *data.Map:
			if err := t.flattenMap(out, v, name, depth+1); err != nil {
				return err
			}
		case *data.Struct:
			return dataError("Flatten transformation does not support class %s for record without schemas (for field %s).", data.JavaClass(v), name)
		case time.Time, data.Decimal:
			return dataError("Flatten transformation was passed a value of type class %s which is not supported by Connect's data API", data.JavaClass(v))
		default:
			out.Put(boxed, v)
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
