package json

import (
	"slices"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/connect/data"
)

// Encoder writes Connect data as JSON, in the very text of the JVM. The zero value is
// ready: decimals in base64, null kept where a default exists. It keeps a plan per struct
// schema and is not safe for concurrent use.
type Encoder struct {
	// NumericDecimals writes decimals as numbers, not as base64 (decimal.format).
	NumericDecimals bool
	// ReplaceNullWithDefault writes the default of the schema in place of a null.
	ReplaceNullWithDefault bool

	last  *data.Schema
	names [][]byte // of last: `{"a":`, `,"b":`
	plans map[*data.Schema][][]byte
}

// maxPlans bounds the plans that an Encoder keeps.
const maxPlans = 1000

// Append appends a value with its schema, or without one (nil): what
// JsonConverter.fromConnectData writes with schemas.enable=false.
func (e *Encoder) Append(dst []byte, s *data.Schema, v any) ([]byte, error) {
	if v == nil {
		switch {
		case s == nil:
			return append(dst, "null"...), nil
		case s.Default() != nil && e.ReplaceNullWithDefault:
			return e.Append(dst, s, s.Default())
		case s.Optional():
			return append(dst, "null"...), nil
		}
		return nil, dataError("Conversion error: null value for field that is required and has no default value")
	}
	if s == nil {
		return e.appendSchemaless(dst, v)
	}
	if out, ok, err := e.appendLogical(dst, s, v); ok {
		return out, asConnect(err)
	}
	ok := false
	switch s.Type() {
	case data.Int8:
		if _, ok = v.(int8); ok {
			return appendScalar(dst, v), nil
		}
	case data.Int16:
		if _, ok = v.(int16); ok {
			return appendScalar(dst, v), nil
		}
	case data.Int32:
		if n, is := v.(int32); is {
			return strconv.AppendInt(dst, int64(n), 10), nil
		}
	case data.Int64:
		if n, is := v.(int64); is {
			return strconv.AppendInt(dst, n, 10), nil
		}
	case data.Float32:
		if f, is := v.(float32); is {
			return appendFloat(dst, float64(f), 32), nil
		}
	case data.Float64:
		if f, is := v.(float64); is {
			return appendFloat(dst, f, 64), nil
		}
	case data.Boolean:
		if b, is := v.(bool); is {
			return strconv.AppendBool(dst, b), nil
		}
	case data.String:
		if t, is := v.(string); is {
			return appendQuoted(dst, t), nil
		}
	case data.Bytes:
		if b, is := v.([]byte); is {
			return appendBase64(dst, b), nil
		}
		return nil, dataError("Invalid type for bytes type: class %s", data.JavaClass(v))
	case data.Array:
		if list, is := v.([]any); is {
			return e.appendList(dst, s.ValueSchema(), list)
		}
	case data.MapType:
		if m, is := v.(*data.Map); is {
			return e.appendMap(dst, s, m)
		}
	case data.StructType:
		if st, is := v.(*data.Struct); is {
			return e.appendStruct(dst, s, st)
		}
	}
	return nil, dataError("Invalid type for %s: class %s", s.Type(), data.JavaClass(v))
}

// appendSchemaless writes by the class of the value.
func (e *Encoder) appendSchemaless(dst []byte, v any) ([]byte, error) {
	switch x := v.(type) {
	case string:
		return appendQuoted(dst, x), nil
	case []byte:
		return appendBase64(dst, x), nil
	case []any:
		return e.appendList(dst, nil, x)
	case *data.Map:
		return e.appendMap(dst, nil, x)
	case *data.Struct:
		return nil, dataError("Mismatching schema.")
	}
	if _, ok := data.TypeOf(v); !ok {
		return nil, dataError("Java class class %s does not have corresponding schema type.", data.JavaClass(v))
	}
	return appendScalar(dst, v), nil
}

func appendScalar(dst []byte, v any) []byte {
	switch x := v.(type) {
	case int8:
		return strconv.AppendInt(dst, int64(x), 10)
	case int16:
		return strconv.AppendInt(dst, int64(x), 10)
	case int32:
		return strconv.AppendInt(dst, int64(x), 10)
	case int64:
		return strconv.AppendInt(dst, x, 10)
	case float32:
		return appendFloat(dst, float64(x), 32)
	case float64:
		return appendFloat(dst, x, 64)
	case bool:
		return strconv.AppendBool(dst, x)
	}
	return dst
}

// appendFloat writes a number in Java's form; what is no number is quoted.
func appendFloat(dst []byte, f float64, size int) []byte {
	if f-f != 0 {
		return append(data.AppendJavaFloat64(append(dst, '"'), f), '"')
	}
	if size == 32 {
		return data.AppendJavaFloat32(dst, float32(f))
	}
	return data.AppendJavaFloat64(dst, f)
}

