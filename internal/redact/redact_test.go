package redact

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestSecretsAreHidden(t *testing.T) {
	var s Set
	s.Add("canary-1234", "canary-1234-longer", "correcthorse", "pwd1", " with blank\n", `quo"te\back`, "a&b<c>d/e f", "line one\nline two", "abc", "password", "KAFKA", "")
	for text, want := range map[string]string{
		"nothing":            "nothing",
		"is canary-1234!":    "is [hidden]!",
		"xcanary-1234x":      "x[hidden]x",
		"canary-1234-longer": "[hidden]",
		"pwd1 'pwd1' pwd1":   "[hidden] '[hidden]' [hidden]",
		"correcthorse=correcthorse my-correcthorse correcthorses": "[hidden]=[hidden] my-correcthorse correcthorses",
		"mypwd1 pwd1x pwd-pwd1":                                   "mypwd1 pwd1x pwd-pwd1",
		fmt.Sprintf("%q", fmt.Sprintf("%q", `quo"te\back`)):       `"\"[hidden]\""`,
		"<with blank>":                    "<[hidden]>",
		`quo"te\back`:                     "[hidden]",
		`{"e":"quo\"te\\back"}`:           `{"e":"[hidden]"}`,
		`a\u0026b\u003cc\u003ed/e f`:      "[hidden]",
		"http://h/?x=a%26b%3Cc%3Ed%2Fe+f": "http://h/?x=[hidden]",
		`line one\nline two`:              "[hidden]",
		"abc password kafka":              "abc password kafka",
		"":                                "",
	} {
		if got := s.Hide(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	s.Add("added later")
	if got := s.Hide("was added later"); got != "was [hidden]" {
		t.Error(got)
	}
}

func TestAnEmptySetHidesNothing(t *testing.T) {
	var none *Set
	if got := (&Set{}).Hide("text") + none.Hide("text"); got != "texttext" {
		t.Error(got)
	}
}

func TestTheOldestGoFirst(t *testing.T) {
	var s Set
	for i := range maxValues + 2 {
		s.Add(fmt.Sprintf("secret-%06d", i), strconv.Itoa(1000+i%2))
	}
	if got := s.Hide("secret-000000"); got != "secret-000000" {
		t.Error(got)
	}
	if got := s.Hide(fmt.Sprintf("secret-%06d", maxValues+1)); got != Hidden {
		t.Error(got)
	}
	s.Hide("")
	if len(s.known) != maxValues || len(s.order) != maxValues || len(s.find.alone) > 2 {
		t.Errorf("%d values, %d short ones", len(s.known), len(s.find.alone))
	}
}

func TestWhatIsKeptStays(t *testing.T) {
	var s Set
	s.Add("kept-later")
	s.Keep("kept-secret", "kept-later", "abc", "kafka")
	for i := range 2 * maxValues {
		s.Add(fmt.Sprintf("secret-%06d", i), "kept-secret")
	}
	if got := s.Hide("kept-secret kept-later abc kafka secret-000000"); got != "[hidden] [hidden] abc kafka secret-000000" {
		t.Error(got)
	}
	if len(s.known) != maxValues+2 || len(s.order) != maxValues {
		t.Errorf("%d values, %d that may go", len(s.known), len(s.order))
	}
}

func TestASetWithOthersHidesBoth(t *testing.T) {
	var s Set
	s.Add("own-secret", "common-beginning")
	w := s.With("other-secret", "common-beginning-and-more", "own-secret-and-more")
	if got := w.Hide("own-secret own-secret-and-more other-secret common-beginning-and-more common-beginning"); got != "[hidden] [hidden] [hidden] [hidden] [hidden]" {
		t.Error(got)
	}
	if got := s.Hide("own-secret other-secret"); got != "[hidden] other-secret" {
		t.Errorf("the set itself: %s", got)
	}

	// Nobody pushes out the secrets of the set with others of his own, or makes it search for too many.
	many := make([]string, maxValues+1)
	for i := range many {
		many[i] = fmt.Sprintf("other-%06d", i)
	}
	if got := s.With(many[1:]...).Hide("own-secret " + many[1]); got != "[hidden] [hidden]" {
		t.Error(got)
	}
	if got := s.With(many...).Hide("own-secret and text"); got != Hidden {
		t.Error(got)
	}
}

func TestErrorsWithoutSecrets(t *testing.T) {
	var s Set
	s.Add("canary-1234")
	plain, cause := errors.New("nothing"), errors.New("is canary-1234")
	if got := Error(plain, s.Hide); got != plain || Error(nil, s.Hide) != nil { //nolint:errorlint // the same one
		t.Errorf("got %v", got)
	}
	if got := Error(cause, s.Hide); got.Error() != "is [hidden]" || !errors.Is(got, cause) {
		t.Errorf("got %v", got)
	}
}

func TestNoSecretIsEverLeft(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s Set
		secrets := rapid.SliceOfN(rapid.StringMatching(`[A-Z0-9]["a-zA-Z0-9\\ =;&/ü\n]{8,20}`), 1, 5).Draw(rt, "secrets")
		s.Add(secrets...)
		text := rapid.String().Draw(rt, "text")
		for _, v := range secrets {
			text += v + rapid.String().Draw(rt, "between")
		}
		got := s.Hide(text)
		for _, v := range secrets {
			if v = strings.TrimSpace(v); len(v) >= anywhere && !s.has(v) {
				rt.Fatalf("%q is not known", v)
			} else if len(v) >= anywhere && strings.Contains(got, v) {
				rt.Fatalf("%q is left in %q", v, got)
			}
		}
	})
}

