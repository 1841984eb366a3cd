package bearer

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/penstock-io/penstock/rest/access"
	"github.com/penstock-io/penstock/rest/api"
)

func status(err error) int {
	var e *api.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

func TestTokensOfEveryAlgorithm(t *testing.T) {
	var keys []signer
	for alg := range signatures {
		keys = append(keys, generate(t, "key of "+alg, alg))
	}
	l := newLogin(t, keys...)
	i := newIssuer(t, l.options(&clock{at: start}))
	for _, k := range keys {
		u, err := i.User(t.Context(), k.token(t, l.claims(nil)))
		if d := cmp.Diff(access.User{Name: "ada", Groups: []string{"team-a", "ops"}, Method: access.Bearer}, u); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", k.alg, err, d)
		}
		// Without the name of its key all keys are tried.
		if _, err := i.User(t.Context(), k.sign(t, map[string]any{"alg": k.alg}, l.claims(nil))); err != nil {
			t.Errorf("%s without kid: %v", k.alg, err)
		}
	}
	if n := l.questions(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	k, ec := generate(t, "k", "RS256"), generate(t, "ec", "ES256")
	l := newLogin(t, k, ec)
	l.set(func() { delete(l.keys[1], "alg") })
	i := newIssuer(t, l.options(&clock{at: start}))
	good := k.token(t, l.claims(nil))
	parts := strings.Split(good, ".")
	der, err := x509.MarshalPKIXPublicKey(k.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	other := generate(t, "k", "RS256")
	otherEC := generate(t, "ec", "ES384")
	crit := map[string]any{"alg": "RS256", "kid": "k", "crit": []string{"b64"}, "b64": false}
	for name, token := range map[string]string{
		"nothing":                        "",
		"a word":                         "secret",
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"two parts":                      parts[0] + "." + parts[1],
		"four parts":                     good + ".x",
		"alg none":                       b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"alg none, with a signature":     b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + "." + parts[2],
		"alg None":                       b64([]byte(`{"alg":"None"}`)) + "." + parts[1] + ".",
		"HS256 with the public key":      hmacToken(l.claims(nil), "HS256", der),
		"HS256 called RS256":             hmacToken(l.claims(nil), "RS256", der),
		"other claims":                   parts[0] + "." + b64([]byte(`{"sub":"eve"}`)) + "." + parts[2],
		"another key":                    other.token(t, l.claims(nil)),
		"another key of another kind":    otherEC.sign(t, map[string]any{"alg": "ES384", "kid": "ec"}, l.claims(nil)),
		"a hash that is not the curve's": signer{"ec", "ES384", ec.key}.token(t, l.claims(nil)),
		"the algorithm of another key":   k.sign(t, map[string]any{"alg": "ES256", "kid": "k"}, l.claims(nil)),
		"another hash":                   k.sign(t, map[string]any{"alg": "RS512", "kid": "k"}, l.claims(nil)),
		"PSS called RSA":                 k.sign(t, map[string]any{"alg": "PS256", "kid": "k"}, l.claims(nil)),
		"critical extensions":            k.sign(t, crit, l.claims(nil)),
		"base64 with =":                  parts[0] + "=." + parts[1] + "." + parts[2],
		"a signature with more":          good + "AA",
		"claims that are a list":         k.sign(t, map[string]any{"alg": "RS256", "kid": "k"}, nil),
		"DER in place of r and s":        parts[0] + "." + parts[1] + "." + b64(derSignature(t, ec)),
	} {
		u, err := i.User(t.Context(), token)
		if status(err) != http.StatusUnauthorized || u.Name != "" {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
		if err != nil && len(token) > 20 && strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error shows the token", name)
		}
	}
	if _, err := i.User(t.Context(), good); err != nil {
		t.Error(err)
	}
}

func derSignature(t *testing.T, s signer) []byte {
	t.Helper()
	sig, err := ecdsa.SignASN1(rand.Reader, s.key.(*ecdsa.PrivateKey), make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func TestClaims(t *testing.T) {
	k := generate(t, "k", "ES256")
	l := newLogin(t, k)
	o := l.options(&clock{at: start})
	o.GroupsClaim = "realm_access.roles"
	i := newIssuer(t, o)
	for _, test := range []struct {
		name   string
		change map[string]any
		want   string // of the error
		groups []string
	}{
		{"as it should be", nil, "", nil},
		{"another issuer", map[string]any{"iss": "http://evil"}, "its issuer is", nil},
		{"no issuer", map[string]any{"iss": nil}, "its issuer is", nil},
		{"a slash more", map[string]any{"iss": l.URL + "/realm/"}, "its issuer is", nil},
		{"another audience", map[string]any{"aud": "billing"}, "its audience is none of connect, other", nil},
		{"no audience", map[string]any{"aud": nil}, "its audience", nil},
		{"an audience that contains ours", map[string]any{"aud": "connect2"}, "its audience", nil},
		{"several audiences", map[string]any{"aud": []string{"billing", "other"}}, "", nil},
		{"audiences that are none", map[string]any{"aud": []any{1, nil}}, "its audience", nil},
		{"just expired", map[string]any{"exp": start.Add(-30 * time.Second).Unix()}, "", nil},
		{"expired", map[string]any{"exp": start.Add(-31 * time.Second).Unix()}, "it has expired at 2026-01-02T03:03:34Z", nil},
		{"without end", map[string]any{"exp": nil}, "it never expires", nil},
		{"an end that is no number", map[string]any{"exp": "tomorrow"}, "it never expires", nil},
		{"an end beyond all time", map[string]any{"exp": 1e300}, "it never expires", nil},
		{"almost begun", map[string]any{"nbf": start.Add(30 * time.Second).Unix()}, "", nil},
		{"not begun", map[string]any{"nbf": start.Add(32 * time.Second).Unix()}, "it is not good before", nil},
		{"nobody", map[string]any{"sub": nil}, "it names no user: the claim sub", nil},
		{"a number for a user", map[string]any{"sub": 7}, "it names no user", nil},
		{"a blank user", map[string]any{"sub": " "}, "it names no user", nil},
		{"nested groups", map[string]any{"realm_access": map[string]any{"roles": []any{"a", 1, "", "b"}}}, "", []string{"a", "b"}},
		{"groups of a name with a dot", map[string]any{"realm_access.roles": []any{"c"}, "realm_access": map[string]any{"roles": []any{"a"}}}, "", []string{"c"}},
		{"groups in a text", map[string]any{"realm_access.roles": "read write"}, "", []string{"read", "write"}},
		{"groups that are none", map[string]any{"realm_access": "x"}, "", nil},
	} {
		u, err := i.User(t.Context(), k.token(t, l.claims(test.change)))
		if test.want == "" {
			if d := cmp.Diff(access.User{Name: "ada", Groups: test.groups, Method: access.Bearer}, u); d != "" || err != nil {
				t.Errorf("%s: %v\n%s", test.name, err, d)
			}
		} else if status(err) != http.StatusUnauthorized || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v", test.name, u, err)
		}
	}
}

func TestKeysAreChangedWhileTheWorkerRuns(t *testing.T) {
	first, second := generate(t, "1", "ES256"), generate(t, "2", "ES256")
	l := newLogin(t, first)
	c := &clock{at: start}
	i := newIssuer(t, l.options(c))
	user := func(k signer) error {
		_, err := i.User(t.Context(), k.token(t, l.claims(nil)))
		return err
	}
	if err := user(first); err != nil {
		t.Fatal(err)
	}
	l.setKeys(first, second)
	// Whoever sends tokens with unknown keys does not make the issuer busy.
	for range 10 {
		if err := user(second); status(err) != http.StatusUnauthorized {
			t.Fatal(err)
		}
	}
	if n := l.questions(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
	c.pass(minPause)
	if err := user(second); err != nil {
		t.Errorf("a new key: %v", err)
	}
	// A key that the issuer takes back is good until the keys are read again.
	l.setKeys(second)
	c.pass(minPause)
	if err := i.refresh(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := user(first); status(err) != http.StatusUnauthorized {
		t.Errorf("a key that was taken back: %v", err)
	}
}

func TestAnIssuerThatIsDown(t *testing.T) {
	k, unknown := generate(t, "k", "ES256"), generate(t, "u", "ES256")
	l := newLogin(t, k)
	l.set(func() { l.down = true })
	c := &clock{at: start}
	o := l.options(c)
	core, logs := observer.New(zap.InfoLevel)
	o.Log = zap.New(core)
	i := newIssuer(t, o)
	user := func(k signer) error {
		_, err := i.User(t.Context(), k.token(t, l.claims(nil)))
		return err
	}
	for range 3 {
		if err := user(k); status(err) != http.StatusServiceUnavailable || !strings.Contains(err.Error(), l.URL+"/realm does not tell its keys") {
			t.Errorf("%v", err)
		}
	}
	// What is no token needs no keys to be refused.
	if _, err := i.User(t.Context(), "x"); status(err) != http.StatusUnauthorized {
		t.Error(err)
	}
	l.set(func() { l.down = false })
	c.pass(minPause)
	if err := user(k); err != nil {
		t.Errorf("it is up again: %v", err)
	}
	// The keys that are known do while it is down again; of others nobody can know.
	l.set(func() { l.down = true })
	c.pass(minPause)
	if err := user(unknown); status(err) != http.StatusServiceUnavailable {
		t.Errorf("an unknown key: %v", err)
	}
	if err := user(k); err != nil {
		t.Errorf("a known key: %v", err)
	}
	if n, up := logs.FilterMessageSnippet("does not tell its keys").Len(), logs.FilterMessageSnippet("were read").Len(); n != 2 || up != 1 {
		t.Errorf("%d and %d lines in the log: %v", n, up, logs.All())
	}
}

func TestRunKeepsKeysFresh(t *testing.T) {
	k := generate(t, "k", "ES256")
	l := newLogin(t, k)
	o := l.options(&clock{at: start})
	o.now, o.Refresh = time.Now, 10*time.Millisecond
	i := newIssuer(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); i.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for l.questions() < 3 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the keys are not read again")
		}
	}
	cancel()
	<-ended
}

func TestDocumentsThatCannotBeBelieved(t *testing.T) {
	k := generate(t, "k", "ES256")
	for name, test := range map[string]struct {
		change func(l *login)
		want   string
	}{
		"another issuer":  {func(l *login) { l.issuer = "https://evil" }, `is of the issuer "https://evil"`},
		"a redirect":      {func(l *login) { l.redirect = "http://evil/" }, "302"},
		"no JSON":         {func(l *login) { l.answer = "<html>" }, "not the JSON that is expected"},
		"no keys":         {func(l *login) { l.answer = `{"keys":[]}` }, "no key that can be used"},
		"secrets as keys": {func(l *login) { l.answer = `{"keys":[{"kty":"oct","k":"AAAA","kid":"k"}]}` }, `key "k": a []uint8 is no public key`},
		"keys to encrypt": {func(l *login) { l.keys[0]["use"] = "enc" }, "is not for signatures"},
		"a point off":     {func(l *login) { l.keys[0]["x"] = l.keys[0]["y"] }, "not on declared curve"},
		"a small RSA key": {func(l *login) { l.answer = `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}` }, "at least 2048 bits"},
		"a huge answer":   {func(l *login) { l.answer = `{"x":"` + strings.Repeat("x", maxDocument) + `"}` }, "larger than"},
	} {
		l := newLogin(t, k)
		l.set(func() { test.change(l) })
		i := newIssuer(t, l.options(&clock{at: start}))
		if err := i.refresh(t.Context(), 0); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestKeysOfAFixedAddress(t *testing.T) {
	k := generate(t, "k", "PS384")
	l := newLogin(t, k)
	o := l.options(&clock{at: start})
	o.Issuer, o.KeysURL = "https://somewhere-else", l.URL+"/keys"
	i := newIssuer(t, o)
	if _, err := i.User(t.Context(), k.token(t, l.claims(map[string]any{"iss": "https://somewhere-else"}))); err != nil {
		t.Error(err)
	}
	if _, err := i.User(t.Context(), k.token(t, l.claims(nil))); status(err) != http.StatusUnauthorized {
		t.Errorf("the issuer is not checked: %v", err)
	}
}

func TestSlowIssuersAreCutOff(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	k := generate(t, "k", "ES256")
	l := newLogin(t, k)
	l.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-block:
		case <-r.Context().Done():
		}
	})
	o := l.options(&clock{at: start})
	o.Timeout = 50 * time.Millisecond
	i := newIssuer(t, o)
	if _, err := i.User(t.Context(), k.token(t, l.claims(nil))); status(err) != http.StatusServiceUnavailable {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := i.User(ended, k.token(t, l.claims(nil))); status(err) != http.StatusServiceUnavailable {
		t.Errorf("without time: %v", err)
	}
}

func FuzzUser(f *testing.F) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	i := New(Options{Issuer: "https://i", Audiences: []string{"a"}, UserClaim: "sub", GroupsClaim: "g.h", Timeout: time.Second, Log: zap.NewNop()})
	i.keys.Store(&[]jose.JSONWebKey{{KeyID: "k", Key: &private.PublicKey}})
	now := time.Now()
	i.last.Store(&attempt{at: now.Add(time.Hour)}) // nobody is asked
	f.Add(b64([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + b64([]byte(`{"iss":"https://i"}`)) + ".AAAA")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		if u, err := i.User(t.Context(), token); err == nil {
			t.Errorf("%q is %v", token, u)
		}
	})
}
