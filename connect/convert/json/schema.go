package json

import (
	"strconv"

	"github.com/penstock-io/penstock/connect/data"
)

// typeNames are the names of the types in a JSON schema.
var typeNames = [...]string{
	data.Int8: "int8", data.Int16: "int16", data.Int32: "int32", data.Int64: "int64",
	data.Float32: "float", data.Float64: "double", data.Boolean: "boolean",
	data.String: "string", data.Bytes: "bytes",
	data.Array: "array", data.MapType: "map", data.StructType: "struct",
}

// schema returns the schema that a node describes; a null describes none.
func (r *reader) schema(n *node) (*data.Schema, error) {
	if n.kind == null {
		return nil, nil
	}
	t := n.get("type")
	if t == nil || t.kind != text {
		return nil, dataError("Schema must contain 'type' field")
	}
	b, err := r.builder(t.text, n)
	if err != nil {
		return nil, err
	}
	if o := n.get("optional"); o != nil && o.kind == boolean && o.text == "true" {
		b.Optional()
	}
	if m := n.get("name"); m != nil && m.kind == text {
		b.Name(m.text)
	}
	if m := n.get("version"); m != nil && m.kind == integer {
		b.Version(int(int32(m.int64())))
	}
	if m := n.get("doc"); m != nil && m.kind == text {
		b.Doc(m.text)
	}
	if m := n.get("parameters"); m != nil && m.kind == object {
		for i, v := range m.elems {
			if v.kind != text {
				return nil, dataError("Schema parameters must have string values.")
			}
			b.Parameter(m.names[i], v.text)
		}
	}
	if d := n.get("default"); d != nil {
		if _, err := b.Build(); err != nil {
			return nil, asConnect(err)
		}
		v, err := r.convert(b.Self(), d)
		if err != nil {
			return nil, err
		}
		b.Default(v)
	}
	s, err := b.Build()
	return s, asConnect(err)
}

func (r *reader) builder(name string, n *node) (*data.Builder, error) {
	for t := range data.Array {
		if typeNames[t] == name {
			return data.NewBuilder(t), nil
		}
	}
	switch name {
	case "array":
		items := n.get("items")
		if items == nil || items.kind == null {
			return nil, dataError("Array schema did not specify the element type")
		}
		s, err := r.schema(items)
		return data.NewArray(s), err
	case "map":
		keys, values := n.get("keys"), n.get("values")
		if keys == nil {
			return nil, dataError("Map schema did not specify the key type")
		}
		if values == nil {
			return nil, dataError("Map schema did not specify the value type")
		}
		k, err := r.schema(keys)
		if err != nil {
			return nil, err
		}
		v, err := r.schema(values)
		return data.NewMapSchema(k, v), err
	case "struct":
		return r.structBuilder(n)
	}
	return nil, dataError("Unknown schema type: %s", name)
}

func (r *reader) structBuilder(n *node) (*data.Builder, error) {
	fields := n.get("fields")
	if fields == nil || fields.kind != array {
		return nil, dataError(`Struct schema's "fields" argument is not an array.`)
	}
	b := data.NewStructSchema()
	for _, f := range fields.elems {
		name := f.get("field")
		if name == nil || name.kind != text {
			return nil, dataError("Struct schema's field name not specified properly")
		}
		s, err := r.schema(f)
		if err != nil {
			return nil, err
		}
		b.Field(name.text, s)
	}
	return b, nil
}

// appendSchema appends the JSON form of a schema, with "field" as the last member when it
// describes the named field. A schema that contains itself has no such form.
func (e *Encoder) appendSchema(dst []byte, s *data.Schema, field string, isField bool, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, dataError("Schema %s is nested more than %d deep or contains itself", s, maxDepth)
	}
	if s == nil {
		return append(dst, "null"...), nil
	}
	dst = append(append(append(dst, `{"type":"`...), typeNames[s.Type()]...), '"')
	var err error
	switch s.Type() {
	case data.Array:
		dst, err = e.appendSchema(append(dst, `,"items":`...), s.ValueSchema(), "", false, depth+1)
	case data.MapType:
		if dst, err = e.appendSchema(append(dst, `,"keys":`...), s.KeySchema(), "", false, depth+1); err == nil {
			dst, err = e.appendSchema(append(dst, `,"values":`...), s.ValueSchema(), "", false, depth+1)
		}
	case data.StructType:
		dst = append(dst, `,"fields":[`...)
		for i := range s.Fields() {
			if i > 0 {
				dst = append(dst, ',')
			}
			f := &s.Fields()[i]
			if dst, err = e.appendSchema(dst, f.Schema, f.Name, true, depth+1); err != nil {
				return nil, err
			}
		}
		dst = append(dst, ']')
	default:
	}
	if err != nil {
		return nil, err
	}
	dst, err = e.appendAttributes(dst, s)
	if err != nil {
		return nil, err
	}
	if isField {
		dst = appendQuoted(append(dst, `,"field":`...), field)
	}
	return append(dst, '}'), nil
}

func (e *Encoder) appendAttributes(dst []byte, s *data.Schema) ([]byte, error) {
	dst = strconv.AppendBool(append(dst, `,"optional":`...), s.Optional())
	if s.Name() != "" {
		dst = appendQuoted(append(dst, `,"name":`...), s.Name())
	}
	if v, ok := s.Version(); ok {
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(v), 10)
	}
	if s.Doc() != "" {
		dst = appendQuoted(append(dst, `,"doc":`...), s.Doc())
	}
	if params := s.Parameters(); len(params) > 0 {
		dst = append(dst, `,"parameters":{`...)
		for i, p := range params {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendQuoted(append(appendQuoted(dst, p.Key), ':'), p.Value)
		}
		dst = append(dst, '}')
	}
	if s.Default() == nil {
		return dst, nil
	}
	return e.Append(append(dst, `,"default":`...), s, s.Default())
}
