package javaregex

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

type goldenPattern struct {
	Pattern string
	Matches string // of each input, 1 or 0
	Error   string
	Inputs  []string
}

func golden(t *testing.T) (patterns []goldenPattern, inputs []string) {
	t.Helper()
	f, err := os.Open("testdata/java/regex.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var p goldenPattern
		if err := json.Unmarshal(sc.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if p.Inputs != nil {
			inputs = p.Inputs
			continue
		}
		patterns = append(patterns, p)
	}
	return patterns, inputs
}

// known tells of the difference that the package comment names.
func known(pattern string) bool {
	return strings.Contains(pattern, "(?i)é")
}

func TestMatchesAreThoseOfTheJVM(t *testing.T) {
	patterns, inputs := golden(t)
	same, refused := 0, 0
	for _, p := range patterns {
		r, err := Compile(p.Pattern)
		switch {
		case p.Error != "":
			if err == nil && !strings.HasPrefix(p.Error, "Look-behind group") && !strings.HasPrefix(p.Error, "Unknown character property") {
				t.Errorf("%q is accepted; JVM: %s", p.Pattern, p.Error)
			}
			continue
		case err != nil: // what we do not support; never silently
			refused++
			continue
		}
		same++
		for i, input := range inputs {
			if got := r.MatchFull(input); got != (p.Matches[i] == '1') && !known(p.Pattern) {
				t.Errorf("%q on %q: %v, JVM %v", p.Pattern, input, got, !got)
			}
		}
	}
	if same < 720 || refused > 310 {
		t.Errorf("%d patterns agree, %d are refused that the JVM accepts", same, refused)
	}
}

// The mistakes that users make most, in the JVM's words.
func TestErrorsAreWordedLikeTheJVMs(t *testing.T) {
	want := map[string]bool{}
	for _, p := range []string{
		"[a-z", "a)(b", "*a", "a{2", "a{2,1}", "(a", "a)", `test\\`, "[b-a]", `\\p{Foo}`, "[", "[^", "{", "a{", "a{x}", "a{,3}", "(?z)", "a**", "+", "?",
		"(*a)", "(?=a", `\\y`, `\\0`, "(?<1a>c)", "(?P<a>b)",
	} {
		want[strings.ReplaceAll(p, `\\`, `\`)] = true
	}
	patterns, _ := golden(t)
	for _, p := range patterns {
		if !want[p.Pattern] {
			continue
		}
		delete(want, p.Pattern)
		if _, err := Compile(p.Pattern); err == nil || err.Error() != p.Error {
			t.Errorf("%q: %v\nJVM: %s", p.Pattern, err, p.Error)
		}
	}
	if len(want) > 0 {
		t.Errorf("not in the golden data: %v", want)
	}
}

func TestTranslations(t *testing.T) {
	for _, test := range []struct {
		pattern   string
		yes, no   []string
		backtrack bool
	}{
		{"(?!__).*", []string{"topic", ""}, []string{"__internal"}, true},
		{`logs\.(dev|prod)\..+`, []string{"logs.dev.x"}, []string{"logs.dev.", "xlogs.dev.x", "logs-dev.x"}, false},
		{"a|b", []string{"a", "b"}, []string{"ab", "a\n"}, false},
		{"a.c", []string{"abc"}, []string{"a\nc", "a\rc", "a\u2028c"}, false},
		{"(?s)a.c", []string{"a\nc", "a\rc"}, nil, false},
		{"a++b", []string{"aab"}, []string{"b"}, true},
		{"a*+a", nil, []string{"a", "aa"}, true},
		{"(ab)?+c", []string{"abc", "c"}, nil, true},
		{`(a|b)\1`, []string{"aa", "bb"}, []string{"ab"}, true},
		{`\Qa.b\E+`, []string{"a.b", "a.bb"}, []string{"axb"}, false},
		{`[\Qa-c\E]`, []string{"a", "-", "c"}, []string{"b"}, false},
		{`\h\v\R`, []string{"\u00a0\x0b\r\n", " \n\n"}, []string{"a\n\n"}, false},
		{`\p{Lower}[\p{Digit}_]\P{Upper}`, []string{"a1x", "z_é"}, []string{"é1x", "a1X"}, false},
		{`\u0061\x62\x{1F600}\0101\uD83D\uDE00`, []string{"ab\U0001F600A\U0001F600"}, nil, false},
		{`\d\w\s`, []string{"1a\x0b"}, []string{"\u0661a ", "1é "}, false},
		{`(?=\d)\w\s`, []string{"1 "}, []string{"\u0661 "}, true},
		{`x{1001}`, []string{strings.Repeat("x", 1001)}, []string{"x"}, true},
		{"[]a]+", []string{"]a"}, nil, false},
		{`[\w-]+`, []string{"a-b"}, []string{"a.b"}, false},
	} {
		r, err := Compile(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		if r.String() != test.pattern || (r.back != nil) != test.backtrack {
			t.Errorf("%s: backtracking %v", r, r.back != nil)
		}
		for _, text := range test.yes {
			if !r.MatchFull(text) {
				t.Errorf("%s does not match %q", r, text)
			}
		}
		for _, text := range test.no {
			if r.MatchFull(text) {
				t.Errorf("%s matches %q", r, text)
			}
		}
	}
}

func TestUnsupportedConstructsAreRefusedByName(t *testing.T) {
	for pattern, want := range map[string]string{
		"[a-z&&[^b]]":      "Unsupported class intersection or union near index 4",
		"[a[bc]]":          "Unsupported class intersection or union near index 2",
		"[[:alpha:]]":      "Unsupported class intersection or union near index 1", // Java's is the class of these letters
		`a\Z`:              `Unsupported escape \Z near index 1`,
		`\p{IsAlphabetic}`: "Unsupported character property {IsAlphabetic} near index 0",
		`(?=a)\p{IsLatin}`: "Unsupported script names together with (?= near index 0",
		`(?!a)[^\D]`:       `Unsupported \D in a character class together with (?! near index 0`,
		`\p{script=Latin}`: "Unsupported character property {script=Latin} near index 0",
		`[\P{Lower}]`:      `Unsupported \P{Lower} in a character class near index 1`,
		`\1`:               "Unsupported back reference to a group that does not stand before it near index 0",
	} {
		if _, err := Compile(pattern); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
}

func TestEndlessBacktrackingIsBounded(t *testing.T) {
	r, err := Compile(`(?=a)(a|aa|a*)*b`)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if r.MatchFull(strings.Repeat("a", 5000)) {
		t.Error("it matches")
	}
	if d := time.Since(start); d > 20*matchTimeout {
		t.Errorf("took %v", d)
	}
}

// FuzzCompile looks for panics, and for text in which only literals stand.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{"", "a", "(?!x).*", "[a-z]++", `\Q[\E`, `\p{L}`, "a{1,2}", `\uD83D\uDE00`, "(?<n>a)\\k<n>", "[\\", "(?", `\x{`, `\p{`, `[\p`} {
		f.Add(s, "a")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 50 {
			return
		}
		if r, err := Compile(pattern); err == nil && r.linear != nil {
			r.MatchFull(text)
		}
		quoted, err := Compile(regexp.QuoteMeta(text))
		if err != nil {
			return // invalid UTF-8
		}
		if !quoted.MatchFull(text) {
			t.Errorf("%q does not match itself", text)
		}
	})
}
