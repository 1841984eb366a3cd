package sasl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// TokenSource fetches a token, one attempt. A *Refusal is not tried again. It is called by one
// goroutine at a time.
type TokenSource func(ctx context.Context) (string, error)

// OAuthOptions say how to log in with OAUTHBEARER (RFC 7628). Names are those of Java's properties.
type OAuthOptions struct {
	Source       TokenSource
	Extensions   map[string]string // SASL extensions, sent with the token
	SubjectClaim string            // sasl.oauthbearer.sub.claim.name

	RefreshFactor, RefreshJitter float64       // sasl.login.refresh.window.*
	RefreshMin                   time.Duration // sasl.login.refresh.min.period.seconds
	RefreshBuffer                time.Duration // sasl.login.refresh.buffer.seconds
	RetryBackoff, RetryMax       time.Duration // sasl.login.retry.backoff.*
}

// OAuthBearer is the mechanism OAUTHBEARER: it holds one token, which it renews in the
// background when a connection asks for it in its last part of life, so that nobody waits
// (Java: ExpiringCredentialRefreshingLogin). A renewal that fails is tried again later; until it
// has expired the old token serves.
type OAuthBearer struct {
	o      OAuthOptions
	log    *zap.Logger
	ctx    context.Context //nolint:containedctx // the life of renewals, ended by Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	turn chan struct{} // held by who fetches a token

	mu        sync.Mutex
	current   token // zero: none yet
	refreshAt time.Time
	renewing  bool
	closed    bool
}

// NewOAuthBearer returns the mechanism; the first token is fetched for the first connection.
func NewOAuthBearer(o OAuthOptions, log *zap.Logger) *OAuthBearer {
	ctx, cancel := context.WithCancel(context.Background())
	return &OAuthBearer{o: o, log: log, ctx: ctx, cancel: cancel, turn: make(chan struct{}, 1)}
}

// Name implements Mechanism.
func (*OAuthBearer) Name() string { return "OAUTHBEARER" }

// Principal implements Mechanism.
func (m *OAuthBearer) Principal() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current.subject == "" {
		return ""
	}
	return "User:" + m.current.subject
}

// Close implements Mechanism: it ends a renewal and waits for it.
func (m *OAuthBearer) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.wg.Wait()
}

// Start implements Mechanism.
func (m *OAuthBearer) Start(ctx context.Context, _ string) (Exchange, error) {
	t, err := m.token(ctx)
	if err != nil {
		return nil, err
	}
	return &oauthExchange{first: firstMessage(t.text, m.o.Extensions)}, nil
}

func firstMessage(token string, extensions map[string]string) []byte {
	var b strings.Builder
	b.WriteString("n,,\x01auth=Bearer " + token)
	for _, name := range slices.Sorted(maps.Keys(extensions)) {
		b.WriteString("\x01" + name + "=" + extensions[name])
	}
	b.WriteString("\x01\x01")
	return []byte(b.String())
}

// oauthExchange sends the token, and a farewell when it is refused.
type oauthExchange struct {
	first []byte
	sent  bool
	cause string // the broker's first words
}

// Step implements Exchange.
func (x *oauthExchange) Step(challenge []byte) (answer []byte, done bool, err error) {
	switch {
	case !x.sent:
		x.sent = true
		return x.first, false, nil
	case len(challenge) == 0:
		return nil, true, nil
	case x.cause != "": // the broker should have ended the exchange
		return nil, true, refuse("the broker refused the token: %s", x.cause)
	}
	x.cause = string(challenge[:min(len(challenge), 200)])
	var status struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(challenge, &status) == nil && status.Status != "" {
		x.cause = status.Status
	}
	return []byte{1}, false, nil // RFC 7628, 3.2.3; the broker's answer to it is the error
}

// token returns a valid token, fetched now if there is none.
func (m *OAuthBearer) token(ctx context.Context) (token, error) {
	if t, ok := m.known(time.Now()); ok {
		return t, nil
	}
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return token{}, context.Cause(ctx)
	}
	defer func() { <-m.turn }()
	if t, ok := m.known(time.Now()); ok { // another connection has fetched it meanwhile
		return t, nil
	}
	return m.login(ctx)
}

