package access

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Pattern matches names of connectors as a whole and in their own case: * stands for any
// characters, also none, ? for one; a backslash takes their meaning from *, ?, comma and itself.
// The zero value matches the empty name only.
type Pattern struct {
	text   string
	tokens []token
}

// token is one step of a pattern: any number of characters, one character, or this one.
type token struct {
	many, one bool
	char      string
}

// ParsePattern reads a pattern. It must not be empty: no connector has that name.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{text: text}
	if text == "" {
		return p, errors.New("the pattern of connector names is empty. Write * for all connectors")
	}
	for i := 0; i < len(text); {
		_, n := utf8.DecodeRuneInString(text[i:])
		switch char := text[i : i+n]; char {
		case "*":
			if len(p.tokens) == 0 || !p.tokens[len(p.tokens)-1].many {
				p.tokens = append(p.tokens, token{many: true})
			}
		case "?":
			p.tokens = append(p.tokens, token{one: true})
		case `\`:
			if i++; i == len(text) || !strings.ContainsRune(`*?,\`, rune(text[i])) {
				return p, fmt.Errorf(`the pattern %s has a backslash that stands before none of * ? , \. Write \\ for a backslash`, text)
			}
			p.tokens = append(p.tokens, token{char: text[i : i+1]})
		default:
			p.tokens = append(p.tokens, token{char: char})
		}
		i += n
	}
	return p, nil
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Match tells whether a name is one of the pattern's. Its time is bounded by the product of
// both lengths.
func (p Pattern) Match(name string) bool {
	at, pos := 0, 0       // in tokens, in name
	star, resume := -1, 0 // the last *, and where in name it ends at present
	for pos < len(name) {
		if at < len(p.tokens) {
			if p.tokens[at].many {
				star, resume = at, pos
				at++
				continue
			}
			if n, ok := p.tokens[at].matches(name[pos:]); ok {
				at, pos = at+1, pos+n
				continue
			}
		}
		if star < 0 {
			return false
		}
		// The last * takes one character more.
		_, n := utf8.DecodeRuneInString(name[resume:])
		resume += n
		at, pos = star+1, resume
	}
	for at < len(p.tokens) && p.tokens[at].many {
		at++
	}
	return at == len(p.tokens)
}

// matches tells how many bytes of a text, which is not empty, a token for one character takes.
func (t token) matches(text string) (n int, ok bool) {
	_, n = utf8.DecodeRuneInString(text)
	return n, t.one || text[:n] == t.char
}
