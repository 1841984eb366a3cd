package transform

import (
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// timestampConverter changes the form of a timestamp.
type timestampConverter struct {
	closer
	reader
	side   side
	field  string // "" = the whole key or value
	key    any    // field, for maps
	target string
	format *dateFormat
	unit   time.Duration
	plans  plans[*timestampPlan]
}

type timestampPlan struct {
	schema *data.Schema
	field  int // -1 = none
	kind   string
	err    error // of a field that is no timestamp; found with the first value
}

var units = map[string]time.Duration{"milliseconds": time.Millisecond, "seconds": time.Second, "microseconds": time.Microsecond, "nanoseconds": time.Nanosecond}

func (*timestampConverter) ConfigDef() *config.Def {
	return config.NewDef(ranked(config.High, optional("field", config.TypeString, "", "Name of the field; empty = the whole key or value.", nil)),
		required("target.type", config.TypeString, "Form of the result.", config.OneOf("string", "unix", "Date", "Time", "Timestamp")),
		optional("format", config.TypeString, "", "Pattern of Java's SimpleDateFormat, of texts read or written.", nil),
		ranked(config.Low, optional("unix.precision", config.TypeString, "milliseconds", "Unit of Unix times.",
			config.OneOf("nanoseconds", "microseconds", "milliseconds", "seconds"))), replaceNullKey())
}

func (t *timestampConverter) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.withDefault, t.field, t.target, t.unit = v.Bool(replaceNull), v.String("field"), v.String("target.type"), units[v.String("unix.precision")]
	t.key = t.field
	pattern := v.String("format")
	if pattern == "" {
		if t.target == "string" {
			return &config.Error{Msg: "TimestampConverter requires format option to be specified when using string timestamps"}
		}
		return nil
	}
	t.format, err = parseDateFormat(pattern)
	if err == nil && t.target != "string" {
		err = t.format.unreadable
	}
	if err != nil {
		return &config.Error{Key: "format", Msg: "TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: " + pattern +
			": " + err.Error()}
	}
	return nil
}

// schema returns the schema of the result.
func (t *timestampConverter) schema(optional bool) *data.Schema {
	var b *data.Builder
	switch t.target {
	case "string":
		b = data.NewBuilder(data.String)
	case "unix":
		b = data.NewBuilder(data.Int64)
	case "Date":
		b = data.NewDate()
	case "Time":
		b = data.NewTime()
	default:
		b = data.NewTimestamp()
	}
	if optional {
		b.Optional()
	}
	return b.MustBuild()
}

func kindOf(s *data.Schema) (string, error) {
	switch {
	case s.Name() == data.TimestampName:
		return "Timestamp", nil
	case s.Name() == data.DateName:
		return "Date", nil
	case s.Name() == data.TimeName:
		return "Time", nil
	case s.Type() == data.String:
		return "string", nil
	case s.Type() == data.Int64:
		return "unix", nil
	}
	return "", &connect.Error{Msg: "Schema " + s.String() + " does not correspond to a known timestamp type format"}
}

func (t *timestampConverter) plan(s *data.Schema) (*timestampPlan, error) {
	p := &timestampPlan{field: -1}
	var err error
	if t.field == "" {
		p.schema = t.schema(s.Optional())
		p.kind, err = kindOf(s)
		return p, err
	}
	fields, err := structFields(s)
	if err != nil {
		return nil, err
	}
	b := basics(data.NewStructSchema(), s)
	for i, f := range fields {
		fs := f.Schema
		if f.Name == t.field {
			p.field = i
			p.kind, p.err = kindOf(fs)
			fs = t.schema(fs.Optional())
		}
		b.Field(f.Name, fs)
	}
	if s.Optional() {
		b.Optional()
	}
	p.schema, err = b.Build()
	return p, asJava(err)
}

func (t *timestampConverter) Apply(rec *connect.Record) (bool, error) {
	d := t.side.of(rec)
	if t.field != "" {
		if d.Null() {
			if d.Schema() == nil {
				return true, nil
			}
			p, err := t.plans.get(d.Schema(), t.plan)
			if err == nil {
				d.SetValue(p.schema, nil)
			}
			return err == nil, err
		}
		return fields(d, d, "converting timestamp formats", t.convertMap, t.convertStruct)
	}
	v, err := d.Value()
	if err != nil {
		return false, err
	}
	s := d.Schema()
	if s == nil {
		v, err = t.schemaless(v)
	} else {
		var p *timestampPlan
		if p, err = t.plans.get(s, t.plan); err == nil {
			s = p.schema
			v, err = t.convert(v, p.kind)
		}
	}
	if err != nil {
		return false, err
	}
	d.SetValue(s, v)
	return true, nil
}

