package partitioner

import (
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// maxPlans bounds how many schemas a partitioner has a plan for.
const maxPlans = 1000

// fieldPartitioner names fields and their values (Java: FieldPartitioner). A name with
// dots that no field has is a path into nested structures, which the JVM connector has
// from storage-common 12 on.
type fieldPartitioner struct {
	fields []string
	delim  string
	buf    []byte
	names  names
	schema *data.Schema // of plan
	plan   []fieldPlan
	plans  map[*data.Schema][]fieldPlan
}

// fieldPlan tells where a field is in structs of a schema.
type fieldPlan struct {
	prefix string // region=, with the delimiter before it
	name   string
	path   []data.Field
	schema *data.Schema // of the field; nil: there is no such field
}

func newField(o Options) *fieldPartitioner {
	return &fieldPartitioner{fields: o.Fields, delim: o.Delim, names: names{check: o.Check}, plans: map[*data.Schema][]fieldPlan{}}
}

const encodingFailed = "Error encoding partition."

// Encode implements Partitioner.
func (p *fieldPartitioner) Encode(rec *connect.SinkRecord, _ int64) (string, error) {
	value, err := rec.Value.Value()
	if err != nil {
		return "", err
	}
	s, ok := value.(*data.Struct)
	if !ok {
		return "", partitionError(encodingFailed,
			"Value is not Struct type. "+KeyFields+" needs values with a schema; use a converter that gives them one, or another "+KeyClass+".")
	}
	if s.Schema() != p.schema {
		p.setPlan(s.Schema())
	}
	p.buf = p.buf[:0]
	for i := range p.plan {
		if err := p.append(&p.plan[i], s, rec); err != nil {
			return "", err
		}
	}
	return p.names.of(p.buf)
}

// setPlan looks a schema's fields up once.
func (p *fieldPartitioner) setPlan(s *data.Schema) {
	plan, ok := p.plans[s]
	if !ok {
		for i, name := range p.fields {
			f := fieldPlan{prefix: name + "=", name: name}
			if i > 0 {
				f.prefix = p.delim + f.prefix
			}
			f.path, f.schema = resolvePath(s, name)
			plan = append(plan, f)
		}
		if len(p.plans) >= maxPlans {
			p.plans = map[*data.Schema][]fieldPlan{}
		}
		p.plans[s] = plan
	}
	p.schema, p.plan = s, plan
}

// resolvePath finds a field by its name, or else by the path that the name is.
func resolvePath(s *data.Schema, name string) ([]data.Field, *data.Schema) {
	if f := s.Field(name); f != nil {
		return []data.Field{*f}, f.Schema
	}
	return resolveDotted(s, strings.Split(name, "."))
}

// resolveDotted returns nil when a step is missing or leads through something else than a struct.
func resolveDotted(s *data.Schema, names []string) (path []data.Field, leaf *data.Schema) {
	for _, name := range names {
		f := s.Field(name)
		if f == nil {
			return nil, nil
		}
		path = append(path, *f)
		s = f.Schema
	}
	return path, s
}

// follow returns the value at a path, with defaults for nulls; nil when any step is null.
func follow(s *data.Struct, path []data.Field) any {
	for i := range path {
		v := at(s, &path[i])
		if i == len(path)-1 {
			return v
		}
		next, ok := v.(*data.Struct)
		if !ok {
			return nil
		}
		s = next
	}
	return nil
}

// at reads a field by its place. A nested struct may have been built with another, equal
// schema than its parent's field has.
func at(s *data.Struct, f *data.Field) any {
	fields := s.Schema().Fields()
	if f.Index < len(fields) && fields[f.Index].Name == f.Name {
		return s.At(f.Index)
	}
	v, err := s.Get(f.Name)
	if err != nil {
		return nil
	}
	return v
}

func (p *fieldPartitioner) append(f *fieldPlan, s *data.Struct, rec *connect.SinkRecord) error {
	if f.schema == nil {
		return dataError(f.name+" is not a valid field name",
			"The value's schema has no field "+f.name+". Set "+KeyFields+" to fields that all records have.", nil)
	}
	p.buf = append(p.buf, f.prefix...)
	v := follow(s, f.path)
	switch v := v.(type) {
	case string:
		p.buf = append(p.buf, v...)
		return nil
	case bool:
		p.buf = strconv.AppendBool(p.buf, v)
		return nil
	case int8:
		p.buf = strconv.AppendInt(p.buf, int64(v), 10)
		return nil
	case int16:
		p.buf = strconv.AppendInt(p.buf, int64(v), 10)
		return nil
	case int32:
		p.buf = strconv.AppendInt(p.buf, int64(v), 10)
		return nil
	case int64:
		p.buf = strconv.AppendInt(p.buf, v, 10)
		return nil
	}
	return p.refuse(f, v, rec)
}

// refuse is the rest of append: null text is the word null, the rest are the JVM's errors.
func (p *fieldPartitioner) refuse(f *fieldPlan, v any, rec *connect.SinkRecord) error {
	switch f.schema.Type() {
	case data.String:
		p.buf = append(p.buf, "null"...)
		return nil
	case data.Int8, data.Int16, data.Int32, data.Int64, data.Boolean:
		if v == nil {
			return fatal(nullPointer, "Cannot encode null",
				"The field "+f.name+" is null. Give the field a default, leave the record out with a filter, or partition by another field.")
		}
		return fatal(classCast, "class java.util.Date cannot be cast to class java.lang.Number",
			"The field "+f.name+" is a "+f.schema.Name()+", which cannot name a directory. Use the TimeBasedPartitioner with timestamp.extractor=RecordField.")
	default:
		return partitionError(encodingFailed, "Type "+f.schema.Type().String()+" is not supported as a partition key, but the field "+
			f.name+" has it. Set "+KeyFields+" to fields of integers, text or booleans.")
	}
}
