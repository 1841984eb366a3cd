package javaregex

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Expressions of documented constructs: those that are supported, and one of those that are
// not put into them.
var (
	supported = []string{"a", ".", `\d`, `\w+`, "[a-c]", `[^\d-]`, "(b)", "(?:ab|c)", "x?", "y*?", `\.`, "(?=a)", "(?!z)", "(?<=a)", "a++", "(?>b)", `\b`, `\p{L}`,
		`\p{Alpha}`, "(?i:k)", "(?s).", `\x41`, "$", "^", "a{2,3}", `\Q[x]\E`, "z|y"}
	unsupported = []string{"[a[b]]", "[a&&b]", `\G`, `\X`, `\Z`, `\N`, "(?x)a", "(?u)a", "(?U)a", "(?d)a", `\p{InGreek}`, `\p{javaLowerCase}`, `\p{script=Latin}`,
		`\p{IsAlphabetic}`, `[\S]`, `[\P{Lower}]`, "(?<=a*)", `\9`, `(?<q>c)+\k<q>`, "(?m)$", "a*{2}", `\ud83d`}
)

func TestDocumentedConstructs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom(supported), 1, 6).Draw(t, "parts")
		pattern := strings.Join(parts, "")
		r, err := Compile(pattern)
		if err != nil {
			t.Fatalf("%s is refused: %v", pattern, err)
		}
		text := rapid.StringMatching(`[a-zA-Z0-9._-]{0,10}`).Draw(t, "text")
		p, err := r.Replacer("<$0>")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.ReplaceFull(text); r.MatchFull(text) != (got != text) {
			t.Errorf("%s on %q: matches is %v, but it is replaced by %q", pattern, text, r.MatchFull(text), got)
		}
		wrong := rapid.SampledFrom(unsupported).Draw(t, "unsupported")
		at := rapid.IntRange(0, len(parts)).Draw(t, "at")
		pattern = strings.Join(parts[:at], "") + wrong + strings.Join(parts[at:], "")
		if _, err := Compile(pattern); err == nil || !strings.HasPrefix(err.Error(), "Unsupported ") {
			t.Errorf("%s: %v, want a refusal of %s", pattern, err, wrong)
		}
	})
}

// FuzzReplacement looks for panics, and for a replacement that is not what stands in it.
func FuzzReplacement(f *testing.F) {
	for _, s := range []string{"$1-${n}", `\$\\`, "$", "${", "$12", "é", `\é`} {
		f.Add("(a)(?<n>b)", s, "ab")
	}
	f.Fuzz(func(t *testing.T, pattern, replacement, text string) {
		if len(pattern) > 100 || len(text) > 50 {
			return
		}
		r, err := Compile(pattern)
		if err != nil {
			return
		}
		p, err := r.Replacer(replacement)
		if err != nil {
			return
		}
		got := p.ReplaceFull(text)
		if !r.MatchFull(text) && got != text {
			t.Errorf("%q does not match %q, but it is replaced by %q", pattern, text, got)
		}
		if r.linear != nil && !strings.ContainsAny(replacement, `$\`) && r.MatchFull(text) && !strings.Contains(got, replacement) {
			t.Errorf("%q on %q replaced by %q: %q", pattern, text, replacement, got)
		}
	})
}
