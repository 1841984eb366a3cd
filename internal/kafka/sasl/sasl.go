package sasl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// Mechanism is an identity and the way to prove it. It is safe for concurrent use.
type Mechanism interface {
	// Name is the mechanism's name on the wire, e.g. SCRAM-SHA-512.
	Name() string
	// Start begins to log in at a broker, whose host name is given as the client knows it. It
	// may ask others for a token or ticket first.
	Start(ctx context.Context, host string) (Exchange, error)
	// Principal is whom brokers take the identity for unless they are configured otherwise, e.g.
	// User:connect; "" when it is not known (yet).
	Principal() string
	// Close ends what goes on in the background; nothing may be started afterwards.
	Close()
}

// Exchange is one login under way.
type Exchange interface {
	// Step answers what the broker sent, nil at first. done: no answer of the broker will be
	// looked at after this one; an answer that is nil is not sent.
	Step(challenge []byte) (answer []byte, done bool, err error)
}

// Refusal is a login that fails however often it is tried: a broker, an identity provider or a
// KDC has refused it, or the settings cannot work. Other failures may pass.
type Refusal struct {
	Msg string
	Err error // may be nil
}

func (e *Refusal) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

// Unwrap returns the cause.
func (e *Refusal) Unwrap() error { return e.Err }

func refuse(format string, args ...any) error { return &Refusal{Msg: fmt.Sprintf(format, args...)} }

// Kafka's requests for logins, and the highest versions that are spoken here: later ones carry
// nothing more.
const (
	apiHandshake    = 17
	apiVersions     = 18
	apiAuthenticate = 36

	handshakeVersion    = 1
	authenticateVersion = 1 // from 1 on with the session's life (KIP-368), Kafka 2.2
)

// Kafka's error codes that a login may meet.
const (
	codeNone                 = 0
	codeUnsupportedMechanism = 33
	codeIllegalState         = 34
	codeRefused              = 58
)

// Authenticate logs a connection in, on which nothing was sent yet but TLS. host is the broker's
// name, clientID the client.id. The connection's deadline bounds it, and closing the connection
// ends it; ctx ends what is asked of others than the broker.
//
// reauth is when the broker wants the login to be repeated (connections.max.reauth.ms), zero
// for never: it closes the connection soon after (KIP-368).
func Authenticate(ctx context.Context, conn net.Conn, m Mechanism, host, clientID string) (reauth time.Time, err error) {
	// Before the broker is asked: a token that cannot be had is no reason to keep it waiting.
	exchange, err := m.Start(ctx, host)
	if err != nil {
		return time.Time{}, err
	}
	w := &wire{conn: conn, clientID: clientID}
	version, err := w.authenticateVersion()
	if err != nil {
		return time.Time{}, err
	}
	if err := w.handshake(m.Name()); err != nil {
		return time.Time{}, err
	}
	var challenge []byte
	var life time.Duration
	for {
		answer, done, err := exchange.Step(challenge)
		if err != nil {
			return time.Time{}, err
		}
		if answer != nil {
			if challenge, life, err = w.authenticate(m.Name(), version, answer); err != nil {
				return time.Time{}, err
			}
		}
		if done {
			return reauthAt(time.Now(), life), nil
		}
	}
}

// reauthAt is between 85 % and 95 % of the session's life, so that many connections do not log in
// at once (Java: SaslClientAuthenticator.ReauthInfo).
func reauthAt(now time.Time, life time.Duration) time.Time {
	if life <= 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(float64(life) * (0.85 + 0.1*rand.Float64())))
}

// wire sends requests one by one.
type wire struct {
	conn        net.Conn
	clientID    string
	correlation int32
}

