package avro

import (
	"encoding/binary"
	"math"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect/data"
)

// append appends v. Whatever dst holds behind its old length after a fault is undefined.
func (e *Encoder) append(dst []byte, p *plan, v any) ([]byte, *fault) {
	if v == nil {
		if !p.optional {
			return dst, newFault("Found null value for non-optional schema")
		}
		return append(dst, p.null), nil
	}
	if p.optional && p.op != opUnion {
		dst = append(dst, p.value)
	}
	return e.appendValue(dst, p, v)
}

// appendValue appends a value that is not null, without the index of its branch.
func (e *Encoder) appendValue(dst []byte, p *plan, v any) ([]byte, *fault) {
	switch p.op {
	case opInt8:
		if n, ok := v.(int8); ok {
			return appendLong(dst, int64(n)), nil
		}
	case opInt16:
		if n, ok := v.(int16); ok {
			return appendLong(dst, int64(n)), nil
		}
	case opInt32:
		if n, ok := v.(int32); ok {
			return appendLong(dst, int64(n)), nil
		}
	case opInt64:
		if n, ok := v.(int64); ok {
			return appendLong(dst, n), nil
		}
	case opFloat32:
		if f, ok := v.(float32); ok {
			return binary.LittleEndian.AppendUint32(dst, math.Float32bits(f)), nil
		}
	case opFloat64:
		if f, ok := v.(float64); ok {
			return appendDouble(dst, f), nil
		}
	case opBoolean:
		if b, ok := v.(bool); ok {
			return appendBool(dst, b), nil
		}
	case opString:
		if s, ok := v.(string); ok {
			return appendString(dst, s), nil
		}
	case opBytes:
		if b, ok := v.([]byte); ok {
			return append(appendLong(dst, int64(len(b))), b...), nil
		}
	case opArray:
		if list, ok := v.([]any); ok {
			return e.appendList(dst, p, list)
		}
	case opMap, opPairs:
		if m, ok := v.(*data.Map); ok {
			if p.op == opMap {
				return e.appendMap(dst, p, m)
			}
			return e.appendPairs(dst, p, m)
		}
	case opStruct, opUnion:
		if st, ok := v.(*data.Struct); ok {
			if !st.Schema().Equal(p.schema) {
				return dst, newFault("Mismatching struct schema")
			}
			if p.op == opUnion {
				return e.appendUnion(dst, p, st)
			}
			return e.appendStruct(dst, p, st)
		}
	case opEnum:
		if s, ok := v.(string); ok {
			n, ok := p.symbols[s]
			if !ok {
				return dst, faultf("enum value '%s' is not in the enum symbol set of %s", clip(s), p.schema)
			}
			return appendLong(dst, int64(n)), nil
		}
	case opFixed, opDecimal:
		return appendFixedOrDecimal(dst, p, v)
	default:
		return appendTime(dst, p, v)
	}
	return dst, faultf("Invalid type for %s: class %s", p.schema.Type(), data.JavaClass(v))
}

// clip bounds a value in a message.
func clip(s string) string {
	const shown = 100
	if len(s) > shown {
		return s[:shown] + "..."
	}
	return s
}

func (e *Encoder) appendStruct(dst []byte, p *plan, st *data.Struct) ([]byte, *fault) {
	for i, f := range p.fields {
		var err *fault
		if dst, err = e.append(dst, f, st.At(i)); err != nil {
			return dst, err.in(p.schema.Fields()[i].Name)
		}
	}
	return dst, nil
}

// appendUnion appends the first field that is set; none is a null.
func (e *Encoder) appendUnion(dst []byte, p *plan, st *data.Struct) ([]byte, *fault) {
	branch := int64(0)
	if p.optional {
		branch = 1
	}
	for i, f := range p.fields {
		v := st.At(i)
		if v == nil {
			branch++
			continue
		}
		dst, err := e.appendValue(appendLong(dst, branch), f, v)
		if err != nil {
			return dst, err.in(p.schema.Fields()[i].Name)
		}
		return dst, nil
	}
	return e.append(dst, p, nil)
}

func (e *Encoder) appendList(dst []byte, p *plan, list []any) ([]byte, *fault) {
	if len(list) > 0 {
		dst = appendLong(dst, int64(len(list)))
	}
	for i, v := range list {
		var err *fault
		if dst, err = e.append(dst, p.elem, v); err != nil {
			return dst, err.atIndex(i)
		}
	}
	return append(dst, 0), nil
}

// appendMap appends a map in the order of the HashMap that AvroData makes of any map.
func (e *Encoder) appendMap(dst []byte, p *plan, m *data.Map) ([]byte, *fault) {
	entries := m.Entries()
	if len(entries) == 0 {
		return append(dst, 0), nil
	}
	dst = appendLong(dst, int64(len(entries)))
	order := e.hashOrder(entries)
	for i := range entries {
		entry := &entries[i]
		if order != nil {
			entry = &entries[order[i]]
		}
		k, ok := entry.Key.(string)
		if !ok {
			if entry.Key == nil {
				return dst, newFault("Found null value for non-optional schema").at("null")
			}
			return dst, faultf("Invalid type for %s: class %s", p.schema.Type(), data.JavaClass(entry.Key)).at(data.JavaString(entry.Key))
		}
		var err *fault
		if dst, err = e.append(appendString(dst, k), p.elem, entry.Value); err != nil {
			return dst, err.at(k)
		}
	}
	if order != nil {
		e.depth--
	}
	return append(dst, 0), nil
}

