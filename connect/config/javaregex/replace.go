package javaregex

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
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
	emptyGroups := false
	if r.linear != nil {
		text := inner(r.linear.String())
		if p.linear, err = regexp.Compile(text); err == nil {
			tree, errTree := syntax.Parse(text, syntax.Perl)
			emptyGroups = errTree != nil || repeatsEmptyGroup(tree)
		}
	} else if p.back, err = regexp2.Compile(inner(r.back.String()), regexp2.None); err == nil {
		p.back.MatchTimeout = matchTimeout
	}
	if err == nil {
		p.parts, err = parseReplacement(text, r.groups, r.names)
	}
	if err == nil && emptyGroups && slices.ContainsFunc(p.parts, func(r replacement) bool { return r.group > 0 }) {
		err = errors.New("Unsupported reference to a group in a repetition of what may be empty") //nolint:staticcheck // worded like the others
	}
	return p, err
}

// repeatsEmptyGroup finds groups that are repeated and may match nothing: Java takes a last,
// empty turn where the linear engine takes none, which shows in what the group holds.
func repeatsEmptyGroup(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		if sub := re.Sub[0]; sub.MaxCap() > 0 && mayBeEmpty(sub) {
			return true
		}
	default:
	}
	return slices.ContainsFunc(re.Sub, repeatsEmptyGroup)
}

func mayBeEmpty(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpStar, syntax.OpQuest, syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	case syntax.OpRepeat:
		return re.Min == 0 || mayBeEmpty(re.Sub[0])
	case syntax.OpCapture, syntax.OpPlus:
		return mayBeEmpty(re.Sub[0])
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, mayBeEmpty)
	case syntax.OpConcat:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !mayBeEmpty(sub) })
	default:
		return false
	}
}

func parseReplacement(text string, groups int, names map[string]int) ([]replacement, error) {
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
			name, err := nameBeforeBrace(text[i+2:])
			if err != nil {
				return nil, err
			}
			n, ok := names[name]
			if !ok {
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

// nameBeforeBrace reads the name at the beginning of text, which a brace must follow.
func nameBeforeBrace(text string) (string, error) {
	n := 0
	for n < len(text) && (isLetter(text[n]) || isDigit(text[n])) {
		n++
	}
	switch name := text[:n]; {
	case n == 0:
		return "", errors.New("named capturing group has 0 length name")
	case n == len(text) || text[n] != '}':
		return "", errors.New("named capturing group is missing trailing '}'")
	case isDigit(name[0]):
		return "", fmt.Errorf("capturing group name {%s} starts with digit character", name)
	default:
		return name, nil
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// groupNumber takes as many digits as still name a group.
func groupNumber(text string, start, groups int) (n, end int, err error) {
	if !isDigit(text[start]) {
		return 0, 0, errors.New("Illegal group reference")
	}
	n, end = int(text[start]-'0'), start+1
	if n > groups {
		return 0, 0, errors.New("No group " + strconv.Itoa(n))
	}
	for end < len(text) && isDigit(text[end]) {
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
