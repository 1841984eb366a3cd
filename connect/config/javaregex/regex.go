// Package javaregex matches regular expressions that were written for
// java.util.regex.Pattern, such as topics.regex. What Go's linear-time engine
// understands is run by it; look-around and back references by a backtracking one,
// bounded in time.
package javaregex

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// matchTimeout ends a match that backtracks without end; the text then does not match.
const matchTimeout = time.Second

// Regex is a compiled expression. It is safe for concurrent use.
type Regex struct {
	pattern string
	linear  *regexp.Regexp
	back    *regexp2.Regexp // when linear is nil
}

// Compile compiles a Java expression. The error's text is that of a
// PatternSyntaxException where Java refuses the expression too.
func Compile(pattern string) (*Regex, error) {
	translated, err := translate(pattern)
	if err != nil {
		return nil, err
	}
	linear, err := regexp.Compile(`\A(?:` + translated + `)\z`)
	if err == nil {
		// The wrapping must not mend an expression such as "a)(b".
		if _, err = regexp.Compile(translated); err == nil {
			return &Regex{pattern: pattern, linear: linear}, nil
		}
	}
	var se *syntax.Error
	if !errors.As(err, &se) {
		return nil, err
	}
	if backtracking(se.Code) {
		// Java's matches() is a full match: \z, because $ would allow a last line feed.
		if back, err := regexp2.Compile(`\A(?:`+translated+`)\z`, regexp2.None); err == nil {
			back.MatchTimeout = matchTimeout
			return &Regex{pattern: pattern, back: back}, nil
		}
	}
	return nil, javaError(pattern, se)
}

// backtracking reports whether an error of Go's engine may be due to a construct that
// only a backtracking engine has.
func backtracking(code syntax.ErrorCode) bool {
	switch code {
	case syntax.ErrInvalidPerlOp, syntax.ErrInvalidEscape, syntax.ErrInvalidRepeatSize, syntax.ErrInvalidNamedCapture, syntax.ErrLarge:
		return true
	default:
		return false
	}
}

// String returns the expression as it was given.
func (r *Regex) String() string { return r.pattern }

// MatchFull reports whether the whole text matches (Java: Matcher.matches).
func (r *Regex) MatchFull(text string) bool {
	if r.linear != nil {
		return r.linear.MatchString(text)
	}
	ok, err := r.back.MatchString(text)
	return err == nil && ok
}

// posix are Java's names of ASCII classes that Go spells in brackets.
var posix = map[string]string{
	"Lower": "lower", "Upper": "upper", "ASCII": "ascii", "Alpha": "alpha", "Digit": "digit", "Alnum": "alnum",
	"Punct": "punct", "Graph": "graph", "Print": "print", "Blank": "blank", "Cntrl": "cntrl", "XDigit": "xdigit", "Space": "space",
}

// translate rewrites what Java spells otherwise, and refuses what would silently mean
// something else.
func translate(pattern string) (string, error) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			n := escape(&b, pattern[i:], inClass)
			i += n - 1
			continue
		case inClass && c == '&' && strings.HasPrefix(pattern[i:], "&&"), inClass && c == '[' && !strings.HasPrefix(pattern[i:], "[:"):
			return "", fmt.Errorf("Unsupported class intersection or union near index %d\n%s\nWrite the character class without a class inside", i, pattern)
		case inClass && c == ']':
			inClass = false
		case !inClass && c == '[':
			inClass = true
			b.WriteByte(c)
			if strings.HasPrefix(pattern[i+1:], "^") {
				b.WriteByte('^')
				i++
			}
			continue
		}
		b.WriteByte(pattern[i])
	}
	return b.String(), nil
}

// escape writes the escape at the start of s and returns its length.
func escape(b *strings.Builder, s string, inClass bool) int {
	if strings.HasPrefix(s, `\Q`) {
		end := strings.Index(s, `\E`)
		n := len(s)
		if end >= 0 {
			n = end + 2
			s = s[:end]
		}
		b.WriteString(regexp.QuoteMeta(s[2:]))
		return n
	}
	if name, _, ok := strings.Cut(s, "}"); ok && strings.HasPrefix(s, `\p{`) {
		if class, ok := posix[name[3:]]; ok {
			if inClass {
				b.WriteString("[:" + class + ":]")
			} else {
				b.WriteString("[[:" + class + ":]]")
			}
			return len(name) + 1
		}
	}
	b.WriteString(s[:2])
	return 2
}

// javaError words the mistakes that users make most as Java does.
func javaError(pattern string, e *syntax.Error) error {
	msg, index := "", len(pattern)
	switch e.Code {
	case syntax.ErrMissingParen:
		msg = "Unclosed group"
	case syntax.ErrMissingBracket:
		msg, index = "Unclosed character class", len(pattern)-1
		if strings.HasSuffix(pattern, "-") {
			msg, index = "Illegal character range", len(pattern)
		}
	case syntax.ErrUnexpectedParen:
		msg, index = "Unmatched closing ')'", max(strings.LastIndex(pattern, ")")-1, 0)
	case syntax.ErrMissingRepeatArgument:
		index = max(strings.Index(pattern, e.Expr), 0)
		msg = "Dangling meta character '" + e.Expr[:1] + "'"
	default:
		return errors.New(e.Code.String() + ": " + e.Expr)
	}
	text := fmt.Sprintf("%s near index %d\n%s", msg, index, pattern)
	if index < len(pattern) {
		text += "\n" + strings.Repeat(" ", index) + "^"
	}
	return errors.New(text)
}
