package sasl

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
)

func nopLog() *zap.Logger { return zap.NewNop() }

// jwt makes a token that no one has signed.
func jwt(t testing.TB, claims map[string]any) string {
	t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return "e30." + base64.RawURLEncoding.EncodeToString(b) + ".c2ln"
}

func TestParseToken(t *testing.T) {
	got, err := parseToken(" "+jwt(t, map[string]any{"sub": "ada", "exp": 2000.5, "iat": 1000})+"\n", "sub")
	if err != nil || got.subject != "ada" || got.expires != time.UnixMilli(2000500) || got.start != time.Unix(1000, 0) || strings.ContainsAny(got.text, " \n") {
		t.Errorf("%+v, %v", got, err)
	}
	const hidden = "c2VjcmV0"
	for _, bad := range []string{"", hidden, hidden + "." + hidden, "a." + hidden + ".b", "a.!" + hidden + ".b",
		jwt(t, map[string]any{"sub": "ada"}), jwt(t, map[string]any{"exp": 1}), jwt(t, map[string]any{"sub": 1, "exp": 1}), jwt(t, map[string]any{"sub": "a", "exp": "1"}),
		jwt(t, map[string]any{"sub": "a", "exp": 1e30})} {
		if _, err := parseToken(bad, "sub"); err == nil || strings.Contains(err.Error(), hidden) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestFirstMessage(t *testing.T) {
	if got := string(firstMessage("T", map[string]string{"b": "2", "a": "1"})); got != "n,,\x01auth=Bearer T\x01a=1\x01b=2\x01\x01" {
		t.Errorf("%q", got)
	}
	b := &broker{authenticate: 1, answer: func(token []byte) ([]byte, int16, string) {
		if string(token) == "\x01" {
			return nil, codeRefused, "{\"status\":\"invalid_token\"}"
		}
		return []byte(`{"status":"invalid_token"}`), 0, ""
	}}
	m := NewOAuthBearer(OAuthOptions{SubjectClaim: "sub", Source: fixed(jwt(t, map[string]any{"sub": "ada", "exp": time.Now().Unix() + 60}))}, nopLog())
	defer m.Close()
	_, err := login(t, b, m)
	var refusal *Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "invalid_token") || m.Principal() != "User:ada" {
		t.Errorf("%v, %s", err, m.Principal())
	}
	b.answer = func([]byte) ([]byte, int16, string) { return nil, 0, "" }
	if _, err := login(t, b, m); err != nil {
		t.Error(err)
	}
	b.answer = func([]byte) ([]byte, int16, string) { return []byte("no"), 0, "" } // for ever
	if _, err := login(t, b, m); !errors.As(err, &refusal) {
		t.Error(err)
	}
}

func fixed(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

func options() OAuthOptions {
	return OAuthOptions{SubjectClaim: "sub", RefreshFactor: 0.8, RefreshJitter: 0.05, RefreshMin: time.Minute, RefreshBuffer: 5 * time.Minute,
		RetryBackoff: 100 * time.Millisecond, RetryMax: 10 * time.Second}
}

func TestRefreshTime(t *testing.T) {
	m := &OAuthBearer{o: options()}
	now := time.Unix(1_000_000, 0)
	for _, test := range []struct {
		start, expires time.Duration // from now
		random         float64
		want           time.Duration
	}{
		{0, time.Hour, 0, 48 * time.Minute},
		{0, time.Hour, 1, 51 * time.Minute},
		{-time.Hour, time.Hour, 0, 36 * time.Minute},                // 80 % of its life, not of the rest
		{0, 20 * time.Minute, 0, 15 * time.Minute},                  // the buffer
		{-59 * time.Minute, 61 * time.Minute, 0, 37 * time.Minute},  // as above
		{-10 * time.Hour, 8 * time.Minute, 0, time.Minute},          // the shortest period
		{0, 5 * time.Minute, 0, 4 * time.Minute},                    // too short for both
		{time.Hour, 3 * time.Hour, 0, 2*time.Hour + 24*time.Minute}, // of the future: a clock
		{-time.Hour, 2 * time.Minute, 0.5, 99 * time.Second},
	} {
		at := m.refreshTime(token{start: now.Add(test.start), expires: now.Add(test.expires)}, now, test.random)
		if got := at.Sub(now).Round(time.Second); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// provider gives a new token with each call, or an error.
type provider struct {
	calls atomic.Int64
	life  time.Duration
	fail  atomic.Pointer[error]
	slow  time.Duration
}

func (p *provider) source(t *testing.T) TokenSource {
	return func(ctx context.Context) (string, error) {
		n := p.calls.Add(1)
		if p.slow > 0 {
			select {
			case <-time.After(p.slow):
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		if err := p.fail.Load(); err != nil {
			return "", *err
		}
		return jwt(t, map[string]any{"sub": "ada", "n": n, "iat": time.Now().Unix(), "exp": time.Now().Add(p.life).Unix()}), nil
	}
}

// TestTokenIsRenewedInTheBackground: one fetch serves many connections, the next begins before
// the end and nobody waits for it; when it fails the old one serves on.
func TestTokenIsRenewedInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{life: time.Hour, slow: time.Second}
		o := options()
		o.Source = p.source(t)
		m := NewOAuthBearer(o, nopLog())
		defer m.Close()
		results := make(chan error, 20)
		for range 20 {
			go func() {
				_, err := m.token(t.Context())
				results <- err
			}()
		}
		for range 20 {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
		if n := p.calls.Load(); n != 1 {
			t.Fatalf("%d fetches", n)
		}
		first, _ := m.token(t.Context())
		down := errors.New("down")
		p.fail.Store(&down)
		time.Sleep(52 * time.Minute)
		for range 3 { // at once, in spite of the slow provider
			at := time.Now()
			if got, err := m.token(t.Context()); err != nil || got.text != first.text || time.Since(at) != 0 {
				t.Fatalf("%v", err)
			}
		}
		time.Sleep(2 * time.Second)
		if n := p.calls.Load(); n != 2 {
			t.Fatalf("%d fetches", n)
		}
		if _, err := m.token(t.Context()); err != nil || p.calls.Load() != 2 { // a pause first
			t.Fatal(err)
		}
		p.fail.Store(nil)
		time.Sleep(renewPause)
		m.token(t.Context())
		time.Sleep(2 * time.Second)
		if got, err := m.token(t.Context()); err != nil || got.text == first.text || p.calls.Load() != 3 {
			t.Fatalf("%v, %d fetches", err, p.calls.Load())
		}
	})
}

// TestLoginIsRepeated: failures that may pass are repeated for a while, a refusal is not; an
// expired token is never used.
func TestLoginIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{life: time.Minute}
		o := options()
		o.Source = p.source(t)
		m := NewOAuthBearer(o, nopLog())
		defer m.Close()
		down := errors.New("down")
		p.fail.Store(&down)
		at := time.Now()
		_, err := m.token(t.Context())
		if took := time.Since(at); !errors.Is(err, down) || took < 5*time.Second || took > 10*time.Second || p.calls.Load() < 5 {
			t.Errorf("%v after %v, %d fetches", err, took, p.calls.Load())
		}
		go func() {
			time.Sleep(time.Second)
			p.fail.Store(nil)
		}()
		if _, err := m.token(t.Context()); err != nil {
			t.Error(err)
		}
		refused := refuse("no")
		p.fail.Store(&refused)
		time.Sleep(2 * time.Minute)
		before := p.calls.Load()
		if _, err := m.token(t.Context()); !errors.Is(err, refused) || p.calls.Load() != before+1 {
			t.Errorf("%v", err)
		}
		p.fail.Store(nil)
		p.life = -time.Minute
		if _, err := m.token(t.Context()); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("%v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		at = time.Now()
		if _, err := m.token(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(at) != time.Second {
			t.Errorf("%v", err)
		}
	})
}

// TestCloseEndsARenewal that hangs.
func TestCloseEndsARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{life: time.Hour}
		o := options()
		o.Source = p.source(t)
		m := NewOAuthBearer(o, nopLog())
		m.token(t.Context())
		p.slow = 24 * time.Hour
		time.Sleep(55 * time.Minute)
		m.token(t.Context())
		m.Close()
	})
}

