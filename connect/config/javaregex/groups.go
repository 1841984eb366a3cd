package javaregex

import (
	"regexp"
	"strconv"
	"strings"
)

// group is an open group, or the whole expression.
type group struct {
	start int // where it begins in out
	flags flags
	kind  string // "(?=", "(?!", "(?<=", "(?<!" or "" for others
	// before is the number of captures before it.
	before int
	// endless tells that what is in it has no greatest length.
	endless bool
}

// captureRange are capturing groups by number, from the first to the last.
type captureRange struct{ first, last int }

// flags are those that are on: dot matches line ends, lines begin and end inside.
type flags struct{ dotAll, multiLine bool }

var (
	groupFlags = regexp.MustCompile(`^\(\?([ism]*)(-[ism]*)?([:)])`)
	// otherFlags are those that Java has and the engines do not, or with another meaning.
	otherFlags = regexp.MustCompile(`^\(\?[ism-]*[xudUc]`)
	groupName  = regexp.MustCompile(`^\(\?<([a-zA-Z][a-zA-Z0-9]*)>`)
)

// open begins a group.
func (t *translator) open() error {
	s := t.in[t.i:]
	g := group{start: len(t.out), flags: t.group().flags, before: t.captures}
	n, text := 1, "("
	switch {
	case !strings.HasPrefix(s, "(?"):
		t.captures++
	case strings.HasPrefix(s, "(?<=") || strings.HasPrefix(s, "(?<!"):
		n, text, g.kind = 4, s[:4], s[:4]
	case strings.HasPrefix(s, "(?=") || strings.HasPrefix(s, "(?!"):
		n, text, g.kind = 3, s[:3], s[:3]
	case strings.HasPrefix(s, "(?>"):
		n, text, t.backOnly = 3, s[:3], s[:3]
	case strings.HasPrefix(s, "(?<"):
		name, err := t.name(s)
		if err != nil {
			return err
		}
		n = len(name) + 4
		t.captures++
		t.names[name] = t.captures
	default:
		return t.openFlags(s, g)
	}
	if g.kind != "" {
		t.backOnly = g.kind
	}
	t.begin(g, text, n)
	return nil
}

func (t *translator) begin(g group, text string, n int) {
	t.groups = append(t.groups, g)
	t.out = append(t.out, text...)
	t.atom = -1
	t.i += n
}

func (t *translator) name(s string) (string, error) {
	m := groupName.FindStringSubmatch(s)
	switch {
	case len(s) < 4 || !isLetter(s[3]):
		return "", t.wrong("capturing group name does not start with a Latin letter", t.i+3)
	case m == nil:
		n := 3
		for n < len(s) && (isLetter(s[n]) || isDigit(s[n])) {
			n++
		}
		return "", t.wrong("named capturing group is missing trailing '>'", min(t.i+n+1, len(t.in)))
	case t.names[m[1]] > 0:
		return "", t.wrong("Named capturing group <"+m[1]+"> is already defined", t.i+len(m[0])-1)
	}
	return m[1], nil
}

// openFlags sets flags, for a group of its own or for what follows in the open one. Only i
// is left to the engines.
func (t *translator) openFlags(s string, g group) error {
	m := groupFlags.FindStringSubmatch(s)
	switch {
	case otherFlags.MatchString(s):
		return t.unsupported("flag "+otherFlags.FindString(s), t.i)
	case m == nil:
		return t.wrong("Unknown inline modifier", t.i+2)
	}
	for _, c := range m[1] {
		g.flags.set(c, true)
	}
	for _, c := range m[2] {
		g.flags.set(c, false)
	}
	text := "(?"
	if strings.Contains(m[1], "i") {
		text += "i"
	}
	if strings.Contains(m[2], "i") {
		text += "-i"
	}
	if text += m[3]; m[3] == ":" {
		t.begin(g, text, len(m[0]))
		return nil
	}
	t.group().flags = g.flags
	if text != "(?)" {
		t.out = append(t.out, text...)
	}
	t.atom = -1
	t.i += len(m[0])
	return nil
}

func (f *flags) set(c rune, on bool) {
	switch c {
	case 's':
		f.dotAll = on
	case 'm':
		f.multiLine = on
	}
}

// close ends a group.
func (t *translator) close() error {
	n := len(t.groups) - 1
	if n == 0 {
		return t.wrong("Unmatched closing ')'", max(t.i-1, 0))
	}
	g := t.groups[n]
	if t.groups = t.groups[:n]; g.endless {
		switch g.kind {
		case "(?<=", "(?<!":
			// Java refuses most of them, too, but which ones is hard to say.
			return t.unsupported("look-behind without a greatest length", t.i)
		case "":
			t.group().endless = true
		}
	}
	t.closed = captureRange{g.before + 1, t.captures}
	t.out = append(t.out, ')')
	t.atom = g.start
	t.i++
	return nil
}

var referenceName = regexp.MustCompile(`^\\k<([a-zA-Z][a-zA-Z0-9]*)>`)

func (t *translator) namedReference(s string) error {
	m := referenceName.FindStringSubmatch(s)
	if m == nil {
		return t.wrong(`\k is not followed by '<' for named capturing group`, min(t.i+2, len(t.in)))
	}
	n, ok := t.names[m[1]]
	if !ok {
		return t.wrong("named capturing group <"+m[1]+"> does not exist", t.i+len(m[0])-1)
	}
	return t.refer(n, len(m[0]))
}

// reference takes as many digits as still name a group before it.
func (t *translator) reference(s string) error {
	n, digits := int(s[1]-'0'), 1
	for 1+digits < len(s) && isDigit(s[1+digits]) && n*10+int(s[1+digits]-'0') <= t.captures {
		n = n*10 + int(s[1+digits]-'0')
		digits++
	}
	if n > t.captures {
		return t.unsupported("back reference to a group that does not stand before it", t.i)
	}
	return t.refer(n, 1+digits)
}

func (t *translator) refer(group, length int) error {
	for _, r := range t.repeated {
		if r.first <= group && group <= r.last {
			// Java keeps what the group held in a turn that was taken back.
			return t.unsupported("back reference to a group in a repetition", t.i)
		}
	}
	t.backOnly = "back references"
	t.group().endless = true
	t.add(`(?:\` + strconv.Itoa(group) + `)`) // no digit may follow
	t.i += length
	return nil
}
