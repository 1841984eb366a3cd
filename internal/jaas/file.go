package jaas

import (
	"errors"
	"fmt"
)

// ParseFile parses a login configuration file: sections with their entries,
//
//	Name {
//	  LoginModule flag key="value" …;
//	};
//
// Unlike Java's reader it does not replace ${…} by system properties. Errors never quote an
// option value.
func ParseFile(text string) (map[string][]Entry, error) {
	s, sections := scanner{rest: text, ends: "{}"}, map[string][]Entry{}
	for {
		if s.skip(); s.rest == "" {
			return sections, nil
		}
		name, err := s.word()
		if err != nil {
			return nil, err
		}
		if name == "" || !s.accept('{') {
			return nil, errors.New("a section of the JAAS file does not begin with a name and {")
		}
		if _, twice := sections[name]; twice {
			return nil, fmt.Errorf("the JAAS file has the section %s twice", name)
		}
		sections[name] = []Entry{}
		for !s.accept('}') {
			e, err := s.entry()
			if err != nil {
				return nil, fmt.Errorf("section %s of the JAAS file: %w", name, err)
			}
			sections[name] = append(sections[name], e)
		}
		if !s.accept(';') {
			return nil, fmt.Errorf("the section %s of the JAAS file does not end in };", name)
		}
	}
}
