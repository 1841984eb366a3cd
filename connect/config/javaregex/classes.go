package javaregex

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

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
		if !inClass {
			t.atom = len(t.out)
		}
		t.out = append(t.out, `\`+s[1:2]+"{"+name+"}"...)
	}
	t.i += n
	return nil
}

// class translates a character class, which must not contain another one. What stands for
// itself is escaped where the engines might take it for something else.
func (t *translator) class() error {
	t.atom = len(t.out)
	t.out = append(t.out, '[')
	if t.i++; strings.HasPrefix(t.in[t.i:], "^") {
		t.out = append(t.out, '^')
		t.i++
	}
	for first := true; t.i < len(t.in); first = false {
		s := t.in[t.i:]
		switch {
		case s[0] == ']' && !first: // Java takes the first one for a character
			t.out = append(t.out, ']')
			t.i++
			return nil
		case s[0] == '[', strings.HasPrefix(s, "&&"):
			return fmt.Errorf("Unsupported class intersection or union near index %d\n%s\nWrite the character class without a class inside", t.i, t.in) //nolint:revive,staticcheck // worded like Java's errors
		}
		if r, n, ok := classChar(s); ok {
			if err := t.charOrRange(r, n); err != nil {
				return err
			}
		} else if err := t.classEscape(); err != nil {
			return err
		}
	}
	return t.wrong("Unclosed character class", len(t.in)-1)
}

// charOrRange appends the character of n bytes at hand, and the end of a range.
func (t *translator) charOrRange(r rune, n int) error {
	t.literal(r, n, true)
	s := t.in[t.i:]
	if s == "-" { // Java reads a zero behind the end
		return t.wrong("Illegal character range", t.i+1)
	}
	if len(s) < 2 || s[0] != '-' || s[1] == ']' || s[1] == '[' {
		return nil
	}
	last, n, ok := classChar(s[1:])
	switch {
	case !ok:
		return t.unsupported("range with a class at its end", t.i)
	case last < r:
		return t.wrong("Illegal character range", t.i+n)
	}
	t.i++
	t.out = append(t.out, '-')
	t.literal(last, n, true)
	return nil
}

// classChar reads what stands for one character in a class, of n bytes.
func classChar(s string) (r rune, n int, ok bool) {
	if s[0] != '\\' || len(s) == 1 {
		r, n = utf8.DecodeRuneInString(s)
		return r, n, true
	}
	if r, n, ok = charEscape(s); ok {
		return r, n, true
	}
	if i := strings.IndexByte("tnrfa", s[1]); i >= 0 {
		return rune("\t\n\r\f\a"[i]), 2, true
	}
	r, n = utf8.DecodeRuneInString(s[1:])
	return r, n + 1, !isLetter(s[1]) && !isDigit(s[1])
}

// classEscape translates an escape that stands for several characters.
func (t *translator) classEscape() error {
	s := t.in[t.i:]
	switch c := s[1]; c {
	case 'd', 'w', 's', 'h', 'v':
		t.out = append(t.out, classEscapes[c]...)
	case 'S':
		return t.unsupported(`\S in a character class`, t.i) // Go's lacks the vertical tab
	case 'D', 'W':
		t.linearOnly = `\` + string(c) + " in a character class"
		t.out = append(t.out, s[:2]...)
	case 'Q':
		if t.quote(true); strings.HasPrefix(t.in[t.i:], "-") {
			return t.unsupported("quote before a hyphen in a character class", t.i)
		}
		return nil
	case 'E':
	case 'p', 'P':
		return t.property(true)
	default:
		return t.unsupported(`escape \`+string(c)+" in a character class", t.i)
	}
	t.i += 2
	return nil
}
