package data

import (
	"math"
	"time"
	"unicode/utf8"
)

// JavaStringHash returns String.hashCode of s: over its UTF-16 code units. Surrogates
// encoded one by one (WTF-8), as the JSON converter leaves lone ones, count as such.
func JavaStringHash[T string | []byte](s T) int32 {
	var h uint32
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return javaStringHashWide(s, i, h)
		}
		h = 31*h + uint32(c)
	}
	return int32(h)
}

func javaStringHashWide[T string | []byte](s T, i int, h uint32) int32 {
	for i < len(s) {
		r, n := decodeWTF8(s, i)
		if r >= 0x10000 {
			r -= 0x10000
			h = 31*h + uint32(0xD800+r>>10)
			r = 0xDC00 + r&0x3FF
		}
		h = 31*h + uint32(r)
		i += n
	}
	return int32(h)
}

// decodeWTF8 is utf8.DecodeRune that also takes encoded surrogates.
func decodeWTF8[T string | []byte](s T, i int) (rune, int) {
	var buf [utf8.UTFMax]byte
	n := copy(buf[:], s[i:])
	r, size := utf8.DecodeRune(buf[:n])
	if r == utf8.RuneError && size == 1 && n >= 3 && buf[0] == 0xED && buf[1]&0xE0 == 0xA0 && buf[2]&0xC0 == 0x80 {
		return 0xD000 | rune(buf[1]&0x3F)<<6 | rune(buf[2]&0x3F), 3
	}
	return r, size
}

// JavaHash returns hashCode of the Java object for a Connect value. Of byte arrays and
// structs, whose hash is not the same in every JVM process, it returns 0.
func JavaHash(v any) int32 {
	switch x := v.(type) {
	case string:
		return JavaStringHash(x)
	case int8:
		return int32(x)
	case int16:
		return int32(x)
	case int32:
		return x
	case int64:
		return hash64(uint64(x))
	case float32:
		return int32(float32Bits(x))
	case float64:
		return hash64(float64Bits(x))
	case bool:
		if x {
			return 1231
		}
		return 1237
	case time.Time:
		return hash64(uint64(x.UnixMilli()))
	case Decimal:
		return x.javaHash()
	case []any:
		h := int32(1)
		for _, e := range x {
			h = 31*h + JavaHash(e)
		}
		return h
	case *Map:
		var h int32
		for _, e := range x.Entries() {
			h += JavaHash(e.Key) ^ JavaHash(e.Value)
		}
		return h
	}
	return 0
}

func hash64(v uint64) int32 { return int32(uint32(v ^ v>>32)) }

// float32Bits is Float.floatToIntBits: all NaNs are one.
func float32Bits(f float32) uint32 {
	if f != f {
		return 0x7fc00000
	}
	return math.Float32bits(f)
}

// float64Bits is Double.doubleToLongBits: all NaNs are one.
func float64Bits(f float64) uint64 {
	if f != f {
		return 0x7ff8000000000000
	}
	return math.Float64bits(f)
}

// JavaHashOrder returns the entries in the iteration order of a java.util.HashMap into
// which they were put in their present order. Keys must be unique.
func JavaHashOrder(entries []MapEntry) []MapEntry { return hashOrder(entries, 0) }

func hashOrder(entries []MapEntry, buckets int32) []MapEntry {
	if len(entries) <= fewEntries {
		if out, ok := fewInOrder(entries, tableSize(buckets, len(entries))); ok {
			return out
		}
	}
	hashes := make([]int32, len(entries))
	for i := range entries {
		hashes[i] = JavaHash(entries[i].Key)
	}
	var o HashOrder
	out := make([]MapEntry, len(entries))
	for i, j := range o.from(buckets, hashes) {
		out[i] = entries[j]
	}
	return out
}

// fewEntries is the number up to which sorting is faster than filling a table.
const fewEntries = 12

