package data

// Builder makes a Schema. Every attribute can be set once. The first mistake is kept
// and returned by Build, so calls can be chained (Java: SchemaBuilder). A Builder is
// not safe for concurrent use, and not to be used after Build.
type Builder struct {
	s           *Schema
	optionalSet bool
	err         *Error
}

// NewBuilder starts a schema of a type without element schemas. For ARRAY and MAP see
// NewArray and NewMapSchema.
func NewBuilder(t Type) *Builder {
	b := &Builder{s: &Schema{typ: t}}
	if t > StructType {
		b.err = badSchema("type cannot be null")
	}
	return b
}

// NewStructSchema starts a STRUCT.
func NewStructSchema() *Builder { return NewBuilder(StructType) }

// NewArray starts an ARRAY of the given elements.
func NewArray(element *Schema) *Builder {
	b := NewBuilder(Array)
	if element == nil {
		b.fail(badSchema("valueSchema cannot be null."))
	}
	b.s.value = element
	return b
}

// NewMapSchema starts a MAP.
func NewMapSchema(key, value *Schema) *Builder {
	b := NewBuilder(MapType)
	switch {
	case key == nil:
		b.fail(badSchema("keySchema cannot be null."))
	case value == nil:
		b.fail(badSchema("valueSchema cannot be null."))
	}
	b.s.key, b.s.value = key, value
	return b
}

// NewDecimal starts a required Decimal schema of the given scale.
func NewDecimal(scale int32) *Builder {
	return NewBuilder(Bytes).Name(DecimalName).Parameter(DecimalScale, itoa(scale)).Version(1)
}

// NewDate starts a required Date schema.
func NewDate() *Builder { return NewBuilder(Int32).Name(DateName).Version(1) }

// NewTime starts a required Time schema.
func NewTime() *Builder { return NewBuilder(Int32).Name(TimeName).Version(1) }

// NewTimestamp starts a required Timestamp schema.
func NewTimestamp() *Builder { return NewBuilder(Int64).Name(TimestampName).Version(1) }

// DecimalSchema returns a required Decimal schema of the given scale.
func DecimalSchema(scale int32) *Schema { return NewDecimal(scale).MustBuild() }

func (b *Builder) fail(err *Error) *Builder {
	if b.err == nil {
		b.err = err
	}
	return b
}

func (b *Builder) alreadySet(what string) *Builder {
	return b.fail(badSchema("Invalid SchemaBuilder call: %s has already been set.", what))
}

// Optional makes null a legal value.
func (b *Builder) Optional() *Builder { return b.setOptional(true) }

// Required makes null an illegal value, which it is anyway.
func (b *Builder) Required() *Builder { return b.setOptional(false) }

func (b *Builder) setOptional(v bool) *Builder {
	if b.optionalSet && b.s.optional != v {
		return b.alreadySet("optional")
	}
	b.s.optional, b.optionalSet = v, true
	return b
}

// Default sets the default, which must be a legal value of the schema built so far: call
// it last. A nil default needs an optional schema and means no default.
func (b *Builder) Default(v any) *Builder {
	if b.s.def != nil {
		return b.alreadySet("default")
	}
	if err := Validate(b.s, v); err != nil {
		return b.fail(&Error{Kind: BadSchema, Msg: "Invalid default value", Err: err})
	}
	b.s.def = v
	return b
}

// Name sets the schema name.
func (b *Builder) Name(name string) *Builder {
	if b.s.name != "" && b.s.name != name {
		return b.alreadySet("name")
	}
	b.s.name = name
	return b
}

// Version sets the version.
func (b *Builder) Version(v int) *Builder {
	if b.s.hasVersion && b.s.version != v {
		return b.alreadySet("version")
	}
	b.s.version, b.s.hasVersion = v, true
	return b
}

// Doc sets the documentation.
func (b *Builder) Doc(doc string) *Builder {
	if b.s.doc != "" && b.s.doc != doc {
		return b.alreadySet("doc")
	}
	b.s.doc = doc
	return b
}

// Parameter sets one parameter; one that exists keeps its place and gets the new value.
func (b *Builder) Parameter(key, value string) *Builder {
	for i := range b.s.params {
		if b.s.params[i].Key == key {
			b.s.params[i].Value = value
			return b
		}
	}
	b.s.params = append(b.s.params, Parameter{key, value})
	return b
}

// Parameters sets several parameters.
func (b *Builder) Parameters(params []Parameter) *Builder {
	for _, p := range params {
		b.Parameter(p.Key, p.Value)
	}
	return b
}

// Field appends a field to a STRUCT.
func (b *Builder) Field(name string, schema *Schema) *Builder {
	switch {
	case b.s.typ != StructType:
		return b.fail(badSchema("Cannot create fields on type %s", b.s.typ))
	case name == "":
		return b.fail(badSchema("fieldName cannot be null."))
	case schema == nil:
		return b.fail(badSchema("fieldSchema for field %s cannot be null.", name))
	}
	if _, ok := b.s.byName[name]; ok {
		return b.fail(badSchema("Cannot create field because of field name duplication %s", name))
	}
	if b.s.byName == nil {
		b.s.byName = make(map[string]int)
	}
	b.s.byName[name] = len(b.s.fields)
	b.s.fields = append(b.s.fields, Field{Name: name, Index: len(b.s.fields), Schema: schema})
	return b
}

// Self returns the schema that Build is going to return, so that a recursive schema can
// name itself in a field. Nothing may be read of it before Build.
func (b *Builder) Self() *Schema { return b.s }

// Build returns the schema, or the first mistake that was made on the way.
func (b *Builder) Build() (*Schema, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.s, nil
}

// MustBuild is Build for schemas that are known to be right; it panics on a mistake.
func (b *Builder) MustBuild() *Schema {
	s, err := b.Build()
	if err != nil {
		panic(err)
	}
	return s
}
