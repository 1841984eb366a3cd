package text

import (
	"strings"
	"unicode/utf8"
)

// decodeUTF8 reads bytes as a JVM does: each piece that is malformed becomes one U+FFFD.
// How long such a piece is differs from Go, where it is always one byte.
func decodeUTF8(raw []byte) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	var b strings.Builder
	b.Grow(len(raw) + utf8.UTFMax)
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && n == 1 {
			n = malformed(raw[i:])
		}
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

// malformed returns how many bytes at the start of b, which do not begin a well-formed
// character, make up one error: the longest beginning of a character, or three for an
// encoded surrogate. Java parity: the JDK looks at a sequence that the end of the input
// cuts off in the same way, so that it is one error too.
func malformed(b []byte) int {
	c := b[0]
	switch {
	case c < 0xE0: // a continuation byte, an overlong form, or a lead byte of two that has no second
		return 1
	case c <= 0xEF:
		return malformed3(b)
	case c <= 0xF4:
		return malformed4(b)
	}
	return 1
}

func malformed3(b []byte) int {
	if len(b) < 2 || !continuation(b[1]) || b[0] == 0xE0 && b[1] < 0xA0 {
		return 1
	}
	if len(b) < 3 || !continuation(b[2]) {
		return 2
	}
	return 3 // a surrogate
}

func malformed4(b []byte) int {
	switch {
	case len(b) < 2, !continuation(b[1]), b[0] == 0xF0 && b[1] < 0x90, b[0] == 0xF4 && b[1] > 0x8F:
		return 1
	case len(b) < 3, !continuation(b[2]):
		return 2
	}
	return 3
}

func continuation(c byte) bool { return c&0xC0 == 0x80 }

// encodeUTF8 appends text. Halves of surrogate pairs, which values of the JSON converter
// may hold, become question marks as in Java.
func encodeUTF8(dst []byte, text string) []byte {
	if utf8.ValidString(text) {
		return append(dst, text...)
	}
	for text != "" {
		r, n := nextRune(text)
		if isSurrogate(r) {
			r = '?'
		}
		dst = utf8.AppendRune(dst, r)
		text = text[n:]
	}
	return dst
}

// nextRune is utf8.DecodeRuneInString that takes an encoded surrogate as one character.
func nextRune(s string) (r rune, n int) {
	r, n = utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 && len(s) >= 3 && s[0] == 0xED && s[1]&0xE0 == 0xA0 && continuation(s[2]) {
		return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), 3
	}
	return r, n
}

func isSurrogate(r rune) bool { return r >= 0xD800 && r <= 0xDFFF }
