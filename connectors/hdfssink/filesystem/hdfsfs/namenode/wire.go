package namenode

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

var errMalformed = errors.New("malformed protobuf message")

// message builds one protobuf message.
type message []byte

func (m message) str(field protowire.Number, s string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), s)
}

func (m message) bytes(field protowire.Number, b []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), b)
}

func (m message) uint(field protowire.Number, v uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), v)
}

// sint is a sint32 or sint64 (zigzag).
func (m message) sint(field protowire.Number, v int64) message {
	return m.uint(field, protowire.EncodeZigZag(v))
}

func (m message) boolean(field protowire.Number, v bool) message {
	return m.uint(field, protowire.EncodeBool(v))
}

// appendDelimited appends m with its length before it.
func appendDelimited(b []byte, m message) []byte {
	return protowire.AppendBytes(b, m)
}

// takeDelimited cuts a length-prefixed message from the front of b.
func takeDelimited(b []byte) (m, rest []byte, err error) {
	m, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return nil, nil, fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
	}
	return m, b[n:], nil
}

// field is one decoded field: num for varints, data for length-delimited ones.
type field struct {
	num  uint64
	data []byte
}

func (f field) bool() bool   { return f.num != 0 }
func (f field) text() string { return string(f.data) }

// eachField calls visit for every varint and length-delimited field of b, in order.
// Other wire types are skipped; an unknown field is the visitor's to ignore.
func eachField(b []byte, visit func(protowire.Number, field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		var f field
		known := true
		switch kind {
		case protowire.VarintType:
			f.num, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.data, n = protowire.ConsumeBytes(b)
		default:
			n, known = protowire.ConsumeFieldValue(number, kind, b), false
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", errMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		if known {
			if err := visit(number, f); err != nil {
				return err
			}
		}
	}
	return nil
}
