package data

import (
	"encoding/base64"
	"strconv"
	"time"
)

// JavaString returns the text of Java's toString, as the StringConverter writes it:
// {a=1}, [1, 2], Struct{a=1}, null. Byte arrays, whose Java text is their address, give
// "[B".
func JavaString(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(AppendJavaString(nil, v))
}

// AppendJavaString appends JavaString of v.
func AppendJavaString(dst []byte, v any) []byte {
	switch x := v.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return append(dst, x...)
	case []byte:
		return append(dst, "[B"...)
	case time.Time:
		return appendJavaDate(dst, x)
	case []any:
		dst = append(dst, '[')
		for i, e := range x {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = AppendJavaString(dst, e)
		}
		return append(dst, ']')
	case *Map:
		dst = append(dst, '{')
		for i, e := range x.JavaOrder() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(AppendJavaString(dst, e.Key), '=')
			dst = AppendJavaString(dst, e.Value)
		}
		return append(dst, '}')
	case *Struct:
		dst = append(dst, "Struct{"...)
		first := true
		for i, e := range x.values {
			if e == nil {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(append(dst, x.schema.fields[i].Name...), '=')
			dst = AppendJavaString(dst, e)
		}
		return append(dst, '}')
	}
	dst, _ = appendScalar(dst, v)
	return dst
}

// appendJavaDate appends Date.toString in UTC.
func appendJavaDate(dst []byte, t time.Time) []byte {
	year, month, day := JavaDate(floorDiv(t.UnixMilli(), millisPerDay))
	dst = t.UTC().AppendFormat(dst, "Mon ")
	dst = append(append(dst, time.Month(month).String()[:3]...), ' ', byte('0'+day/10), byte('0'+day%10))
	dst = t.UTC().AppendFormat(dst, " 15:04:05 UTC ")
	if year <= 0 {
		year = 1 - year // before Christ, which the text does not tell
	}
	return strconv.AppendInt(dst, year, 10)
}

// appendScalar appends a number or boolean.
func appendScalar(dst []byte, v any) ([]byte, bool) {
	switch x := v.(type) {
	case int8:
		return strconv.AppendInt(dst, int64(x), 10), true
	case int16:
		return strconv.AppendInt(dst, int64(x), 10), true
	case int32:
		return strconv.AppendInt(dst, int64(x), 10), true
	case int64:
		return strconv.AppendInt(dst, x, 10), true
	case float32:
		return AppendJavaFloat32(dst, x), true
	case float64:
		return AppendJavaFloat64(dst, x), true
	case bool:
		return strconv.AppendBool(dst, x), true
	case Decimal:
		return x.Append(dst), true
	}
	return dst, false
}

// ConvertToString returns the text form of Values.convertToString, which
// SimpleHeaderConverter writes and ParseString reads. v must not be null.
func ConvertToString(v any) (string, error) {
	b, err := appendText(nil, v, false)
	return string(b), err
}

func appendText(dst []byte, v any, embedded bool) ([]byte, error) {
	if out, ok := appendScalar(dst, v); ok {
		return out, nil
	}
	switch x := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		if !embedded {
			return append(dst, x...), nil
		}
		return appendQuoted(dst, x), nil
	case []byte:
		if !embedded {
			return base64.StdEncoding.AppendEncode(dst, x), nil
		}
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), x), '"'), nil
	case time.Time:
		return appendTime(dst, x), nil
	case []any:
		dst = append(dst, '[')
		for i, e := range x {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendText(dst, e, true); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case *Map:
		return appendMapText(dst, x)
	case *Struct:
		return appendStructText(dst, x)
	}
	return nil, invalid("Failed to serialize unexpected value type %s: %v", JavaClass(v), v)
}

func appendMapText(dst []byte, m *Map) ([]byte, error) {
	dst = append(dst, '{')
	for i, e := range m.JavaOrder() {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendText(dst, e.Key, true); err != nil {
			return nil, err
		}
		if dst, err = appendText(append(dst, ':'), e.Value, true); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendStructText(dst []byte, s *Struct) ([]byte, error) {
	dst = append(dst, '{')
	for i := range s.values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, s.schema.fields[i].Name), ':')
		var err error
		if dst, err = appendText(dst, s.At(i), true); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// appendTime writes a date in the form that its milliseconds suggest, in UTC (the JVM
// takes its default time zone, but writes the Z all the same).
func appendTime(dst []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	switch {
	case ms < millisPerDay:
		return t.UTC().AppendFormat(dst, "15:04:05.000Z")
	case ms%millisPerDay == 0:
		return t.UTC().AppendFormat(dst, "2006-01-02")
	default:
		return t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	}
}