func TestClientCredentials(t *testing.T) {
	var got string
	answer := `{"access_token":"a.b.c","token_type":"Bearer"}`
	status := http.StatusOK
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id, secret, _ := r.BasicAuth()
		got = fmt.Sprint(r.Method, " ", id, " ", secret, " ", string(body), " ", r.Header.Get("Content-Type"))
		w.Header().Set("Content-Type", "application/json")
		if status == http.StatusFound {
			w.Header().Set("Location", "http://elsewhere.invalid/")
		}
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails below
	srv.StartTLS()
	defer srv.Close()
	trusting := func() (*tls.Config, error) {
		return srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone(), nil
	}
	c := ClientCredentials{URL: srv.URL + "/token", ID: "a b:c", Secret: "s/e cret", Scope: "x y", TLS: trusting}
	for _, test := range []struct {
		encode bool
		want   string
	}{
		{false, "POST a b c:s/e cret grant_type=client_credentials&scope=x+y application/x-www-form-urlencoded"},
		{true, "POST a+b%3Ac s%2Fe+cret grant_type=client_credentials&scope=x+y application/x-www-form-urlencoded"},
	} {
		c.URLEncode = test.encode
		token, err := c.Source()(t.Context())
		if err != nil || token != "a.b.c" {
			t.Errorf("%q, %v", token, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Error(diff)
		}
	}
	for _, test := range []struct {
		status int
		answer string
		final  bool
		want   string
	}{
		{401, `{"error":"invalid_client","error_description":"wrong"}`, true, "401 {invalid_client - wrong}"},
		{400, `s/e cret`, true, "400"},
		{503, `s/e cret`, false, "503"},
		{429, ``, false, "429"},
		{302, ``, true, "302"},
		{200, `{"x":"s/e cret"}`, false, "access_token"},
		{200, `<html>s/e cret`, false, "parse"},
	} {
		status, answer = test.status, test.answer
		_, err := c.Source()(t.Context())
		var refusal *Refusal
		if err == nil || errors.As(err, &refusal) != test.final || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "e cret") {
			t.Errorf("%+v: %v", test, err)
		}
	}
	c.TLS = nil
	var refusal *Refusal
	if _, err := c.Source()(t.Context()); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "ssl.truststore") {
		t.Errorf("an unknown authority: %v", err)
	}
	srv.Close()
	c.URL = strings.Replace(c.URL, "https://", "https://me:pw-secret@", 1) + "?key=q-secret"
	if _, err := c.Source()(t.Context()); err == nil || errors.As(err, &refusal) || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	source := TokenFile(path)
	if _, err := source(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
	for _, text := range []string{"one", "two\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := source(t.Context()); err != nil || got != strings.TrimSpace(text) {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := TokenFile(t.TempDir())(t.Context()); err == nil {
		t.Error("a folder was read")
	}
}

