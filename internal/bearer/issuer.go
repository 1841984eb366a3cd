// Package bearer recognises users by the tokens of an OpenID Connect issuer: JSON web tokens
// (RFC 7519) with an asymmetric signature, whose keys the issuer publishes (RFC 7517) and changes
// as it likes. An issuer that cannot be reached stops nobody but those who come with tokens.
package bearer

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/rest/access"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

const (
	// maxDocument bounds what is read of the issuer's documents, in bytes.
	maxDocument = 1 << 20
	// minPause is between two questions for keys: a token with an unknown key costs the issuer at
	// most one question in this time, whoever sends how many.
	minPause = 5 * time.Second
)

// Options are what an Issuer is made of.
type Options struct {
	// Issuer is the issuer's URL as its tokens name it (iss).
	Issuer string
	// Audiences are those of which a token must name one (aud).
	Audiences []string
	// KeysURL is where its keys are; "" asks its discovery document.
	KeysURL string
	// UserClaim and GroupsClaim name the claims; a dot leads into an object, unless the name with
	// the dot exists. Without a GroupsClaim there are no groups.
	UserClaim, GroupsClaim string
	// Skew is how far clocks may differ, Timeout how long the issuer has for an answer, Refresh the
	// age at which keys are asked for again.
	Skew, Timeout, Refresh time.Duration
	// TLS is for the connection to the issuer; nil trusts the system's authorities.
	TLS func() (*tls.Config, error)
	Log *zap.Logger

	now func() time.Time // of tests
}

// Issuer recognises the users of one issuer. It is safe for concurrent use.
type Issuer struct {
	Options
	http *http.Client

	keys atomic.Pointer[[]jose.JSONWebKey] // nil: none were read yet
	last atomic.Pointer[attempt]
	turn chan struct{} // holds one value: whoever has it asks the issuer
}

// attempt is the last time that the issuer was asked.
type attempt struct {
	at  time.Time
	err error
}

