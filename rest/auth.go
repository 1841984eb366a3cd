package rest

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"
)

// allowed tells whether a request may go on: the login is asked for what the Authorization
// header says, also when there is none.
func (s *Server) allowed(r *http.Request) bool {
	if s.login == nil {
		return true
	}
	user, password := basicAuth(r.Header.Get("Authorization"))
	return s.login(user, password)
}

// basicAuth reads "Basic <base64 of user:password>" as the JVM's extension does: the scheme
// in any case, the first colon separates. Both are empty for anything else.
func basicAuth(header string) (user, password string) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", ""
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || !utf8.Valid(plain) {
		return "", ""
	}
	user, password, found := strings.Cut(string(plain), ":")
	if !found || user == "" {
		return "", ""
	}
	return user, password
}

// writeUnauthorized answers as the JVM's extension does, and names the scheme besides, which
// HTTP demands (RFC 9110, 15.5.2) and browsers need to ask for a password.
func writeUnauthorized(w http.ResponseWriter, contentType string) {
	w.Header().Set("WWW-Authenticate", `Basic realm="Kafka Connect", charset="UTF-8"`)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte("User cannot access the resource.")) // the client may be gone
}
