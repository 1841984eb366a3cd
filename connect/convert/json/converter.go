package json

import (
	"bytes"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
)

// Converter is the JsonConverter, for keys, values and headers. It belongs to one task.
type Converter struct {
	options options
	reader  reader
	encoder Encoder
	// Schemas that were read and written, least recently made first to go.
	read    map[string]*compiled
	readKey []string
	written map[*data.Schema][]byte
	last    struct { // the schema text of the last record
		text []byte
		*compiled
	}
	content *compiled // schema.content
	dec     rawDecoder
}

// compiled is a schema that was read, with its plan.
type compiled struct {
	schema *data.Schema // nil for the text null
	plan   *plan
}

var (
	_ convert.Converter       = (*Converter)(nil)
	_ convert.Appender        = (*Converter)(nil)
	_ convert.HeaderConverter = (*Converter)(nil)
)

// New returns a converter that has to be configured.
func New() *Converter { return &Converter{} }

// rawDecoder decodes what ToConnect left encoded as data.JSON.
type rawDecoder struct{}

func (rawDecoder) DecodeRaw(raw []byte) (any, error) { return decodeSchemaless(raw), nil }

// ConfigDef defines the options.
func (c *Converter) ConfigDef() *config.Def { return configDef() }

// Configure is called once, before anything else.
func (c *Converter) Configure(props map[string]string, isKey bool) error {
	return c.configure(convert.WithType(props, isKey))
}

// ConfigureHeader is Configure for headers.
func (c *Converter) ConfigureHeader(props map[string]string) error {
	return c.configure(convert.WithHeaderType(props))
}

func (c *Converter) configure(props map[string]string) error {
	o, err := parseOptions(c.ConfigDef(), props)
	if err != nil {
		return err
	}
	c.options = o
	c.reader = reader{replaceNull: o.replaceNull}
	c.encoder = Encoder{NumericDecimals: o.numeric, ReplaceNullWithDefault: o.replaceNull}
	c.read, c.readKey = make(map[string]*compiled), nil
	c.written = make(map[*data.Schema][]byte)
	if o.content == "" {
		return nil
	}
	n, err := parseTree([]byte(o.content))
	if err != nil {
		return unreadable(unreadableSchema, err)
	}
	content, err := c.compile(n)
	if o.schemas { // else it is checked all the same
		c.content = content
	}
	return err
}

// Close releases nothing.
func (c *Converter) Close() error { return nil }

func (c *Converter) compile(n *node) (*compiled, error) {
	s, err := c.reader.schema(n)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return &compiled{}, nil
	}
	for _, have := range c.read { // one schema in two spellings is one
		if have.schema.Equal(s) {
			return have, nil
		}
	}
	return &compiled{s, newPlan(s)}, nil
}

// ToConnect converts a key or a value. Schemaless data stays encoded, as data.JSON.
func (c *Converter) ToConnect(_ string, raw []byte, out *data.Datum) error {
	if raw == nil {
		out.SetValue(nil, nil)
		return nil
	}
	if c.fast(raw, out) {
		return nil
	}
	return c.slow(raw, out)
}

// fast converts the usual text. It leaves anything else, errors included, to slow.
func (c *Converter) fast(raw []byte, out *data.Datum) bool {
	switch {
	case !c.options.schemas:
		start, end, ok := document(raw)
		if ok {
			c.setRaw(raw[start:end], out)
		}
		return ok
	case c.content != nil:
		d := planner{scanner: scanner{b: raw}, reader: c.reader, text: string(raw)}
		start := d.space(0)
		v, end := d.run(c.content.plan, start, 0)
		if end < 0 || !d.valid(0, end) || !rootEnds(raw, start, end) {
			return false
		}
		out.SetValue(c.content.schema, v)
		return true
	default:
		return c.envelope(raw, out)
	}
}

func (c *Converter) setRaw(value []byte, out *data.Datum) {
	if len(value) == 0 || string(value) == "null" {
		out.SetValue(nil, nil)
		return
	}
	out.SetRaw(nil, value, data.JSON, c.dec, nil)
}

// envelope converts an object of schema and payload, in either order.
func (c *Converter) envelope(raw []byte, out *data.Datum) bool {
	d := planner{scanner: scanner{b: raw}, reader: c.reader}
	i := d.space(0)
	if i >= len(raw) || raw[i] != '{' {
		return false
	}
	name, i := d.member(d.space(i + 1))
	if i < 0 {
		return false
	}
	var start, end int
	var more, ok bool
	switch string(name) {
	case "schema":
		if i, ok = c.schemaMember(&d, i); !ok {
			return false
		}
		if i, more = d.next(i, '}'); !more {
			return false
		}
		name, start = d.member(i)
		if start < 0 || string(name) != "payload" {
			return false
		}
	case "payload":
		start = i
		if end = d.value(start, 1); end < 0 {
			return false
		}
		if i, more = d.next(end, '}'); !more {
			return false
		}
		if name, i = d.member(i); i < 0 || string(name) != "schema" {
			return false
		}
		if i, ok = c.schemaMember(&d, i); !ok {
			return false
		}
		if i, more = d.next(i, '}'); i < 0 || more {
			return false
		}
	default:
		return false
	}
	return c.payload(&d, start, end, out)
}

