package access

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Certificates says which user a certificate stands for. It is safe for concurrent use.
type Certificates struct {
	source string
	rules  []rule
}

// rule maps a name; without a pattern it leaves it as it is (DEFAULT).
type rule struct {
	pattern     *regexp.Regexp
	replacement string
	letters     byte // U, L, or 0 to leave them
}

// Sources of a certificate's names: the distinguished name, or the subject alternative names of
// one kind.
var sources = []string{"subject", "san.dns", "san.email", "san.uri"}

// Sources lists what NewCertificates takes as source.
func Sources() []string { return slices.Clone(sources) }

// NewCertificates reads mapping rules as Kafka's brokers have them (ssl.principal.mapping.rules,
// KIP-371): RULE:pattern/replacement/ with L or U behind it, or DEFAULT, comma-separated; the
// first that matches the whole name counts. The patterns are Go's, whose time is bounded.
func NewCertificates(source, rules string) (*Certificates, error) {
	if !slices.Contains(sources, source) {
		return nil, fmt.Errorf("%q is no source of names: use one of %s", source, strings.Join(sources, ", "))
	}
	c := &Certificates{source: source}
	for rest := strings.TrimSpace(rules); rest != ""; {
		var r rule
		var err error
		if r, rest, err = parseRule(rest); err != nil {
			return nil, fmt.Errorf("rule %d: %w", len(c.rules)+1, err)
		}
		c.rules = append(c.rules, r)
	}
	if len(c.rules) == 0 {
		return nil, errors.New("there are no rules. Write DEFAULT to take names as they are")
	}
	return c, nil
}

// parseRule reads the first rule of a list and returns what follows it.
func parseRule(text string) (r rule, rest string, err error) {
	const form = "write RULE:pattern/replacement/ with nothing, L or U behind it, or DEFAULT"
	body, isRule := strings.CutPrefix(text, "RULE:")
	if isRule {
		pattern, after, ok1 := cutSlash(body)
		replacement, after, ok2 := cutSlash(after)
		if !ok1 || !ok2 || pattern == "" {
			return r, "", fmt.Errorf("%s is incomplete: %s", text, form)
		}
		if r.pattern, err = regexp.Compile(`\A(?:` + pattern + `)\z`); err != nil {
			return r, "", fmt.Errorf("its pattern: %w", err)
		}
		if r.replacement, err = expandable(replacement, r.pattern.NumSubexp()); err != nil {
			return r, "", err
		}
		if after != "" && (after[0] == 'L' || after[0] == 'U') {
			r.letters, after = after[0], after[1:]
		}
		text = after
	} else if after, ok := strings.CutPrefix(text, "DEFAULT"); ok {
		text = after
	} else {
		return r, "", fmt.Errorf("%s is no rule: %s", text, form)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return r, "", nil
	}
	if text[0] != ',' {
		return r, "", fmt.Errorf("%s follows a rule where a comma should stand", text)
	}
	if rest = strings.TrimSpace(text[1:]); rest == "" {
		return r, "", errors.New("nothing follows the last comma")
	}
	return r, rest, nil
}

// cutSlash cuts at the first slash without a backslash before it; \/ stands for a slash.
func cutSlash(text string) (before, after string, found bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '/':
			return strings.ReplaceAll(text[:i], `\/`, "/"), text[i+1:], true
		}
	}
	return text, "", false
}

// groupReference is Java's form of a reference to a group of the pattern.
var groupReference = regexp.MustCompile(`\$(\d?)`)

// expandable makes Java's $1 the ${1} of package regexp.
func expandable(replacement string, groups int) (string, error) {
	var problem error
	text := groupReference.ReplaceAllStringFunc(replacement, func(ref string) string {
		if len(ref) == 1 || int(ref[1]-'0') > groups {
			problem = fmt.Errorf("its replacement %s refers to a group that the pattern does not have", replacement)
		}
		return "${" + ref[1:] + "}"
	})
	return text, problem
}

// User returns the user that a verified certificate stands for; not ok when no rule takes any of
// its names.
func (c *Certificates) User(cert *x509.Certificate) (user string, ok bool) {
	for _, name := range c.names(cert) {
		for _, r := range c.rules {
			if user, ok := r.apply(name); ok {
				return user, user != ""
			}
		}
	}
	return "", false
}

func (c *Certificates) names(cert *x509.Certificate) []string {
	switch c.source {
	case "san.dns":
		return cert.DNSNames
	case "san.email":
		return cert.EmailAddresses
	case "san.uri":
		uris := make([]string, len(cert.URIs))
		for i, u := range cert.URIs {
			uris[i] = u.String()
		}
		return uris
	}
	if dn := distinguishedName(cert.RawSubject); dn != "" {
		return []string{dn}
	}
	return nil
}

func (r rule) apply(name string) (user string, ok bool) {
	if r.pattern == nil {
		return name, true
	}
	m := r.pattern.FindStringSubmatchIndex(name)
	if m == nil {
		return "", false
	}
	user = string(r.pattern.ExpandString(nil, r.replacement, name, m))
	switch r.letters {
	case 'L':
		user = strings.ToLower(user)
	case 'U':
		user = strings.ToUpper(user)
	}
	return user, true
}

// attributes are those that Java names in RFC 2253's form (X500Principal.getName); the others
// stand there as numbers.
var attributes = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// distinguishedName writes a name as Kafka's brokers do, "" when it cannot be read or is empty.
// crypto/x509/pkix names other attributes than Java does, so that rules would not match.
func distinguishedName(der []byte) string {
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type set []attribute // decoded as the SET that its name says
	var parts []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &parts); err != nil || len(rest) > 0 {
		return ""
	}
	texts := make([]string, 0, len(parts))
	for _, part := range slices.Backward(parts) {
		var all set
		if rest, err := asn1.UnmarshalWithParams(part.FullBytes, &all, "set"); err != nil || len(rest) > 0 {
			return ""
		}
		one := make([]string, len(all))
		for i, a := range all {
			one[i] = attributeText(a.Type.String(), a.Value)
		}
		texts = append(texts, strings.Join(one, "+"))
	}
	return strings.Join(texts, ",")
}

func attributeText(oid string, value asn1.RawValue) string {
	name, known := attributes[oid]
	var text string
	if !known {
		return oid + "=#" + hex.EncodeToString(value.FullBytes)
	}
	if _, err := asn1.Unmarshal(value.FullBytes, &text); err != nil {
		return name + "=#" + hex.EncodeToString(value.FullBytes)
	}
	return name + "=" + escapeDN(text)
}

// escapeDN escapes a value (RFC 2253, 2.4) as Java does: more than the RFC demands.
func escapeDN(text string) string {
	inner := strings.Trim(text, " \r")
	first := strings.Index(text, inner)
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == 0:
			b.WriteString(`\00`)
			continue
		case strings.ContainsRune(`,=+<>#;"\`, r), i < first, i >= first+len(inner):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