// hashOrder returns the order of the entries, nil for the one that they are in. Its
// buffers are those of the present depth, since values may be maps; the caller gives
// them back by e.depth--.
func (e *Encoder) hashOrder(entries []data.MapEntry) []int32 {
	if len(entries) < 2 {
		return nil
	}
	if e.depth == len(e.orders) {
		e.orders = append(e.orders, &mapOrder{})
	}
	o := e.orders[e.depth]
	e.depth++
	o.hashes = o.hashes[:0]
	for i := range entries {
		o.hashes = append(o.hashes, data.JavaHash(entries[i].Key))
	}
	return o.order.Order(o.hashes)
}

func (e *Encoder) appendPairs(dst []byte, p *plan, m *data.Map) ([]byte, *fault) {
	if m.Len() > 0 {
		dst = appendLong(dst, int64(m.Len()))
	}
	for _, entry := range m.JavaOrder() {
		var err *fault
		if dst, err = e.append(dst, p.key, entry.Key); err != nil {
			return dst, err.in(mapEntryKey).at(data.JavaString(entry.Key))
		}
		if dst, err = e.append(dst, p.elem, entry.Value); err != nil {
			return dst, err.in(mapEntryValue).at(data.JavaString(entry.Key))
		}
	}
	return append(dst, 0), nil
}

func appendFixedOrDecimal(dst []byte, p *plan, v any) ([]byte, *fault) {
	if p.schema.Name() != data.DecimalName {
		b, ok := v.([]byte)
		if !ok {
			return dst, faultf("Invalid type for BYTES: class %s", data.JavaClass(v))
		}
		if len(b) != p.size {
			return dst, faultf("Invalid length for fixed %s: it takes %d bytes, the value has %d", p.schema.Name(), p.size, len(b))
		}
		return append(dst, b...), nil
	}
	d, ok := v.(data.Decimal)
	if !ok {
		return dst, faultf("Invalid type for Decimal, expected BigDecimal but was class %s", data.JavaClass(v))
	}
	if d.Scale != p.scale {
		return dst, faultf("Decimal value has mismatching scale for given Decimal schema. Schema has scale %d, value has scale %d.", p.scale, d.Scale)
	}
	n := decimalSize(d.Unscaled)
	if p.op == opDecimal {
		return appendTwosComplement(appendLong(dst, int64(n)), d.Unscaled, n), nil
	}
	if n > p.size {
		return dst, faultf("Invalid length for fixed %s: it takes %d bytes, the value needs %d", p.schema.Name(), p.size, n)
	}
	return appendTwosComplement(dst, d.Unscaled, p.size), nil
}

// decimalSize returns the number of bytes of BigInteger.toByteArray.
func decimalSize(u *big.Int) int {
	if u == nil {
		return 1
	}
	bits := u.BitLen()
	if u.Sign() < 0 && u.TrailingZeroBits() == uint(bits-1) {
		bits-- // a power of two fits below zero
	}
	return bits/8 + 1
}

// appendTwosComplement appends u in n bytes, which are enough.
func appendTwosComplement(dst []byte, u *big.Int, n int) []byte {
	at := len(dst)
	for range n {
		dst = append(dst, 0)
	}
	if u == nil {
		return dst
	}
	b := dst[at:]
	if u.Sign() >= 0 {
		u.FillBytes(b)
		return dst
	}
	u.FillBytes(b) // the absolute value
	carry := true
	for i := n - 1; i >= 0; i-- {
		b[i] = ^b[i]
		if carry {
			b[i]++
			carry = b[i] == 0
		}
	}
	return dst
}

// appendTime appends the logical types that are a time in Go.
func appendTime(dst []byte, p *plan, v any) ([]byte, *fault) {
	t, ok := v.(time.Time)
	if !ok {
		name := p.schema.Name()
		return dst, faultf("Invalid type for %s, expected Date but was class %s", name[strings.LastIndexByte(name, '.')+1:], data.JavaClass(v))
	}
	var n int64
	var n32 int32
	var err error
	switch p.op {
	case opDate:
		n32, err = data.DateToInt(p.schema, t)
		n = int64(n32)
	case opTime:
		n32, err = data.TimeToInt(p.schema, t)
		n = int64(n32)
	default:
		n, err = data.TimestampToInt(p.schema, t)
	}
	if err != nil {
		return dst, faultOf(err)
	}
	return appendLong(dst, n), nil
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// appendDouble appends a double. Go's NaN has other bits than Java's.
func appendDouble(dst []byte, f float64) []byte {
	bits := math.Float64bits(f)
	if f != f {
		bits = 0x7FF8 << 48
	}
	return binary.LittleEndian.AppendUint64(dst, bits)
}

// appendLong appends an int or long: zigzag, then seven bits per byte.
func appendLong(dst []byte, n int64) []byte {
	return binary.AppendUvarint(dst, uint64(n)<<1^uint64(n>>63))
}

// appendString appends a string. Halves of surrogate pairs become question marks, as in
// Java; each has three bytes here.
func appendString(dst []byte, s string) []byte {
	if i := strings.IndexByte(s, 0xED); i >= 0 && !utf8.ValidString(s[i:]) {
		return appendRepaired(dst, s)
	}
	return append(appendLong(dst, int64(len(s))), s...)
}

func appendRepaired(dst []byte, s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == 0xED && len(s)-i >= 3 && s[i+1]&0xE0 == 0xA0 && s[i+2]&0xC0 == 0x80 {
			out = append(out, '?')
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return append(appendLong(dst, int64(len(out))), out...)
}
