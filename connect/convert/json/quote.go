package json

import (
	"encoding/base64"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// appendQuoted appends a string as Jackson writes it: escaped are quotes, backslashes and
// control characters, with their short forms where there are, and what Java holds as
// surrogates, each half on its own (\uD83D\uDE00); everything else is plain UTF-8.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = appendEscaped(append(dst, s[from:i]...), rune(c))
			i++
			from = i
			continue
		}
		if c < 0xED {
			i++ // neither a surrogate nor beyond U+FFFF
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			if len(s)-i >= 3 && c == 0xED && s[i+1]&0xE0 == 0xA0 && s[i+2]&0xC0 == 0x80 {
				r, size = 0xD000|rune(s[i+1]&0x3F)<<6|rune(s[i+2]&0x3F), 3
			}
		}
		if r < 0x10000 && (r < 0xD800 || r > 0xDFFF) {
			i += size
			continue
		}
		dst = appendEscaped(append(dst, s[from:i]...), r)
		i += size
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

// appendEscaped appends one character in its escaped form.
func appendEscaped(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if r >= 0x10000 {
		r -= 0x10000
		return appendEscaped(appendEscaped(dst, 0xD800|r>>10), 0xDC00|r&0x3FF)
	}
	return append(dst, '\\', 'u', upperHex[r>>12&15], upperHex[r>>8&15], upperHex[r>>4&15], upperHex[r&15])
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}
