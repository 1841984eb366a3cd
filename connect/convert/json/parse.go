package json

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect"
)

// treeParser builds the tree of the first value in a text, or finds the error that
// Jackson's UTF8StreamJsonParser reports for it, with its position.
type treeParser struct {
	b     []byte
	i     int
	depth int
	// inArray tells of what the innermost container is.
	inArray bool
	// token is Jackson's name of the token before the one at hand.
	token string
}

// parseTree parses the first value; a text without one is a missing node.
func parseTree(b []byte) (n *node, err error) {
	b, err = toUTF8(b)
	if err != nil {
		return nil, err
	}
	p := treeParser{b: b, token: "null"}
	defer func() {
		if e := recover(); e != nil {
			se, ok := e.(*connect.Error)
			if !ok {
				panic(e)
			}
			n, err = nil, se
		}
	}()
	p.space()
	if p.i == len(p.b) {
		return &node{kind: missing}, nil
	}
	start := p.i
	n = p.value()
	if c := p.b[start]; c == '-' || c-'0' <= 9 {
		if p.i < len(p.b) && !isSpace(p.b[p.i]) {
			p.unexpected(p.b[p.i], p.i, "Expected space separating root-level values")
		}
	}
	return n, nil
}

const source = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: %d, column: %d]"

// at returns Jackson's text of the location at an offset.
func (p *treeParser) at(i int) string {
	line, from := 1, 0
	for j, c := range p.b[:min(i, len(p.b))] {
		if c == '\n' || c == '\r' && (j+1 >= len(p.b) || p.b[j+1] != '\n') {
			line, from = line+1, j+1
		}
	}
	return fmt.Sprintf(source, line, i-from+1)
}

func (p *treeParser) fail(class string, i int, msg string) {
	panic(&connect.Error{Class: "com.fasterxml.jackson.core." + class, Msg: msg + "\n at " + p.at(i)})
}

func (p *treeParser) failParse(i int, format string, args ...any) {
	p.fail("JsonParseException", i, fmt.Sprintf(format, args...))
}

func (p *treeParser) failEOF(format string, args ...any) {
	p.fail("io.JsonEOFException", len(p.b), "Unexpected end-of-input"+fmt.Sprintf(format, args...))
}

func (p *treeParser) failLimit(format string, args ...any) {
	panic(&connect.Error{Class: "com.fasterxml.jackson.core.exc.StreamConstraintsException", Msg: fmt.Sprintf(format, args...)})
}

// unexpected reports a character; bytes beyond ASCII are shown as Latin-1.
func (p *treeParser) unexpected(c byte, i int, why string) {
	p.failParse(i, "Unexpected character (%s): %s", describe(rune(c)), why)
}

func describe(r rune) string {
	switch {
	case r < 0x20, r >= 0x7F && r < 0xA0:
		return fmt.Sprintf("(CTRL-CHAR, code %d)", r)
	case r > 0xFF:
		return fmt.Sprintf("'%c' (code %d / 0x%x)", r, r, r)
	default:
		return fmt.Sprintf("'%c' (code %d)", r, r)
	}
}

func (p *treeParser) space() {
	for ; p.i < len(p.b); p.i++ {
		c := p.b[p.i]
		if c > ' ' {
			return
		}
		if !isSpace(c) {
			p.failParse(p.i+1, "Illegal character (%s): only regular white space (\\r, \\n, \\t) is allowed between tokens", describe(rune(c)))
		}
	}
}

// The possible continuations, in Jackson's words.
const (
	anyValue   = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
	beginName  = "was expecting double-quote to start field name"
	expectWord = ": was expecting "
)

func (p *treeParser) value() *node {
	switch c := p.b[p.i]; {
	case c == '"':
		p.i++
		return &node{kind: text, text: p.str(false)}
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '-' || c-'0' <= 9:
		return p.number()
	case c == 't':
		p.word("true")
		return &node{kind: boolean, text: "true"}
	case c == 'f':
		p.word("false")
		return &node{kind: boolean, text: "false"}
	case c == 'n':
		p.word("null")
		return &node{kind: null}
	default:
		p.oddValue(c)
		return nil
	}
}

// word takes a literal, which must not go on as a Java identifier.
func (p *treeParser) word(w string) {
	start := p.i
	for k := range len(w) {
		if p.i == len(p.b) || p.b[p.i] != w[k] {
			p.badToken(start, w[:k])
		}
		p.i++
	}
	if p.i < len(p.b) && p.b[p.i] >= '0' && p.b[p.i] != ']' && p.b[p.i] != '}' {
		if r, _ := p.decodeForError(p.i); identifierPart(r) {
			p.badToken(start, w)
		}
	}
}

