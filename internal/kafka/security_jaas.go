package kafka

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// jaasEntry is one entry of a JAAS configuration: LoginModule flag key="value" … ;
type jaasEntry struct {
	module  string
	options map[string]string
}

// parseJAAS parses the value of sasl.jaas.config, which Java requires to be exactly
// one entry ending in a semicolon. Errors never quote an option value.
func parseJAAS(text string) (jaasEntry, error) {
	s := jaasScanner{rest: text}
	e := jaasEntry{options: map[string]string{}}
	var err error
	if e.module, err = s.word(); err != nil || e.module == "" {
		return e, errors.Join(err, errors.New("JAAS config property does not contain any login modules"))
	}
	flag, err := s.word()
	if err != nil {
		return e, err
	}
	switch strings.ToLower(flag) {
	case "required", "requisite", "sufficient", "optional":
	case "":
		return e, errors.New("Login module control flag not specified in JAAS config") //nolint:staticcheck // Java's wording
	default:
		return e, errors.New("Login module control flag not valid in JAAS config: use required") //nolint:staticcheck // Java's wording
	}
	for !s.accept(';') {
		key, err := s.word()
		if err != nil {
			return e, err
		}
		if key == "" {
			return e, errors.New("JAAS config entry not terminated by semi-colon")
		}
		if !s.accept('=') {
			return e, noJAASValue(key)
		}
		value, err := s.word()
		if err != nil {
			return e, err
		}
		if value == "" && !s.quoted {
			return e, noJAASValue(key)
		}
		e.options[key] = value
	}
	if s.skip(); s.rest != "" {
		return e, errors.New("JAAS config property contains more than one login module, should be 1")
	}
	return e, nil
}

// noJAASValue names the option only when it is one: after a misplaced quote, a piece of
// the password stands where a name should.
func noJAASValue(key string) error {
	switch strings.ToLower(key) {
	case "username", "password", "tokenauth":
		return fmt.Errorf("Value not specified for key '%s' in JAAS config", key) //nolint:staticcheck // Java's wording
	}
	return errors.New("Value not specified for a key in JAAS config: write name=\"value\", and a quote within a value as \\\"") //nolint:staticcheck // Java's wording
}

// jaasScanner reads words and quoted strings; // and /* */ comments are skipped.
type jaasScanner struct {
	rest   string
	quoted bool // the last word was quoted
}

func (s *jaasScanner) skip() {
	for {
		s.rest = strings.TrimLeftFunc(s.rest, unicode.IsSpace)
		switch {
		case strings.HasPrefix(s.rest, "//"):
			_, s.rest, _ = strings.Cut(s.rest, "\n")
		case strings.HasPrefix(s.rest, "/*"):
			_, s.rest, _ = strings.Cut(s.rest[2:], "*/")
		default:
			return
		}
	}
}

func (s *jaasScanner) accept(c byte) bool {
	s.skip()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// word returns the next word or quoted string, "" at punctuation or the end.
func (s *jaasScanner) word() (string, error) {
	s.skip()
	s.quoted = false
	if s.rest != "" && (s.rest[0] == '"' || s.rest[0] == '\'') {
		s.quoted = true
		return s.quotedWord(s.rest[0])
	}
	end := strings.IndexFunc(s.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`;="'`, r) })
	if end < 0 {
		end = len(s.rest)
	}
	w := s.rest[:end]
	s.rest = s.rest[end:]
	return w, nil
}

func (s *jaasScanner) quotedWord(quote byte) (string, error) {
	var b strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == quote:
			s.rest = s.rest[i+1:]
			return b.String(), nil
		case c == '\n' || c == '\r':
			return "", errors.New("a quoted value in JAAS config does not end on its line")
		case c == '\\' && i+1 < len(s.rest):
			i++
			b.WriteByte(unescapeJAAS(s.rest[i]))
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a quoted value in JAAS config has no closing quote")
}

// unescapeJAAS gives the meaning of a letter after a backslash in
// java.io.StreamTokenizer (octal escapes are not supported).
func unescapeJAAS(c byte) byte {
	switch c {
	case 'a':
		return 7
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	}
	return c
}
