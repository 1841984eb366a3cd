package rest

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/rest/access"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/extension"
)

// Access recognises users and decides what they may do, beyond what Options.Login can. All of it
// is safe for concurrent use.
type Access struct {
	// Certificate returns the user of a verified client certificate; nil: it is none's.
	Certificate func(*x509.Certificate) (user string, ok bool)
	// Bearer returns the user of a token. Its error is an *api.Error, 401 or 503; nil: no tokens.
	Bearer func(ctx context.Context, token string) (access.User, error)
	// Roles returns those in force; nil: whoever is known may do everything.
	Roles func() *access.Roles
	// SessionKey returns the group's; not ok while there is none.
	SessionKey func() (access.Key, bool)
	// Mask returns a config for who may see it and not change it: without secrets. connector is
	// the config of the connector to which it belongs, or itself.
	Mask func(connector, config map[string]string) map[string]string
}

// allowed tells whether a request may go on when there is no Access: the login is asked for what
// the Authorization header says, also when there is none.
func (s *Server) allowed(r *http.Request) bool {
	if s.login == nil {
		return true
	}
	user, password := basicAuth(r.Header.Get("Authorization"))
	if !s.login(user, password) {
		return false
	}
	if user != "" {
		visitOf(r).user = access.User{Name: user, Method: access.Basic}
	}
	return true
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
	w.Header().Set("WWW-Authenticate", basicChallenge)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte("User cannot access the resource.")) // the client may be gone
}

const basicChallenge = `Basic realm="Kafka Connect", charset="UTF-8"`

// identify finds out who sent a request: whom a worker vouches for, whom an extension has
// recognised, whose credentials or certificate it bears, or nobody. Credentials that are sent are
// never ignored: wrong ones do not make a user anonymous.
func (s *Server) identify(r *http.Request) (access.User, error) {
	v := visitOf(r)
	if pass := r.Header.Values(access.PassHeader); len(pass) > 0 {
		return s.openPass(r, v, pass)
	}
	if u, ok := extension.UserOf(r.Context()); ok {
		return access.User{Name: u.Name, Groups: u.Groups, Method: access.Extension}, nil
	}
	switch auth := r.Header.Values("Authorization"); len(auth) {
	case 0:
	case 1:
		return s.authorization(r.Context(), auth[0])
	default:
		return access.User{}, api.Errorf(http.StatusUnauthorized, "The request has more than one Authorization header. Send one.")
	}
	// The connection of a request that a worker forwards is the worker's, and so is its
	// certificate: without a pass it is nobody's request.
	if certificate := verified(r); certificate != nil && s.access.Certificate != nil && !query(r).Has("forward") {
		if name, ok := s.access.Certificate(certificate); ok {
			return access.User{Name: name, Method: access.Certificate}, nil
		}
	}
	if roles := s.roles(); roles != nil && roles.Anonymous() {
		return access.User{Method: access.Anonymous}, nil
	}
	return access.User{}, api.Errorf(http.StatusUnauthorized, "User cannot access the resource. Log in: %s.", s.ways())
}

// verified returns the certificate of the client if the listener has verified it.
func verified(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// authorization checks the credentials of an Authorization header.
func (s *Server) authorization(ctx context.Context, header string) (access.User, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	switch {
	case s.login != nil && strings.EqualFold(scheme, "Basic"):
		user, password := basicAuth(header)
		if user == "" || !s.login(user, password) {
			return access.User{}, api.Errorf(http.StatusUnauthorized, "User cannot access the resource. User and password are not accepted.")
		}
		return access.User{Name: user, Method: access.Basic}, nil
	case s.access.Bearer != nil && strings.EqualFold(scheme, "Bearer"):
		return s.access.Bearer(ctx, strings.TrimSpace(rest))
	}
	return access.User{}, api.Errorf(http.StatusUnauthorized, "User cannot access the resource. This kind of Authorization is not accepted here: %s.", s.ways())
}

// ways tells how users can be recognised.
func (s *Server) ways() string {
	var ways []string
	if s.login != nil {
		ways = append(ways, "with user and password")
	}
	if s.access.Bearer != nil {
		ways = append(ways, "with a token")
	}
	if s.access.Certificate != nil {
		ways = append(ways, "with a client certificate")
	}
	if ways == nil {
		return "there is no way to, only what extensions offer"
	}
	return strings.Join(ways, ", or ")
}

// openPass believes the worker that sent the request.
func (s *Server) openPass(r *http.Request, v *visit, values []string) (access.User, error) {
	key, ok := s.access.SessionKey()
	if !ok {
		return access.User{}, api.Errorf(http.StatusServiceUnavailable, "This worker is still starting up and has not been able to read a session key from the config topic yet")
	}
	pass, err := access.OpenPass(values[0], key, r.Method, r.RequestURI, time.Now())
	switch {
	case len(values) > 1, err == nil && pass.Method != access.Worker && pass.Method != access.Anonymous && pass.Name == "":
		return access.User{}, api.Errorf(http.StatusForbidden, "%v", access.ErrBadPass)
	case errors.Is(err, access.ErrOtherKey):
		return access.User{}, api.Errorf(http.StatusServiceUnavailable, "%v", err)
	case err != nil:
		return access.User{}, api.Errorf(http.StatusForbidden, "%v", err)
	}
	v.pass, v.from, v.remote = &pass, pass.From, pass.Remote
	if pass.RequestID != "" {
		v.id = pass.RequestID
	}
	return pass.User, nil
}

// checkBody compares the body of a forwarded request with what its worker has signed.
func checkBody(r *http.Request) error {
	pass := visitOf(r).pass
	if pass == nil {
		return nil
	}
	var body []byte
	if held, ok := r.Body.(heldBody); ok {
		body = held.all
	}
	if access.Digest(body) != pass.Body {
		return api.Errorf(http.StatusForbidden, "%v", access.ErrBadPass)
	}
	return nil
}

// vouch adds to the header of a request that is forwarded who its user is. Without a session key
// it cannot, and the other worker goes by the Authorization header, which is forwarded as well.
func (s *Server) vouch(r *http.Request, header http.Header, address string, body []byte) error {
	v := visitOf(r)
	if v.user.Method == "" {
		return nil // between workers: it bears a signature of its own
	}
	key, ok := s.access.SessionKey()
	switch {
	case !ok && (v.user.Method == access.Certificate || v.user.Method == access.Extension):
		return api.Errorf(http.StatusServiceUnavailable, "The request has to be forwarded to another worker, and the group has no session key to vouch for %v with. "+
			"Send it again soon; if that does not help, a worker of the group does not have connect.protocol=sessioned.", v.user)
	case !ok:
		return nil
	}
	target, err := url.Parse(address)
	if err != nil {
		return err
	}
	pass, err := access.Pass{User: v.user, Remote: v.remote, From: s.advertised, RequestID: v.id}.Sign(key, r.Method, target.RequestURI(), body, time.Now())
	if err == nil {
		header.Set(access.PassHeader, pass)
	}
	return err
}