// badToken reports a word that began with matched and goes on at the position.
func (p *treeParser) badToken(start int, matched string) {
	token := []byte(matched)
	for end := p.i; end < len(p.b) && len(token) < 256; {
		r, next := p.decodeForError(end)
		if !identifierPart(r) {
			break
		}
		token, end = utf8.AppendRune(token, r), next
	}
	p.failParse(start, "Unrecognized token '%s': was expecting %s", token, anyValue)
}

// decodeForError takes a character outside of strings, which has to be told to the user.
func (p *treeParser) decodeForError(i int) (r rune, end int) {
	c := p.b[i]
	size := 0
	switch {
	case c < utf8.RuneSelf:
		return rune(c), i + 1
	case c&0xE0 == 0xC0:
		size = 2
	case c&0xF0 == 0xE0:
		size = 3
	case c&0xF8 == 0xF0:
		size = 4
	default:
		p.failParse(i+1, "Invalid UTF-8 start byte 0x%x", c)
	}
	r = rune(c) & (1<<(7-size) - 1)
	for k := 1; k < size; k++ {
		if i+k >= len(p.b) {
			p.failEOF(" in %s", p.token)
		}
		b := p.b[i+k]
		if b&0xC0 != 0x80 {
			p.failParse(i+k+1, "Invalid UTF-8 middle byte 0x%x", b)
		}
		r = r<<6 | rune(b&0x3F)
	}
	return r, i + size
}

func identifierPart(r rune) bool {
	return r == '_' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Sc, r)
}

// oddValue reports a character that starts no value.
func (p *treeParser) oddValue(c byte) {
	rest := string(p.b[p.i:min(len(p.b), p.i+9)])
	for _, w := range []string{"NaN", "Infinity", "+INF", "+Infinity"} {
		if strings.HasPrefix(rest, w) {
			p.failParse(p.i+len(w), "Non-standard token '%s': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow", w)
		}
	}
	switch {
	case c == ']' && p.depth > 0 && !p.inArray: // not what a close marker is told elsewhere
	case c == ']' || c == '}':
		if p.depth > 0 {
			p.unexpected(c, p.i, "expected a value")
		}
		p.failParse(p.i, "Unexpected close marker '%c': no open %s to close", c, map[byte]string{']': "Array", '}': "Object"}[c])
	case c == ',':
		p.unexpected(c, p.i, "expected a value")
	case c == '/':
		p.unexpected(c, p.i, "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)")
	case c == '+' && len(rest) > 1 && rest[1]-'0' <= 9:
		p.failParse(p.i+1, "Unexpected character ('+' (code 43)) in numeric value: JSON spec does not allow numbers to have plus signs: enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow")
	case identifierPart(rune(c)): // of a character of several bytes, its first
		p.i++
		p.badToken(p.i-1, string(rune(c)))
	}
	p.unexpected(c, p.i, "expected a valid value "+anyValue)
}

// enter begins a container; the result ends it.
func (p *treeParser) enter(isArray bool) (leave func()) {
	if p.depth++; p.depth > maxDepth {
		p.failLimit("Document nesting depth (%d) exceeds the maximum allowed (%d, from `StreamReadConstraints.getMaxNestingDepth()`)", p.depth, maxDepth)
	}
	outer := p.inArray
	p.inArray = isArray
	return func() {
		p.depth--
		p.inArray = outer
	}
}

// separator looks for the comma or the end of a container that starts at start; it
// returns true at the end.
func (p *treeParser) separator(start int, name string, end byte) bool {
	p.space()
	if p.i == len(p.b) {
		p.failEOF(": expected close marker for %s (start marker at %s)", name, p.at(start))
	}
	switch c := p.b[p.i]; c {
	case end:
		p.i++
		return true
	case ',':
		p.i++
		return false
	case ']', '}':
		p.failParse(p.i, "Unexpected close marker '%c': expected '%c' (for %s starting at %s)", c, end, name, p.at(start))
	default:
		p.unexpected(c, p.i, "was expecting comma to separate "+name+" entries")
	}
	return true
}

func (p *treeParser) array() *node {
	defer p.enter(true)()
	start := p.i
	p.i++
	n := &node{kind: array}
	p.token = "START_ARRAY"
	p.space()
	if p.i < len(p.b) && p.b[p.i] == ']' {
		p.i++
		return n
	}
	for {
		p.space()
		if p.i == len(p.b) {
			if len(n.elems) > 0 {
				p.failParse(p.i, "Unexpected end-of-input within/between Array entries")
			}
			p.failEOF(": expected close marker for Array (start marker at %s)", p.at(start))
		}
		if c := p.b[p.i]; c == '}' && len(n.elems) == 0 {
			p.failParse(p.i, "Unexpected close marker '}': expected ']' (for Array starting at %s)", p.at(start))
		}
		e := p.value()
		n.elems = append(n.elems, e)
		p.token = e.token()
		if p.separator(start, "Array", ']') {
			return n
		}
	}
}

