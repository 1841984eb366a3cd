// Package redact keeps secrets out of texts: a Set knows the values that were seen in
// passwords and the like, and hides them wherever they turn up, in logs above all. It is the
// second line: code that knows that it holds a secret does not print it in the first place.
package redact

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Hidden stands in the place of a secret, as in the JVM.
const Hidden = "[hidden]"

const (
	// minLength is the length in bytes below which a value is no secret: it would be found by
	// chance in half of all texts, and be guessed anyway.
	minLength = 4
	// anywhere is the length in bytes from which a value is hidden also in the middle of a
	// word, unless it is itself a word.
	anywhere = 8
	// longest is the length in bytes from which values are looked for one by one: to a Replacer
	// the product of text and value may count.
	longest = 4096
	// maxValues bounds the memory of a worker whose secrets change often; the oldest go first.
	// It also bounds what With adds.
	maxValues = 16384
)

// common are words that stand in texts and files of every worker. Whoever has one of them as
// a password does not keep it by making logs unreadable.
var common = []string{"true", "false", "null", "none", "password", "secret", "admin", "kafka", "connect", "user", "token", "test", "localhost", "https", "http", "default"}

// Set is what must not be shown. The zero value hides nothing. Safe for concurrent use.
type Set struct {
	mu     sync.RWMutex
	known  map[string]bool // false: not to be kept for ever
	order  []string        // those that are not, as they came
	all    bool            // too many to look for: every text is hidden as a whole
	staled bool            // what follows lacks values
	find   finder
}

// finder is what a set looks for. It is not changed.
type finder struct {
	long   []string // from longest on, the longest first
	others *strings.Replacer
	alone  map[string]bool // those that are hidden only where they stand alone
}

// Add adds secrets; those that are too short or too common are left out.
func (s *Set) Add(values ...string) {
	for _, v := range values {
		v = strings.TrimSpace(v)
		if s.has(v) {
			continue
		}
		s.add(v)
	}
}

// Keep is Add of secrets that never make room for others.
func (s *Set) Keep(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		v = strings.TrimSpace(v)
		kept, known := s.known[v]
		if kept || !worthHiding(v) {
			continue
		}
		if known {
			s.order = slices.DeleteFunc(s.order, func(o string) bool { return o == v })
		}
		s.set(v, true)
	}
}

// With returns a new set, of the secrets of s and others. It is for texts that concern these
// others only, such as the answer to one request, so s goes on without them.
func (s *Set) With(values ...string) *Set {
	s.mu.RLock()
	w := &Set{known: maps.Clone(s.known), staled: true}
	s.mu.RUnlock()
	before := len(w.known)
	w.Keep(values...)
	w.all = len(w.known)-before > maxValues
	return w
}

func (s *Set) has(v string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, known := s.known[v]
	return known
}

func worthHiding(v string) bool {
	return len(v) >= minLength && !slices.Contains(common, strings.ToLower(v))
}

func (s *Set) add(v string) {
	if !worthHiding(v) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.known[v]; known {
		return // added meanwhile
	}
	for len(s.order) >= maxValues {
		delete(s.known, s.order[0])
		s.order = s.order[1:]
	}
	s.set(v, false)
	s.order = append(s.order, v)
}

// set is called with the lock.
func (s *Set) set(v string, kept bool) {
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[v] = kept
	s.staled = true
}

// Hide returns the text with [hidden] in the place of every secret, also of one in the form
// that it has in JSON, in quotes or in a URL.
func (s *Set) Hide(text string) string {
	if s == nil {
		return text
	}
	if s.all {
		return Hidden
	}
	f := s.finder()
	for _, v := range f.long {
		text = strings.ReplaceAll(text, v, Hidden)
	}
	if f.others != nil {
		text = f.others.Replace(text)
	}
	return hideWords(text, f.alone)
}

// isWord tells that a value may well be part of another word: it is short, or has nothing
// but small letters.
func isWord(v string) bool {
	return len(v) < anywhere || !strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsLower(r) })
}

func (s *Set) finder() finder {
	s.mu.RLock()
	f, staled := s.find, s.staled
	s.mu.RUnlock()
	if !staled {
		return f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f = finder{alone: map[string]bool{}}
	var forms []string
	for v := range s.known {
		if isWord(v) {
			f.alone[v] = true
		} else {
			forms = append(forms, formsOf(v)...)
		}
	}
	// Of several secrets at one place the longest counts.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		if len(form) >= longest {
			f.long = append(f.long, form)
		} else {
			pairs = append(pairs, form, Hidden)
		}
	}
	f.others = strings.NewReplacer(pairs...)
	s.find, s.staled = f, false
	return f
}

// formsOf returns a secret as it is and as encoders write it, also one within another: an
// error that quotes it, in a log of JSON.
func formsOf(v string) []string {
	html, _ := json.Marshal(v) // a string
	goText := inner(strconv.Quote(v))
	forms := []string{v, jsonText(v), jsonText(jsonText(v)), goText, jsonText(goText), inner(string(html)), url.QueryEscape(v), url.PathEscape(v)}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// jsonText is a text as it stands in JSON, without the care for HTML.
func jsonText(v string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a string into memory
	return inner(strings.TrimSuffix(b.String(), "\n"))
}

func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// hideWords hides values where they stand alone, in one pass: there may be thousands of them.
func hideWords(text string, words map[string]bool) string {
	if len(words) == 0 {
		return text
	}
	var b strings.Builder
	done, before := 0, utf8.RuneError // what of text is in b, and the rune in front
	for i := 0; i < len(text); {
		n := 0
		if !inWord(before) {
			n = wordAt(text[i:], words)
		}
		if n > 0 {
			b.WriteString(text[done:i] + Hidden)
			i += n
			done, before = i, ']'
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		before = r
		i += size
	}
	return b.String() + text[done:]
}

// wordAt returns the length of the longest of the values that stands alone at the beginning of
// a text. Only the short ones may have other runes than those of words; see isWord.
func wordAt(text string, words map[string]bool) int {
	end := strings.IndexFunc(text, func(r rune) bool { return !inWord(r) })
	if end < 0 {
		end = len(text)
	}
	for n := min(anywhere-1, len(text)); n >= max(minLength, end+1); n-- {
		if after, _ := utf8.DecodeRuneInString(text[n:]); words[text[:n]] && !inWord(after) {
			return n
		}
	}
	if words[text[:end]] {
		return end
	}
	return 0
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-' || r == '.')
}
