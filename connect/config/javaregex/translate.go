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
	groups []group // those that are open, the whole expression first
	// captures counts the capturing groups so far; all are unnamed in out, since the engines
	// number named ones in different ways. names has the numbers of those with names.
	captures int
	names    map[string]int
	// closed are the captures in the group that ended last, repeated those in groups that
	// are repeated.
	closed   captureRange
	repeated []captureRange
	// linearOnly and backOnly name constructs that only one of the engines has.
	linearOnly, backOnly string
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
	t := &translator{in: pattern, atom: -1, groups: []group{{}}, names: map[string]int{}}
	for t.i < len(pattern) {
		if err := t.next(); err != nil {
			return nil, err
		}
	}
	if len(t.groups) > 1 {
		return nil, t.wrong("Unclosed group", len(pattern))
	}
	if t.linearOnly != "" && t.backOnly != "" {
		return nil, t.unsupported(t.linearOnly+" together with "+t.backOnly, 0)
	}
	return t, nil
}

func (t *translator) group() *group { return &t.groups[len(t.groups)-1] }

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
		return t.open()
	case ')':
		return t.close()
	case '*', '+', '?', '{':
		return t.quantifier()
	case '^', '$':
		if t.group().flags.multiLine {
			return t.unsupported(string(c)+" with the flag m", t.i)
		}
		t.add(string(c))
		t.i++
	case '|':
		t.out = append(t.out, c)
		t.atom = -1
		t.i++
	case '.':
		if t.group().flags.dotAll {
			t.add("(?s:.)")
		} else {
			t.add("[^" + notDot + "]")
		}
		t.i++
	default:
		_, n := utf8.DecodeRuneInString(t.in[t.i:])
		t.add(t.in[t.i : t.i+n])
		t.i += n
	}
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
	case t.atom < 0 && t.in[t.i] == '{':
		return t.unsupported("repetition of nothing", t.i) // Java repeats the empty text
	case t.atom < 0:
		return t.wrong("Dangling meta character '"+t.in[t.i:t.i+1]+"'", t.i)
	}
	ofGroup := t.in[t.i-1] == ')' // Java does not add up repeated groups
	t.i += len(m[0])
	if m[1] == "*" || m[1] == "+" || strings.HasSuffix(m[1], ",}") || ofGroup {
		t.group().endless = true
	}
	if ofGroup {
		t.repeated = append(t.repeated, t.closed)
	}
	if m[3] != "+" {
		t.out = append(t.out, m[0]...)
	} else {
		atom := string(t.out[t.atom:])
		t.out = append(t.out[:t.atom], "(?>(?>"+atom+")"+m[1]+")"...) // nor does Java go back into one turn
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
		switch {
		case r == '-':
			text = `\x2D` // an escaped hyphen cannot begin a range in the backtracking engine
		case r < utf8.RuneSelf && strings.ContainsRune(`\]^[&`, r):
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
		return t.namedReference(s)
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
		return t.reference(s)
	case c == 'u' && loneSurrogate.MatchString(s):
		return t.unsupported("half of a surrogate pair", t.i)
	case 'a' <= c|0x20 && c|0x20 <= 'z' && !strings.ContainsRune("tnrfaAz", rune(c)):
		return t.wrong("Illegal/unsupported escape sequence", t.i+1)
	}
	t.add(s[:2])
	t.i += 2
	return nil
}

var loneSurrogate = regexp.MustCompile(`^\\u[dD][89a-fA-F][0-9a-fA-F]{2}`)

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
