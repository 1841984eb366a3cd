package formattest

import (
	"bufio"
	"bytes"
	_ "embed" // the cases
	"encoding/hex"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect/data"
)

//go:embed testdata/java/cases.jsonl
var casesText []byte

//go:embed testdata/java/described-schemas.json
var schemasText []byte

// Case is a topic that the JVM sink wrote, in several formats.
type Case struct {
	// Name is that of the case; files begin with z_ and Name.
	Name string
	// Converter is the class of the value converter, with its options.
	Converter string
	Options   map[string]string
	// Raw are the values as they were in Kafka, for converters without a schema; nil
	// otherwise.
	Raw [][]byte
	// Schema and Values are what the converter made of them.
	Schema *data.Schema
	Values []any

	outcome map[string]outcome
}

type outcome struct {
	Files []string
	Error *struct{ Class, Message string }
}

// Files returns the names of the files of one kind, none when the JVM wrote none.
func (c *Case) Files(kind string) []string { return c.outcome[kind].Files }

// Cases returns all cases.
func Cases(t testing.TB) []Case {
	t.Helper()
	var schemas map[string]json.RawMessage
	unmarshal(t, schemasText, &schemas)
	var cases []Case
	in := bufio.NewScanner(bytes.NewReader(casesText))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var line struct {
			Case      string
			Converter struct {
				Class string
				Conf  map[string]string
			}
			Records       []struct{ Value *string }
			Outcome       map[string]outcome
			ConnectSchema json.RawMessage   `json:"connect_schema"`
			ConnectValues []json.RawMessage `json:"connect_values"`
		}
		unmarshal(t, in.Bytes(), &line)
		c := Case{Name: line.Case, Converter: line.Converter.Class, Options: line.Converter.Conf, outcome: line.Outcome}
		for _, r := range line.Records {
			if r.Value != nil {
				c.Raw = append(c.Raw, []byte(*r.Value))
			}
		}
		raw := line.ConnectSchema
		var name string
		if json.Unmarshal(raw, &name) == nil && name != "" {
			raw = schemas[name]
		}
		var d *description
		unmarshal(t, raw, &d)
		p := parser{t: t, named: make(map[string]*description)}
		c.Schema = p.schema(d)
		for _, raw := range line.ConnectValues {
			var v any
			unmarshal(t, raw, &v)
			c.Values = append(c.Values, p.value(c.Schema, v))
		}
		cases = append(cases, c)
	}
	return cases
}

func unmarshal(t testing.TB, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%v in %.200s", err, b)
	}
}

// description is a schema as described-schemas.json has it.
type description struct {
	Type       string
	Optional   bool
	Name       string
	Version    *int
	Doc        string
	Parameters params
	Default    any
	Fields     []struct {
		Field  string
		Schema *description
	}
	Items, Keys, Values *description
	Recursive           string `json:"recursive_reference_to"`
}

// params are parameters in the order of the file.
type params []data.Parameter

// UnmarshalJSON implements json.Unmarshaler.
func (p *params) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		value, err := d.Token()
		if err != nil {
			return err
		}
		*p = append(*p, data.Parameter{Key: key.(string), Value: value.(string)})
	}
	return nil
}

type parser struct {
	t     testing.TB
	named map[string]*description
	open  []openStruct
}

// openStruct is a struct that may turn out to contain itself.
type openStruct struct {
	d        *description
	optional bool
	self     *data.Schema
}

var types = map[string]data.Type{
	"INT8": data.Int8, "INT16": data.Int16, "INT32": data.Int32, "INT64": data.Int64, "FLOAT32": data.Float32,
	"FLOAT64": data.Float64, "BOOLEAN": data.Boolean, "STRING": data.String, "BYTES": data.Bytes,
}

func (p *parser) schema(d *description) *data.Schema {
	p.t.Helper()
	if d == nil {
		return nil
	}
	if d.Recursive != "" {
		for _, o := range p.open {
			if o.d.Name == d.Recursive && o.optional == d.Optional {
				return o.self
			}
		}
		again := *p.named[d.Recursive]
		again.Optional = d.Optional
		d = &again
	}
	var b *data.Builder
	switch d.Type {
	case "ARRAY":
		b = data.NewArray(p.schema(d.Items))
	case "MAP":
		b = data.NewMapSchema(p.schema(d.Keys), p.schema(d.Values))
	case "STRUCT":
		b = data.NewStructSchema()
		p.named[d.Name] = d
		p.open = append(p.open, openStruct{d, d.Optional, b.Self()})
		for _, f := range d.Fields {
			b.Field(f.Field, p.schema(f.Schema))
		}
		p.open = p.open[:len(p.open)-1]
	default:
		b = data.NewBuilder(types[d.Type])
	}
	if d.Name != "" {
		b.Name(d.Name)
	}
	if d.Version != nil {
		b.Version(*d.Version)
	}
	if d.Optional {
		b.Optional()
	}
	b.Doc(d.Doc).Parameters(d.Parameters)
	if d.Default != nil {
		b.Default(p.value(b.Self(), d.Default))
	}
	s, err := b.Build()
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// value makes the value of a description; s is nil for one without a schema.
func (p *parser) value(s *data.Schema, v any) any {
	p.t.Helper()
	var key, elem *data.Schema
	if s != nil {
		key, elem = s.KeySchema(), s.ValueSchema()
	}
	if list, ok := v.([]any); ok {
		out := []any{}
		for _, e := range list {
			out = append(out, p.value(elem, e))
		}
		return out
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for kind, e := range m {
		switch kind {
		case "struct":
			values := make([]any, len(s.Fields()))
			for i, pair := range e.([]any) {
				values[i] = p.value(s.Fields()[i].Schema, pair.([]any)[1])
			}
			return data.StructOf(s, values)
		case "map":
			out := data.NewMap(0)
			for _, pair := range e.([]any) {
				out.Put(p.value(key, pair.([]any)[0]), p.value(elem, pair.([]any)[1]))
			}
			return out
		}
		return p.scalar(kind, e)
	}
	return nil
}

func (p *parser) scalar(kind string, e any) any {
	p.t.Helper()
	if n, ok := e.(float64); ok {
		switch kind {
		case "int8":
			return int8(n)
		case "int16":
			return int16(n)
		case "int32":
			return int32(n)
		}
	}
	text, _ := e.(string)
	var v any
	var err error
	switch kind {
	case "int64":
		v, err = strconv.ParseInt(text, 10, 64)
	case "float32":
		var f float64
		f, err = strconv.ParseFloat(text, 32)
		v = float32(f)
	case "float64":
		v, err = strconv.ParseFloat(text, 64)
	case "bytes":
		v, err = hex.DecodeString(text)
	case "decimal":
		v, err = data.ParseDecimal(text)
	case "date_ms":
		var ms int64
		ms, err = strconv.ParseInt(text, 10, 64)
		v = time.UnixMilli(ms).UTC()
	default:
		p.t.Fatalf("unknown description %s", kind)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}