// hideOneByOne hides words as they are meant to be hidden.
func hideOneByOne(text string, words []string) string {
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	for _, v := range words {
		for from := 0; ; {
			at := strings.Index(text[from:], v)
			if at < 0 {
				break
			}
			at += from
			before, _ := utf8.DecodeLastRuneInString(text[:at])
			after, _ := utf8.DecodeRuneInString(text[at+len(v):])
			if from = at + len(v); !inWord(before) && !inWord(after) {
				text = text[:at] + Hidden + text[from:]
				from = at + len(Hidden)
			}
		}
	}
	return text
}

func TestWordsAreHiddenAtOnceAsOneByOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		// They begin and end with runes of words: others are hidden more often behind a hidden one.
		words := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"abcd", "abcd-e", "ab c d", "über", "a.b.c", "lowercaseword", "x=1;y", "ab=c", "日本", "12345", "ab\xffcd"}), 1, -1, rapid.ID[string]).Draw(rt, "words")
		parts := rapid.SliceOf(rapid.OneOf(rapid.SampledFrom(words), rapid.SampledFrom([]string{" ", "x", "-", "=", "ü", "\xff", ":", "[", "."}))).Draw(rt, "parts")
		text, set := strings.Join(words, " ")+strings.Join(parts, ""), map[string]bool{}
		for _, v := range words {
			set[v] = true
		}
		if got, want := hideWords(text, set), hideOneByOne(text, words); got != want {
			rt.Errorf("%q without %q: %q, want %q", text, words, got, want)
		}
	})
}

// TestManySecretsOfLargeTextsAreHiddenInTime has a limit far above what a slow machine takes.
func TestManySecretsOfLargeTextsAreHiddenInTime(t *testing.T) {
	var s Set
	for i := range maxValues - 2 {
		s.Add(fmt.Sprintf("w%05d", i))
	}
	s.Add(strings.Repeat("A", 1<<20)+"b", "Another-Secret")
	text := "w00007 " + strings.Repeat("w000 ", 1<<16) + strings.Repeat("A", 6<<20)
	started := time.Now()
	if got := s.Hide(text); got != Hidden+text[6:] {
		t.Errorf("%.100s", got)
	}
	if got := s.Hide(strings.Repeat("A", 1<<20) + "b"); got != Hidden {
		t.Errorf("%.100s", got)
	}
	if d := time.Since(started); d > 20*time.Second {
		t.Errorf("that took %v", d)
	}
}

func TestSetsAreSafeForConcurrentUse(t *testing.T) {
	var s Set
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for n := range 200 {
				v := fmt.Sprintf("secret-%d-%d", i, n)
				s.Add(v, "shrt"+strconv.Itoa(n%9))
				if got := s.Hide(v); got != Hidden {
					t.Errorf("%s: %s", v, got)
				}
			}
		})
	}
	wait.Wait()
}

func BenchmarkHide(b *testing.B) {
	var s Set
	for i := range 1000 {
		s.Add(fmt.Sprintf("secret-%d-%x", i, i*7919))
	}
	text := "[2026-11-25 03:40:00,000] INFO (connect.herder) Starting connectors and tasks using config offset 4711 {\"connector\": \"orders-to-hdfs\"}\n"
	b.ReportAllocs()
	for b.Loop() {
		s.Hide(text)
	}
}
