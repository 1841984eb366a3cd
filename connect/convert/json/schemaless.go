package json

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect/data"
)

// decoder decodes text that the fast scan has taken, straight from the bytes. Strings are
// slices of text, one copy of the whole.
type decoder struct {
	b    []byte
	text string
	i    int
}

// decodeSchemaless decodes one checked value without white space around it.
func decodeSchemaless(b []byte) any {
	d := decoder{b: b, text: string(b)}
	return d.value()
}

func (d *decoder) space() {
	for isSpace(d.b[d.i]) {
		d.i++
	}
}

func (d *decoder) value() any {
	switch d.b[d.i] {
	case '"':
		return d.str()
	case '{':
		return d.object()
	case '[':
		return d.array()
	case 't':
		d.i += 4
		return true
	case 'f':
		d.i += 5
		return false
	case 'n':
		d.i += 4
		return nil
	default:
		return d.number()
	}
}

func (d *decoder) object() any {
	m := data.NewMap(8)
	d.i++
	for d.space(); d.b[d.i] != '}'; d.space() {
		if d.b[d.i] == ',' {
			d.i++
			d.space()
		}
		name := d.str()
		d.space()
		d.i++ // colon
		d.space()
		m.Put(name, d.value())
	}
	d.i++
	return m
}

func (d *decoder) array() any {
	list := []any{}
	d.i++
	for d.space(); d.b[d.i] != ']'; d.space() {
		if d.b[d.i] == ',' {
			d.i++
			d.space()
		}
		list = append(list, d.value())
	}
	d.i++
	return list
}

// str takes a string at its opening quote.
func (d *decoder) str() string {
	start := d.i + 1
	rest := d.text[start:]
	n := strings.IndexByte(rest, '"')
	if strings.IndexByte(rest[:n], '\\') < 0 {
		d.i = start + n + 1
		return rest[:n]
	}
	s, end := unescape(d.b, start)
	d.i = end
	return s
}

// unescape decodes a checked string behind its opening quote.
func unescape(b []byte, i int) (string, int) {
	out := make([]byte, 0, 64)
	for {
		switch c := b[i]; {
		case c == '"':
			return string(out), i + 1
		case c != '\\':
			out = append(out, c)
			i++
		default:
			var r rune
			r, i = unescapeOne(b, i)
			if r < utf8.RuneSelf {
				out = append(out, byte(r))
			} else {
				out = appendUnit(out, r)
			}
		}
	}
}

// unescapeOne decodes a checked escape at its backslash, to one UTF-16 code unit.
func unescapeOne(b []byte, i int) (rune, int) {
	switch c := b[i+1]; c {
	case 'b':
		return '\b', i + 2
	case 'f':
		return '\f', i + 2
	case 'n':
		return '\n', i + 2
	case 'r':
		return '\r', i + 2
	case 't':
		return '\t', i + 2
	case 'u':
		return hex4(b[i+2:]), i + 6
	default:
		return rune(c), i + 2
	}
}

func (d *decoder) number() any {
	start := d.i
	if d.b[d.i] == '-' {
		d.i++
	}
	d.i = digits(d.b, d.i)
	if d.i < len(d.b) && (d.b[d.i] == '.' || d.b[d.i]|0x20 == 'e') {
		for d.i < len(d.b) && isNumberByte(d.b[d.i]) {
			d.i++
		}
		return parseFloat(d.text[start:d.i], 64)
	}
	return lowBits(d.b[start:d.i])
}

func isNumberByte(c byte) bool {
	return c-'0' <= 9 || c == '.' || c|0x20 == 'e' || c == '+' || c == '-'
}

// appendInt64 appends an integer as Java's long prints it.
func appendInt64(dst, number []byte) []byte {
	return strconv.AppendInt(dst, lowBits(number), 10)
}
