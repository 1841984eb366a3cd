package bearer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is the time of tests.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// login is an issuer in process.
type login struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	keys     []map[string]string
	issuer   string // what discovery claims; "" = the right one
	down     bool
	asked    int // how often for keys
	answer   string
	redirect string
}

func newLogin(t *testing.T, keys ...signer) *login {
	l := &login{t: t}
	l.setKeys(keys...)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case l.redirect != "":
			http.Redirect(w, r, l.redirect, http.StatusFound)
		case l.down:
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/realm/.well-known/openid-configuration":
			issuer := l.issuer
			if issuer == "" {
				issuer = l.URL + "/realm"
			}
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer, l.URL+"/keys")
		case r.URL.Path == "/keys":
			l.asked++
			if l.answer != "" {
				fmt.Fprint(w, l.answer)
				return
			}
			json.NewEncoder(w).Encode(map[string]any{"keys": l.keys}) //nolint:errcheck // a test
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *login) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func (l *login) setKeys(keys ...signer) {
	l.set(func() {
		l.keys = nil
		for _, k := range keys {
			l.keys = append(l.keys, k.public())
		}
	})
}

func (l *login) questions() (n int) {
	l.set(func() { n = l.asked })
	return n
}

// clock is time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (l *login) options(c *clock) Options {
	return Options{Issuer: l.URL + "/realm", Audiences: []string{"connect", "other"}, UserClaim: "sub", GroupsClaim: "groups",
		Skew: 30 * time.Second, Timeout: 5 * time.Second, Refresh: time.Hour, Log: zap.NewNop(), now: c.now}
}

func newIssuer(t *testing.T, o Options) *Issuer {
	i := New(o)
	t.Cleanup(i.http.CloseIdleConnections)
	return i
}

func (l *login) claims(change map[string]any) map[string]any {
	claims := map[string]any{"iss": l.URL + "/realm", "aud": "connect", "sub": "ada", "exp": start.Add(time.Minute).Unix(), "groups": []string{"team-a", "ops"}}
	maps.Copy(claims, change)
	for k, v := range claims {
		if v == nil {
			delete(claims, k)
		}
	}
	return claims
}

// algorithm is how tests make a signature, without the library that verifies them.
type algorithm struct {
	family string // RS, PS, ES, EdDSA
	hash   crypto.Hash
	curve  elliptic.Curve // of ES
}

var signatures = map[string]algorithm{
	"RS256": {"RS", crypto.SHA256, nil}, "RS384": {"RS", crypto.SHA384, nil}, "RS512": {"RS", crypto.SHA512, nil},
	"PS256": {"PS", crypto.SHA256, nil}, "PS384": {"PS", crypto.SHA384, nil}, "PS512": {"PS", crypto.SHA512, nil},
	"ES256": {"ES", crypto.SHA256, elliptic.P256()}, "ES384": {"ES", crypto.SHA384, elliptic.P384()}, "ES512": {"ES", crypto.SHA512, elliptic.P521()},
	"EdDSA": {"EdDSA", 0, nil},
}

// coordinate is the size of a coordinate in bytes.
func coordinate(c elliptic.Curve) int { return (c.Params().BitSize + 7) / 8 }

// signer is a private key of an issuer.
type signer struct {
	id, alg string
	key     crypto.Signer
}

func generate(t *testing.T, id, alg string) signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg[:2] {
	case "RS", "PS":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES":
		key, err = ecdsa.GenerateKey(signatures[alg].curve, rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, alg, key}
}

var b64 = base64.RawURLEncoding.EncodeToString

// public is the key as the issuer publishes it.
func (s signer) public() map[string]string {
	switch k := s.key.Public().(type) {
	case *rsa.PublicKey:
		return map[string]string{"kty": "RSA", "kid": s.id, "use": "sig", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		size := coordinate(k.Curve)
		return map[string]string{"kty": "EC", "kid": s.id, "alg": s.alg, "crv": k.Params().Name, "x": b64(point[1 : 1+size]), "y": b64(point[1+size:])}
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "kid": s.id, "crv": "Ed25519", "x": b64(k)}
	}
	panic("no key")
}

// sign makes a token with any header.
func (s signer) sign(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	h, err1 := json.Marshal(header)
	c, err2 := json.Marshal(claims)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	text := b64(h) + "." + b64(c)
	a := signatures[s.alg]
	sum := []byte(text)
	if a.hash != 0 {
		hash := a.hash.New()
		hash.Write(sum)
		sum = hash.Sum(nil)
	}
	var signature []byte
	var err error
	switch a.family {
	case "PS":
		signature, err = s.key.Sign(rand.Reader, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash})
	case "ES":
		k := s.key.(*ecdsa.PrivateKey)
		var r, v *big.Int
		r, v, err = ecdsa.Sign(rand.Reader, k, sum)
		if err == nil {
			size := coordinate(k.Curve)
			signature = append(r.FillBytes(make([]byte, size)), v.FillBytes(make([]byte, size))...)
		}
	default:
		signature, err = s.key.Sign(rand.Reader, sum, a.hash)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(signature)
}

func (s signer) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	return s.sign(t, map[string]any{"alg": s.alg, "kid": s.id, "typ": "JWT"}, claims)
}

// hmacToken is signed with a secret that everybody knows.
func hmacToken(claims map[string]any, alg string, secret []byte) string {
	h, _ := json.Marshal(map[string]string{"alg": alg, "kid": "k"})
	c, _ := json.Marshal(claims)
	text := b64(h) + "." + b64(c)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + b64(mac.Sum(nil))
}
