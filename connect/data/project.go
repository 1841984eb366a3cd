package data

// Project converts a record of the source schema to the target schema: fields by name,
// numbers widened, missing fields filled from defaults (Java: SchemaProjector). Errors
// have the kind NotProjectable, or Invalid when a projected value does not fit.
func Project(source *Schema, record any, target *Schema) (any, error) {
	if err := checkProjectable(source, target); err != nil {
		return nil, err
	}
	if source.optional && !target.optional {
		if target.def == nil {
			return nil, notProjectable("Writer schema is optional, however, target schema does not provide a default value.")
		}
		if record == nil {
			return target.def, nil
		}
	}
	if record == nil {
		return nil, nil
	}
	switch target.typ {
	case StructType:
		return projectStruct(source, record, target)
	case Array:
		return projectArray(source, record, target)
	case MapType:
		return projectMap(source, record, target)
	default:
		return widen(source.typ, record, target.typ), nil
	}
}

func notProjectable(msg string) *Error { return &Error{Kind: NotProjectable, Msg: msg} }

func checkProjectable(source, target *Schema) error {
	switch {
	case source.typ != target.typ && !promotable(source.typ, target.typ):
		return notProjectable("Schema type mismatch. source type: " + source.typ.String() + " and target type: " + target.typ.String())
	case source.name != target.name:
		return notProjectable("Schema name mismatch. source name: " + orNull(source.name) + " and target name: " + orNull(target.name))
	case !sameParameters(source, target):
		return notProjectable("Schema parameters not equal. source parameters: " + parameterText(source.params) + " and target parameters: " + parameterText(target.params))
	}
	return nil
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

func parameterText(params []Parameter) string {
	if len(params) == 0 {
		return "null"
	}
	b := []byte{'{'}
	for i, p := range params {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(append(b, p.Key...), '='), p.Value...)
	}
	return string(append(b, '}'))
}

// promotable reports whether numbers of one type may become the other; both in the
// order INT8 to FLOAT64.
func promotable(from, to Type) bool { return from <= to && to <= Float64 }

func projectStruct(source *Schema, record any, target *Schema) (any, error) {
	in, ok := record.(*Struct)
	if !ok {
		return nil, invalid("Invalid type for STRUCT: class %s", JavaClass(record))
	}
	out := NewStruct(target)
	for i := range target.fields {
		f := &target.fields[i]
		from := source.Field(f.Name)
		switch {
		case from != nil:
			v, err := in.Get(f.Name)
			if err != nil {
				return nil, err
			}
			v, err = Project(from.Schema, v, f.Schema)
			if err != nil {
				return nil, projectingField(f.Name, err)
			}
			if err := out.PutAt(i, v); err != nil {
				return nil, err
			}
		case f.Schema.optional:
		case f.Schema.def != nil:
			out.SetAt(i, f.Schema.def)
		default:
			return nil, notProjectable("Required field `" + f.Name + "` is missing from source schema: " + source.String())
		}
	}
	return out, nil
}

func projectingField(name string, err error) error {
	if e, ok := err.(*Error); ok && e.Kind == NotProjectable { //nolint:errorlint // this very error
		return &Error{Kind: NotProjectable, Msg: "Error projecting " + name, Err: err}
	}
	return err
}

func projectArray(source *Schema, record any, target *Schema) (any, error) {
	in, ok := record.([]any)
	if !ok {
		return nil, invalid("Invalid type for ARRAY: class %s", JavaClass(record))
	}
	out := make([]any, len(in))
	for i, e := range in {
		v, err := Project(source.value, e, target.value)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func projectMap(source *Schema, record any, target *Schema) (any, error) {
	in, ok := record.(*Map)
	if !ok {
		return nil, invalid("Invalid type for MAP: class %s", JavaClass(record))
	}
	out := NewMap(in.Len())
	for _, e := range in.entries {
		k, err := Project(source.key, e.Key, target.key)
		if err != nil {
			return nil, err
		}
		v, err := Project(source.value, e.Value, target.value)
		if err != nil {
			return nil, err
		}
		out.Put(k, v)
	}
	return out, nil
}

// widen converts a number to a wider type; anything else stays as it is.
func widen(from Type, v any, to Type) any {
	if !promotable(from, to) {
		return v
	}
	switch x := v.(type) {
	case int8:
		return number(int64(x), to)
	case int16:
		return number(int64(x), to)
	case int32:
		return number(int64(x), to)
	case int64:
		return number(x, to)
	case float32:
		return floating(float64(x), to)
	case float64:
		return floating(x, to)
	}
	return v
}

func number(v int64, to Type) any {
	switch to {
	case Int8:
		return int8(v)
	case Int16:
		return int16(v)
	case Int32:
		return int32(v)
	case Int64:
		return v
	case Float32:
		return float32(v)
	default:
		return float64(v)
	}
}

func floating(v float64, to Type) any {
	if to == Float32 {
		return float32(v)
	}
	return v
}
