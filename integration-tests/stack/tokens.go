package stack

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Issuer is an identity provider: it makes signed tokens for clients that know their secret
// (client credentials grant), and tells its public key. Safe for concurrent use.
type Issuer struct {
	Audience string
	Secrets  map[string]string // by client id, which becomes the token's subject
	Life     time.Duration

	key    *rsa.PrivateKey
	issued atomic.Int64
}

const issuerKeyID = "one"

// NewIssuer makes a key.
func NewIssuer(audience string, secrets map[string]string, life time.Duration) (*Issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return &Issuer{Audience: audience, Secrets: secrets, Life: life, key: key}, err
}

// Issued counts the tokens that were made.
func (i *Issuer) Issued() int64 { return i.issued.Load() }

// JWKS returns the public key as brokers read it (RFC 7517).
func (i *Issuer) JWKS() string {
	var e [4]byte
	binary.BigEndian.PutUint32(e[:], uint32(i.key.E))
	return fmt.Sprintf(`{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":%q,"n":%q,"e":%q}]}`, issuerKeyID,
		base64.RawURLEncoding.EncodeToString(i.key.N.Bytes()), base64.RawURLEncoding.EncodeToString(e[1:]))
}

// Token makes a token for a subject.
func (i *Issuer) Token(subject string) (string, error) {
	now := time.Now()
	payload, err := json.Marshal(map[string]any{"sub": subject, "aud": i.Audience, "iss": "penstock", "iat": now.Unix(), "exp": now.Add(i.Life).Unix(), "scope": "kafka"})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256","typ":"JWT","kid":"`+issuerKeyID+`"}`)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", err
	}
	i.issued.Add(1)
	return text + "." + encode(signature), nil
}

// ServeHTTP is the token endpoint.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	w.Header().Set("Content-Type", "application/json")
	if want, known := i.Secrets[id]; !known || want != secret || r.FormValue("grant_type") != "client_credentials" {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_client","error_description":"Invalid client or Invalid client credentials"}`)
		return
	}
	token, err := i.Token(id)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, token, int(i.Life.Seconds()))
}