func TestUnsecured(t *testing.T) {
	u, subject, extensions, err := ReadUnsecured(map[string]string{
		"unsecuredLoginStringClaim_sub": "ada", "unsecuredLoginNumberClaim_n": "1.5", "unsecuredLoginListClaim_scope": ",a,b",
		"unsecuredLoginLifetimeSeconds": "60", "unsecuredLoginExtension_x": "y", "other": "z",
	})
	if err != nil || subject != "sub" || extensions["x"] != "y" {
		t.Fatal(subject, extensions, err)
	}
	text, err := u.Source()(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parseToken(text, subject)
	if err != nil || parsed.subject != "ada" || time.Until(parsed.expires) > time.Minute || time.Until(parsed.expires) < 50*time.Second {
		t.Errorf("%+v, %v", parsed, err)
	}
	head, payload, _ := strings.Cut(text, ".")
	payload, signature, _ := strings.Cut(payload, ".")
	b, _ := base64.RawURLEncoding.DecodeString(payload)
	if h, _ := base64.RawURLEncoding.DecodeString(head); string(h) != `{"alg":"none"}` || signature != "" || !strings.Contains(string(b), `"n":1.5,"scope":["a","b"]`) {
		t.Errorf("%s %s %q", h, b, signature)
	}
	for _, bad := range []map[string]string{{}, {"unsecuredLoginStringClaim_sub": "a", "unsecuredLoginLifetimeSeconds": "0"},
		{"unsecuredLoginStringClaim_sub": "a", "unsecuredLoginNumberClaim_exp": "1"}, {"unsecuredLoginStringClaim_sub": "a", "unsecuredLoginNumberClaim_x": "b"},
		{"unsecuredLoginStringClaim_sub": "a", "unsecuredLoginPrincipalClaimName": "other"}} {
		if _, _, _, err := ReadUnsecured(bad); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}
