package sasl

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// ClientCredentials ask an identity provider for a token (RFC 6749, 4.4).
type ClientCredentials struct {
	URL, ID, Secret string
	Scope           string // "" = none
	URLEncode       bool   // sasl.oauthbearer.header.urlencode
	// Connect and Read bound the connection and the answer; 0 = defaultTimeout.
	Connect, Read time.Duration
	// TLS returns the settings of an https URL, nil for the system's.
	TLS func() (*tls.Config, error)
}

// defaultTimeout bounds what Java lets take for ever, which nobody wants.
const defaultTimeout = 30 * time.Second

// maxTokenFile bounds a file that holds a token.
const maxTokenFile = 1 << 20

// Source returns the source of tokens.
func (c ClientCredentials) Source() TokenSource {
	cfg := clientcredentials.Config{ClientID: c.ID, ClientSecret: c.Secret, TokenURL: c.URL, AuthStyle: oauth2.AuthStyleInHeader}
	if c.Scope != "" {
		cfg.Scopes = []string{c.Scope}
	}
	return func(ctx context.Context) (string, error) {
		transport, err := c.transport()
		if err != nil {
			return "", err
		}
		defer transport.CloseIdleConnections()
		client := &http.Client{
			Transport: &basicAuth{next: transport, header: c.authorization()}, Timeout: orDefault(c.Connect) + orDefault(c.Read),
			// Whereto a redirection leads is not for an identity provider to say that has the secret.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		t, err := cfg.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
		if err != nil {
			return "", c.explain(err)
		}
		return t.AccessToken, nil
	}
}

func orDefault(d time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return defaultTimeout
}

func (c ClientCredentials) transport() (*http.Transport, error) {
	t := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: orDefault(c.Connect)}).DialContext, TLSHandshakeTimeout: orDefault(c.Connect),
		ResponseHeaderTimeout: orDefault(c.Read),
	}
	if c.TLS != nil {
		cfg, err := c.TLS()
		if err != nil {
			return nil, &Refusal{Msg: "the TLS settings for sasl.oauthbearer.token.endpoint.url", Err: err}
		}
		t.TLSClientConfig = cfg
	}
	return t, nil
}

// authorization is the header that Java sends: its client id and secret are encoded only if that
// is asked for, other than RFC 6749 and package oauth2 have it.
func (c ClientCredentials) authorization() string {
	id, secret := c.ID, c.Secret
	if c.URLEncode {
		id, secret = url.QueryEscape(id), url.QueryEscape(secret)
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// basicAuth puts its own Authorization header into each request.
type basicAuth struct {
	next   http.RoundTripper
	header string
}

// RoundTrip implements http.RoundTripper.
func (b *basicAuth) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", b.header)
	req.Header.Set("Accept", "application/json")
	return b.next.RoundTrip(req)
}

// explain says what the provider answered, without what might be a secret, and whether that is final.
func (c ClientCredentials) explain(err error) error {
	where := "ask " + withoutUser(c.URL) + " for a token (sasl.oauthbearer.token.endpoint.url)"
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		var unknown *tls.CertificateVerificationError
		if errors.As(err, &unknown) {
			return &Refusal{Msg: where + ". Check ssl.truststore.*", Err: unknown}
		}
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // its text holds the URL
		}
		return fmt.Errorf("%s: %w", where, err)
	}
	status, text := 0, ""
	if answer.Response != nil {
		status = answer.Response.StatusCode
	}
	if answer.ErrorCode != "" {
		text = fmt.Sprintf(" {%s - %s}", answer.ErrorCode, answer.ErrorDescription)
	}
	if status/100 == 5 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout {
		return fmt.Errorf("%s: the response code was %d%s", where, status, text)
	}
	return refuse("%s: the response code was %d%s. Check sasl.oauthbearer.client.credentials.client.id and .client.secret, and sasl.oauthbearer.scope", where, status, text)
}

// withoutUser is a URL without user, password and query, which may be secret.
func withoutUser(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the identity provider"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// TokenFile returns a source that reads a file, anew for each token.
func TokenFile(path string) TokenSource {
	return func(context.Context) (string, error) {
		info, err := os.Stat(path)
		if err == nil && (info.IsDir() || info.Size() > maxTokenFile) {
			err = errors.New("it holds no token")
		}
		var b []byte
		if err == nil {
			b, err = os.ReadFile(path)
		}
		if err != nil {
			return "", fmt.Errorf("read the token file %s (sasl.oauthbearer.token.endpoint.url): %w", path, err)
		}
		return strings.TrimSpace(string(b)), nil
	}
}
