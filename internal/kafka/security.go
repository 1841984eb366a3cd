package kafka

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/internal/kafka/sasl"
	"github.com/penstock-io/penstock/internal/tlsstore"
)

// security is what security.protocol, sasl.* and ssl.* say. A client fills in the rest when it
// opens: the key stores, read anew when their files change, and the login, shared with clients
// of the same settings.
type security struct {
	ssl      map[string]string // the properties, nil without TLS
	login    *loginSpec        // nil without SASL
	identity string            // of a TLS certificate, else ""
}

// readSecurity reads security.protocol, sasl.* and ssl.*.
func readSecurity(r *propReader) security {
	var s security
	protocol := r.oneOfFold("security.protocol", "PLAINTEXT", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
	r.refuseSecurityProviders()
	if strings.HasSuffix(protocol, "SSL") {
		s.readTLS(r)
	}
	if strings.HasPrefix(protocol, "SASL_") {
		s.login = readSASL(r, os.Getenv("KAFKA_OPTS"))
	}
	return s
}

// readTLS checks ssl.*. ssl.client.auth is a server's and may stand among the properties of a
// worker.
func (s *security) readTLS(r *propReader) {
	r.onlyClass("ssl.engine.factory.class", "org.apache.kafka.common.security.ssl.DefaultSslEngineFactory")
	cfg, err := tlsstore.Read(r.props, tlsstore.Options{})
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	s.ssl, s.identity = r.props, cfg.Subject()
}

// open prepares the dialer of a client and returns what its end owes.
func (s *security) open(d *dialer, log *zap.Logger) (release func()) {
	if s.ssl != nil {
		d.tls = tlsstore.NewSource(s.ssl, tlsstore.Options{}, log).Client
	}
	if s.login == nil {
		return func() {}
	}
	d.login, release = processLogins.acquire(s.login, log)
	return release
}

// principal is whom the brokers take a client for unless they map names otherwise, for errors
// about rights.
func (s *security) principal(d *dialer) string {
	switch {
	case d.login != nil:
		return d.login.Principal()
	case s.identity != "":
		return "User:" + s.identity
	case s.ssl == nil || s.login == nil:
		return "User:ANONYMOUS"
	}
	return ""
}

// secure opens TLS and logs in on a fresh connection; reauth is when the login must be repeated.
func (d *dialer) secure(c net.Conn, addr string) (_ net.Conn, reauth time.Time, err error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, reauth, err
	}
	if err := c.SetDeadline(time.Now().Add(d.handshake)); err != nil {
		return nil, reauth, err
	}
	if d.tls != nil {
		cfg, err := d.tls()
		if err != nil {
			return nil, reauth, err
		}
		cfg.ServerName = host
		secured := tls.Client(c, cfg)
		if err := secured.HandshakeContext(d.ctx); err != nil {
			return nil, reauth, tlsError(err)
		}
		c = secured
	}
	if d.login != nil {
		if reauth, err = sasl.Authenticate(d.ctx, &patient{Conn: c, patience: d.handshake}, d.login, host, d.clientID); err != nil {
			return nil, reauth, err
		}
	}
	return c, reauth, c.SetDeadline(time.Time{})
}

// patient is a connection whose deadline counts from the last request: getting a token may take
// its time before.
type patient struct {
	net.Conn
	patience time.Duration
}

// Write implements net.Conn.
func (p *patient) Write(b []byte) (int, error) {
	if err := p.SetDeadline(time.Now().Add(p.patience)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// authError is a login or TLS handshake that fails however often it is tried.
type authError struct{ err error }

func (e *authError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *authError) Unwrap() error { return e.err }

// Is makes it ErrAuthentication.
func (e *authError) Is(target error) bool { return target == ErrAuthentication }

// sslError is a handshake that does not get better. Its first sentence is the JVM's.
type sslError struct {
	err  error
	hint string
}

func (e *sslError) Error() string { return "SSL handshake failed: " + e.err.Error() + ". " + e.hint }

// Unwrap returns the cause.
func (e *sslError) Unwrap() error { return e.err }

// tlsError tells failures of trust and of protocol, which stay, from those of the connection.
func tlsError(err error) error {
	var cert *tls.CertificateVerificationError
	var remote *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &cert):
		return &authError{&sslError{err, "Check ssl.truststore.*, and the names in the broker's certificate"}}
	case errors.As(err, &record):
		return &authError{&sslError{err, "The broker speaks no TLS at this port: check security.protocol and bootstrap.servers"}}
	case errors.As(err, &remote) && remote.Op == remoteAlert && !strings.HasSuffix(remote.Err.Error(), "internal error"):
		return &authError{&sslError{err, "The broker refused: check ssl.keystore.*, and ssl.truststore.* of the broker"}}
	}
	return err
}

// remoteAlert is the operation of errors that are alerts of the other side (crypto/tls).
const remoteAlert = "remote error"

// loginRefused tells a login that fails for good.
func loginRefused(err error) bool {
	var refusal *sasl.Refusal
	return errors.As(err, &refusal)
}

// handshakeTimeout bounds TLS and each answer of a login.
func handshakeTimeout(request time.Duration) time.Duration { return max(request, time.Millisecond) }