// fewInOrder sorts by bucket. ok is false if a bucket is crowded, see HashOrder.link.
func fewInOrder(entries []MapEntry, size int32) (out []MapEntry, ok bool) {
	var at [fewEntries]uint32 // bucket and position
	n := len(entries)
	for i := range entries {
		b := bucket(JavaHash(entries[i].Key), int(size))<<4 | uint32(i)
		k := i
		for ; k > 0 && at[k-1] > b; k-- {
			at[k] = at[k-1]
		}
		at[k] = b
	}
	for i := 8; i < n; i++ {
		if at[i]>>4 == at[i-8]>>4 {
			return nil, false
		}
	}
	out = make([]MapEntry, n)
	for i, b := range at[:n] {
		out[i] = entries[b&15]
	}
	return out, true
}

// HashOrder works out the iteration order of a java.util.HashMap. The zero value is
// ready; it keeps its buffers for the next call and is not safe for concurrent use.
type HashOrder struct {
	heads, tails, next, order []int32
}

// Order returns the positions of the keys with the given hash codes, put in this order,
// as a HashMap that grew with them iterates: by bucket, in a bucket in order of
// insertion. The result is valid until the next call.
//
// A table of at least 64 buckets turns a bucket of more than eight keys into a tree,
// whose order may differ; such a collision takes keys that are made for it.
func (o *HashOrder) Order(hashes []int32) []int32 { return o.from(0, hashes) }

// from is Order for a HashMap that begins with so many buckets; 0 = 16.
func (o *HashOrder) from(buckets int32, hashes []int32) []int32 {
	n := len(hashes)
	o.next = grow(o.next, n)
	o.order = grow(o.order, n)
	if !o.link(hashes, int(tableSize(buckets, n))) {
		o.link(hashes, crowdedSize(hashes, int(tableSize(buckets, 0))))
	}
	k := 0
	for _, i := range o.heads {
		for ; i >= 0; i = o.next[i] {
			o.order[k] = i
			k++
		}
	}
	return o.order
}

// tableSize returns the buckets of a HashMap that began with some and got n entries.
func tableSize(buckets int32, n int) int32 {
	if buckets == 0 {
		buckets = 16
	}
	for n > int(buckets*3/4) {
		buckets *= 2
	}
	return buckets
}

// link chains the keys of each bucket. It returns false when a bucket of a small table
// has more than eight keys, which makes a HashMap grow early.
func (o *HashOrder) link(hashes []int32, size int) bool {
	o.heads = grow(o.heads, size)
	o.tails = grow(o.tails, size)
	for i := range o.heads {
		o.heads[i] = -1
	}
	for i, hash := range hashes {
		b := bucket(hash, size)
		if o.heads[b] < 0 {
			o.heads[b] = int32(i)
		} else {
			o.next[o.tails[b]] = int32(i)
		}
		o.tails[b], o.next[i] = int32(i), -1
	}
	if len(hashes) <= 8 {
		return true
	}
	for _, i := range o.heads {
		for depth := 0; i >= 0; i = o.next[i] {
			if depth++; depth > 8 {
				return false
			}
		}
	}
	return true
}

func bucket(hash int32, size int) uint32 {
	h := uint32(hash)
	return (h ^ h>>16) & uint32(size-1)
}

// crowdedSize puts the keys one by one: below 64 buckets, a key that meets eight others
// in its bucket doubles the table.
func crowdedSize(hashes []int32, size int) int {
	for n, hash := range hashes {
		met := 0
		for _, h := range hashes[:n] {
			if bucket(h, size) == bucket(hash, size) {
				met++
			}
		}
		if met >= 8 && size < 64 {
			size *= 2
		}
		if n+1 > size*3/4 {
			size *= 2
		}
	}
	return size
}

func grow(s []int32, n int) []int32 {
	if cap(s) < n {
		return make([]int32, n, n+n/2)
	}
	return s[:n]
}
