package jaas

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Entry is one entry of a JAAS configuration: LoginModule flag key="value" … ;
type Entry struct {
	Module  string
	Options map[string]string
}

// ParseEntry parses the value of sasl.jaas.config, which Java requires to be exactly
// one entry ending in a semicolon. Errors never quote an option value.
func ParseEntry(text string) (Entry, error) {
	s := scanner{rest: text}
	e, err := s.entry()
	if err != nil {
		return e, err
	}
	if s.skip(); s.rest != "" {
		return e, errors.New("JAAS config property contains more than one login module, should be 1")
	}
	return e, nil
}

// entry reads LoginModule, flag and options up to the semicolon.
func (s *scanner) entry() (Entry, error) {
	e := Entry{Options: map[string]string{}}
	var err error
	if e.Module, err = s.word(); err != nil || e.Module == "" {
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
			return e, noValue(key)
		}
		value, err := s.word()
		if err != nil {
			return e, err
		}
		if value == "" && !s.quoted {
			return e, noValue(key)
		}
		e.Options[key] = value
	}
	return e, nil
}

// noValue names the option only when it is one: after a misplaced quote, a piece of
// the password stands where a name should.
func noValue(key string) error {
	switch strings.ToLower(key) {
	case "username", "password", "tokenauth", "file", "clientid", "clientsecret", "scope", "principal", "keytab", "usekeytab", "storekey",
		"useticketcache", "ticketcache", "servicename":
		return fmt.Errorf("Value not specified for key '%s' in JAAS config", key) //nolint:staticcheck // Java's wording
	}
	return errors.New("Value not specified for a key in JAAS config: write name=\"value\", and a quote within a value as \\\"") //nolint:staticcheck // Java's wording
}

// scanner reads words and quoted strings; // and /* */ comments are skipped.
type scanner struct {
	rest   string
	quoted bool   // the last word was quoted
	ends   string // further characters that end a word
}

func (s *scanner) skip() {
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

func (s *scanner) accept(c byte) bool {
	s.skip()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// word returns the next word or quoted string, "" at punctuation or the end.
func (s *scanner) word() (string, error) {
	s.skip()
	s.quoted = false
	if s.rest != "" && (s.rest[0] == '"' || s.rest[0] == '\'') {
		s.quoted = true
		return s.quotedWord(s.rest[0])
	}
	end := strings.IndexFunc(s.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`;="'`+s.ends, r) })
	if end < 0 {
		end = len(s.rest)
	}
	w := s.rest[:end]
	s.rest = s.rest[end:]
	return w, nil
}

func (s *scanner) quotedWord(quote byte) (string, error) {
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
			b.WriteByte(unescape(s.rest[i]))
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a quoted value in JAAS config has no closing quote")
}

// unescape gives the meaning of a letter after a backslash in
// java.io.StreamTokenizer (octal escapes are not supported).
func unescape(c byte) byte {
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