func (e *Encoder) appendList(dst []byte, elem *data.Schema, list []any) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.Append(dst, elem, v); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// appendMap writes an object if all keys are strings, else a list of pairs.
func (e *Encoder) appendMap(dst []byte, s *data.Schema, m *data.Map) ([]byte, error) {
	var key, value *data.Schema
	entries := m.JavaOrder()
	asObject := true
	if s != nil {
		key, value = s.KeySchema(), s.ValueSchema()
		if asObject = key.Type() == data.String; asObject && key.Optional() {
			entries = e.mergeNullKey(key, entries)
		}
	} else {
		for i := range entries {
			if _, ok := entries[i].Key.(string); !ok {
				asObject = false
				break
			}
		}
	}
	if !asObject {
		return e.appendPairs(dst, key, value, entries)
	}
	dst = append(dst, '{')
	for i := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.appendName(dst, key, entries[i].Key); err != nil {
			return nil, err
		}
		if dst, err = e.Append(append(dst, ':'), value, entries[i].Value); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// mergeNullKey leaves one entry where the null key gets the name that another one has: the
// last value, at the first place.
func (e *Encoder) mergeNullKey(key *data.Schema, entries []data.MapEntry) []data.MapEntry {
	null := slices.IndexFunc(entries, func(e data.MapEntry) bool { return e.Key == nil })
	if null < 0 {
		return entries
	}
	var name any = "null"
	if key.Default() != nil && e.ReplaceNullWithDefault {
		name = key.Default()
	}
	twin := slices.IndexFunc(entries, func(e data.MapEntry) bool { return e.Key == name })
	if twin < 0 {
		return entries
	}
	first, last := min(null, twin), max(null, twin)
	merged := slices.Delete(slices.Clone(entries), last, last+1)
	merged[first].Value = entries[last].Value
	return merged
}

// appendName writes a key of an object; a null key that the schema allows is "null".
func (e *Encoder) appendName(dst []byte, s *data.Schema, k any) ([]byte, error) {
	if k != nil {
		return e.Append(dst, s, k)
	}
	from := len(dst)
	dst, err := e.Append(dst, s, nil)
	if err == nil && dst[from] != '"' {
		dst = append(dst[:from], `"null"`...)
	}
	return dst, err
}

func (e *Encoder) appendPairs(dst []byte, key, value *data.Schema, entries []data.MapEntry) ([]byte, error) {
	dst = append(dst, '[')
	for i := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.Append(append(dst, '['), key, entries[i].Key); err != nil {
			return nil, err
		}
		if dst, err = e.Append(append(dst, ','), value, entries[i].Value); err != nil {
			return nil, err
		}
		dst = append(dst, ']')
	}
	return append(dst, ']'), nil
}

func (e *Encoder) appendStruct(dst []byte, s *data.Schema, st *data.Struct) ([]byte, error) {
	if !st.Schema().Equal(s) {
		return nil, dataError("Mismatching schema.")
	}
	fields := s.Fields()
	if len(fields) == 0 {
		return append(dst, '{', '}'), nil
	}
	names := e.plan(s)
	for i := range fields {
		var err error
		if dst, err = e.Append(append(dst, names[i]...), fields[i].Schema, st.AtWithoutDefault(i)); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// plan returns the text in front of each value of a struct.
func (e *Encoder) plan(s *data.Schema) [][]byte {
	if e.last == s {
		return e.names
	}
	names, ok := e.plans[s]
	if !ok {
		for i := range s.Fields() {
			b := []byte{','}
			if i == 0 {
				b[0] = '{'
			}
			names = append(names, append(appendQuoted(b, s.Fields()[i].Name), ':'))
		}
		if e.plans == nil || len(e.plans) >= maxPlans {
			e.plans = make(map[*data.Schema][][]byte)
		}
		e.plans[s] = names
	}
	e.last, e.names = s, names
	return names
}

func (e *Encoder) appendLogical(dst []byte, s *data.Schema, v any) (out []byte, ok bool, err error) {
	switch s.Name() {
	case data.DecimalName:
		d, is := v.(data.Decimal)
		if !is {
			return nil, true, dataError("Invalid type for Decimal, expected BigDecimal but was class %s", data.JavaClass(v))
		}
		if e.NumericDecimals {
			return d.Append(dst), true, nil
		}
		b, err := data.DecimalToBytes(s, d)
		return appendBase64(dst, b), true, err
	case data.DateName:
		t, is := v.(time.Time)
		if !is {
			return nil, true, dataError("Invalid type for Date, expected Date but was class %s", data.JavaClass(v))
		}
		n, err := data.DateToInt(s, t)
		return strconv.AppendInt(dst, int64(n), 10), true, err
	case data.TimeName:
		t, is := v.(time.Time)
		if !is {
			return nil, true, dataError("Invalid type for Time, expected Date but was class %s", data.JavaClass(v))
		}
		n, err := data.TimeToInt(s, t)
		return strconv.AppendInt(dst, int64(n), 10), true, err
	case data.TimestampName:
		t, is := v.(time.Time)
		if !is {
			return nil, true, dataError("Invalid type for Timestamp, expected Date but was class %s", data.JavaClass(v))
		}
		n, err := data.TimestampToInt(s, t)
		return strconv.AppendInt(dst, n, 10), true, err
	}
	return nil, false, nil
}