func (p *treeParser) object() *node {
	defer p.enter(false)()
	start := p.i
	p.i++
	n := &node{kind: object}
	index := map[string]int{}
	for first := true; ; first = false {
		p.space()
		if p.i == len(p.b) {
			if first {
				p.failEOF(": expected close marker for Object (start marker at %s)", p.at(start))
			}
			p.failParse(p.i, "Unexpected end-of-input within/between Object entries")
		}
		switch c := p.b[p.i]; {
		case c == '}' && first:
			p.i++
			return n
		case c == ']' && first:
			p.failParse(p.i, "Unexpected close marker ']': expected '}' (for Object starting at %s)", p.at(start))
		case c != '"':
			r, end := p.decodeForError(p.i)
			p.failParse(end-1, "Unexpected character (%s): %s", describe(r), beginName)
		}
		if p.i++; p.i == len(p.b) {
			p.failEOF(": was expecting closing '\"' for name")
		}
		name := p.str(true)
		p.space()
		if p.i == len(p.b) {
			p.failEOF(" within/between Object entries")
		}
		if c := p.b[p.i]; c != ':' {
			p.unexpected(c, p.i, "was expecting a colon to separate field name and value")
		}
		p.i++
		p.space()
		if p.i == len(p.b) {
			p.failEOF(" within/between Object entries")
		}
		p.token = "FIELD_NAME"
		n.put(name, p.value(), index)
		if p.separator(start, "Object", '}') {
			return n
		}
	}
}

func (p *treeParser) number() *node {
	start, k := p.i, integer
	if p.b[p.i] == '-' {
		p.i++
		p.needDigit(start)
	}
	from := p.i
	p.i = digits(p.b, p.i)
	size := p.i - from
	for ; size > 1 && p.b[from] == '0'; from++ {
		size-- // leading zeros are skipped
	}
	frac, exp := 0, 0
	if p.i < len(p.b) && p.b[p.i] == '.' {
		k = decimal
		frac = p.moreDigits("Decimal point not followed by a digit")
	}
	if p.i < len(p.b) && p.b[p.i]|0x20 == 'e' {
		k = decimal
		if p.i+1 < len(p.b) && (p.b[p.i+1] == '+' || p.b[p.i+1] == '-') {
			p.i++
		}
		exp = p.moreDigits("Exponent indicator not followed by a digit")
	}
	if n := size + frac + exp; n > maxNumber {
		p.failLimit("Number value length (%d) exceeds the maximum allowed (%d, from `StreamReadConstraints.getMaxNumberLength()`)", n, maxNumber)
	}
	n := &node{kind: k, text: string(p.b[start:p.i])}
	if exp > 8 {
		p.checkExponent(n.text, frac)
	}
	return n
}

// needDigit reports what follows a minus sign if it is no digit.
func (p *treeParser) needDigit(start int) {
	if p.i == len(p.b) {
		p.failEOF(" in %s", p.token)
	}
	c := p.b[p.i]
	if c-'0' <= 9 {
		return
	}
	for _, w := range []string{"-INF", "-Infinity"} {
		if strings.HasPrefix(string(p.b[start:min(len(p.b), start+9)]), w) {
			p.failParse(start+len(w), "Non-standard token '%s': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow", w)
		}
	}
	p.failParse(p.i, "Unexpected character (%s) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value", describe(rune(c)))
}

// moreDigits takes the digits behind a point or an exponent sign.
func (p *treeParser) moreDigits(why string) int {
	sign := p.i
	p.i++
	from := p.i
	p.i = digits(p.b, p.i)
	switch {
	case p.i > from:
		return p.i - from
	case p.i < len(p.b):
		p.failParse(p.i, "Unexpected character (%s) in numeric value: %s", describe(rune(p.b[p.i])), why)
	case p.b[sign] == '.':
		p.failParse(sign, "Unexpected character ('.' (code 46)) in numeric value: %s", why)
	}
	p.failEOF(" in %s", p.token)
	return 0
}

// checkExponent refuses what BigDecimal refuses.
func (p *treeParser) checkExponent(number string, frac int) {
	e := strings.IndexAny(number, "eE")
	exponent := number[e+1:]
	digits := strings.TrimLeft(strings.TrimLeft(exponent, "+-"), "0")
	v, err := strconv.ParseInt(strings.TrimPrefix(exponent, "+"), 10, 64)
	why := ""
	switch {
	case len(digits) > 10:
		why = "Too many nonzero exponent digits."
	case err != nil || v > math.MaxInt32 || v < math.MinInt32:
		why = "Exponent overflow."
	case int64(frac)-v > math.MaxInt32 || int64(frac)-v < math.MinInt32:
		why = "Scale out of range."
	default:
		return
	}
	panic(&connect.Error{
		Class: "java.lang.NumberFormatException",
		Msg:   fmt.Sprintf("Value %q can not be deserialized as `java.math.BigDecimal`, reason:  %s", number, why),
	})
}