// payload converts the payload at start with the last schema. end is known, and what
// follows checked, when the payload came first, else 0.
func (c *Converter) payload(d *planner, start, end int, out *data.Datum) bool {
	var v any
	var i int
	if c.last.schema == nil {
		i = d.value(start, 1)
	} else {
		d.text, d.base = string(d.b[start:]), start
		v, i = d.run(c.last.plan, start, 1)
	}
	if i < 0 || !d.valid(start, i) {
		return false
	}
	if end == 0 {
		if after, more := d.next(i, '}'); after < 0 || more {
			return false
		}
	}
	if c.last.schema == nil {
		c.setRaw(d.b[start:i], out)
	} else {
		out.SetValue(c.last.schema, v)
	}
	return true
}

// schemaMember makes the schema at i the last one and returns the position behind it.
func (c *Converter) schemaMember(d *planner, i int) (int, bool) {
	if t := c.last.text; len(t) > 0 && bytes.HasPrefix(d.b[i:], t) {
		return i + len(t), true // it ends with its brace or with null, whatever follows
	}
	end := d.value(i, 1)
	if end < 0 || !d.valid(i, end) {
		return 0, false
	}
	got, ok := c.read[string(d.b[i:end])]
	if !ok {
		n, err := parseTree(d.b[i:end])
		if err != nil {
			return 0, false
		}
		if got, err = c.compile(n); err != nil {
			return 0, false
		}
		c.remember(string(d.b[i:end]), got)
	}
	if d.b[i] == '{' || d.b[i] == 'n' {
		c.last.text = append(c.last.text[:0], d.b[i:end]...)
		c.last.compiled = got
	}
	return end, d.b[i] == '{' || d.b[i] == 'n'
}

// remember keeps a schema under its text and drops the oldest above schemas.cache.size.
func (c *Converter) remember(text string, s *compiled) {
	if c.options.cacheSize <= 0 {
		return
	}
	if _, ok := c.read[text]; !ok {
		c.readKey = append(c.readKey, text)
	}
	c.read[text] = s
	if len(c.readKey) > c.options.cacheSize {
		delete(c.read, c.readKey[0])
		c.readKey = c.readKey[1:]
	}
}

// intern keeps a schema that came by way of the tree, so that the next one like it is the
// same schema.
func (c *Converter) intern(s *compiled) {
	for _, have := range c.read {
		if have == s {
			return
		}
	}
	if text, err := c.encoder.appendSchema(nil, s.schema, "", false, 0); err == nil {
		c.remember(string(text), s)
	}
}

// slow converts by way of the tree and finds the error, if there is one.
func (c *Converter) slow(raw []byte, out *data.Datum) error {
	n, err := parseTree(raw)
	if err != nil {
		return unreadable(unreadableValue, err)
	}
	s := &compiled{}
	switch {
	case !c.options.schemas:
	case c.content != nil:
		s = c.content
	default:
		sn, pn := n.get("schema"), n.get("payload")
		if n.kind != object || len(n.elems) != 2 || sn == nil || pn == nil {
			return &connect.DataError{Msg: badEnvelope}
		}
		if s, err = c.compile(sn); err != nil {
			return err
		}
		c.intern(s)
		n = pn
	}
	v, err := c.reader.convert(s.schema, n)
	if err != nil {
		return err
	}
	out.SetValue(s.schema, v)
	return nil
}

// FromConnect returns the JSON text of a value, nil for null without a schema.
func (c *Converter) FromConnect(topic string, schema *data.Schema, value any) ([]byte, error) {
	out, _, err := c.AppendFromConnect(nil, topic, schema, value)
	return out, err
}

// AppendFromConnect is FromConnect onto the end of dst.
func (c *Converter) AppendFromConnect(dst []byte, _ string, schema *data.Schema, value any) (out []byte, isNull bool, err error) {
	if schema == nil && value == nil {
		return dst, true, nil
	}
	if !c.options.schemas {
		out, err = c.encoder.Append(dst, schema, value)
		return out, false, err
	}
	text, ok := c.written[schema]
	if !ok {
		if text, err = c.encoder.appendSchema(nil, schema, "", false, 0); err != nil {
			return dst, false, err
		}
		if len(c.written) >= max(c.options.cacheSize, 1) {
			clear(c.written)
		}
		c.written[schema] = text
	}
	out = append(append(append(dst, `{"schema":`...), text...), `,"payload":`...)
	if out, err = c.encoder.Append(out, schema, value); err != nil {
		return dst, false, err
	}
	return append(out, '}'), false, nil
}

// ToConnectHeader converts a header value.
func (c *Converter) ToConnectHeader(topic, _ string, raw []byte) (*data.Schema, any, error) {
	var d data.Datum
	if err := c.ToConnect(topic, raw, &d); err != nil {
		return nil, nil, err
	}
	v, err := d.Value()
	return d.Schema(), v, err
}

// FromConnectHeader returns the JSON text of a header value.
func (c *Converter) FromConnectHeader(topic, _ string, schema *data.Schema, value any) ([]byte, error) {
	return c.FromConnect(topic, schema, value)
}
