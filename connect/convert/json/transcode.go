package json

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect/data"
)

// A Transcoder writes schemaless values that are still encoded (data.JSON) as AppendObject
// writes them decoded: without white space, members in the order of a Java HashMap, the
// last of several with one name, numbers and escapes in the form of the JVM. It allocates
// nothing in the steady state. The zero value is ready; it is not safe for concurrent use.
type Transcoder struct {
	scanner
	i       int
	dst     []byte
	levels  []*level
	depth   int
	objects int // seen in this value
	shapes  [64]shape
	order   data.HashOrder
	spare   []byte
}

// maxSpare bounds the buffer that a Transcoder keeps.
const maxSpare = 1 << 20

// level holds the members of the object that is open at one depth.
type level struct{ members []member }

// member is where the name and the value of a member stand in dst, and its name in b.
type member struct{ from, end, nameFrom, nameEnd int }

// shape is the names of the last object at the same place, whose order is known: records
// of a topic tend to look alike.
type shape struct {
	names  []byte // one after the other
	ends   []int
	hashes []int32
	order  []int32 // empty: as they are
}

// Append appends raw, which must be a value as the Converter leaves it in a data.Datum:
// well-formed, without white space around it.
func (t *Transcoder) Append(dst, raw []byte) []byte {
	t.b, t.i, t.dst, t.depth, t.objects = raw, 0, dst, 0, 0
	t.value()
	dst, t.b, t.dst = t.dst, nil, nil
	if cap(t.spare) > maxSpare { // one big value does not stay
		t.spare, t.levels, t.shapes = nil, nil, [len(t.shapes)]shape{}
	}
	return dst
}

// AppendText appends a text, which must be UTF-8, as AppendObject appends a string.
func AppendText(dst, text []byte) []byte {
	dst = append(dst, '"')
	s := scanner{b: text}
	for i := 0; ; {
		end := s.special(i)
		if s.high&highs == 0 || !hasWide(text[i:end]) {
			dst = append(dst, text[i:end]...)
		} else {
			dst = appendWide(dst, text[i:end])
		}
		if end == len(text) {
			return append(dst, '"')
		}
		dst = appendEscaped(dst, rune(text[end]))
		i = end + 1
	}
}

