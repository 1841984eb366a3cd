package transform

import (
	"slices"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// maskField replaces fields by an empty value of their type, or by a fixed one.
type maskField struct {
	closer
	reader
	side        side
	fields      []string
	keys        []any  // fields, for maps
	replacement string // "" = none
	plans       plans[[]bool]
}

func (*maskField) ConfigDef() *config.Def {
	return config.NewDef(names("fields", "Names of the fields to mask."),
		ranked(config.Low, optional("replacement", config.TypeString, nil, "Value that takes the place of numbers and strings.", config.NonEmpty)), replaceNullKey())
}

func (t *maskField) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err == nil {
		t.fields, t.replacement, t.withDefault = config.HashOrder(v.List("fields")), v.String("replacement"), v.Bool(replaceNull)
		for _, name := range t.fields {
			t.keys = append(t.keys, name)
		}
	}
	return err
}

func (t *maskField) Apply(rec *connect.Record) (bool, error) {
	d := t.side.of(rec)
	return fields(d, d, "mask fields", t.maskMap, t.maskStruct)
}

func (t *maskField) maskMap(m *data.Map) (*data.Map, error) {
	out := m.HashCopy(len(t.fields))
	for _, name := range t.keys {
		old, _ := m.Get(name)
		masked, err := t.mask(old)
		if err != nil {
			return nil, err
		}
		out.Put(name, masked)
	}
	return out, nil
}

func (t *maskField) maskStruct(in *data.Struct) (*data.Struct, error) {
	masks, err := t.plans.get(in.Schema(), func(s *data.Schema) ([]bool, error) {
		masks := make([]bool, len(s.Fields()))
		for i, f := range s.Fields() {
			masks[i] = slices.Contains(t.fields, f.Name)
		}
		return masks, nil
	})
	if err != nil {
		return nil, err
	}
	out := data.NewStruct(in.Schema())
	for i, masked := range masks {
		if !masked {
			if err := t.copyField(out, i, in, i); err != nil {
				return nil, err
			}
			continue
		}
		v, err := t.mask(t.at(in, i))
		if err == nil {
			err = asJava(out.PutAt(i, v))
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *maskField) mask(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if t.replacement != "" {
		return t.replace(v)
	}
	switch v.(type) {
	case int8:
		return int8(0), nil
	case int16:
		return int16(0), nil
	case int32:
		return int32(0), nil
	case int64:
		return int64(0), nil
	case float32:
		return float32(0), nil
	case float64:
		return float64(0), nil
	case bool:
		return false, nil
	case string:
		return "", nil
	case time.Time:
		return time.UnixMilli(0).UTC(), nil
	case data.Decimal:
		return data.NewDecimalInt(0, 0), nil
	case []any:
		return []any{}, nil
	case *data.Map:
		return data.NewMap(0), nil
	}
	return nil, dataError("Cannot mask value of type: class %s", data.JavaClass(v))
}

// replace converts the replacement to the type of v as Java's Values do: a fraction and
// too many bits are dropped.
func (t *maskField) replace(v any) (any, error) {
	var to *data.Schema
	switch v.(type) {
	case string:
		return t.replacement, nil
	case data.Decimal:
		d, err := data.ParseDecimal(t.replacement)
		if err != nil {
			return nil, &connect.DataError{Msg: "Unable to convert " + t.replacement + " (class java.lang.String) to number",
				Err: javaError("java.lang.NumberFormatException", "%s", err)}
		}
		return d, nil
	case int8:
		to = data.OptionalInt8
	case int16:
		to = data.OptionalInt16
	case int32:
		to = data.OptionalInt32
	case int64:
		to = data.OptionalInt64
	case float32:
		to = data.OptionalFloat32
	case float64:
		to = data.OptionalFloat64
	default:
		return nil, dataError("Cannot mask value of type class %s with custom replacement.", data.JavaClass(v))
	}
	n, err := data.ConvertTo(to, nil, t.replacement)
	return n, asJava(err)
}
