package rest

import (
	"net/http"
	"net/url"
	"strings"
)

// query parses a query as the JVM's router does: only & separates, so that a semicolon
// belongs to a value, and what cannot be decoded stays as it is.
func query(r *http.Request) url.Values {
	values := url.Values{}
	for _, item := range strings.Split(r.URL.RawQuery, "&") {
		if item == "" {
			continue
		}
		name, value, _ := strings.Cut(item, "=")
		values.Add(decoded(name), decoded(value))
	}
	return values
}

func decoded(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// queryBool is true only for the text true, in any case. An empty one is that of a parameter
// that is not there.
func queryBool(r *http.Request, name string, byDefault bool) bool {
	value := query(r).Get(name)
	if value == "" {
		return byDefault
	}
	return strings.EqualFold(value, "true")
}

// location is the address of a connector. As in the JVM (UriBuilder.path) the name is
// encoded as a path, in which a percent code stays as it is.
func (s *Server) location(name string) string {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(s.advertised, "/") + "/connectors/")
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0,
			c == '%' && i+2 < len(name) && isHex(name[i+1]) && isHex(name[i+2]):
			b.WriteByte(c)
		default:
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// withoutFragment drops what follows a # in a request's line, which no client should send.
func withoutFragment(r *http.Request) {
	before, _, found := strings.Cut(r.RequestURI, "#")
	if !found {
		return
	}
	if u, err := url.ParseRequestURI(before); err == nil {
		r.URL = u
	}
}
