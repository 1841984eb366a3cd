package data

import (
	"strconv"
	"sync/atomic"
)

// Type is a Connect schema type (Java: org.apache.kafka.connect.data.Schema.Type).
type Type uint8

// The Connect types, in the order of the Java enumeration.
const (
	Int8 Type = iota
	Int16
	Int32
	Int64
	Float32
	Float64
	Boolean
	String
	Bytes
	Array
	MapType
	StructType
)

var typeNames = [...]string{"INT8", "INT16", "INT32", "INT64", "FLOAT32", "FLOAT64", "BOOLEAN", "STRING", "BYTES", "ARRAY", "MAP", "STRUCT"}

// String returns the Java name of the type, e.g. INT8.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// Primitive reports whether t is neither ARRAY, MAP nor STRUCT.
func (t Type) Primitive() bool { return t < Array }

// Parameter is one entry of a schema's parameters, which keep their order.
type Parameter struct{ Key, Value string }

// Field is a field of a STRUCT schema.
type Field struct {
	Name   string
	Index  int
	Schema *Schema
}

// Schema describes a value (Java: ConnectSchema). It is immutable and safe for
// concurrent use; a nil *Schema means schemaless. Build one with a Builder.
type Schema struct {
	typ        Type
	optional   bool
	def        any // nil: no default
	name       string
	version    int
	hasVersion bool
	doc        string
	params     []Parameter
	fields     []Field
	byName     map[string]int
	key, value *Schema

	equalTo atomic.Pointer[Schema] // the last other schema that was found equal
}

// Type returns the schema's type.
func (s *Schema) Type() Type { return s.typ }

// Optional reports whether null is a legal value.
func (s *Schema) Optional() bool { return s.optional }

// Default returns the default value, or nil when there is none.
func (s *Schema) Default() any { return s.def }

// Name returns the schema name, or "" when it has none.
func (s *Schema) Name() string { return s.name }

// Version returns the version and whether there is one.
func (s *Schema) Version() (int, bool) { return s.version, s.hasVersion }

// Doc returns the documentation, or "".
func (s *Schema) Doc() string { return s.doc }

// Parameters returns the parameters in their order; the caller must not change them.
func (s *Schema) Parameters() []Parameter { return s.params }

// Parameter returns one parameter and whether it exists.
func (s *Schema) Parameter(key string) (string, bool) {
	for _, p := range s.params {
		if p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

// Fields returns the fields of a STRUCT in order; the caller must not change them.
func (s *Schema) Fields() []Field { return s.fields }

// Field returns the named field of a STRUCT, or nil.
func (s *Schema) Field(name string) *Field {
	if i, ok := s.byName[name]; ok {
		return &s.fields[i]
	}
	return nil
}

// String returns the text that Java prints: Schema{STRING} or Schema{name:STRUCT}.
func (s *Schema) String() string {
	if s == nil {
		return "null"
	}
	if s.name != "" {
		return "Schema{" + s.name + ":" + s.typ.String() + "}"
	}
	return "Schema{" + s.typ.String() + "}"
}

// KeySchema returns the key schema of a MAP, else nil.
func (s *Schema) KeySchema() *Schema { return s.key }

// ValueSchema returns the value schema of a MAP or the element schema of an ARRAY, else nil.
func (s *Schema) ValueSchema() *Schema { return s.value }

// Names of the logical types.
const (
	DecimalName   = "org.apache.kafka.connect.data.Decimal"
	DateName      = "org.apache.kafka.connect.data.Date"
	TimeName      = "org.apache.kafka.connect.data.Time"
	TimestampName = "org.apache.kafka.connect.data.Timestamp"
	// DecimalScale is the parameter of a Decimal schema that holds its scale.
	DecimalScale = "scale"
)
