package transform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

const castPurpose = "cast types"

// outputTypes are the types to cast to; BYTES is one to cast from, too.
var outputTypes = []data.Type{data.Int8, data.Int16, data.Int32, data.Int64, data.Float32, data.Float64, data.Boolean, data.String}

// cast changes the type of fields or of the whole key or value.
type cast struct {
	closer
	reader
	side  side
	whole bool
	to    data.Type // when whole
	specs []castSpec
	plans plans[*castPlan]
}

type castSpec struct {
	field string
	key   any // field, for maps
	to    data.Type
}

type castPlan struct {
	schema *data.Schema
	casts  []bool // of each field
}

func (*cast) ConfigDef() *config.Def {
	return config.NewDef(required("spec", config.TypeList, "Pairs field:type, or one type for the whole value: int8, int16, int32, int64, float32, float64, boolean or string.",
		func(_ string, v any) error {
			list, _ := v.([]string)
			_, _, err := parseCasts(list)
			return err
		}), replaceNullKey())
}

// parseCasts returns the casts; whole tells that the single one is of the whole value.
func parseCasts(list []string) (specs []castSpec, whole bool, err error) {
	if len(list) == 0 {
		return nil, false, &config.Error{Key: "spec", Msg: "Must specify at least one field to cast."}
	}
	for _, item := range list {
		parts := strings.Split(strings.TrimRight(item, ":"), ":")
		if len(parts) > 2 {
			return nil, false, &config.Error{Key: "spec", Msg: config.Invalid("renames", list, "Invalid rename mapping: "+item).Msg} // the JVM's name for it
		}
		name := strings.TrimSpace(parts[len(parts)-1])
		t, ok := typeOfName(strings.ToUpper(name))
		if !ok {
			msg := "No enum constant org.apache.kafka.connect.data.Schema.Type." + strings.ToUpper(name)
			return nil, false, &config.Error{Key: "spec", Msg: "Invalid value java.lang.IllegalArgumentException: " + msg +
				" for configuration Invalid type found in casting spec: " + name}
		}
		if !slices.Contains(outputTypes, t) {
			return nil, false, &config.Error{Key: "spec", Msg: fmt.Sprintf("Cast transformation does not support casting to %s; supported types are %s", t, typeNames(outputTypes))}
		}
		field := ""
		if len(parts) == 2 {
			field = strings.TrimSpace(parts[0])
		} else {
			whole = true
		}
		specs = append(specs, castSpec{field, field, t})
	}
	if whole && len(specs) > 1 {
		return nil, false, &config.Error{Key: "spec", Msg: "Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec"}
	}
	return specs, whole, nil
}

func typeOfName(name string) (data.Type, bool) {
	for t := data.Int8; t <= data.StructType; t++ {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}

func typeNames(types []data.Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return "[" + strings.Join(names, ", ") + "]"
}

func (t *cast) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.withDefault = v.Bool(replaceNull)
	t.specs, t.whole, err = parseCasts(v.List("spec"))
	t.specs = inHashOrder(t.specs)
	if t.whole {
		t.to = t.specs[0].to
	}
	return err
}

// inHashOrder leaves the last cast of each field, in the order in which the JVM applies
// them: it decides which of several mistakes is found.
func inHashOrder(specs []castSpec) []castSpec {
	byField := map[string]castSpec{}
	var fields []string
	for _, s := range specs {
		if _, ok := byField[s.field]; !ok {
			fields = append(fields, s.field)
		}
		byField[s.field] = s
	}
	out := make([]castSpec, len(fields))
	for i, field := range config.HashOrder(fields) {
		out[i] = byField[field]
	}
	return out
}

func (t *cast) spec(field string) (data.Type, bool) {
	for _, s := range t.specs {
		if s.field == field {
			return s.to, true
		}
	}
	return 0, false
}

func (t *cast) Apply(rec *connect.Record) (bool, error) {
	d := t.side.of(rec)
	if d.Null() {
		return true, nil
	}
	v, err := d.Value()
	if err != nil {
		return false, err
	}
	s := d.Schema()
	if s == nil {
		v, err = t.schemaless(v)
	} else {
		var p *castPlan
		if p, err = t.plans.get(s, t.plan); err == nil {
			s = p.schema
			v, err = t.withSchema(d.Schema(), p, v)
		}
	}
	if err != nil {
		return false, err
	}
	d.SetValue(s, v)
	return true, nil
}

func (t *cast) schemaless(v any) (any, error) {
	if t.whole {
		return castValue(nil, v, t.to)
	}
	m, err := needMap(v, castPurpose)
	if err != nil {
		return nil, err
	}
	out := m.HashCopy(len(t.specs))
	for _, s := range t.specs {
		old, _ := m.Get(s.key)
		v, err := castValue(nil, old, s.to)
		if err != nil {
			return nil, err
		}
		out.Put(s.key, v)
	}
	return out, nil
}

func (t *cast) withSchema(s *data.Schema, p *castPlan, v any) (any, error) {
	if t.whole {
		return castValue(s, v, t.to)
	}
	in, err := needStruct(v, castPurpose)
	if err != nil {
		return nil, err
	}
	out := data.NewStruct(p.schema)
	for i, f := range s.Fields() {
		if !p.casts[i] {
			if err := t.copyField(out, i, in, i); err != nil {
				return nil, err
			}
			continue
		}
		v, err := castValue(f.Schema, t.at(in, i), p.schema.Fields()[i].Schema.Type())
		if err == nil {
			err = asJava(out.PutAt(i, v))
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *cast) plan(s *data.Schema) (*castPlan, error) {
	if t.whole {
		b := basics(data.NewBuilder(t.to), s)
		out, err := finishCast(b, s, t.to)
		return &castPlan{schema: out}, err
	}
	fields, err := structFields(s)
	if err != nil {
		return nil, err
	}
	p := &castPlan{casts: make([]bool, len(fields))}
	b := basics(data.NewStructSchema(), s)
	for i, f := range fields {
		fs := f.Schema
		to, ok := t.spec(f.Name)
		if ok {
			p.casts[i] = true
			if fs, err = finishCast(data.NewBuilder(to), f.Schema, to); err != nil {
				return nil, err
			}
		}
		b.Field(f.Name, fs)
	}
	if s.Optional() {
		b.Optional()
	}
	p.schema, err = b.Build()
	return p, asJava(err)
}

// finishCast adds the optionality and the cast default of from.
func finishCast(b *data.Builder, from *data.Schema, to data.Type) (*data.Schema, error) {
	if from.Optional() {
		b.Optional()
	}
	if from.Default() != nil {
		v, err := castValue(from, from.Default(), to)
		if err != nil {
			return nil, err
		}
		b.Default(v)
	}
	s, err := b.Build()
	return s, asJava(err)
}
