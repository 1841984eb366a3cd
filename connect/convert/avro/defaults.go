package avro

import (
	"strconv"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// validDefault reports whether Avro takes the JSON form of a default: not that of a map
// that is an array of entries, nor that of a union.
func (o *Options) validDefault(s *data.Schema, v any) bool {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			if !o.validDefault(s.ValueSchema(), e) {
				return false
			}
		}
	case *data.Map:
		if !o.textKeys(s) {
			return x.Len() == 0
		}
		for _, e := range x.Entries() {
			if !o.validDefault(s.ValueSchema(), e.Value) {
				return false
			}
		}
	case *data.Struct:
		if isUnion(s) {
			return false
		}
		for i := range s.Fields() {
			if v := x.At(i); v != nil && !o.validDefault(s.Fields()[i].Schema, v) {
				return false
			}
		}
	}
	return true
}

// defaultValue returns the JSON form of a default: bytes as text of ISO 8859-1, maps with
// keys that are no text as lists of pairs.
func (o *Options) defaultValue(s *data.Schema, v any) (jsonValue, error) {
	switch x := v.(type) {
	case nil:
		return jsonValue{}, nil
	case bool:
		return jsonValue{kind: jsonBool, text: strconv.FormatBool(x)}, nil
	case int8:
		return intValue(int64(x)), nil
	case int16:
		return intValue(int64(x)), nil
	case int32:
		return intValue(int64(x)), nil
	case int64:
		return intValue(x), nil
	case float32:
		return floatValue(string(data.AppendJavaFloat32(nil, x)), float64(x)), nil
	case float64:
		return floatValue(string(data.AppendJavaFloat64(nil, x)), x), nil
	case string:
		return stringValue(x), nil
	case []byte:
		return bytesValue(x), nil
	case data.Decimal:
		b, err := data.DecimalToBytes(s, x)
		return bytesValue(b), asConnect(err)
	case time.Time:
		return timeValue(s, x)
	}
	return o.defaultContainer(s, v)
}

func (o *Options) defaultContainer(s *data.Schema, v any) (jsonValue, error) {
	out := jsonValue{kind: jsonArray}
	add := func(s *data.Schema, v any) error {
		e, err := o.defaultValue(s, v)
		out.list = append(out.list, e)
		return err
	}
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			if err := add(s.ValueSchema(), e); err != nil {
				return out, err
			}
		}
	case *data.Map:
		texts := o.textKeys(s)
		if texts {
			out.kind = jsonObject
		}
		for _, e := range x.JavaOrder() {
			if texts {
				name, _ := e.Key.(string)
				out.names = append(out.names, name)
				if err := add(s.ValueSchema(), e.Value); err != nil {
					return out, err
				}
				continue
			}
			k, err := o.defaultValue(s.KeySchema(), e.Key)
			if err != nil {
				return out, err
			}
			value, err := o.defaultValue(s.ValueSchema(), e.Value)
			if err != nil {
				return out, err
			}
			out.list = append(out.list, jsonValue{kind: jsonArray, list: []jsonValue{k, value}})
		}
	case *data.Struct:
		out.kind = jsonObject
		for i := range s.Fields() {
			f := &s.Fields()[i]
			out.names = append(out.names, f.Name)
			if err := add(f.Schema, x.At(i)); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

func floatValue(text string, f float64) jsonValue {
	if f-f != 0 {
		return stringValue(text) // NaN and the infinities
	}
	return jsonValue{kind: jsonNumber, text: text}
}

func bytesValue(b []byte) jsonValue {
	chars := make([]rune, len(b))
	for i, c := range b {
		chars[i] = rune(c)
	}
	return stringValue(string(chars))
}

func timeValue(s *data.Schema, t time.Time) (jsonValue, error) {
	var n int64
	var days int32
	var err error
	switch s.Name() {
	case data.DateName:
		days, err = data.DateToInt(s, t)
		n = int64(days)
	case data.TimeName:
		days, err = data.TimeToInt(s, t)
		n = int64(days)
	default:
		n, err = data.TimestampToInt(s, t)
	}
	return intValue(n), asConnect(err)
}

func asConnect(err error) error {
	if err == nil {
		return nil
	}
	return &connect.DataError{Msg: err.Error(), Err: err}
}
