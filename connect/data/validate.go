package data

import (
	"fmt"
	"math/big"
	"time"
)

// Validate checks that v is a legal value of the schema, with all it contains.
func Validate(s *Schema, v any) error { return validate(s, v, "value") }

// ValidateField is Validate for the value of a field; errors name it.
func ValidateField(name string, s *Schema, v any) error {
	if matches(s, v) && s.typ.Primitive() { // the usual case builds no text
		return nil
	}
	return validate(s, v, `field: "`+name+`"`)
}

func validate(s *Schema, v any, location string) error {
	if v == nil {
		if s.optional {
			return nil
		}
		return invalid("Invalid value: null used for required %s, schema type: %s", location, s.typ)
	}
	if !matches(s, v) {
		name := ""
		if s.name != "" {
			name = ` "` + s.name + `"`
		}
		return invalid("Invalid Java object for schema%s with type %s: class %s for %s", name, s.typ, JavaClass(v), location)
	}
	switch s.typ {
	case StructType:
		st, ok := v.(*Struct)
		if !ok {
			return nil // a logical name on a struct schema
		}
		if !st.schema.Equal(s) {
			return invalid("Struct schemas do not match.")
		}
		return st.Validate()
	case Array:
		list, ok := v.([]any)
		if !ok {
			return nil
		}
		location = "element of array " + location
		if s.value == nil {
			return invalid("No schema defined for %s", location)
		}
		for _, e := range list {
			if err := validate(s.value, e, location); err != nil {
				return err
			}
		}
	case MapType:
		m, ok := v.(*Map)
		if !ok {
			return nil
		}
		return validateMap(s, m, location)
	default:
	}
	return nil
}

func validateMap(s *Schema, m *Map, location string) error {
	keyAt, valueAt := "key of map "+location, "value of map "+location
	if s.key == nil {
		return invalid("No schema defined for %s", keyAt)
	}
	if s.value == nil {
		return invalid("No schema defined for %s", valueAt)
	}
	for _, e := range m.entries {
		if err := validate(s.key, e.Key, keyAt); err != nil {
			return err
		}
		if err := validate(s.value, e.Value, valueAt); err != nil {
			return err
		}
	}
	return nil
}

// matches reports whether v, not null, has the Go type of the schema, without looking
// inside. Java parity: a logical name decides whatever the type is.
func matches(s *Schema, v any) bool {
	if len(s.name) > len("org.apache.kafka.connect.data.") {
		switch s.name {
		case DecimalName:
			_, ok := v.(Decimal)
			return ok
		case DateName, TimeName, TimestampName:
			_, ok := v.(time.Time)
			return ok
		}
	}
	ok := false
	switch s.typ {
	case Int8:
		_, ok = v.(int8)
	case Int16:
		_, ok = v.(int16)
	case Int32:
		_, ok = v.(int32)
	case Int64:
		_, ok = v.(int64)
	case Float32:
		_, ok = v.(float32)
	case Float64:
		_, ok = v.(float64)
	case Boolean:
		_, ok = v.(bool)
	case String:
		_, ok = v.(string)
	case Bytes:
		_, ok = v.([]byte)
	case Array:
		_, ok = v.([]any)
	case MapType:
		_, ok = v.(*Map)
	case StructType:
		_, ok = v.(*Struct)
	}
	return ok
}

// TypeOf returns the schema type of a value without a schema, false for null and for
// values that need a logical schema (Java: ConnectSchema.schemaType).
func TypeOf(v any) (Type, bool) {
	switch v.(type) {
	case int8:
		return Int8, true
	case int16:
		return Int16, true
	case int32:
		return Int32, true
	case int64:
		return Int64, true
	case float32:
		return Float32, true
	case float64:
		return Float64, true
	case bool:
		return Boolean, true
	case string:
		return String, true
	case []byte:
		return Bytes, true
	case []any:
		return Array, true
	case *Map:
		return MapType, true
	case *Struct:
		return StructType, true
	}
	return 0, false
}

// JavaClass returns the class name of the Java object for a Connect value, as error
// messages show it. A value of no Connect type gives its Go type.
func JavaClass(v any) string {
	switch x := v.(type) {
	case int8:
		return "java.lang.Byte"
	case int16:
		return "java.lang.Short"
	case int32:
		return "java.lang.Integer"
	case int64:
		return "java.lang.Long"
	case float32:
		return "java.lang.Float"
	case float64:
		return "java.lang.Double"
	case bool:
		return "java.lang.Boolean"
	case string:
		return "java.lang.String"
	case []byte:
		return "[B"
	case []any:
		return "java.util.ArrayList"
	case *Map:
		if x != nil && x.linked {
			return "java.util.LinkedHashMap"
		}
		return "java.util.HashMap"
	case *Struct:
		return "org.apache.kafka.connect.data.Struct"
	case Decimal:
		return "java.math.BigDecimal"
	case time.Time:
		return "java.util.Date"
	case *big.Int:
		return "java.math.BigInteger"
	case nil:
		return "null"
	}
	return fmt.Sprintf("%T", v)
}