// known returns the current token while it is valid, and has it renewed when that is due.
func (m *OAuthBearer) known(now time.Time) (token, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.current
	if t.text == "" || !now.Before(t.expires) {
		return token{}, false
	}
	if !now.Before(m.refreshAt) && !m.renewing && !m.closed {
		m.renewing = true
		m.wg.Go(m.renew)
	}
	return t, true
}

// renewPause is the time after a renewal that failed (Java: ten seconds).
const renewPause = 10 * time.Second

// renew fetches the next token while the present one serves.
func (m *OAuthBearer) renew() {
	t, err := m.fetch(m.ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.renewing = false
	if err == nil {
		m.takeLocked(t)
		return
	}
	m.refreshAt = time.Now().Add(renewPause)
	if m.ctx.Err() == nil {
		m.log.Warn("the OAUTHBEARER token could not be renewed; the present one serves on",
			zap.Time("expires", m.current.expires), zap.Duration("next try after", renewPause), zap.Error(err))
	}
}

// login fetches a token when there is none, with pauses between attempts for up to
// sasl.login.retry.backoff.max.ms (Java: Retry). The caller has the turn.
func (m *OAuthBearer) login(ctx context.Context) (token, error) {
	end := time.Now().Add(m.o.RetryMax)
	pause := m.o.RetryBackoff
	for {
		t, err := m.fetch(ctx)
		var refusal *Refusal
		switch {
		case err == nil:
			m.mu.Lock()
			defer m.mu.Unlock()
			m.takeLocked(t)
			return t, nil
		case ctx.Err() != nil:
			return token{}, context.Cause(ctx)
		case errors.As(err, &refusal), !time.Now().Add(pause).Before(end):
			return token{}, err
		}
		m.log.Debug("fetching an OAUTHBEARER token failed, trying again", zap.Error(err))
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return token{}, context.Cause(ctx)
		}
		pause = min(2*pause, m.o.RetryMax)
	}
}

// fetch makes one attempt.
func (m *OAuthBearer) fetch(ctx context.Context) (token, error) {
	text, err := m.o.Source(ctx)
	if err != nil {
		return token{}, err
	}
	t, err := parseToken(text, m.o.SubjectClaim)
	if err != nil {
		return token{}, &Refusal{Msg: "the token for OAUTHBEARER cannot be used", Err: err}
	}
	if now := time.Now(); !now.Before(t.expires) {
		// A file may be replaced by the next attempt, and a clock be put right.
		return token{}, fmt.Errorf("the token for OAUTHBEARER expired at %s, it is %s now. Check the clocks, and who writes the token",
			t.expires.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return t, nil
}

func (m *OAuthBearer) takeLocked(t token) {
	m.current, m.refreshAt = t, m.refreshTime(t, time.Now(), rand.Float64())
	m.log.Debug("OAUTHBEARER token fetched", zap.String("subject", t.subject), zap.Time("expires", t.expires), zap.Time("renewed after", m.refreshAt))
}

// refreshTime is when a token is to be renewed: at a share of its life, not later than the
// buffer before its end, nor earlier than the shortest period from now. A life too short for
// both leaves the share (Java: ExpiringCredentialRefreshingLogin.refreshMs). random is in [0,1).
func (m *OAuthBearer) refreshTime(t token, now time.Time, random float64) time.Time {
	share := m.o.RefreshFactor + m.o.RefreshJitter*random
	start := t.start
	if start.IsZero() || start.After(now) {
		start = now
	}
	at := start.Add(time.Duration(float64(t.expires.Sub(start)) * share))
	earliest, latest := now.Add(m.o.RefreshMin), t.expires.Add(-m.o.RefreshBuffer)
	if earliest.After(latest) {
		return now.Add(time.Duration(float64(t.expires.Sub(now)) * share))
	}
	if at.After(latest) {
		at = latest
	}
	if at.Before(earliest) {
		at = earliest
	}
	return at
}
