//go:build integration

package java

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config/javaregex"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/transform"
)

type valuesQuestion struct {
	Op    string   `json:"op"`
	Texts []string `json:"texts"`
}

type valuesAnswer struct {
	Results []struct {
		conversionAnswer
		Text *string
	}
}

func testValues(t *testing.T, j *jvm) {
	g := newGen(4)
	questions := make([]valuesQuestion, *cases)
	for i := range questions {
		questions[i].Op = "values"
		for range 10 {
			questions[i].Texts = append(questions[i].Texts, g.valueText(3))
		}
	}
	f, compared := faults{t: t}, 0
	for i, a := range ask[valuesQuestion, valuesAnswer](t, j, questions) {
		for k, s := range questions[i].Texts {
			compared++
			v, err := data.ParseString(s)
			if d := a.Results[k].diffValue(v.Schema, v.Value, err); d != "" {
				f.add("%q (-JVM +ours):\n%s", s, d)
				continue
			}
			if a.Results[k].Text == nil || err != nil {
				continue
			}
			if again, err := data.ConvertToString(v.Value); err != nil || again != *a.Results[k].Text {
				f.add("%q is written as %q, %v, in the JVM %q", s, again, err, *a.Results[k].Text)
			}
		}
	}
	f.report(compared)
}

type regexQuestion struct {
	Op          string   `json:"op"`
	Pattern     string   `json:"pattern"`
	Inputs      []string `json:"inputs"`
	Replacement string   `json:"replacement"`
}

type regexAnswer struct {
	Error   *failure
	Results []struct {
		Error    *failure
		Matches  bool
		Replaced string
	}
}

// refusals are how the errors of what we do not support begin, see
// docs/explanation/java-patterns.md.
func refusal(err error) bool { return strings.HasPrefix(err.Error(), "Unsupported ") }

var ignoresCase = regexp.MustCompile(`\(\?[a-z]*i`)

func testRegex(t *testing.T, j *jvm) {
	g := newGen(5)
	questions := make([]regexQuestion, *cases*4)
	for i := range questions {
		q := regexQuestion{Op: "regex", Pattern: g.pattern(3), Replacement: g.replacement()}
		for range 6 {
			s := g.input()
			if strings.Contains(q.Pattern, "$") {
				s = strings.NewReplacer("\n", "", "\r", "", "\u2028", "").Replace(s)
			}
			if ignoresCase.MatchString(q.Pattern) {
				s = strings.Map(func(r rune) rune { return r & 0x7F }, s)
			}
			q.Inputs = append(q.Inputs, s)
		}
		questions[i] = q
	}
	f, compared, refused := faults{t: t}, 0, map[string]int{}
	for i, a := range ask[regexQuestion, regexAnswer](t, j, questions) {
		q := &questions[i]
		r, err := javaregex.Compile(q.Pattern)
		switch {
		case a.Error != nil && err == nil:
			f.add("%q is accepted; JVM: %s", q.Pattern, a.Error.Message)
			continue
		case a.Error != nil:
			continue
		case err != nil && refusal(err):
			what, _, _ := strings.Cut(err.Error(), " near")
			refused[what]++
			continue
		case err != nil && strings.Contains(q.Pattern, `\Q`): // Java reads quotes before all else
			continue
		case err != nil:
			f.add("%q is refused with %v", q.Pattern, err)
			continue
		}
		p, errReplacement := r.Replacer(q.Replacement)
		for k, input := range q.Inputs {
			compared++
			want := a.Results[k]
			if want.Error != nil { // it matches, but the replacement is wrong: we say so at once
				if errReplacement == nil {
					f.add("%q replaced by %q: JVM %s", q.Pattern, q.Replacement, want.Error.Message)
				} else if !strings.HasPrefix(errReplacement.Error(), want.Error.Message) {
					f.add("%q replaced by %q: %v\nJVM %s", q.Pattern, q.Replacement, errReplacement, want.Error.Message)
				}
				continue
			}
			if got := r.MatchFull(input); got != want.Matches {
				f.add("%q on %q: %v, JVM %v", q.Pattern, input, got, want.Matches)
				continue
			}
			if !want.Matches {
				continue
			}
			if errReplacement != nil {
				if !refusal(errReplacement) {
					f.add("%q replaced by %q: %v; JVM %q", q.Pattern, q.Replacement, errReplacement, want.Replaced)
				}
				continue
			}
			if got := p.ReplaceFull(input); got != want.Replaced {
				f.add("%q on %q replaced by %q: %q, JVM %q", q.Pattern, input, q.Replacement, got, want.Replaced)
			}
		}
	}
	t.Logf("refused: %v", refused)
	f.report(compared)
}

