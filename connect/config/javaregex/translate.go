package javaregex

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// translator rewrites a Java expression in what Go's engine and the backtracking one have
// in common. What neither can express is refused; nothing is left to mean something else.
type translator struct {
	in  string
	i   int
	out []byte
	// atom is where the last atom of out begins, for possessive quantifiers; -1 if a
	// quantifier would have nothing to repeat.
	atom   int
	groups []int // where the open groups begin in out
	// linearOnly and backOnly name constructs that only one of the engines has.
	linearOnly, backOnly string
	dotAll               bool
}

// The characters of Java's predefined classes, without brackets.
const (
	digitChars = `0-9`
	wordChars  = `a-zA-Z_0-9`
	spaceChars = " \\t\\n\x0B\\f\\r"
	blankChars = " \\t\u00A0\u1680\u180E\u2000-\u200A\u202F\u205F\u3000"
	lineChars  = "\\n\x0B\\f\\r\u0085\u2028\u2029"
	notDot     = "\\n\\r\u0085\u2028\u2029"
)

var classEscapes = map[byte]string{'d': digitChars, 'w': wordChars, 's': spaceChars, 'h': blankChars, 'v': lineChars}

// posix are Java's names of ASCII classes.
var posix = map[string]string{
	"Lower": "a-z", "Upper": "A-Z", "ASCII": "\x00-\x7F", "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9",
	"Punct": "!-/:-@\\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": " \\t", "Cntrl": "\x00-\x1F\x7F", "XDigit": "0-9a-fA-F",
	"Space": spaceChars,
}

func translate(pattern string) (*translator, error) {
	t := &translator{in: pattern, atom: -1, dotAll: dotAllFlag.MatchString(pattern)}
	for t.i < len(pattern) {
		if err := t.next(); err != nil {
			return nil, err
		}
	}
	if len(t.groups) > 0 {
		return nil, t.wrong("Unclosed group", len(pattern))
	}
	if t.linearOnly != "" && t.backOnly != "" {
		return nil, t.unsupported(t.linearOnly+" together with "+t.backOnly, 0)
	}
	return t, nil
}

// dotAllFlag finds the flag that makes a dot match line ends, wherever it is.
var dotAllFlag = regexp.MustCompile(`\(\?[a-zA-Z]*s`)

func (t *translator) unsupported(what string, at int) error {
	return fmt.Errorf("Unsupported %s near index %d\n%s", what, at, t.in) //nolint:revive,staticcheck // worded like Java's errors
}

// wrong is a PatternSyntaxException.
func (t *translator) wrong(msg string, at int) error { return syntaxError(t.in, msg, at) }

// add appends an atom.
func (t *translator) add(text string) {
	t.atom = len(t.out)
	t.out = append(t.out, text...)
}

func (t *translator) next() error {
	c := t.in[t.i]
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return t.class()
	case '(':
		t.groups = append(t.groups, len(t.out))
		return t.open()
	case ')':
		n := len(t.groups)
		if n == 0 {
			return t.wrong("Unmatched closing ')'", max(t.i-1, 0))
		}
		t.out = append(t.out, ')')
		t.atom, t.groups = t.groups[n-1], t.groups[:n-1]
		t.i++
	case '*', '+', '?', '{':
		return t.quantifier()
	case '^', '$':
		t.add(string(c))
		t.i++
	case '|':
		t.out = append(t.out, c)
		t.atom = -1
		t.i++
	case '.':
		if t.add("."); !t.dotAll {
			t.out = append(t.out[:t.atom], "[^"+notDot+"]"...)
		}
		t.i++
	default:
		_, n := utf8.DecodeRuneInString(t.in[t.i:])
		t.add(t.in[t.i : t.i+n])
		t.i += n
	}
	return nil
}

var groupFlags = regexp.MustCompile(`^\(\?[a-zA-Z-]*([:)])`)

// open copies the beginning of a group.
func (t *translator) open() error {
	s := t.in[t.i:]
	n := 1
	switch flags := groupFlags.FindStringSubmatch(s); {
	case !strings.HasPrefix(s, "(?"):
	case strings.HasPrefix(s, "(?<=") || strings.HasPrefix(s, "(?<!"):
		t.backOnly, n = s[:4], 4
	case strings.HasPrefix(s, "(?=") || strings.HasPrefix(s, "(?!") || strings.HasPrefix(s, "(?>"):
		t.backOnly, n = s[:3], 3
	case strings.HasPrefix(s, "(?<"):
		if len(s) < 4 || s[3]|0x20 < 'a' || s[3]|0x20 > 'z' {
			return t.wrong("capturing group name does not start with a Latin letter", t.i+3)
		}
		end := strings.IndexByte(s, '>')
		if end < 0 {
			return t.wrong("named capturing group is missing trailing '>'", len(t.in))
		}
		n = end + 1
	case flags == nil:
		return t.wrong("Unknown inline modifier", t.i+2)
	default:
		n = len(flags[0])
		if flags[1] == ")" { // flags without a group of their own
			t.groups = t.groups[:len(t.groups)-1]
		}
	}
	t.out = append(t.out, s[:n]...)
	t.atom = -1
	t.i += n
	return nil
}

