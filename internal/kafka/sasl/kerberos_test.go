package sasl

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/spnego"
	"github.com/jcmturner/gokrb5/v8/types"
)

const realm = "EXAMPLE.ORG"

// keys is a keytab with the keys of principals.
func keys(t *testing.T, principals ...string) *keytab.Keytab {
	t.Helper()
	kt := keytab.New()
	for _, p := range principals {
		if err := kt.AddEntry(p, realm, "pw of "+p, time.Now(), 1, etypeID.AES256_CTS_HMAC_SHA1_96); err != nil {
			t.Fatal(err)
		}
	}
	return kt
}

// ticketFor is a ticket as the KDC would give it to ada.
func ticketFor(t *testing.T, kt *keytab.Keytab, service string, life time.Duration) krbTicket {
	t.Helper()
	now := time.Now().UTC()
	ticket, key, err := messages.NewTicket(types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, "ada"), realm,
		types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, service), realm, types.NewKrbFlags(), kt, etypeID.AES256_CTS_HMAC_SHA1_96, 1,
		now.Add(-time.Minute), now.Add(-time.Minute), now.Add(life), now.Add(life))
	if err != nil {
		t.Fatal(err)
	}
	return krbTicket{ticket: ticket, key: key, expires: now.Add(life)}
}

// offer is what a broker sends after it has accepted the ticket.
func offer(t *testing.T, key types.EncryptionKey, payload []byte) []byte {
	t.Helper()
	token := gssapi.WrapToken{Flags: 1, EC: 12, Payload: payload}
	if err := token.SetCheckSum(key, keyusage.GSSAPI_ACCEPTOR_SEAL); err != nil {
		t.Fatal(err)
	}
	b, err := token.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGSSExchange(t *testing.T) {
	kt := keys(t, "kafka/localhost")
	ticket := ticketFor(t, kt, "kafka/localhost", time.Hour)
	start := func() *gssExchange {
		x, err := newGSSExchange(credentials.New("ada", realm), ticket)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x := start()
	first, done, err := x.Step(nil)
	if err != nil || done {
		t.Fatal(done, err)
	}
	var token spnego.KRB5Token
	if err := token.Unmarshal(first); err != nil {
		t.Fatal(err)
	}
	ok, err := token.APReq.Verify(kt, time.Minute, types.HostAddress{}, nil)
	if who := token.APReq.Authenticator; !ok || err != nil || who.CName.PrincipalNameString() != "ada" || who.CRealm != realm {
		t.Fatalf("the broker does not accept it: %v, %+v", err, who)
	}
	answer, done, err := x.Step(offer(t, ticket.key, []byte{7, 0, 1, 0}))
	if err != nil || !done {
		t.Fatal(done, err)
	}
	var choice gssapi.WrapToken
	if err := choice.Unmarshal(answer, false); err != nil {
		t.Fatal(err)
	}
	if ok, err := choice.Verify(ticket.key, keyusage.GSSAPI_INITIATOR_SEAL); !ok || !bytes.Equal(choice.Payload, []byte{1, 0, 0, 0}) {
		t.Errorf("the choice is %v: %v", choice.Payload, err)
	}
	other := ticketFor(t, kt, "kafka/localhost", time.Hour)
	for name, bad := range map[string][]byte{
		"nothing": nil, "another key": offer(t, other.key, []byte{1, 0, 0, 0}), "no layer": offer(t, ticket.key, []byte{6, 0, 1, 0}),
		"too short": offer(t, ticket.key, []byte{1}), "the client's own": answer,
	} {
		x := start()
		x.Step(nil)
		var refusal *Refusal
		if _, _, err := x.Step(bad); !errors.As(err, &refusal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ccache writes a ticket cache of ada (version 4).
func ccache(t *testing.T, path string, ticket krbTicket) {
	t.Helper()
	data := func(b []byte, s []byte) []byte { return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) }
	principal := func(b []byte, names ...string) []byte {
		b = binary.BigEndian.AppendUint32(b, 1)
		b = binary.BigEndian.AppendUint32(b, uint32(len(names)))
		b = data(b, []byte(realm))
		for _, n := range names {
			b = data(b, []byte(n))
		}
		return b
	}
	b := []byte{5, 4, 0, 12, 0, 1, 0, 8, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	b = principal(principal(principal(b, "ada"), "ada"), "krbtgt", realm)
	b = binary.BigEndian.AppendUint16(b, uint16(ticket.key.KeyType))
	b = data(b, ticket.key.KeyValue)
	for _, at := range []time.Time{time.Now().Add(-time.Minute), time.Now().Add(-time.Minute), ticket.expires, ticket.expires} {
		b = binary.BigEndian.AppendUint32(b, uint32(at.Unix()))
	}
	b = append(b, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, 0)
	text, err := ticket.ticket.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data(data(b, text), nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTicketCache(t *testing.T) {
	dir := t.TempDir()
	conf, path := filepath.Join(dir, "krb5.conf"), filepath.Join(dir, "cache")
	closed := deadPort(t)
	text := fmt.Sprintf("[libdefaults]\n default_realm = %s\n udp_preference_limit = 1\n[realms]\n %s = {\n  kdc = %s\n }\n", realm, realm, closed)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	kt := keys(t, "krbtgt/"+realm, "kafka/localhost")
	o := KerberosOptions{Config: conf, Service: "kafka", TicketCache: path, RenewFactor: 0.8}
	var refusal *Refusal
	if _, err := o.logIn(time.Now()); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "kinit") {
		t.Errorf("no cache: %v", err)
	}
	ccache(t, path, ticketFor(t, kt, "krbtgt/"+realm, time.Hour))
	login, err := o.logIn(time.Now())
	if err != nil || login.credentials.CName().PrincipalNameString() != "ada" || !login.tgt.valid(time.Now()) {
		t.Fatalf("%+v, %v", login, err)
	}
	k := NewKerberos(o, nopLog())
	k.login, k.renewAt = login, time.Now().Add(time.Hour)
	login.services["kafka/localhost"] = ticketFor(t, kt, "kafka/localhost", time.Hour)
	if _, err := k.Start(t.Context(), "LocalHost."); err != nil { // the ticket is known: no KDC is asked
		t.Errorf("%v", err)
	}
	if _, err := k.Start(t.Context(), "other"); err == nil || errors.As(err, &refusal) || !strings.Contains(err.Error(), "the KDC does not answer") {
		t.Errorf("a KDC that is down: %v", err)
	}
	// A cache that kinit is just writing: the present login serves on, and a new one may come.
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(b) {
		if err := os.WriteFile(path, b[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewKerberos(o, nopLog()).Start(t.Context(), "localhost"); err == nil {
			t.Fatalf("%d of %d bytes of a cache were accepted", n, len(b))
		}
	}
	ccache(t, path, ticketFor(t, kt, "krbtgt/"+realm, -time.Second))
	k.renewAt = time.Now()
	if _, err := k.Start(t.Context(), "localhost"); err != nil {
		t.Errorf("a login that cannot be repeated: %v", err)
	}
	k.login.tgt.expires = time.Now()
	if _, err := k.Start(t.Context(), "localhost"); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired login: %v", err)
	}
	o.Principal = "bob@" + realm
	if _, err := o.logIn(time.Now()); err == nil || !strings.Contains(err.Error(), "belongs to ada") {
		t.Errorf("somebody else's cache: %v", err)
	}
}

func TestKeytab(t *testing.T) {
	dir := t.TempDir()
	conf, path := filepath.Join(dir, "krb5.conf"), filepath.Join(dir, "keytab")
	write := func(file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(conf, "[libdefaults]\n udp_preference_limit = 1\n[realms]\n "+realm+" = {\n  kdc = "+deadPort(t)+"\n }\n")
	o := KerberosOptions{Config: conf, Service: "kafka", Keytab: path, Principal: "ada"}
	var refusal *Refusal
	check := func(name, want string, final bool) {
		t.Helper()
		if _, err := NewKerberos(o, nopLog()).Start(t.Context(), "localhost"); err == nil || errors.As(err, &refusal) != final || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("no keytab", path, true)
	write(path, "x")
	check("a damaged keytab", path, true)
	b, err := keys(t, "ada").Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(path, string(b))
	check("no realm", "default_realm", true)
	o.Principal = "bob@" + realm
	check("no key", "bob", true)
	o.Principal = "ada@" + realm
	check("no KDC", "the KDC does not answer", false)
	o.TicketCache = filepath.Join(dir, "none")
	check("no cache and no KDC", "the KDC does not answer", false)
	o.Config = filepath.Join(dir, "missing")
	check("no settings", "KRB5_CONFIG", true)
}

// TestKerberosStartEndsWithItsContext though the KDC never answers.
func TestKerberosStartEndsWithItsContext(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf, path := filepath.Join(dir, "krb5.conf"), filepath.Join(dir, "keytab")
	b, err := keys(t, "ada").Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{path: string(b), conf: "[libdefaults]\n udp_preference_limit = 1\n[realms]\n " + realm + " = {\n  kdc = " + ln.Addr().String() + "\n }\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := NewKerberos(KerberosOptions{Config: conf, Service: "kafka", Keytab: path, Principal: "ada@" + realm}, nopLog())
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan net.Conn)
	go func() {
		c, _ := ln.Accept()
		asked <- c
	}()
	ended := make(chan error)
	go func() {
		_, err := k.Start(ctx, "localhost")
		ended <- err
	}()
	c := <-asked
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	ln.Close()
	c.Close()
	k.turn <- struct{}{} // the question has ended
}

// deadPort is an address at which nobody listens.
func deadPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
