package protocol

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// appendString appends a STRING; callers have checked the length.
func appendString(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

// checkString tells why s cannot be a STRING.
func checkString(what, s string) error {
	if len(s) > math.MaxInt16 {
		return fmt.Errorf("%s has %d bytes of UTF-8; the group protocol allows %d", what, len(s), math.MaxInt16)
	}
	return nil
}

// reader takes values off the front of b. After the first value that does not fit it
// stays bad and returns zeros; err is asked once at the end.
type reader struct {
	b   []byte
	bad string // the first field that did not fit
}

func (r *reader) err() error {
	if r.bad == "" {
		return nil
	}
	return fmt.Errorf("malformed bytes of the connect group protocol: error reading field '%s'", r.bad)
}

// take returns the next n bytes, nil when there are fewer.
func (r *reader) take(n int, field string) []byte {
	if r.bad != "" {
		return nil
	}
	if n < 0 || n > len(r.b) {
		r.bad = field
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) int16(field string) int16 {
	if b := r.take(2, field); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32(field string) int32 {
	if b := r.take(4, field); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64(field string) int64 {
	if b := r.take(8, field); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// string reads a STRING; invalid UTF-8 is replaced, as Java does.
func (r *reader) string(field string) string {
	n := r.int16(field)
	return strings.ToValidUTF8(string(r.take(int(n), field)), "\uFFFD")
}

// nullableBytes returns nil for null.
func (r *reader) nullableBytes(field string) []byte {
	n := r.int32(field)
	if n == -1 {
		return nil
	}
	b := r.take(int(n), field)
	if b == nil && r.bad == "" {
		b = []byte{}
	}
	return b
}

// count reads the length of an ARRAY whose elements have at least size bytes each, so
// that nobody allocates more than was sent. Null counts as empty when it may be.
func (r *reader) count(size int, nullable bool, field string) int {
	n := int(r.int32(field))
	if n == -1 && nullable {
		return 0
	}
	if r.bad == "" && (n < 0 || n > len(r.b)/size) {
		r.bad = field
		return 0
	}
	return n
}

// end reports whether all bytes were read: the field that follows is missing.
func (r *reader) end() bool { return len(r.b) == 0 }