func (t *timestampConverter) convertMap(m *data.Map) (*data.Map, error) {
	old, _ := m.Get(t.key)
	v, err := t.schemaless(old)
	if err != nil {
		return nil, err
	}
	out := m.HashCopy(1)
	out.Put(t.key, v)
	return out, nil
}

func (t *timestampConverter) convertStruct(in *data.Struct) (*data.Struct, error) {
	p, err := t.plans.get(in.Schema(), t.plan)
	if err != nil {
		return nil, err
	}
	out := data.NewStruct(p.schema)
	for i := range p.schema.Fields() {
		if i != p.field {
			if err := t.copyField(out, i, in, i); err != nil {
				return nil, err
			}
			continue
		}
		if p.err != nil {
			return nil, p.err
		}
		v, err := t.convert(t.at(in, i), p.kind)
		if err == nil {
			err = asJava(out.PutAt(i, v))
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *timestampConverter) schemaless(v any) (any, error) {
	switch v.(type) {
	case nil:
		return nil, nil
	case time.Time:
		return t.convert(v, "Timestamp")
	case int64:
		return t.convert(v, "unix")
	case string:
		return t.convert(v, "string")
	}
	return nil, dataError("TimestampConverter does not support class %s objects as timestamps", data.JavaClass(v))
}

// convert changes a timestamp of a kind to the target.
func (t *timestampConverter) convert(v any, kind string) (any, error) {
	if v == nil {
		return nil, nil
	}
	at, err := t.read(v, kind)
	if err != nil {
		return nil, err
	}
	switch t.target {
	case "string":
		return t.format.format(at.UnixMilli()), nil
	case "unix":
		ms := at.UnixMilli()
		if t.unit >= time.Millisecond {
			return ms / int64(t.unit/time.Millisecond), nil
		}
		return saturatingMul(ms, int64(time.Millisecond/t.unit)), nil
	case "Date":
		return time.UnixMilli(momentOf(at.UnixMilli()).days * dayMillis).UTC(), nil
	case "Time":
		return time.UnixMilli(momentOf(at.UnixMilli()).ms).UTC(), nil
	default:
		return at, nil
	}
}

func (t *timestampConverter) read(v any, kind string) (time.Time, error) {
	switch kind {
	case "string":
		text, ok := v.(string)
		if !ok {
			return time.Time{}, dataError("Expected string timestamp to be a String, but found class %s", data.JavaClass(v))
		}
		if t.format == nil {
			return time.Time{}, javaError("java.lang.NullPointerException", `Cannot invoke "java.text.SimpleDateFormat.parse(String)" because "config.format" is null`)
		}
		ms, err := t.format.parse(text)
		if err != nil {
			return time.Time{}, &connect.DataError{Msg: "Could not parse timestamp: value (" + text + ") does not match pattern (" + t.format.pattern + ")", Err: err}
		}
		return time.UnixMilli(ms).UTC(), nil
	case "unix":
		n, ok := v.(int64)
		if !ok {
			return time.Time{}, dataError("Expected Unix timestamp to be a Long, but found class %s", data.JavaClass(v))
		}
		if t.unit >= time.Millisecond {
			n = saturatingMul(n, int64(t.unit/time.Millisecond))
		} else {
			n /= int64(time.Millisecond / t.unit)
		}
		return time.UnixMilli(n).UTC(), nil
	default:
		at, ok := v.(time.Time)
		if !ok {
			return at, dataError("Expected %s to be a java.util.Date, but found class %s", kind, data.JavaClass(v))
		}
		return at, nil
	}
}

// saturatingMul multiplies as TimeUnit converts: what is too large becomes the limit.
func saturatingMul(n, by int64) int64 {
	const limit = 1<<63 - 1
	switch {
	case n > limit/by:
		return limit
	case n < -limit/by:
		return -limit - 1
	}
	return n * by
}