func (g *gen) input() string {
	alphabet := []rune("aabbcAB019_.- xyz")
	if g.one(3) {
		alphabet = []rune("aAbé1 \n\r\tÉ\u2028k\u212a\u00a0٣s\u017f\U0001F600_")
	}
	var b strings.Builder
	for range g.IntN(7) {
		b.WriteRune(pick(g, alphabet...))
	}
	return b.String()
}

func (g *gen) replacement() string {
	var b strings.Builder
	for range g.IntN(4) {
		b.WriteString(pick(g, "x", "-", "$0", "$1", "$2", "$12", "${n}", "${m}", `\$`, `\\`, "é", "$", `\`, "${", "$x", "${1}", "${n", "$00", `\é`))
	}
	return b.String()
}

func (g *gen) pattern(depth int) string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(g.atom(depth))
		if g.one(3) {
			b.WriteString(pick(g, "*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?", "??", "*+", "++", "?+", "{2}+", "{1,2}?", "{", "{,2}", "**"))
		}
	}
	if depth > 0 && g.one(4) {
		b.WriteString("|" + g.pattern(depth-1))
	}
	return b.String()
}

func (g *gen) atom(depth int) string {
	switch n := g.IntN(22); {
	case n < 9:
		return pick(g, "a", "b", "c", "ab", "x", "1", "_", "-", "a", "b", ".", ".*", `\.`, "é", " ", "A", "k", "s", "0")
	case n < 11:
		return pick(g, `\d`, `\w`, `\s`, `\D`, `\W`, `\S`, `\h`, `\v`, `\R`, `\H`, `\V`, `\b`, `\B`, "^", "$", `\A`, `\z`, `\Z`, `\G`, `\X`, `\N`)
	case n < 13:
		return "[" + pick(g, "", "", "^") + g.classBody() + pick(g, "]", "]", "]", "]", "]", "]", "]", "")
	case n == 13:
		return pick(g, `\p{L}`, `\p{Lu}`, `\pL`, `\P{L}`, `\p{Alpha}`, `\p{Lower}`, `\p{Upper}`, `\P{Digit}`, `\p{Punct}`, `\p{Space}`, `\p{IsLatin}`, `\p{InGreek}`, `\p{IsAlphabetic}`, `\p{javaLowerCase}`, `\p{Foo}`, `\p{`, `\p{N}`, `\p{Nd}`, `\p{ASCII}`, `\p{Cntrl}`, `\p{script=Latin}`, `\p{IsL}`, `\p{XDigit}`, `\p{S}`, `\p{Z}`, `\p{P}`)
	case n == 14:
		return pick(g, `\x61`, `\u0061`, `\x{61}`, `\0101`, `\t`, `\n`, `\e`, `\cA`, `\Q.*\E`, `\Qa`, `\a`, `\f`, `\y`, `\-`, `\_`, `\é`, `\8`, `\ud83d\ude00`, `\ud83d`, `\x{1F600}`, `\x6`, `\E`, `\N{DIGIT ONE}`)
	case n == 15:
		return pick(g, `\1`, `\2`, `\k<n>`, `\11`, `\k<m>`)
	case depth == 0:
		return "a"
	case n < 19:
		return "(" + g.pattern(depth-1) + ")"
	case n == 19:
		return pick(g, "(?:", "(?<n>", "(?<m>", "(?>", "(?i:", "(?s:", "(?m:", "(?-i:", "(?P<n>", "(?<1>", "(?i-s:", "(?") + g.pattern(depth-1) + ")"
	case n == 20:
		return pick(g, "(?=", "(?!", "(?<=", "(?<!") + g.pattern(depth-1) + ")"
	}
	return pick(g, "(?i)", "(?s)", "(?m)", "(?-s)", "(?x)", "(?u)", "(?iu)", "(?U)", "(?d)", "(?is)", "(?c)", "(?z)")
}

func (g *gen) classBody() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(pick(g, "a", "b", "a-c", "A-Z", "0-9", "_", "-", ".", "^", "]", "[a]", "[^b]", "&&", "&&[ab]", "&", `\d`, `\w`, `\s`, `\D`, `\S`, `\W`, `\p{L}`, `\p{Lower}`, `\P{L}`, `\P{Lower}`, `\-`, `\]`, `\[`, `\\`, `\t`, `\x61`, `\Qa-c\E`, "é", "c-a", "a-", " ", `\b`, `\h`, "[:alpha:]", `\n`, "k", "$", "(", `\.`, "~~", "--", `\a-\z`))
	}
	return b.String()
}

type dateQuestion struct {
	Op      string   `json:"op"`
	Pattern string   `json:"pattern"`
	Format  []int64  `json:"format"`
	Parse   []string `json:"parse"`
}

type dateAnswer struct {
	Error     *failure
	Formatted []string
	Parsed    []struct {
		Error *failure
		MS    string
	}
}

func testDates(t *testing.T, j *jvm) {
	g := newGen(6)
	questions := make([]dateQuestion, *cases*2)
	for i := range questions {
		q := dateQuestion{Op: "date", Pattern: g.datePattern()}
		for range 4 {
			q.Format = append(q.Format, g.millis())
			q.Parse = append(q.Parse, g.dateText(q.Pattern))
		}
		questions[i] = q
	}
	f, compared, refused := faults{t: t}, 0, 0
	answers := ask[dateQuestion, dateAnswer](t, j, questions)
	for i := range questions {
		questions[i].Parse = append(questions[i].Parse, answers[i].Formatted...) // and what was written
	}
	for i, a := range ask[dateQuestion, dateAnswer](t, j, questions) {
		q := &questions[i]
		toText, err := timestampConverter(map[string]string{"target.type": "string", "format": q.Pattern})
		if err != nil || a.Error != nil {
			if a.Error == nil && strings.Contains(err.Error(), "Unsupported ") {
				refused++
			} else if err == nil || a.Error == nil || strings.Count(q.Pattern, "XXXX") == 0 && !strings.Contains(err.Error(), a.Error.Message) {
				f.add("%q: %v, JVM %v", q.Pattern, err, a.Error)
			}
			continue
		}
		for k, ms := range q.Format {
			if compared++; ms < -62e12 && strings.ContainsAny(q.Pattern, "Yw") {
				continue // week years before Christ are off by one in the JVM
			}
			if got, err := toText(time.UnixMilli(ms).UTC()); err != nil || got != a.Formatted[k] {
				f.add("%q of %d: %q, %v; JVM %q", q.Pattern, ms, got, err, a.Formatted[k])
			}
		}
		toTime, err := timestampConverter(map[string]string{"target.type": "Timestamp", "format": q.Pattern})
		if err != nil {
			if refused++; !strings.Contains(err.Error(), "can be written, but not read") {
				f.add("%q: %v", q.Pattern, err)
			}
			continue
		}
		for k, s := range q.Parse {
			compared++
			want := a.Parsed[k]
			got, err := toTime(s)
			if want.Error != nil || err != nil {
				if want.Error == nil && knownZone(s) {
					continue
				}
				if want.Error == nil || err == nil {
					f.add("%q reads %q: %v, %v; JVM %s %v", q.Pattern, s, got, err, want.MS, want.Error)
				}
				continue
			}
			if ms := strconv.FormatInt(got.(time.Time).UnixMilli(), 10); ms != want.MS {
				f.add("%q reads %q: %s; JVM %s", q.Pattern, s, ms, want.MS)
			}
		}
	}
	t.Logf("%d patterns refused", refused)
	f.report(compared)
}

// knownZone is true of texts with a zone that only the JVM knows.
func knownZone(s string) bool { return strings.Contains(s, "PST") || strings.Contains(s, "CET") }

// timestampConverter returns how the transform converts a whole value.
func timestampConverter(props map[string]string) (func(v any) (any, error), error) {
	tr, _ := find(transform.Transformations())(javaPackage + "TimestampConverter$Value")
	if err := tr.Configure(props); err != nil {
		return nil, err
	}
	return func(v any) (any, error) {
		rec := connect.Record{Topic: "t"}
		rec.Value.SetValue(nil, v)
		if _, err := tr.Apply(&rec); err != nil {
			return nil, err
		}
		return rec.Value.Value()
	}, nil
}

const dateLetters = "yyyMMMddHHhmmssSSaEzZXkKDuYwGFWLbB"

func (g *gen) datePattern() string {
	if g.one(3) {
		return pick(g, "yyyy-MM-dd HH:mm:ss", "yyyyMMddHHmmssSSS", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "EEE MMM dd HH:mm:ss zzz yyyy", "dd/MM/yy hh:mm a", "yyyy-DDD", "d MMMM yyyy", "yyyy.MM.dd G 'at' HH:mm:ss z", "YYYY-'W'ww-u", "yyMMddHHmmssZ", "H", "yyyyMM", "MMddyyyy", "EEEE, d.M.y", "hh 'o''clock' a, zzzz", "HH a", "E dd", "yyyy-MM E", "E HH", "GGGG yyyy")
	}
	var b strings.Builder
	for range 1 + g.IntN(5) {
		b.WriteString(strings.Repeat(string(dateLetters[g.IntN(len(dateLetters))]), 1+g.IntN(4)))
		if !g.one(3) {
			b.WriteString(pick(g, "-", ":", " ", "/", ".", "'T'", "''", ", ", "'x''y'", "é", "'"))
		}
	}
	return strings.TrimSpace(b.String()) // as all values of a configuration
}

// dateText makes texts that almost fit a pattern.
func (g *gen) dateText(pattern string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(pattern); {
		c, n := utf8.DecodeRuneInString(pattern[i:])
		for c < utf8.RuneSelf && i+n < len(pattern) && pattern[i+n] == byte(c) && c != '\'' {
			n++
		}
		i += n
		switch {
		case c == '\'':
			quoted = !quoted
		case quoted || !strings.ContainsRune(dateLetters, c):
			b.WriteString(strings.Repeat(string(c), n/utf8.RuneLen(c)))
		case strings.ContainsRune("EMLaGzZX", c) && !(strings.ContainsRune("ML", c) && n <= 2):
			b.WriteString(pick(g, "", "", "", "", "", " ") + g.dateWord(c))
		default:
			b.WriteString(pick(g, "", "", "", "", "", "", " ", "-") + fmt.Sprintf("%0*d", n, pick(g, 0, 1, 2, 5, 12, 13, g.IntN(100), 2015, g.IntN(3000))))
		}
	}
	return b.String() + pick(g, "", "", "", "", " ", "x", "7")
}

func (g *gen) dateWord(c rune) string {
	switch c {
	case 'E':
		return pick(g, "Mon", "Tuesday", "sunday", "SAT", "Thu", "Su", "Wednes")
	case 'M', 'L':
		return pick(g, "Jan", "February", "mar", "APR", "May", "Sept", "Dec", "De", "3")
	case 'a':
		return pick(g, "AM", "PM", "am", "pm", "A", "noon")
	case 'G':
		return pick(g, "AD", "BC", "bc", "BCE")
	case 'X':
		return pick(g, "Z", "+01", "+0130", "+01:30", "-02:00", "-0200", "+1", "UTC", "GMT")
	}
	return pick(g, "UTC", "GMT", "gmt", "utc", "Z", "+0100", "-0330", "+01:00", "GMT+1:30", "GMT-01:30", "GMT+01", "PST", "CET", "+01", "Coordinated Universal Time", "+2400")
}
