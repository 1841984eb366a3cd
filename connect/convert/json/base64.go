package json

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/connect"
)

const unpadded = "Unexpected end of base64-encoded String: base64 variant 'MIME-NO-LINEFEEDS' expects padding (one or more '=' characters) at the end. " +
	"This Base64Variant might have been incorrectly configured"

// decodeBase64 reads the standard alphabet with padding, as Jackson's variant
// MIME_NO_LINEFEEDS does: blanks are allowed at both ends and in front of each group of
// four.
func decodeBase64(s string) ([]byte, error) {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	out := make([]byte, 0, len(s)/4*3)
	for i := 0; ; {
		for i < len(s) && s[i] <= ' ' {
			i++
		}
		if i == len(s) {
			return out, nil
		}
		var bits uint32
		var k int
		for k = 0; k < 4; k++ {
			if i == len(s) {
				return nil, badBase64(unpadded)
			}
			v := sextet(s[i])
			if v < 0 {
				break
			}
			bits = bits<<6 | uint32(v)
			i++
		}
		switch {
		case k == 4:
			out = append(out, byte(bits>>16), byte(bits>>8), byte(bits))
			continue
		case s[i] != '=' || k < 2:
			return nil, badBase64(illegal64(s[i:], k))
		case k == 3:
			i++
			out = append(out, byte(bits>>10), byte(bits>>2))
		default:
			if i++; i == len(s) {
				return nil, badBase64(unpadded)
			}
			if s[i] != '=' {
				return nil, badBase64("Illegal character '" + firstChar(s[i:]) + fmt.Sprintf("' (code 0x%x) as character #3 of 4-char base64 unit: expected padding character '='", s[i]))
			}
			i++
			out = append(out, byte(bits>>4))
		}
	}
}

func sextet(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}

func firstChar(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

func illegal64(s string, k int) string {
	c := []rune(firstChar(s))[0]
	switch {
	case c <= ' ':
		return fmt.Sprintf("Illegal white space character (code 0x%x) as character #%d of 4-char base64 unit: can only used between units", c, k+1)
	case c == '=':
		return fmt.Sprintf("Unexpected padding character ('=') as character #%d of 4-char base64 unit: padding only legal as 3rd or 4th character", k+1)
	}
	if c >= 0x10000 { // the JVM sees the first half of a surrogate pair, which has no text
		return fmt.Sprintf("Illegal character '?' (code 0x%x) in base64 content", 0xD7C0+c>>10)
	}
	return fmt.Sprintf("Illegal character '%c' (code 0x%x) in base64 content", c, c)
}

func badBase64(why string) error {
	return &connect.Error{
		Class: "com.fasterxml.jackson.databind.exc.InvalidFormatException",
		Msg:   "Cannot access contents of TextNode as binary due to broken Base64 encoding: " + why,
	}
}
