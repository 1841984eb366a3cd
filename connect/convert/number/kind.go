package number

import (
	"encoding/binary"
	"math"

	"github.com/penstock-io/penstock/connect/data"
)

// kind is one type with its form in bytes. The names are those of the JVM's messages.
type kind struct {
	name, class, deserializer string
	schema                    *data.Schema
	size                      int
	decode                    func(raw []byte) (v any, ok bool) // of size bytes
	encode                    func(dst []byte, v any) (out []byte, ok bool)
}

var (
	short = &kind{
		"short", "java.lang.Short", "ShortDeserializer", data.OptionalInt16, 2,
		func(raw []byte) (any, bool) { return int16(binary.BigEndian.Uint16(raw)), true },
		func(dst []byte, v any) ([]byte, bool) {
			n, ok := v.(int16)
			return binary.BigEndian.AppendUint16(dst, uint16(n)), ok
		},
	}
	integer = &kind{
		"integer", "java.lang.Integer", "IntegerDeserializer", data.OptionalInt32, 4,
		func(raw []byte) (any, bool) { return int32(binary.BigEndian.Uint32(raw)), true },
		func(dst []byte, v any) ([]byte, bool) {
			n, ok := v.(int32)
			return binary.BigEndian.AppendUint32(dst, uint32(n)), ok
		},
	}
	long = &kind{
		"long", "java.lang.Long", "LongDeserializer", data.OptionalInt64, 8,
		func(raw []byte) (any, bool) { return int64(binary.BigEndian.Uint64(raw)), true },
		func(dst []byte, v any) ([]byte, bool) {
			n, ok := v.(int64)
			return binary.BigEndian.AppendUint64(dst, uint64(n)), ok
		},
	}
	float = &kind{
		"float", "java.lang.Float", "Deserializer", data.OptionalFloat32, 4,
		func(raw []byte) (any, bool) { return math.Float32frombits(binary.BigEndian.Uint32(raw)), true },
		func(dst []byte, v any) ([]byte, bool) {
			f, ok := v.(float32)
			return binary.BigEndian.AppendUint32(dst, math.Float32bits(f)), ok
		},
	}
	double = &kind{
		"double", "java.lang.Double", "Deserializer", data.OptionalFloat64, 8,
		func(raw []byte) (any, bool) { return math.Float64frombits(binary.BigEndian.Uint64(raw)), true },
		func(dst []byte, v any) ([]byte, bool) {
			f, ok := v.(float64)
			return binary.BigEndian.AppendUint64(dst, doubleBits(f)), ok
		},
	}
	boolean = &kind{
		"boolean", "java.lang.Boolean", "BooleanDeserializer", data.OptionalBoolean, 1,
		func(raw []byte) (any, bool) { return raw[0] == 1, raw[0] <= 1 },
		func(dst []byte, v any) ([]byte, bool) {
			b, ok := v.(bool)
			if b {
				return append(dst, 1), ok
			}
			return append(dst, 0), ok
		},
	}
)

// doubleBits is Double.doubleToLongBits: every NaN has the same bits, which are not those
// of Go's.
func doubleBits(f float64) uint64 {
	if f != f {
		return 0x7ff8000000000000
	}
	return math.Float64bits(f)
}
