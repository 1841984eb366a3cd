// Package javaregex matches regular expressions that were written for
// java.util.regex.Pattern, such as topics.regex. What Go's linear-time engine
// understands is run by it; look-around, possessive quantifiers and back references by a
// backtracking one, bounded in time. An expression that neither can run as Java does is
// refused. One difference stays: (?i) also ignores the case of letters beyond ASCII,
// which Java does with (?iu) only.
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
	groups  int             // capturing ones
	names   map[string]int
}

// Compile compiles a Java expression. The error's text is that of a
// PatternSyntaxException where Java refuses the expression too.
func Compile(pattern string) (*Regex, error) {
	t, err := translate(pattern)
	if err != nil {
		return nil, err
	}
	translated := string(t.out)
	linear, err := regexp.Compile(translated) // alone first, for the sake of its errors
	if err == nil {
		linear, err = regexp.Compile(`\A(?:` + translated + `)\z`)
	}
	if err == nil && t.backOnly == "" {
		return &Regex{pattern: pattern, linear: linear, groups: t.captures, names: t.names}, nil
	}
	var se *syntax.Error
	if err != nil && !errors.As(err, &se) {
		return nil, err
	}
	if t.linearOnly == "" && (err == nil || backtracking(se.Code)) {
		// Java's matches() is a full match: \z, because $ would allow a last line feed.
		if back, backErr := regexp2.Compile(`\A(?:`+translated+`)\z`, regexp2.None); backErr == nil {
			back.MatchTimeout = matchTimeout
			return &Regex{pattern: pattern, back: back, groups: t.captures, names: t.names}, nil
		}
	}
	if t.backOnly != "" {
		return nil, t.unsupported("use of "+t.backOnly, 0)
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

// javaError words the mistakes that users make most as Java does.
func javaError(pattern string, e *syntax.Error) error {
	switch e.Code {
	case syntax.ErrInvalidCharRange:
		if i := strings.Index(pattern, e.Expr); i >= 0 {
			msg := "Illegal character range"
			if strings.HasPrefix(e.Expr, `\p`) || strings.HasPrefix(e.Expr, `\P`) {
				msg = "Unknown character property name " + e.Expr[2:]
			}
			return syntaxError(pattern, msg, i+len(e.Expr)-1)
		}
	case syntax.ErrInvalidRepeatSize:
		if i := strings.Index(pattern, e.Expr); i >= 0 {
			return syntaxError(pattern, "Illegal repetition range", i+len(e.Expr)-1)
		}
	case syntax.ErrMissingRepeatArgument, syntax.ErrInvalidRepeatOp:
		if i := strings.Index(pattern, e.Expr); i >= 0 {
			return syntaxError(pattern, "Dangling meta character '"+e.Expr[len(e.Expr)-1:]+"'", i+len(e.Expr)-1)
		}
	case syntax.ErrInvalidPerlOp:
		if i := strings.Index(pattern, e.Expr); i >= 0 {
			return syntaxError(pattern, "Unknown inline modifier", i+2)
		}
	default:
	}
	return errors.New("Unsupported expression: " + e.Code.String() + ": " + e.Expr) //nolint:staticcheck // worded like Java's errors
}

// syntaxError has the form of a PatternSyntaxException: a mark stands below the place.
func syntaxError(pattern, msg string, index int) error {
	text := fmt.Sprintf("%s near index %d\n%s", msg, index, pattern)
	if index < len(pattern) {
		text += "\n" + strings.Repeat(" ", index) + "^"
	}
	return errors.New(text)
}