// authenticateVersion asks for the version in which the broker takes tokens. Unlike others the
// question may be asked before the login.
func (w *wire) authenticateVersion() (int16, error) {
	r, err := w.call(apiVersions, 0, nil)
	if err != nil {
		return 0, fmt.Errorf("ask for the broker's versions: %w", err)
	}
	if code := r.int16(); code != codeNone {
		return 0, fmt.Errorf("ask for the broker's versions: error code %d", code)
	}
	version := int16(-1)
	for n := r.int32(); n > 0 && r.err == nil; n-- {
		if api, _, highest := r.int16(), r.int16(), r.int16(); api == apiAuthenticate {
			version = min(highest, authenticateVersion)
		}
	}
	if r.err == nil && version < 0 {
		return 0, refuse("the broker is too old: SASL needs Kafka 1.0 or later")
	}
	return version, r.err
}

// handshake agrees on the mechanism.
func (w *wire) handshake(mechanism string) error {
	r, err := w.call(apiHandshake, handshakeVersion, appendString(nil, mechanism))
	if err != nil {
		return fmt.Errorf("SASL handshake: %w", err)
	}
	code := r.int16()
	enabled := "["
	for i, n := 0, int(r.int32()); i < n && r.err == nil; i++ {
		if i > 0 {
			enabled += ", "
		}
		enabled += r.string()
	}
	enabled += "]"
	switch {
	case r.err != nil:
		return r.err
	case code == codeUnsupportedMechanism:
		return refuse("Client SASL mechanism '%s' not enabled in the server, enabled mechanisms are %s. Set sasl.mechanism to one of them", mechanism, enabled)
	case code == codeIllegalState:
		return refuse("Unexpected handshake request with client mechanism %s, enabled mechanisms are %s."+
			" The broker wants no SASL at this port: check security.protocol and bootstrap.servers", mechanism, enabled)
	case code != codeNone:
		return refuse("Unknown error code %d, client mechanism is %s, enabled mechanisms are %s", code, mechanism, enabled)
	}
	return nil
}

// authenticate sends a token and returns the broker's.
func (w *wire) authenticate(mechanism string, version int16, token []byte) (answer []byte, life time.Duration, err error) {
	r, err := w.call(apiAuthenticate, version, appendBytes(nil, token))
	if err != nil {
		return nil, 0, fmt.Errorf("SASL authentication: %w", err)
	}
	code, text, answer := r.int16(), r.string(), r.bytes()
	if version > 0 {
		life = time.Duration(r.int64()) * time.Millisecond
	}
	switch {
	case r.err != nil:
		return nil, 0, r.err
	case code == codeRefused || code == codeIllegalState:
		if text == "" {
			text = "Authentication failed with SASL mechanism " + mechanism
		}
		return nil, 0, refuse("%s. Check sasl.mechanism and sasl.jaas.config", text)
	case code != codeNone:
		return nil, 0, fmt.Errorf("SASL authentication: error code %d of the broker: %s", code, text)
	}
	return answer, life, nil
}

// maxAnswer bounds an answer: a port of another protocol may send anything.
const maxAnswer = 1 << 20

// call sends a request with header version 1 and reads the answer.
func (w *wire) call(api, version int16, body []byte) (*reader, error) {
	b := make([]byte, 4, 64+len(body))
	b = binary.BigEndian.AppendUint16(b, uint16(api))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(w.correlation))
	b = append(appendString(b, w.clientID), body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	if _, err := w.conn.Write(b); err != nil {
		return nil, err
	}
	head := make([]byte, 8)
	if err := readFull(w.conn, head); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head)))
	if size < 4 || size > maxAnswer {
		return nil, fmt.Errorf("the answer has %d bytes, which no broker sends: is this the right port and security.protocol?", size)
	}
	if got := int32(binary.BigEndian.Uint32(head[4:])); got != w.correlation {
		return nil, fmt.Errorf("the answer belongs to request %d, not to %d", got, w.correlation)
	}
	w.correlation++
	answer := make([]byte, size-4)
	if err := readFull(w.conn, answer); err != nil {
		return nil, err
	}
	return &reader{b: answer}, nil
}

var errShort = errors.New("the broker's answer ends too early")
