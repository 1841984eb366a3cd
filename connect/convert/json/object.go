package json

import (
	"strconv"
	"time"

	"github.com/penstock-io/penstock/connect/data"
)

// AppendObject appends what Jackson's ObjectMapper.writeValue writes of the Java object
// for v, whatever its schema is: maps as objects with the text of their keys as names,
// dates in milliseconds, decimals as numbers. The HDFS sink writes so all values that are
// no structs. Structs inside have no form here and are an error.
func AppendObject(dst []byte, v any) ([]byte, error) {
	switch x := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return appendQuoted(dst, x), nil
	case []byte:
		return appendBase64(dst, x), nil
	case data.Decimal:
		return x.Append(dst), nil
	case time.Time:
		return strconv.AppendInt(dst, x.UnixMilli(), 10), nil
	case []any:
		dst = append(dst, '[')
		for i, e := range x {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = AppendObject(dst, e); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case *data.Map:
		dst = append(dst, '{')
		for i, e := range x.JavaOrder() {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendObjectName(dst, e.Key); err != nil {
				return nil, err
			}
			if dst, err = AppendObject(append(dst, ':'), e.Value); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	}
	if t, ok := data.TypeOf(v); !ok || !t.Primitive() {
		return nil, dataError("Java class class %s cannot be written as plain JSON", data.JavaClass(v))
	}
	return appendScalar(dst, v), nil
}

func appendObjectName(dst []byte, k any) ([]byte, error) {
	switch k.(type) {
	case nil:
		return nil, dataError("Null key for a Map not allowed in JSON (use a converting NullKeySerializer?)")
	case []byte, []any, *data.Map, *data.Struct:
		return nil, dataError("Map key of class %s cannot be written as plain JSON", data.JavaClass(k))
	}
	return appendQuoted(dst, data.JavaString(k)), nil
}
