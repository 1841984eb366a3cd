package data

// NewStruct returns an empty struct. It panics with an *Error when the schema is not of
// type STRUCT, which is a mistake of the caller.
func NewStruct(s *Schema) *Struct {
	if s == nil || s.typ != StructType {
		panic(invalid("Not a struct schema: %s", s))
	}
	return &Struct{schema: s, values: make([]any, len(s.fields))}
}

// StructOf returns a struct that takes values, one per field in order, without checking
// or copying them. It is for converters that have checked them already.
func StructOf(s *Schema, values []any) *Struct {
	if s == nil || s.typ != StructType || len(values) != len(s.fields) {
		panic(invalid("Not a struct schema: %s", s))
	}
	return &Struct{schema: s, values: values}
}

// Schema returns the schema.
func (s *Struct) Schema() *Schema { return s.schema }

// At returns the value of the i-th field, or its default when it is null. It allocates
// nothing; a compiled plan uses it.
func (s *Struct) At(i int) any {
	if v := s.values[i]; v != nil {
		return v
	}
	return s.schema.fields[i].Schema.def
}

// AtWithoutDefault returns the value of the i-th field as it was put.
func (s *Struct) AtWithoutDefault(i int) any { return s.values[i] }

// SetAt sets the i-th field without checking the value.
func (s *Struct) SetAt(i int, v any) { s.values[i] = v }

// Get returns the value of the named field, or its default when it is null.
func (s *Struct) Get(name string) (any, error) {
	f, err := s.lookup(name)
	if err != nil {
		return nil, err
	}
	return s.At(f.Index), nil
}

// GetWithoutDefault returns the value of the named field as it was put.
func (s *Struct) GetWithoutDefault(name string) (any, error) {
	f, err := s.lookup(name)
	if err != nil {
		return nil, err
	}
	return s.values[f.Index], nil
}

// GetType returns the value of the named field as it was put. The field must be of type t.
func (s *Struct) GetType(name string, t Type) (any, error) {
	f, err := s.lookup(name)
	if err != nil {
		return nil, err
	}
	if f.Schema.typ != t {
		return nil, invalid("Field '%s' is not of type %s", name, t)
	}
	return s.values[f.Index], nil
}

// Put checks and sets the value of the named field. Java parity: null in a required
// field is refused even if the field has a default.
func (s *Struct) Put(name string, v any) error {
	f, err := s.lookup(name)
	if err != nil {
		return err
	}
	return s.PutAt(f.Index, v)
}

// PutAt checks and sets the value of the i-th field.
func (s *Struct) PutAt(i int, v any) error {
	f := &s.schema.fields[i]
	if err := ValidateField(f.Name, f.Schema, v); err != nil {
		return err
	}
	s.values[i] = v
	return nil
}

func (s *Struct) lookup(name string) (*Field, error) {
	if f := s.schema.Field(name); f != nil {
		return f, nil
	}
	return nil, invalid("%s is not a valid field name", name)
}

// Validate checks all fields. Here null in a required field that has a default is legal.
func (s *Struct) Validate() error {
	for i := range s.schema.fields {
		f := &s.schema.fields[i]
		v := s.values[i]
		if v == nil && (f.Schema.optional || f.Schema.def != nil) {
			continue
		}
		if err := ValidateField(f.Name, f.Schema, v); err != nil {
			return err
		}
	}
	return nil
}

// Equal reports whether schemas and values are equal.
func (s *Struct) Equal(o *Struct) bool { return Equal(s, o) }

// String returns Java's text, e.g. Struct{a=1}; fields that are null are left out.
func (s *Struct) String() string { return JavaString(s) }
