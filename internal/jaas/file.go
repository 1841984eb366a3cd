package jaas

import (
	"errors"
	"fmt"
	"strings"
)

// FileProperty is the Java system property that names a login configuration file.
const FileProperty = "java.security.auth.login.config"

// SystemProperty returns a Java system property that JVM options set, such as those that the
// environment variable KAFKA_OPTS holds: the value of -Dname=value; "" when there is none. Of
// several the last one counts, as in the JVM. Values cannot hold blanks.
func SystemProperty(jvmOptions, name string) string {
	value := ""
	for _, word := range strings.Fields(jvmOptions) {
		v, ok := strings.CutPrefix(strings.Trim(word, `"'`), "-D"+name+"=")
		if !ok {
			continue
		}
		if name == FileProperty {
			v = strings.TrimPrefix(v, "=") // with == Java reads this file and no other; it is the only one here
		}
		value = strings.Trim(v, `"'`)
	}
	return value
}

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
