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
	replacement string // "" = none
	plans       plans[[]bool]
}

func (*maskField) ConfigDef() *config.Def {
	return config.NewDef(required("fields", config.TypeList, "Names of the fields to mask.", emptyList),
		optional("replacement", config.TypeString, nil, "Value that takes the place of numbers and strings.", config.NonEmpty), replaceNullKey())
}

func (t *maskField) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err == nil {
		t.fields, t.replacement, t.withDefault = v.List("fields"), v.String("replacement"), v.Bool(replaceNull)
	}
	return err
}

func (t *maskField) Apply(rec *connect.Record) (bool, error) {
	const purpose = "mask fields"
	d := t.side.of(rec)
	v, err := d.Value()
	if err != nil {
		return false, err
	}
	if d.Schema() == nil {
		m, err := needMap(v, purpose)
		if err != nil {
			return false, err
		}
		out := m.Clone()
		for _, name := range t.fields {
			old, _ := m.Get(name)
			masked, err := t.mask(old)
			if err != nil {
				return false, err
			}
			out.Put(name, masked)
		}
		d.SetValue(nil, out)
		return true, nil
	}
	in, err := needStruct(v, purpose)
	if err != nil {
		return false, err
	}
	out, err := t.maskStruct(in)
	if err != nil {
		return false, err
	}
	d.SetValue(in.Schema(), out)
	return true, nil
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

func (t *maskField) replace(v any) (any, error) {
	if _, ok := v.(string); ok {
		return t.replacement, nil
	}
	if _, isBool := v.(bool); !isBool {
		if _, ok := v.(data.Decimal); ok {
			parsed, err := data.ParseDecimal(t.replacement)
			if err != nil {
				return nil, t.notNumber(err)
			}
			return parsed, nil
		}
		if _, _, ok := number(v); ok {
			typ, _ := data.TypeOf(v)
			if typ == data.Float32 || typ == data.Float64 {
				f, err := castFloat(t.replacement, typ)
				return f, t.notNumber(err)
			}
			n, err := castInt(t.replacement, typ)
			return n, t.notNumber(err)
		}
	}
	return nil, dataError("Cannot mask value of type class %s with custom replacement.", data.JavaClass(v))
}

func (t *maskField) notNumber(err error) error {
	if err == nil {
		return nil
	}
	return &connect.DataError{Msg: "Unable to convert " + t.replacement + " (class java.lang.String) to number", Err: err}
}
