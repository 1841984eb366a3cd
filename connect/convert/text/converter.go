package text

import (
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
)

// encodingKey names the charset of the bytes; any name or alias of Java's is taken.
const encodingKey = "converter.encoding"

// Converter is the StringConverter, for keys, values and headers (Java:
// o.a.k.connect.storage.StringConverter). It belongs to one task.
type Converter struct{ charset *charset }

var (
	_ convert.Converter       = (*Converter)(nil)
	_ convert.Appender        = (*Converter)(nil)
	_ convert.HeaderConverter = (*Converter)(nil)
)

// New returns a converter of UTF-8; Configure may choose another charset.
func New() *Converter { return &Converter{charset: utf8Charset} }

// rawDecoder decodes what ToConnect left encoded as data.UTF8.
type rawDecoder struct{}

func (rawDecoder) DecodeRaw(raw []byte) (any, error) { return string(raw), nil }

// ConfigDef defines the options.
func (c *Converter) ConfigDef() *config.Def {
	return convert.NewDef(config.Key{
		Name: encodingKey, Type: config.TypeString, Default: "UTF-8", Importance: config.High,
		Order: -1, Width: config.WidthMedium, DisplayName: "Encoding",
		Doc:   "Charset of the text in Kafka, by its Java name. Reading replaces what is malformed by U+FFFD, writing what the charset lacks by a question mark.",
		Valid: "UTF-8, US-ASCII, ISO-8859-1, windows-1252, UTF-16, UTF-16BE, UTF-16LE and their Java aliases",
	})
}

// Configure is called once, before anything else.
func (c *Converter) Configure(props map[string]string, isKey bool) error {
	return c.configure(convert.WithType(props, isKey))
}

// ConfigureHeader is Configure for headers.
func (c *Converter) ConfigureHeader(props map[string]string) error {
	return c.configure(convert.WithHeaderType(props))
}

func (c *Converter) configure(props map[string]string) error {
	v, err := c.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	name := v.String(encodingKey)
	found := charsetOf(name)
	if found == nil {
		return unsupported(name)
	}
	c.charset = found
	return nil
}

// unsupported is the error about a charset. A name that Java does not take as one at all
// has another cause there.
func unsupported(name string) error {
	class := "java.nio.charset.UnsupportedCharsetException"
	if !legalName(name) {
		class = "java.nio.charset.IllegalCharsetNameException"
	}
	return &connect.Error{
		Class: "org.apache.kafka.common.errors.SerializationException",
		Msg: "Unsupported encoding " + name + ". Set " + encodingKey +
			" to UTF-8, US-ASCII, ISO-8859-1, windows-1252, UTF-16, UTF-16BE or UTF-16LE.",
		Err: &connect.Error{Class: class, Msg: name},
	}
}

// Close releases nothing.
func (c *Converter) Close() error { return nil }

// ToConnect makes an optional STRING. Valid UTF-8 stays encoded, as data.UTF8; anything
// else is decoded, for the formats write the bytes of a data.UTF8 as they are.
func (c *Converter) ToConnect(_ string, raw []byte, out *data.Datum) error {
	switch {
	case raw == nil:
		out.SetValue(data.OptionalString, nil)
	case c.charset == utf8Charset && utf8.Valid(raw):
		out.SetRaw(data.OptionalString, raw, data.UTF8, rawDecoder{}, nil)
	default:
		out.SetValue(data.OptionalString, c.charset.decode(raw))
	}
	return nil
}

// FromConnect returns the text of a value in the charset, nil for null. The schema is not
// looked at: any value has a text, that of Java's toString.
func (c *Converter) FromConnect(topic string, schema *data.Schema, value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	out, _, err := c.AppendFromConnect([]byte{}, topic, schema, value)
	return out, err
}

// AppendFromConnect is FromConnect onto the end of dst.
func (c *Converter) AppendFromConnect(dst []byte, _ string, _ *data.Schema, value any) (out []byte, isNull bool, err error) {
	if value == nil {
		return dst, true, nil
	}
	if c.charset != utf8Charset {
		return c.charset.encode(dst, data.JavaString(value)), false, nil
	}
	start := len(dst)
	out = data.AppendJavaString(dst, value)
	if text := out[start:]; !utf8.Valid(text) {
		out = encodeUTF8(out[:start], string(text))
	}
	return out, false, nil
}

// ToConnectHeader converts a header value.
func (c *Converter) ToConnectHeader(_, _ string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return data.OptionalString, nil, nil
	}
	return data.OptionalString, c.charset.decode(raw), nil
}

// FromConnectHeader returns the text of a header value.
func (c *Converter) FromConnectHeader(topic, _ string, schema *data.Schema, value any) ([]byte, error) {
	return c.FromConnect(topic, schema, value)
}