// New returns an issuer that has not been asked yet; Run asks it.
func New(o Options) *Issuer {
	if o.now == nil {
		o.now = time.Now
	}
	i := &Issuer{Options: o, turn: make(chan struct{}, 1), http: &http.Client{
		Transport: client.Transport(o.TLS), Timeout: o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	i.turn <- struct{}{}
	return i
}

// Run asks for the keys, until ctx ends: at once, again after Refresh, and after a failure soon.
func (i *Issuer) Run(ctx context.Context) {
	defer i.http.CloseIdleConnections()
	for {
		_ = i.refresh(ctx, 0) // logged
		wait := i.Refresh
		if last := i.last.Load(); last != nil && last.err != nil {
			wait = min(wait, 2*minPause)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// User returns the user of a token. The error is an *api.Error: 401 for a token that is not
// good, 503 when the issuer has not told the keys without which nobody can know.
func (i *Issuer) User(ctx context.Context, token string) (access.User, error) {
	t, err := parse(token)
	if err != nil {
		return access.User{}, refused("%v", err)
	}
	if !i.verified(t) {
		// Its key may be new, or the first keys not be there yet.
		if err := i.refresh(ctx, minPause); err != nil {
			return access.User{}, api.Errorf(http.StatusServiceUnavailable, "The token cannot be checked: the issuer %s does not tell its keys. Try again later.", i.Issuer)
		}
		if !i.verified(t) {
			return access.User{}, refused("its signature is not that of a key of the issuer %s", i.Issuer)
		}
	}
	return i.user(t)
}

func refused(format string, args ...any) error {
	return api.Errorf(http.StatusUnauthorized, "The token is not accepted: "+format+".", args...)
}

func (i *Issuer) verified(t token) bool {
	keys := i.keys.Load()
	if keys == nil {
		return false
	}
	for _, k := range *keys {
		if t.verifiedBy(k) {
			return true
		}
	}
	return false
}

// user checks what a token claims, whose signature is right.
func (i *Issuer) user(t token) (access.User, error) {
	now := i.now()
	issuer, _ := t.claims["iss"].(string)
	expires, hasExpiry := seconds(t.claims["exp"])
	notBefore, hasStart := seconds(t.claims["nbf"])
	switch {
	case issuer != i.Issuer:
		return access.User{}, refused("its issuer is %q, not %s", issuer, i.Issuer)
	case !i.audience(t.claims["aud"]):
		return access.User{}, refused("its audience is none of %s", strings.Join(i.Audiences, ", "))
	case !hasExpiry:
		return access.User{}, refused("it never expires: exp is missing")
	case now.Add(-i.Skew).After(expires):
		return access.User{}, refused("it has expired at %s", expires.UTC().Format(time.RFC3339))
	case hasStart && now.Add(i.Skew).Before(notBefore):
		return access.User{}, refused("it is not good before %s", notBefore.UTC().Format(time.RFC3339))
	}
	name, _ := claim(t.claims, i.UserClaim).(string)
	if strings.TrimSpace(name) == "" {
		return access.User{}, refused("it names no user: the claim %s is missing, or no text", i.UserClaim)
	}
	u := access.User{Name: name, Method: access.Bearer}
	if i.GroupsClaim != "" {
		u.Groups = texts(claim(t.claims, i.GroupsClaim))
	}
	return u, nil
}

func (i *Issuer) audience(claimed any) bool {
	if one, ok := claimed.(string); ok {
		claimed = []any{one}
	}
	list, _ := claimed.([]any)
	for _, a := range list {
		for _, want := range i.Audiences {
			if a == want {
				return true
			}
		}
	}
	return false
}

// refresh reads the keys, unless that was tried within the last pause: then it tells how it
// ended. Of several callers one asks, and the others wait for it.
func (i *Issuer) refresh(ctx context.Context, pause time.Duration) error {
	select {
	case <-i.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { i.turn <- struct{}{} }()
	last := i.last.Load()
	if last != nil && i.now().Sub(last.at) < pause {
		return last.err
	}
	// The question is everybody's: it does not end with the request that caused it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.Timeout)
	defer cancel()
	keys, err := i.fetch(ctx)
	i.last.Store(&attempt{i.now(), err})
	switch {
	case err != nil && (last == nil || last.err == nil):
		i.Log.Error("The issuer of tokens does not tell its keys. Those read before remain; without any, nobody comes in by token. It is tried again.",
			zap.String("issuer", i.Issuer), zap.Bool("keys", i.keys.Load() != nil), zap.Error(err))
	case err == nil && (last == nil || last.err != nil):
		i.Log.Info("The keys of the issuer of tokens were read", zap.String("issuer", i.Issuer), zap.Int("keys", len(keys)))
	}
	if err == nil {
		i.keys.Store(&keys)
	}
	return err
}

// fetch asks the issuer.
func (i *Issuer) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	address := i.KeysURL
	if address == "" {
		var doc struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		discovery := strings.TrimSuffix(i.Issuer, "/") + "/.well-known/openid-configuration"
		if err := i.get(ctx, discovery, &doc); err != nil {
			return nil, err
		}
		if doc.Issuer != i.Issuer {
			return nil, fmt.Errorf("%s is of the issuer %q. Set the issuer to this text, a slash at its end included", discovery, doc.Issuer)
		}
		u, err := url.Parse(doc.Keys)
		if err != nil || u.Host == "" || u.Scheme != "https" && !strings.HasPrefix(i.Issuer, "http://") {
			return nil, fmt.Errorf("%s names %q as the address of its keys, which is no https URL", discovery, doc.Keys)
		}
		address = doc.Keys
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := i.get(ctx, address, &set); err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	var problems []error
	for _, text := range set.Keys {
		k, err := parseKey(text)
		if err != nil {
			problems = append(problems, err) // others may do
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.Join(append([]error{fmt.Errorf("%s has no key that can be used", address)}, problems...)...)
	}
	return keys, nil
}

// get reads a JSON document.
func (i *Issuer) get(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := i.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", address, err)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s answers %s", address, resp.Status)
	case len(text) > maxDocument:
		return fmt.Errorf("%s is larger than %d bytes", address, maxDocument)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s is not the JSON that is expected: %w", address, err)
	}
	return nil
}
