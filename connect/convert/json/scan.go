package json

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Jackson's StreamReadConstraints.
const (
	maxDepth  = 1000
	maxNumber = 1000
	maxName   = 50_000
	maxString = 20_000_000
)

// scanner checks JSON text without decoding it. Every method takes the position to start
// at and returns the one behind what it found, or -1 when the fast path cannot vouch for
// the text: it is malformed, or valid only in an unusual way.
type scanner struct {
	b []byte
	// high collects the bytes of strings; its sign bits tell whether any was beyond
	// ASCII, which leaves the text to be checked with utf8.Valid.
	high uint64
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// document finds the first value. It returns start == end when there is none.
func document(b []byte) (start, end int, ok bool) {
	s := scanner{b: b}
	start = s.space(0)
	if start == len(b) {
		return start, start, true
	}
	end = s.value(start, 0)
	if end < 0 || !s.valid(start, end) || !rootEnds(b, start, end) {
		return 0, 0, false
	}
	return start, end, true
}

// valid checks the encoding of a part that was scanned.
func (s *scanner) valid(start, end int) bool {
	return s.high&highs == 0 || utf8.Valid(s.b[start:end])
}

// rootEnds reports whether a value that stands alone ends where it seems to: numbers and
// words go on to the next white space.
func rootEnds(b []byte, start, end int) bool {
	if end == len(b) {
		return true
	}
	switch b[start] {
	case '{', '[', '"':
		return true
	}
	return isSpace(b[end])
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func (s *scanner) space(i int) int {
	for i < len(s.b) && isSpace(s.b[i]) {
		i++
	}
	return i
}

func (s *scanner) value(i, depth int) int {
	if i >= len(s.b) {
		return -1
	}
	switch c := s.b[i]; c {
	case '"':
		return s.str(i + 1)
	case '{':
		return s.object(i+1, depth+1)
	case '[':
		return s.array(i+1, depth+1)
	case 't':
		return s.word(i, "true")
	case 'f':
		return s.word(i, "false")
	case 'n':
		return s.word(i, "null")
	default:
		if c == '-' || c-'0' <= 9 {
			return s.number(i)
		}
		return -1
	}
}

func (s *scanner) word(i int, w string) int {
	if len(s.b)-i >= len(w) && string(s.b[i:i+len(w)]) == w {
		return i + len(w)
	}
	return -1
}

func (s *scanner) object(i, depth int) int {
	if depth > maxDepth {
		return -1
	}
	if i = s.space(i); i < len(s.b) && s.b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(s.b) || s.b[i] != '"' {
			return -1
		}
		if i = s.name(i + 1); i < 0 {
			return -1
		}
		if i = s.colon(i); i < 0 {
			return -1
		}
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		i = s.space(i)
		if i >= len(s.b) {
			return -1
		}
		if s.b[i] == '}' {
			return i + 1
		}
		if s.b[i] != ',' {
			return -1
		}
		i = s.space(i + 1)
	}
}

// colon takes a colon and the white space around it.
func (s *scanner) colon(i int) int {
	if i = s.space(i); i >= len(s.b) || s.b[i] != ':' {
		return -1
	}
	return s.space(i + 1)
}

func (s *scanner) array(i, depth int) int {
	if depth > maxDepth {
		return -1
	}
	if i = s.space(i); i < len(s.b) && s.b[i] == ']' {
		return i + 1
	}
	for {
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		i = s.space(i)
		if i >= len(s.b) {
			return -1
		}
		if s.b[i] == ']' {
			return i + 1
		}
		if s.b[i] != ',' {
			return -1
		}
		i = s.space(i + 1)
	}
}

// special finds the next byte of a string that needs attention: a quote, a backslash or a
// control character. It returns len(b) when there is none.
func (s *scanner) special(i int) int {
	b := s.b
	high := s.high
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^('"'*ones), w^('\\'*ones)
		hit := ((w-0x20*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs
		if hit != 0 {
			// Only bytes in front of the hit belong to the string.
			n := bits.TrailingZeros64(hit) &^ 7
			s.high = high | w&(1<<n-1)
			return i + n/8
		}
		high |= w
		i += 8
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c == '"' || c == '\\' || c < 0x20 {
			break
		}
		high |= uint64(c)
	}
	s.high = high
	return i
}

// str scans a string behind its opening quote.
func (s *scanner) str(i int) int {
	from := i
	for {
		i = s.special(i)
		if i >= len(s.b) {
			return -1
		}
		switch s.b[i] {
		case '"':
			if i-from > maxString {
				return -1
			}
			return i + 1
		case '\\':
			if i = escape(s.b, i+1); i < 0 {
				return -1
			}
		default:
			return -1
		}
	}
}

// name is str for a member name, in which halves of surrogate pairs are not allowed.
func (s *scanner) name(i int) int {
	end := s.special(i)
	if end >= len(s.b) || s.b[end] != '"' {
		if end = s.str(i); end < 0 || !pairedEscapes(s.b[i:end-1]) {
			return -1
		}
		return end
	}
	if end-i > maxName {
		return -1
	}
	return end + 1
}

// escape checks an escape behind its backslash.
func escape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if i+5 <= len(b) && hex4(b[i+1:i+5]) >= 0 {
			return i + 5
		}
	}
	return -1
}

// hex4 reads four hex digits, -1 if they are not.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// pairedEscapes reports whether escaped surrogates come in pairs, and the name is not
// too long, in the escapes checked before.
func pairedEscapes(b []byte) bool {
	if len(b) > maxName {
		return false
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		i++
		if b[i] != 'u' {
			continue
		}
		r := hex4(b[i+1:])
		i += 4
		if r < 0xD800 || r > 0xDFFF {
			continue
		}
		if r > 0xDBFF || len(b)-i < 7 || b[i+1] != '\\' || b[i+2] != 'u' {
			return false
		}
		if low := hex4(b[i+3:]); low < 0xDC00 || low > 0xDFFF {
			return false
		}
		i += 6
	}
	return true
}

// number scans a number; leading zeros are accepted.
func (s *scanner) number(i int) int {
	b := s.b
	start := i
	if b[i] == '-' {
		i++
	}
	from := i
	i = digits(b, i)
	if i == from {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		from = i + 1
		if i = digits(b, from); i == from {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		from = i
		if i = digits(b, from); i == from || i-from > 8 {
			return -1 // a long exponent may overflow in the JVM
		}
	}
	if i-start > maxNumber {
		return -1
	}
	return i
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}
