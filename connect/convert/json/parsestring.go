package json

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect"
)

// str takes a string behind its opening quote, up to behind the closing one.
func (p *treeParser) str(name bool) string {
	where, in, eof := "string value", "VALUE_STRING", len(p.b)
	if name {
		where, in = "name", "field name"
	}
	out := make([]byte, 0, 32)
	chars := 0
	for {
		if p.i >= eof {
			p.failEOF(" in %s", in)
		}
		c := p.b[p.i]
		switch {
		case c == '"':
			p.i++
			p.checkLength(name, chars)
			return string(out)
		case c == '\\':
			out = appendUnit(out, p.escape(name, &chars))
		case c < 0x20:
			p.failParse(p.i, "Illegal unquoted character (%s): has to be escaped using backslash to be included in %s", describe(rune(c)), where)
		case c < utf8.RuneSelf:
			out = append(out, c)
			p.i++
		default:
			for _, u := range p.wide(in, &chars) {
				out = appendUnit(out, u)
			}
		}
		chars++
	}
}

func (p *treeParser) checkLength(name bool, n int) {
	switch {
	case name && n > maxName:
		p.failLimit("Name length (%d) exceeds the maximum allowed (%d, from `StreamReadConstraints.getMaxNameLength()`)", n, maxName)
	case n > maxString:
		p.failLimit("String value length (%d) exceeds the maximum allowed (%d, from `StreamReadConstraints.getMaxStringLength()`)", n, maxString)
	}
}

// appendUnit appends a code point or a UTF-16 code unit; two halves of a pair that meet
// become one character.
func appendUnit(dst []byte, r rune) []byte {
	if r < 0xD800 || r > 0xDFFF {
		return utf8.AppendRune(dst, r)
	}
	if n := len(dst); r >= 0xDC00 && n >= 3 && dst[n-3] == 0xED && dst[n-2] >= 0xA0 && dst[n-2] < 0xB0 {
		high := 0xD000 | rune(dst[n-2]&0x3F)<<6 | rune(dst[n-1]&0x3F)
		return utf8.AppendRune(dst[:n-3], utf16.DecodeRune(high, r))
	}
	return append(dst, 0xED, 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
}

// escape takes an escape at its backslash.
func (p *treeParser) escape(name bool, chars *int) rune {
	r := p.escapeUnit()
	if !name || r < 0xD800 || r > 0xDFFF {
		return r
	}
	// Jackson refuses halves of surrogate pairs in names.
	if r >= 0xDC00 {
		p.failParse(p.i, "Unexpected low surrogate in field name: 0x%x", r)
	}
	if p.i >= len(p.b) {
		p.failEOF(" in field name")
	}
	if c := p.b[p.i]; c != '\\' {
		p.failParse(p.i, "Broken surrogate pair in field name: expected '\\' to start low surrogate, got 0x%02x", c)
	}
	low := p.escapeUnit()
	if low < 0xDC00 || low > 0xDFFF {
		p.failParse(p.i, "Broken surrogate pair in field name: expected low surrogate, got 0x%04X", low)
	}
	*chars++
	return utf16.DecodeRune(r, low)
}

func (p *treeParser) escapeUnit() rune {
	p.i++
	if p.i >= len(p.b) {
		p.failEOF(" in character escape sequence")
	}
	c := p.b[p.i]
	p.i++
	switch c {
	case '"', '\\', '/':
		return rune(c)
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
	default:
		r, end := p.decodeForError(p.i - 1)
		p.failParse(end-1, "Unrecognized character escape %s", describe(r))
	}
	var buf [4]byte
	for i := range buf {
		if p.i >= len(p.b) {
			p.failEOF(" in character escape sequence")
		}
		buf[i] = p.b[p.i]
		if hex4([]byte{'0', '0', '0', buf[i]}) < 0 {
			p.failParse(p.i, "Unexpected character (%s): expected a hex-digit for character escape sequence", describe(rune(buf[i])))
		}
		p.i++
	}
	return hex4(buf[:])
}

// wide takes a character of several bytes. Java parity: the forms are told by the first
// byte alone, so overlong ones and those beyond U+10FFFF are read, the latter as the
// code units that Jackson's arithmetic gives.
func (p *treeParser) wide(in string, chars *int) []rune {
	c := p.b[p.i]
	size := 0
	switch {
	case c&0xE0 == 0xC0:
		size = 2
	case c&0xF0 == 0xE0:
		size = 3
	case c&0xF8 == 0xF0:
		size = 4
	default:
		p.failParse(p.i+1, "Invalid UTF-8 start byte 0x%x", c)
	}
	r := rune(c) & (1<<(7-size) - 1)
	for k := 1; k < size; k++ {
		if p.i+k >= len(p.b) {
			p.failEOF(" in %s", in)
		}
		b := p.b[p.i+k]
		if b&0xC0 != 0x80 {
			p.failParse(p.i+k+1, "Invalid UTF-8 middle byte 0x%x", b)
		}
		r = r<<6 | rune(b&0x3F)
	}
	p.i += size
	if size == 3 && r >= 0xD800 && r <= 0xDFFF {
		p.failParse(p.i, "Invalid UTF-8: Illegal surrogate character 0x%x", r)
	}
	if size < 4 {
		return []rune{r}
	}
	*chars++
	r -= 0x10000
	return []rune{(0xD800 | r>>10) & 0xFFFF, 0xDC00 | r&0x3FF}
}

// toUTF8 does what Jackson's ByteSourceJsonBootstrapper does: the encoding is told by a
// byte order mark or by where the zeros are.
func toUTF8(b []byte) ([]byte, error) {
	var order binary.ByteOrder
	var width int
	at := func(i int) byte {
		if i < len(b) {
			return b[i]
		}
		return 0xAA // neither zero nor part of a mark
	}
	b0, b1, b2, b3 := at(0), at(1), at(2), at(3)
	switch {
	case b0 == 0xEF && b1 == 0xBB && b2 == 0xBF:
		return b[3:], nil
	case b0 == 0 && b1 == 0 && b2 == 0xFE && b3 == 0xFF:
		b, width, order = b[4:], 4, binary.BigEndian
	case b0 == 0xFF && b1 == 0xFE && b2 == 0 && b3 == 0:
		b, width, order = b[4:], 4, binary.LittleEndian
	case b0 == 0xFE && b1 == 0xFF:
		b, width, order = b[2:], 2, binary.BigEndian
	case b0 == 0xFF && b1 == 0xFE:
		b, width, order = b[2:], 2, binary.LittleEndian
	case len(b) >= 4 && b0 == 0 && b1 == 0 && b2 == 0:
		width, order = 4, binary.BigEndian
	case len(b) >= 4 && b1 == 0 && b2 == 0 && b3 == 0:
		width, order = 4, binary.LittleEndian
	case len(b) >= 2 && b0 == 0:
		width, order = 2, binary.BigEndian
	case len(b) >= 2 && b1 == 0:
		width, order = 2, binary.LittleEndian
	default:
		return b, nil
	}
	out := make([]byte, 0, len(b))
	for ; len(b) >= width; b = b[width:] {
		r := rune(0)
		if width == 4 {
			r = rune(order.Uint32(b))
			if r < 0 || r > utf8.MaxRune {
				return nil, &connect.Error{Class: "java.io.CharConversionException", Msg: fmt.Sprintf("Invalid UTF-32 character 0x%x", uint32(r))}
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = appendUnit(out, rune(order.Uint16(b)))
	}
	if len(b) > 0 {
		out = utf8.AppendRune(out, utf8.RuneError)
	}
	return out, nil
}