// appendWide appends text of which only what is beyond the basic plane needs escapes.
func appendWide(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		if text[i] < 0xF0 {
			dst = append(dst, text[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		dst = appendEscaped(dst, r)
		i += n
	}
	return dst
}

// AppendBase64 appends bytes as AppendObject does.
func AppendBase64(dst, b []byte) []byte { return appendBase64(dst, b) }

func (t *Transcoder) skipSpace() { t.i = t.space(t.i) }

func (t *Transcoder) value() {
	switch t.b[t.i] {
	case '"':
		t.text()
	case '{':
		t.object()
	case '[':
		t.array()
	case 't':
		t.literal("true")
	case 'f':
		t.literal("false")
	case 'n':
		t.literal("null")
	default:
		t.number()
	}
}

func (t *Transcoder) literal(w string) {
	t.dst = append(t.dst, w...)
	t.i += len(w)
}

func (t *Transcoder) array() {
	t.dst = append(t.dst, '[')
	t.i++
	for t.skipSpace(); t.b[t.i] != ']'; t.skipSpace() {
		if t.b[t.i] == ',' {
			t.dst = append(t.dst, ',')
			t.i++
			t.skipSpace()
		}
		t.value()
	}
	t.dst = append(t.dst, ']')
	t.i++
}

// text takes a string at its opening quote.
func (t *Transcoder) text() {
	from := t.i + 1
	t.high = 0
	end := t.special(from)
	if t.b[end] == '"' && (t.high&highs == 0 || !hasWide(t.b[from:end])) {
		t.dst = append(t.dst, t.b[t.i:end+1]...)
		t.i = end + 1
		return
	}
	t.oddText(from)
}

// hasWide reports whether there are characters beyond the basic plane.
func hasWide(b []byte) bool {
	for _, c := range b {
		if c >= 0xF0 {
			return true
		}
	}
	return false
}

// oddText takes a string, behind its opening quote, that has escapes or needs some.
func (t *Transcoder) oddText(i int) {
	dst := append(t.dst, '"')
	for t.b[i] != '"' {
		c := t.b[i]
		switch {
		case c == '\\':
			var r rune
			r, i = unescapeOne(t.b, i)
			if r < 0x20 || r == '"' || r == '\\' || r >= 0xD800 && r <= 0xDFFF {
				dst = appendEscaped(dst, r)
			} else {
				dst = utf8.AppendRune(dst, r)
			}
		case c >= 0xF0:
			r, n := utf8.DecodeRune(t.b[i:])
			dst = appendEscaped(dst, r)
			i += n
		default:
			dst = append(dst, c)
			i++
		}
	}
	t.dst, t.i = append(dst, '"'), i+1
}

// Numbers up to these lengths are printed as they were read.
const (
	exactInt   = 18 // digits of an integer
	exactFloat = 15 // significant digits of a float64
)

func (t *Transcoder) number() {
	start := t.i
	i := start
	if t.b[i] == '-' {
		i++
	}
	first := i
	i = digits(t.b, i)
	if i < len(t.b) && (t.b[i] == '.' || t.b[i]|0x20 == 'e') {
		t.fraction(start, first, i)
		return
	}
	t.i = i
	n := i - first
	if n <= exactInt && (t.b[first] != '0' || n == 1 && first == start) {
		t.dst = append(t.dst, t.b[start:i]...)
		return
	}
	t.dst = appendInt64(t.dst, t.b[start:i])
}

// fraction takes a number whose integer part is first to point. What has the form of
// Java's Double.toString already is copied: few enough digits are the shortest ones that
// give the number back, when there are no zeros to drop.
func (t *Transcoder) fraction(start, first, point int) {
	i := point
	for i < len(t.b) && isNumberByte(t.b[i]) {
		i++
	}
	t.i = i
	whole, frac := t.b[first:point], t.b[point+1:i]
	if t.b[point] == '.' && plainFraction(whole, frac) && (first == start || !isZero(t.b[start:i])) {
		t.dst = append(t.dst, t.b[start:i]...)
		return
	}
	t.dst = appendFloat(t.dst, parseFloat(string(t.b[start:i]), 64), 64)
}

func plainFraction(whole, frac []byte) bool {
	if len(whole) > 7 || len(whole)+len(frac) > exactFloat || len(frac) == 0 {
		return false
	}
	last := frac[len(frac)-1]
	for _, c := range frac {
		if c-'0' > 9 {
			return false // an exponent
		}
	}
	if whole[0] == '0' {
		// From 0.001 on, or 0.0
		return len(whole) == 1 && (len(frac) == 1 ||
			last != '0' && (frac[0] != '0' || frac[1] != '0' || len(frac) > 2 && frac[2] != '0'))
	}
	return last != '0' || len(frac) == 1
}

func (t *Transcoder) object() {
	if t.depth == len(t.levels) {
		t.levels = append(t.levels, &level{})
	}
	l := t.levels[t.depth]
	t.depth++
	l.members = l.members[:0]
	s := &t.shapes[t.objects%len(t.shapes)]
	t.objects++
	known := true
	body := len(t.dst) + 1
	t.dst = append(t.dst, '{')
	t.i++
	for t.skipSpace(); t.b[t.i] != '}'; t.skipSpace() {
		if t.b[t.i] == ',' {
			t.dst = append(t.dst, ',')
			t.i++
			t.skipSpace()
		}
		m := member{from: len(t.dst), nameFrom: t.i + 1}
		t.text()
		m.nameEnd = t.i - 1
		known = known && s.has(len(l.members), t.b[m.nameFrom:m.nameEnd])
		t.i = t.colon(t.i)
		t.dst = append(t.dst, ':')
		t.value()
		m.end = len(t.dst)
		l.members = append(l.members, m)
	}
	t.i++
	t.depth--
	t.arrange(l, s, known && len(l.members) == len(s.ends), body)
	t.dst = append(t.dst, '}')
}

// has reports whether the i-th name is the given one.
func (s *shape) has(i int, name []byte) bool {
	if i >= len(s.ends) {
		return false
	}
	from := 0
	if i > 0 {
		from = s.ends[i-1]
	}
	return string(s.names[from:s.ends[i]]) == string(name)
}

// arrange puts the members of an object, which are in dst from body on, in order.
func (t *Transcoder) arrange(l *level, s *shape, known bool, body int) {
	if len(l.members) < 2 {
		return
	}
	unique := true
	if !known {
		unique = t.learn(l, s)
	}
	if unique && len(s.order) == 0 {
		return
	}
	t.spare = append(t.spare[:0], t.dst[body:]...)
	t.dst = t.dst[:body]
	for i := range l.members {
		m := &l.members[i]
		if len(s.order) > 0 {
			m = &l.members[s.order[i]]
		}
		if i > 0 {
			t.dst = append(t.dst, ',')
		}
		t.dst = append(t.dst, t.spare[m.from-body:m.end-body]...)
	}
}

// learn finds the order of the members and remembers it. It returns false when a name was
// there twice; then only the members that count are left.
func (t *Transcoder) learn(l *level, s *shape) (unique bool) {
	s.names, s.ends, s.hashes = s.names[:0], s.ends[:0], s.hashes[:0]
	for i := range l.members {
		m := &l.members[i]
		s.names = append(s.names, t.b[m.nameFrom:m.nameEnd]...)
		s.ends = append(s.ends, len(s.names))
		s.hashes = append(s.hashes, t.nameHash(m.nameFrom, m.nameEnd))
	}
	n := len(l.members)
	unique = !t.collides(s) || !t.dropRepeated(l, s)
	order := t.order.Order(s.hashes)
	s.order = s.order[:0]
	for i, k := range order {
		if int(k) != i {
			s.order = append(s.order, order...)
			break
		}
	}
	if len(l.members) != n {
		s.ends = s.ends[:0] // not to be found again
	}
	return unique
}

// nameHash returns the hash code of the name at from.
func (t *Transcoder) nameHash(from, end int) int32 {
	if bytes.IndexByte(t.b[from:end], '\\') >= 0 {
		name, _ := unescape(t.b, from)
		return data.JavaStringHash(name)
	}
	return data.JavaStringHash(t.b[from:end])
}

// collides reports whether two names have the same hash code.
func (t *Transcoder) collides(s *shape) bool {
	if len(s.hashes) <= 32 {
		for i, h := range s.hashes {
			if slices.Contains(s.hashes[:i], h) {
				return true
			}
		}
		return false
	}
	sorted := slices.Clone(s.hashes)
	slices.Sort(sorted)
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return true
		}
	}
	return false
}

// dropRepeated leaves one member per name, the last, at the place of the first.
func (t *Transcoder) dropRepeated(l *level, s *shape) (dropped bool) {
	first := make(map[string]int, len(l.members))
	kept := 0
	for i := range l.members {
		m := l.members[i]
		name, _ := unescape(t.b, m.nameFrom)
		if k, ok := first[name]; ok {
			l.members[k] = m
			dropped = true
			continue
		}
		first[name] = kept
		l.members[kept], s.hashes[kept] = m, s.hashes[i]
		kept++
	}
	l.members, s.hashes = l.members[:kept], s.hashes[:kept]
	return dropped
}
