package avro

import (
	"encoding/binary"
	"math"

	"github.com/penstock-io/penstock/connect/data"
)

// anything is the schema of data without a schema: one field is set.
var anything = mustParse(`{"type":"record","name":"Anything","namespace":"io.confluent.connect.avro","fields":[` +
	`{"name":"boolean","type":["null","boolean"],"default":null},` +
	`{"name":"bytes","type":["null","bytes"],"default":null},` +
	`{"name":"double","type":["null","double"],"default":null},` +
	`{"name":"float","type":["null","float"],"default":null},` +
	`{"name":"int","type":["null","int"],"default":null},` +
	`{"name":"long","type":["null","long"],"default":null},` +
	`{"name":"string","type":["null","string"],"default":null},` +
	`{"name":"array","type":["null",{"type":"array","items":"Anything"}],"default":null},` +
	`{"name":"map","type":["null",{"type":"array","items":{"type":"record","name":"MapEntry","fields":[` +
	`{"name":"key","type":"Anything"},{"name":"value","type":"Anything"}]}}],"default":null}]}`)

func mustParse(text string) *Schema {
	s, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return s
}

// Fields of Anything.
const (
	anyBoolean = iota
	anyBytes
	anyDouble
	anyFloat
	anyInt
	anyLong
	anyString
	anyArray
	anyMap
	anyFields
)

// appendAnything appends a value without a schema.
func appendAnything(dst []byte, v any) ([]byte, *fault) {
	set := anyFields
	switch v.(type) {
	case nil:
	case bool:
		set = anyBoolean
	case []byte:
		set = anyBytes
	case float64:
		set = anyDouble
	case float32:
		set = anyFloat
	case int8, int16, int32:
		set = anyInt
	case int64:
		set = anyLong
	case string:
		set = anyString
	case []any:
		set = anyArray
	case *data.Map:
		set = anyMap
	case *data.Struct:
		return dst, newFault("Mismatching struct schema")
	default:
		return dst, newFault("Unknown Java type for schemaless data: class " + data.JavaClass(v))
	}
	const nulls = "\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	if set == anyFields {
		return append(dst, nulls...), nil
	}
	dst = append(append(dst, nulls[:set]...), 2)
	dst, err := appendAnyField(dst, v)
	return append(dst, nulls[:anyFields-1-set]...), err
}

func appendAnyField(dst []byte, v any) ([]byte, *fault) {
	switch x := v.(type) {
	case bool:
		return appendBool(dst, x), nil
	case []byte:
		return append(appendLong(dst, int64(len(x))), x...), nil
	case float64:
		return appendDouble(dst, x), nil
	case float32:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(x)), nil
	case int8:
		return appendLong(dst, int64(x)), nil
	case int16:
		return appendLong(dst, int64(x)), nil
	case int32:
		return appendLong(dst, int64(x)), nil
	case int64:
		return appendLong(dst, x), nil
	case string:
		return appendString(dst, x), nil
	case []any:
		if len(x) > 0 {
			dst = appendLong(dst, int64(len(x)))
		}
		for _, element := range x {
			var err *fault
			if dst, err = appendAnything(dst, element); err != nil {
				return dst, err
			}
		}
	case *data.Map:
		if x.Len() > 0 {
			dst = appendLong(dst, int64(x.Len()))
		}
		for _, entry := range x.JavaOrder() {
			var err *fault
			if dst, err = appendAnything(dst, entry.Key); err != nil {
				return dst, err
			}
			if dst, err = appendAnything(dst, entry.Value); err != nil {
				return dst, err
			}
		}
	}
	return append(dst, 0), nil
}
