package javaregex

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/dlclark/regexp2"
)

// Replacer replaces what an expression matches by a Java replacement text. It is safe for
// concurrent use.
type Replacer struct {
	full   *Regex
	linear *regexp.Regexp // not anchored
	back   *regexp2.Regexp
	parts  []replacement
}

// replacement is literal text, or a group when group >= 0.
type replacement struct {
	text  string
	group int
}

// Replacer prepares a replacement text, in which $1 and ${name} are groups and a backslash
// quotes the next character (Java: Matcher.replaceFirst). Where Java fails on the first
// match, because a group does not exist, it fails at once.
func (r *Regex) Replacer(text string) (*Replacer, error) {
	p := &Replacer{full: r}
	inner := func(s string) string { return strings.TrimSuffix(strings.TrimPrefix(s, `\A(?:`), `)\z`) }
	var err error
	var groups int
	var byName func(string) int
	if r.linear != nil {
		p.linear, err = regexp.Compile(inner(r.linear.String()))
		if err == nil {
			groups, byName = p.linear.NumSubexp(), p.linear.SubexpIndex
		}
	} else {
		p.back, err = regexp2.Compile(inner(r.back.String()), regexp2.None)
		if err == nil {
			p.back.MatchTimeout = matchTimeout
			groups, byName = len(p.back.GetGroupNumbers())-1, p.back.GroupNumberFromName
			err = sameNumbers(p.back.GetGroupNames())
		}
	}
	if err == nil {
		p.parts, err = parseReplacement(text, groups, byName)
	}
	return p, err
}

// sameNumbers refuses expressions with named and unnamed groups: the backtracking engine
// numbers the named ones last, Java all by their place.
func sameNumbers(names []string) error {
	named := 0
	for _, n := range names {
		if n[0] < '0' || n[0] > '9' {
			named++
		}
	}
	if named > 0 && named < len(names)-1 {
		return errors.New("Unsupported use of named together with unnamed groups in an expression that needs backtracking")
	}
	return nil
}

func parseReplacement(text string, groups int, byName func(string) int) ([]replacement, error) {
	var parts []replacement
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\\' && i+1 == len(text):
			return nil, errors.New("character to be escaped is missing")
		case c == '\\':
			parts = append(parts, replacement{text[i+1 : i+2], -1})
			i += 2
		case c != '$':
			parts = append(parts, replacement{text[i : i+1], -1})
			i++
		case i+1 == len(text):
			return nil, errors.New("Illegal group reference: group index is missing")
		case text[i+1] == '{':
			name, _, ok := strings.Cut(text[i+2:], "}")
			if !ok {
				return nil, errors.New("named capturing group is missing trailing '}'")
			}
			n := byName(name)
			if n < 0 || name == "" || name[0] >= '0' && name[0] <= '9' {
				return nil, fmt.Errorf("No group with name {%s}", name)
			}
			parts = append(parts, replacement{"", n})
			i += len(name) + 3
		default:
			n, end, err := groupNumber(text, i+1, groups)
			if err != nil {
				return nil, err
			}
			parts = append(parts, replacement{"", n})
			i = end
		}
	}
	return parts, nil
}

// groupNumber takes as many digits as still name a group.
func groupNumber(text string, start, groups int) (n, end int, err error) {
	if text[start] < '0' || text[start] > '9' {
		return 0, 0, errors.New("Illegal group reference")
	}
	n, end = int(text[start]-'0'), start+1
	if n > groups {
		return 0, 0, errors.New("No group " + strconv.Itoa(n))
	}
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		next := n*10 + int(text[end]-'0')
		if next > groups {
			break
		}
		n, end = next, end+1
	}
	return n, end, nil
}

// ReplaceFull returns text with its first match replaced if the whole of it matches, else
// text itself (Java: matches, then replaceFirst).
func (p *Replacer) ReplaceFull(text string) string {
	if !p.full.MatchFull(text) {
		return text
	}
	if p.linear != nil {
		at := p.linear.FindStringSubmatchIndex(text)
		if at == nil {
			return text
		}
		return text[:at[0]] + p.expand(func(n int) string {
			if at[2*n] < 0 {
				return ""
			}
			return text[at[2*n]:at[2*n+1]]
		}) + text[at[1]:]
	}
	m, err := p.back.FindStringMatch(text)
	if err != nil || m == nil {
		return text
	}
	runes := []rune(text)
	return string(runes[:m.Index]) + p.expand(func(n int) string { return m.GroupByNumber(n).String() }) + string(runes[m.Index+m.Length:])
}

func (p *Replacer) expand(group func(int) string) string {
	var b strings.Builder
	for _, part := range p.parts {
		if part.group >= 0 {
			b.WriteString(group(part.group))
		} else {
			b.WriteString(part.text)
		}
	}
	return b.String()
}
