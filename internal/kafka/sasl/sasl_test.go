package sasl

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// broker answers the requests of one login.
type broker struct {
	authenticate  int16 // highest version
	mechanisms    []string
	handshakeCode int16
	answer        func(token []byte) (answer []byte, code int16, text string)
	life          time.Duration
	clientID      string
}

// serve answers until the connection ends.
func (b *broker) serve(c net.Conn) {
	defer c.Close()
	for {
		head := make([]byte, 4)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		req := make([]byte, binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(c, req); err != nil {
			return
		}
		r := &reader{b: req}
		api, version, correlation := r.int16(), r.int16(), r.int32()
		b.clientID = r.string()
		out := binary.BigEndian.AppendUint32(nil, uint32(correlation))
		switch api {
		case apiVersions:
			out = append(out, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 12, 0, apiAuthenticate, 0, 0, 0, byte(b.authenticate))
		case apiHandshake:
			out = binary.BigEndian.AppendUint16(out, uint16(b.handshakeCode))
			out = binary.BigEndian.AppendUint32(out, uint32(len(b.mechanisms)))
			for _, m := range b.mechanisms {
				out = appendString(out, m)
			}
		case apiAuthenticate:
			answer, code, text := b.answer(r.bytes())
			out = appendBytes(appendString(binary.BigEndian.AppendUint16(out, uint16(code)), text), answer)
			if version > 0 {
				out = binary.BigEndian.AppendUint64(out, uint64(b.life.Milliseconds()))
			}
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(out))), out...)); err != nil {
			return
		}
	}
}

func login(t *testing.T, b *broker, m Mechanism) (time.Time, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.serve(theirs)
	}()
	defer func() {
		ours.Close()
		<-done
	}()
	return Authenticate(t.Context(), ours, m, "localhost", "me")
}

func TestPlainOnTheWire(t *testing.T) {
	for _, version := range []int16{0, 1, 2} {
		b := &broker{authenticate: version, life: time.Hour, answer: func(token []byte) ([]byte, int16, string) {
			if string(token) != "\x00ada\x00pw" {
				return nil, codeRefused, "Authentication failed: Invalid username or password"
			}
			return nil, 0, ""
		}}
		before := time.Now()
		reauth, err := login(t, b, Plain{"ada", "pw"})
		if err != nil || b.clientID != "me" {
			t.Errorf("%v, client %q", err, b.clientID)
		}
		after := reauth.Sub(before)
		if version == 0 != reauth.IsZero() || version > 0 && (after < 51*time.Minute || after > 58*time.Minute) {
			t.Errorf("version %d: again after %v", version, after)
		}
		_, err = login(t, b, Plain{"ada", "secret-word"})
		var refusal *Refusal
		if !errors.As(err, &refusal) || !strings.HasPrefix(err.Error(), "Authentication failed: Invalid username or password. Check") || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("a wrong password: %v", err)
		}
	}
}

func TestMechanismsThatTheBrokerLacks(t *testing.T) {
	for code, want := range map[int16]string{
		codeUnsupportedMechanism: "Client SASL mechanism 'PLAIN' not enabled in the server, enabled mechanisms are [GSSAPI, SCRAM-SHA-512]",
		codeIllegalState:         "Unexpected handshake request with client mechanism PLAIN",
		7:                        "Unknown error code 7",
	} {
		_, err := login(t, &broker{authenticate: 1, handshakeCode: code, mechanisms: []string{"GSSAPI", "SCRAM-SHA-512"}}, Plain{"a", "b"})
		var refusal *Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), want) {
			t.Errorf("code %d: %v", code, err)
		}
	}
}

// TestGarbage: whatever a port answers, the login ends with an error that may pass.
func TestGarbage(t *testing.T) {
	for _, answer := range []string{"", "HTTP/1.1 400 Bad Request\r\n\r\n", "\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x04\x00\x00\x00\x05", "\x7f\xff\xff\xff\x00\x00\x00\x00",
		"\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff"} {
		ours, theirs := net.Pipe()
		go func() {
			theirs.Read(make([]byte, 100))
			io.WriteString(theirs, answer)
			theirs.Close()
		}()
		_, err := Authenticate(t.Context(), ours, Plain{"a", "b"}, "h", "")
		var refusal *Refusal
		if err == nil || errors.As(err, &refusal) {
			t.Errorf("%q: %v", answer, err)
		}
		ours.Close()
	}
}

// TestScram has the example of RFC 7677.
func TestScram(t *testing.T) {
	start := func(s *Scram) *scramExchange {
		s.Mechanism, s.User, s.Password = ScramSHA256, "user", "pencil"
		return newScramExchange(s, "rOprNGfwEbeRWgbNEkqO")
	}
	const serverFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	x := start(&Scram{})
	for i, step := range []struct{ in, out string }{
		{"", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"},
		{serverFirst, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="},
		{"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ""},
	} {
		if got, done, err := x.Step([]byte(step.in)); string(got) != step.out || done != (i == 2) || err != nil {
			t.Errorf("%q: %q, %t, %v", step.in, got, done, err)
		}
	}
	for _, bad := range []string{
		"e=unknown-user", "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", strings.Replace(serverFirst, "i=4096", "i=1", 1),
		strings.Replace(serverFirst, "s=W22ZaJ0SNY7soEsUEjb6gQ==", "s=", 1), "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	} {
		x := start(&Scram{})
		x.Step(nil)
		if _, _, err := x.Step([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	x = start(&Scram{})
	x.Step(nil)
	_, _, err := x.Step([]byte(strings.Replace(serverFirst, "i=4096", "i=1000001", 1)))
	var refusal *Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "asks for 1000001 iterations, more than 1000000 are not done") {
		t.Errorf("too many iterations: %v", err)
	}
	x = start(&Scram{})
	x.Step(nil)
	x.Step([]byte(serverFirst))
	if _, _, err := x.Step([]byte("v=AAAA")); err == nil {
		t.Error("a wrong signature was accepted")
	}
	x = start(&Scram{Token: true})
	if first, _, _ := x.Step(nil); string(first) != "n,,n=user,r=rOprNGfwEbeRWgbNEkqO,tokenauth=true" {
		t.Errorf("with a delegation token: %q", first)
	}
	if _, _, err := x.Step([]byte(serverFirst)); err != nil {
		t.Error(err)
	}
}

// TestAuthenticateEndsWithItsContext: a token that does not come holds up nobody.
func TestAuthenticateEndsWithItsContext(t *testing.T) {
	m := NewOAuthBearer(OAuthOptions{SubjectClaim: "sub", RetryMax: time.Hour, RetryBackoff: time.Hour,
		Source: func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }}, nopLog())
	defer m.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client was closed")
	cancel(gone)
	ours, theirs := net.Pipe()
	defer theirs.Close()
	if _, err := Authenticate(ctx, ours, m, "h", ""); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}
