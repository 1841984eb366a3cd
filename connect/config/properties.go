package config

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// LoadProperties reads a properties file as the JVM's worker does: bytes are
// ISO-8859-1, other characters are written as \uXXXX.
func LoadProperties(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read properties file: %w", err)
	}
	props, err := ParseProperties(latin1(text))
	if err != nil {
		return nil, fmt.Errorf("read properties file %s: %w", path, err)
	}
	return props, nil
}

func latin1(text []byte) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, c := range text {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// ParseProperties reads text in the format of java.util.Properties.load: # and !
// comments, keys ended by =, : or white space, continuation lines, and the escapes \t,
// \n, \r, \f and \uXXXX; a backslash before any other character is dropped. Of a key
// that occurs twice the last value counts. Nothing is expanded.
func ParseProperties(text string) (map[string]string, error) {
	props := map[string]string{}
	for line, n := 0, 0; text != ""; {
		var logical string
		var ok bool
		logical, text, n, ok = logicalLine(text)
		start := line + 1
		line += n
		if !ok {
			continue
		}
		key, value := splitProperty(logical)
		k, err := unescape(key)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", start, err)
		}
		v, err := unescape(value)
		if err != nil {
			return nil, fmt.Errorf("line %d: value of %s: %w", start, k, err)
		}
		props[k] = v
	}
	return props, nil
}

const blanks = " \t\f"

// logicalLine takes the next line with its continuations joined, without leading blanks.
// ok is false for blank lines and comments. n is the number of natural lines.
func logicalLine(text string) (line, rest string, n int, ok bool) {
	var joined strings.Builder
	for n = 1; ; n++ {
		end := strings.IndexAny(text, "\r\n")
		natural := text
		rest = ""
		if end >= 0 {
			natural, rest = text[:end], text[end+1:]
			if text[end] == '\r' {
				rest = strings.TrimPrefix(rest, "\n")
			}
		}
		natural = strings.TrimLeft(natural, blanks)
		// What follows a line that is only a backslash may be a comment, too.
		if joined.Len() == 0 && (natural == "" || natural[0] == '#' || natural[0] == '!') {
			return "", rest, n, false
		}
		if !continues(natural) {
			joined.WriteString(natural)
			return joined.String(), rest, n, true
		}
		joined.WriteString(natural[:len(natural)-1])
		if rest == "" {
			// Java parity: a backslash alone at the end is a property without a name, but
			// not before \r\n.
			return joined.String(), "", n, joined.Len() > 0 || !strings.HasSuffix(text, "\r\n")
		}
		text = rest
	}
}

// continues reports whether a line ends with an odd number of backslashes.
func continues(line string) bool {
	trimmed := strings.TrimRight(line, `\`)
	return (len(line)-len(trimmed))%2 == 1
}

func splitProperty(line string) (key, value string) {
	i := 0
	for i < len(line) && !strings.ContainsRune("=: \t\f", rune(line[i])) {
		if line[i] == '\\' && i+1 < len(line) {
			i++
		}
		i++
	}
	i = min(i, len(line))
	key, value = line[:i], strings.TrimLeft(line[i:], blanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blanks)
	}
	return key, value
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			break
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r, n, err := unicodeEscape(s[i-1:])
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
			i += n - 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// unicodeEscape decodes \uXXXX, or two of them that are a surrogate pair, and returns
// how many bytes it took.
func unicodeEscape(s string) (r rune, n int, err error) {
	first, err := hex4(s)
	if err != nil {
		return 0, 0, err
	}
	if utf16.IsSurrogate(first) && strings.HasPrefix(s[6:], `\u`) {
		if second, err := hex4(s[6:]); err == nil {
			if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
				return pair, 12, nil
			}
		}
	}
	return first, 6, nil
}

func hex4(s string) (rune, error) {
	if len(s) >= 6 {
		if v, err := strconv.ParseUint(s[2:6], 16, 16); err == nil {
			return rune(v), nil
		}
	}
	return 0, fmt.Errorf(`Malformed \uxxxx encoding. Write four hexadecimal digits after \u, or two backslashes for one (as in C:\\users)`)
}

// ApplyOverrides sets key=value arguments of a command line in props.
func ApplyOverrides(props map[string]string, overrides []string) error {
	for _, o := range overrides {
		key, value, ok := strings.Cut(o, "=")
		if !ok || key == "" {
			return &Error{Msg: fmt.Sprintf("Override %q is not of the form key=value", o)}
		}
		props[key] = value
	}
	return nil
}