var repeat = regexp.MustCompile(`^(\*|\+|\?|\{[0-9]+(,[0-9]*)?\})([?+]?)`)

var openRepeat = regexp.MustCompile(`^\{[0-9]+(,[0-9]*)?$`)

// quantifier copies a quantifier; a possessive one becomes an atomic group.
func (t *translator) quantifier() error {
	m := repeat.FindStringSubmatch(t.in[t.i:])
	switch {
	case m == nil && openRepeat.MatchString(t.in[t.i:]):
		return t.wrong("Unclosed counted closure", len(t.in))
	case m == nil:
		return t.wrong("Illegal repetition", t.i+1)
	case t.atom < 0:
		return t.wrong("Dangling meta character '"+t.in[t.i:t.i+1]+"'", t.i)
	}
	t.i += len(m[0])
	if m[3] != "+" {
		t.out = append(t.out, m[0]...)
	} else {
		atom := string(t.out[t.atom:])
		t.out = append(t.out[:t.atom], "(?>"+atom+m[1]+")"...)
		t.backOnly = "possessive quantifiers"
	}
	t.atom = -1 // a second quantifier is an error in Java
	return nil
}

// literal appends a character that was written as an escape.
func (t *translator) literal(r rune, n int, inClass bool) {
	t.i += n
	text := regexp.QuoteMeta(string(r))
	if inClass {
		text = string(r)
		if r < utf8.RuneSelf && strings.ContainsRune(`\]^-[&`, r) {
			text = `\` + text
		}
		t.out = append(t.out, text...)
		return
	}
	t.add(text)
}

// escape translates an escape outside of a class.
func (t *translator) escape() error {
	s := t.in[t.i:]
	if len(s) == 1 {
		return t.wrong("Unexpected internal error", len(t.in))
	}
	if r, n, ok := charEscape(s); ok {
		t.literal(r, n, false)
		return nil
	}
	switch c := s[1]; c {
	case 'd', 'w', 's', 'h', 'v':
		t.add("[" + classEscapes[c] + "]")
	case 'D', 'W', 'S', 'H', 'V':
		t.add("[^" + classEscapes[c|0x20] + "]")
	case 'R':
		t.add("(?:\r\n|[" + lineChars + "])")
	case 'Q':
		t.quote(false)
		return nil
	case 'b', 'B':
		// Java's word boundaries know all letters, those of Go's engine only ASCII.
		t.backOnly = `\` + string(c)
		t.add(s[:2])
	case 'p', 'P':
		return t.property(false)
	case 'k':
		t.backOnly = "back references"
		t.add(s[:2])
	case 'G', 'X', 'N', 'Z':
		return t.unsupported(`escape \`+string(c), t.i)
	default:
		return t.otherEscape(s)
	}
	t.i += 2
	return nil
}

// otherEscape takes those that are spelled alike, and back references.
func (t *translator) otherEscape(s string) error {
	c := s[1]
	switch {
	case c >= utf8.RuneSelf:
		r, n := utf8.DecodeRuneInString(s[1:])
		t.literal(r, n+1, false)
		return nil
	case c == '0':
		return t.wrong("Illegal octal escape sequence", t.i+2)
	case '1' <= c && c <= '9':
		t.backOnly = "back references"
	case 'a' <= c|0x20 && c|0x20 <= 'z' && !strings.ContainsRune("tnrfaAz", rune(c)):
		return t.wrong("Illegal/unsupported escape sequence", t.i+1)
	}
	t.add(s[:2])
	t.i += 2
	return nil
}

// charEscape reads an escape that stands for one character and is spelled otherwise in
// the engines.
func charEscape(s string) (r rune, n int, ok bool) {
	switch s[1] {
	case 'e':
		return 0x1B, 2, true
	case '0':
		for n = 2; n < len(s) && n < 5 && s[n] >= '0' && s[n] <= '7' && r*8+rune(s[n]-'0') <= 0o377; n++ {
			r = r*8 + rune(s[n]-'0')
		}
		return r, n, n > 2
	case 'c':
		if len(s) > 2 && s[2] < utf8.RuneSelf {
			return rune(s[2]) ^ 64, 3, true
		}
	case 'x':
		if digits, _, found := strings.Cut(s[2:], "}"); found && strings.HasPrefix(digits, "{") {
			v, err := strconv.ParseUint(digits[1:], 16, 32)
			return rune(v), len(digits) + 3, err == nil && v <= utf8.MaxRune
		}
		return hex(s, 2, 2)
	case 'u':
		r, n, ok = hex(s, 2, 4)
		if ok && utf16.IsSurrogate(r) && strings.HasPrefix(s[n:], `\u`) {
			if low, m, is := hex(s[n:], 2, 4); is {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					return pair, n + m, true
				}
			}
		}
		return r, n, ok && !utf16.IsSurrogate(r)
	}
	return 0, 0, false
}

func hex(s string, from, digits int) (r rune, n int, ok bool) {
	if len(s) < from+digits {
		return 0, 0, false
	}
	v, err := strconv.ParseUint(s[from:from+digits], 16, 32)
	return rune(v), from + digits, err == nil
}

// quote copies text between \Q and \E.
func (t *translator) quote(inClass bool) {
	text, _, closed := strings.Cut(t.in[t.i+2:], `\E`)
	t.i += 2
	for _, r := range text {
		t.literal(r, utf8.RuneLen(r), inClass)
	}
	if closed {
		t.i += 2
	}
}

// property translates \p{..} and \pL.
func (t *translator) property(inClass bool) error {
	s := t.in[t.i:]
	name, n := "", 3
	switch {
	case len(s) < 3:
		t.out = append(t.out, s...)
		t.i = len(t.in)
		return nil
	case s[2] == '{':
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return t.wrong("Unclosed character family", len(t.in)-1)
		}
		name, n = s[3:end], end+1
	default:
		name = s[2:3]
	}
	negated := s[1] == 'P'
	chars, ok := posix[name]
	switch {
	case ok && negated && inClass:
		return t.unsupported(`\P{`+name+`} in a character class`, t.i)
	case ok && inClass:
		t.out = append(t.out, chars...)
	case ok && negated:
		t.add("[^" + chars + "]")
	case ok:
		t.add("[" + chars + "]")
	case strings.HasPrefix(name, "In"), strings.HasPrefix(name, "java"), strings.Contains(name, "="), strings.EqualFold(name, "IsAlphabetic"):
		return t.unsupported("character property {"+name+"}", t.i)
	default:
		if name = strings.TrimPrefix(name, "Is"); len(name) > 2 {
			t.linearOnly = "script names" // the other engine takes them for blocks
		}
		if t.atom = len(t.out); inClass {
			t.atom = -1
		}
		t.out = append(t.out, `\`+s[1:2]+"{"+name+"}"...)
	}
	t.i += n
	return nil
}

// class translates a character class, which must not contain another one.
func (t *translator) class() error {
	t.atom = len(t.out)
	t.out = append(t.out, '[')
	if t.i++; strings.HasPrefix(t.in[t.i:], "^") {
		t.out = append(t.out, '^')
		t.i++
	}
	for first := true; t.i < len(t.in); first = false {
		c := t.in[t.i]
		switch {
		case c == ']' && !first:
			t.out = append(t.out, ']')
			t.i++
			return nil
		case c == ']': // Java takes it for a character here
			t.out = append(t.out, `\]`...)
			t.i++
		case c == '[', strings.HasPrefix(t.in[t.i:], "&&"):
			return fmt.Errorf("Unsupported class intersection or union near index %d\n%s\nWrite the character class without a class inside", t.i, t.in) //nolint:revive,staticcheck // worded like Java's errors
		case c == '\\' && t.i+1 < len(t.in):
			if err := t.classEscape(); err != nil {
				return err
			}
		default:
			t.out = append(t.out, c)
			t.i++
		}
	}
	return t.wrong("Unclosed character class", len(t.in)-1)
}

func (t *translator) classEscape() error {
	s := t.in[t.i:]
	if r, n, ok := charEscape(s); ok {
		t.literal(r, n, true)
		return nil
	}
	switch c := s[1]; c {
	case 'd', 'w', 's', 'h', 'v':
		t.out = append(t.out, classEscapes[c]...)
	case 'D', 'W', 'S':
		if c == 'S' {
			return t.unsupported(`\S in a character class`, t.i) // Go's lacks the vertical tab
		}
		t.linearOnly = `\` + string(c) + " in a character class"
		t.out = append(t.out, s[:2]...)
	case 'Q':
		t.quote(true)
		return nil
	case 'E':
	case 'p', 'P':
		return t.property(true)
	case 'b', 'B', 'R', 'X', 'N', 'Z', 'z', 'A', 'G', 'H', 'V', 'k':
		return t.unsupported(`escape \`+string(c)+" in a character class", t.i)
	default:
		t.out = append(t.out, s[:2]...)
	}
	t.i += 2
	return nil
}
