// Package number converts numbers and booleans of a fixed size: the ShortConverter,
// IntegerConverter, LongConverter, FloatConverter, DoubleConverter and BooleanConverter.
package number

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
)

// Converter converts values of one type, as keys, values and headers (Java:
// o.a.k.connect.converters.NumberConverter and BooleanConverter). It has no state and no
// options.
type Converter struct{ kind *kind }

var (
	_ convert.Converter       = (*Converter)(nil)
	_ convert.Appender        = (*Converter)(nil)
	_ convert.HeaderConverter = (*Converter)(nil)
)

// NewShort returns a converter of INT16: two bytes, big-endian.
func NewShort() *Converter { return &Converter{short} }

// NewInteger returns a converter of INT32: four bytes, big-endian.
func NewInteger() *Converter { return &Converter{integer} }

// NewLong returns a converter of INT64: eight bytes, big-endian.
func NewLong() *Converter { return &Converter{long} }

// NewFloat returns a converter of FLOAT32: four bytes IEEE 754, big-endian.
func NewFloat() *Converter { return &Converter{float} }

// NewDouble returns a converter of FLOAT64: eight bytes IEEE 754, big-endian.
func NewDouble() *Converter { return &Converter{double} }

// NewBoolean returns a converter of BOOLEAN: one byte, 1 or 0.
func NewBoolean() *Converter { return &Converter{boolean} }

// ConfigDef defines no options besides the use.
func (*Converter) ConfigDef() *config.Def { return convert.NewDef() }

// Configure takes nothing from props.
func (*Converter) Configure(map[string]string, bool) error { return nil }

// ConfigureHeader takes nothing from props.
func (*Converter) ConfigureHeader(map[string]string) error { return nil }

// Close releases nothing.
func (*Converter) Close() error { return nil }

// ToConnect makes an optional value of the type. Bytes of another length are refused.
func (c *Converter) ToConnect(_ string, raw []byte, out *data.Datum) error {
	v, err := c.read(raw)
	if err == nil {
		out.SetValue(c.kind.schema, v)
	}
	return err
}

func (c *Converter) read(raw []byte) (any, error) {
	k := c.kind
	if raw == nil {
		return nil, nil
	}
	why := ""
	if len(raw) != k.size {
		why = fmt.Sprintf("Size of data received by %s is not %d", k.deserializer, k.size)
	} else {
		v, ok := k.decode(raw)
		if ok {
			return v, nil
		}
		why = fmt.Sprintf("Unexpected byte received by %s: %d", k.deserializer, int8(raw[0]))
	}
	return nil, &connect.DataError{
		Msg: "Failed to deserialize " + k.name + ": ",
		Err: &connect.Error{Class: "org.apache.kafka.common.errors.SerializationException", Msg: why},
	}
}

// FromConnect returns the bytes of a value, nil for null. Only a value of exactly the
// type is taken; numbers are not widened.
func (c *Converter) FromConnect(topic string, schema *data.Schema, value any) ([]byte, error) {
	out, isNull, err := c.AppendFromConnect(nil, topic, schema, value)
	if isNull || err != nil {
		return nil, err
	}
	return out, nil
}

// AppendFromConnect is FromConnect onto the end of dst.
func (c *Converter) AppendFromConnect(dst []byte, _ string, schema *data.Schema, value any) (out []byte, isNull bool, err error) {
	k := c.kind
	if k == boolean && schema != nil && schema.Type() != data.Boolean {
		return dst, false, &connect.DataError{Msg: "Invalid schema type for BooleanConverter: " + schema.Type().String()}
	}
	if value == nil {
		return dst, true, nil
	}
	if out, ok := k.encode(dst, value); ok {
		return out, false, nil
	}
	class := data.JavaClass(value)
	if k == boolean {
		return dst, false, &connect.DataError{Msg: "BooleanConverter is not compatible with objects of type class " + class}
	}
	return dst, false, &connect.DataError{
		Msg: fmt.Sprintf("Failed to serialize to %s (was class %s): ", k.name, class),
		Err: &connect.Error{Class: "java.lang.ClassCastException", Msg: notCastable(class, k.class)},
	}
}

// notCastable is the JVM's text about a cast; what is no number fails at a cast to Number.
func notCastable(from, to string) string {
	switch from {
	case "java.lang.Byte", "java.lang.Short", "java.lang.Integer", "java.lang.Long", "java.lang.Float", "java.lang.Double", "java.math.BigDecimal":
	default:
		to = "java.lang.Number"
	}
	text := fmt.Sprintf("class %s cannot be cast to class %s", from, to)
	if strings.HasPrefix(from, "java.") || from == "[B" {
		text += fmt.Sprintf(" (%s and %s are in module java.base of loader 'bootstrap')", from, to)
	}
	return text
}

// ToConnectHeader converts a header value.
func (c *Converter) ToConnectHeader(_, _ string, raw []byte) (*data.Schema, any, error) {
	v, err := c.read(raw)
	if err != nil {
		return nil, nil, err
	}
	return c.kind.schema, v, nil
}

// FromConnectHeader returns the bytes of a header value.
func (c *Converter) FromConnectHeader(topic, _ string, schema *data.Schema, value any) ([]byte, error) {
	return c.FromConnect(topic, schema, value)
}
