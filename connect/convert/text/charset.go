package text

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// charset is one that every JVM has. names are those that Java takes for it, in lower
// case.
type charset struct {
	names  []string
	decode func(raw []byte) string
	encode func(dst []byte, text string) []byte
}

var utf8Charset = &charset{[]string{"utf-8", "utf8", "unicode-1-1-utf-8"}, decodeUTF8, encodeUTF8}

// charsets are the standard ones of java.nio.charset.StandardCharsets, and the one that
// files of Windows have.
var charsets = []*charset{
	utf8Charset,
	single(0x80, nil, "us-ascii", "ascii", "ascii7", "iso646-us", "iso_646.irv:1991", "iso_646.irv:1983", "iso-ir-6", "ansi_x3.4-1968",
		"ansi_x3.4-1986", "cp367", "ibm367", "646", "us", "csascii", "default"),
	single(0x100, nil, "iso-8859-1", "iso8859_1", "latin1", "iso-ir-100", "iso_8859-1", "l1", "ibm819", "cp819", "ibm-819", "819",
		"iso8859-1", "8859_1", "iso_8859_1", "iso_8859-1:1987", "csisolatin1"),
	single(0x100, windows1252, "windows-1252", "cp1252", "cp5348", "ibm-1252", "ibm1252"),
	{
		[]string{"utf-16", "utf_16", "utf16", "unicode", "unicodebig"}, decodeUTF16Marked,
		func(dst []byte, text string) []byte {
			if text == "" { // the JVM writes its mark with the first character
				return dst
			}
			return encodeUTF16(binary.BigEndian)(append(dst, 0xFE, 0xFF), text)
		},
	},
	wide(binary.BigEndian, "utf-16be", "utf_16be", "x-utf-16be", "iso-10646-ucs-2", "unicodebigunmarked"),
	wide(binary.LittleEndian, "utf-16le", "utf_16le", "x-utf-16le", "unicodelittleunmarked"),
}

// charsetOf returns the charset of a name or alias, nil when there is none.
func charsetOf(name string) *charset {
	name = strings.ToLower(name)
	for _, c := range charsets {
		if slices.Contains(c.names, name) {
			return c
		}
	}
	return nil
}

// legalName reports whether Java takes a text as the name of a charset, known or not.
func legalName(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("-+.:_", rune(c))) {
			return false
		}
	}
	return name != ""
}

// windows1252 has the characters of the bytes 0x80 to 0x9F; zero is none.
var windows1252 = []rune{
	0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0,
	0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
}

// single makes a charset of one byte per character: its first size characters are those
// of Unicode, but for the bytes from 0x80 on that high names.
func single(size rune, high []rune, names ...string) *charset {
	return &charset{
		names,
		func(raw []byte) string {
			var b strings.Builder
			b.Grow(len(raw))
			for _, c := range raw {
				r := rune(c)
				switch {
				case r >= size:
					r = utf8.RuneError
				case r >= 0x80 && int(r) < 0x80+len(high):
					if r = high[r-0x80]; r == 0 {
						r = utf8.RuneError
					}
				}
				b.WriteRune(r)
			}
			return b.String()
		},
		func(dst []byte, text string) []byte {
			for text != "" {
				r, n := nextRune(text)
				text = text[n:]
				at := slices.Index(high, r)
				switch {
				case at >= 0 && r != 0:
					dst = append(dst, byte(0x80+at))
				case r < size && (r < 0x80 || int(r) >= 0x80+len(high)):
					dst = append(dst, byte(r))
				default:
					dst = append(dst, '?')
				}
			}
			return dst
		},
	}
}

// byteOrder is binary.BigEndian or binary.LittleEndian.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func wide(order byteOrder, names ...string) *charset {
	return &charset{names, func(raw []byte) string { return decodeUTF16(raw, order) }, encodeUTF16(order)}
}

// decodeUTF16Marked reads UTF-16 whose byte order is told by its mark, big-endian
// without one.
func decodeUTF16Marked(raw []byte) string {
	switch {
	case len(raw) >= 2 && raw[0] == 0xFF && raw[1] == 0xFE:
		return decodeUTF16(raw[2:], binary.LittleEndian)
	case len(raw) >= 2 && raw[0] == 0xFE && raw[1] == 0xFF:
		raw = raw[2:]
	}
	return decodeUTF16(raw, binary.BigEndian)
}

// decodeUTF16 reads code units. Java parity: the first half of a pair that has no second
// swallows what follows it.
func decodeUTF16(raw []byte, order binary.ByteOrder) string {
	var b strings.Builder
	b.Grow(len(raw))
	for len(raw) >= 2 {
		r := rune(order.Uint16(raw))
		raw = raw[2:]
		switch {
		case r >= 0xD800 && r < 0xDC00 && len(raw) >= 2:
			r = utf16.DecodeRune(r, rune(order.Uint16(raw)))
			raw = raw[2:]
		case r >= 0xD800 && r < 0xDC00:
			raw = nil
			r = utf8.RuneError
		case isSurrogate(r):
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	if len(raw) > 0 {
		b.WriteRune(utf8.RuneError)
	}
	return b.String()
}

// encodeUTF16 writes code units; a half of a pair becomes U+FFFD, as in Java.
func encodeUTF16(order binary.AppendByteOrder) func(dst []byte, text string) []byte {
	return func(dst []byte, text string) []byte {
		for text != "" {
			r, n := nextRune(text)
			text = text[n:]
			if isSurrogate(r) {
				r = utf8.RuneError
			}
			if r >= 0x10000 {
				high, low := utf16.EncodeRune(r)
				dst = order.AppendUint16(dst, uint16(high))
				r = low
			}
			dst = order.AppendUint16(dst, uint16(r))
		}
		return dst
	}
}
