package testing

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/connect/data"
)

// The functions here write JSON as Jackson does in the JVM's connectors: nothing is
// escaped that need not be, and maps are in the order of a HashMap.

// appendValue appends a value; false when it has something that Jackson cannot write.
func appendValue(dst []byte, v any) ([]byte, bool) {
	switch x := v.(type) {
	case nil:
		return append(dst, "null"...), true
	case bool:
		return strconv.AppendBool(dst, x), true
	case string:
		return data.AppendJSONString(dst, x), true
	case int8:
		return strconv.AppendInt(dst, int64(x), 10), true
	case int16:
		return strconv.AppendInt(dst, int64(x), 10), true
	case int32:
		return strconv.AppendInt(dst, int64(x), 10), true
	case int64:
		return strconv.AppendInt(dst, x, 10), true
	case float32:
		return appendFloat(dst, float64(x), data.AppendJavaFloat32(nil, x)), true
	case float64:
		return appendFloat(dst, x, data.AppendJavaFloat64(nil, x)), true
	case []byte:
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), x), '"'), true
	case data.Decimal:
		return x.Append(dst), true
	case time.Time:
		return strconv.AppendInt(dst, x.UnixMilli(), 10), true
	case []any:
		return appendList(dst, x)
	case *data.Map:
		return appendMap(dst, x)
	}
	return dst, false
}

// appendFloat quotes what is no number in JSON.
func appendFloat(dst []byte, f float64, text []byte) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(append(append(dst, '"'), text...), '"')
	}
	return append(dst, text...)
}

func appendList(dst []byte, list []any) (_ []byte, ok bool) {
	dst = append(dst, '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, ok = appendValue(dst, e); !ok {
			return dst, false
		}
	}
	return append(dst, ']'), true
}

func appendMap(dst []byte, m *data.Map) (_ []byte, ok bool) {
	dst = append(dst, '{')
	for i, e := range m.JavaOrder() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(data.AppendJSONString(dst, data.JavaString(e.Key)), ':')
		if dst, ok = appendValue(dst, e.Value); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

// unserializable is Jackson's complaint about an object without properties, as the JVM's
// connectors print it instead of the line.
func unserializable(v any, field string) string {
	return "Bad data can't be written as json: No serializer found for class " + data.JavaClass(v) +
		" and no properties discovered to create BeanSerializer (to avoid exception, disable SerializationFeature.FAIL_ON_EMPTY_BEANS)" +
		` (through reference chain: java.util.HashMap["` + field + `"])`
}
