// Package bytes hands bytes through: the ByteArrayConverter.
package bytes

import (
	"bytes"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
)

// Converter is the ByteArrayConverter, for keys, values and headers (Java:
// o.a.k.connect.converters.ByteArrayConverter). It has no state and no options.
type Converter struct{}

var (
	_ convert.Converter       = (*Converter)(nil)
	_ convert.Appender        = (*Converter)(nil)
	_ convert.HeaderConverter = (*Converter)(nil)
)

// New returns a converter.
func New() *Converter { return &Converter{} }

// rawDecoder decodes what ToConnect left encoded as data.RawBytes.
type rawDecoder struct{}

func (rawDecoder) DecodeRaw(raw []byte) (any, error) { return append([]byte{}, raw...), nil }

// ConfigDef defines no options besides the use.
func (*Converter) ConfigDef() *config.Def { return convert.NewDef() }

// Configure takes nothing from props.
func (*Converter) Configure(map[string]string, bool) error { return nil }

// ConfigureHeader takes nothing from props.
func (*Converter) ConfigureHeader(map[string]string) error { return nil }

// Close releases nothing.
func (*Converter) Close() error { return nil }

// ToConnect makes an optional BYTES, which stays encoded as data.RawBytes.
func (*Converter) ToConnect(_ string, raw []byte, out *data.Datum) error {
	if raw == nil {
		out.SetValue(data.OptionalBytes, nil)
		return nil
	}
	out.SetRaw(data.OptionalBytes, raw, data.RawBytes, rawDecoder{}, nil)
	return nil
}

// FromConnect returns a copy of the bytes, nil for null. Any schema must be BYTES.
func (c *Converter) FromConnect(topic string, schema *data.Schema, value any) ([]byte, error) {
	out, isNull, err := c.AppendFromConnect([]byte{}, topic, schema, value)
	if isNull || err != nil {
		return nil, err
	}
	return out, nil
}

// AppendFromConnect is FromConnect onto the end of dst.
func (*Converter) AppendFromConnect(dst []byte, _ string, schema *data.Schema, value any) (out []byte, isNull bool, err error) {
	if schema != nil && schema.Type() != data.Bytes {
		return dst, false, &connect.DataError{Msg: "Invalid schema type for ByteArrayConverter: " + schema.Type().String()}
	}
	switch v := value.(type) {
	case nil:
		return dst, true, nil
	case []byte:
		return append(dst, v...), v == nil, nil
	}
	return dst, false, &connect.DataError{Msg: "ByteArrayConverter is not compatible with objects of type class " + data.JavaClass(value)}
}

// ToConnectHeader returns a copy of raw.
func (*Converter) ToConnectHeader(_, _ string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return data.OptionalBytes, nil, nil
	}
	return data.OptionalBytes, bytes.Clone(raw), nil
}

// FromConnectHeader returns a copy of the bytes of a header value.
func (c *Converter) FromConnectHeader(topic, _ string, schema *data.Schema, value any) ([]byte, error) {
	return c.FromConnect(topic, schema, value)
}
