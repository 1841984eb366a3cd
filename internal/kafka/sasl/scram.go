package sasl

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// Names of the SCRAM mechanisms.
const (
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// Scram is SCRAM (RFC 5802, RFC 7677) as Kafka uses it: no channel binding, no authorisation id.
type Scram struct {
	Mechanism      string // ScramSHA256 or ScramSHA512
	User, Password string
	// Token: user and password are the id and the HMAC of a delegation token (KIP-48).
	Token bool
}

// Name implements Mechanism.
func (s *Scram) Name() string { return s.Mechanism }

// Principal implements Mechanism. A delegation token does not tell whose it is.
func (s *Scram) Principal() string {
	if s.Token {
		return ""
	}
	return "User:" + s.User
}

// Close implements Mechanism.
func (*Scram) Close() {}

// Start implements Mechanism.
func (s *Scram) Start(context.Context, string) (Exchange, error) {
	return newScramExchange(s, strings.ToLower(rand.Text())), nil
}

// scramExchange is the client side of one login.
type scramExchange struct {
	settings *Scram
	newHash  func() hash.Hash
	nonce    string

	step        int
	clientFirst string // client-first-message-bare
	serverSig   []byte
}

const (
	// minScramIterations guards against a server that asks for a cheap hash; Kafka's own minimum.
	minScramIterations = 4096
	// maxScramIterations guards against one that asks for hours of work, which nothing can call
	// off: this many take about a second. Users may have 16,384 (KIP-554).
	maxScramIterations = 1_000_000
)

func newScramExchange(s *Scram, nonce string) *scramExchange {
	x := &scramExchange{settings: s, newHash: sha256.New, nonce: nonce}
	if s.Mechanism == ScramSHA512 {
		x.newHash = sha512.New
	}
	return x
}

// Step implements Exchange.
func (x *scramExchange) Step(challenge []byte) (answer []byte, done bool, err error) {
	x.step++
	switch x.step {
	case 1:
		name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(x.settings.User)
		x.clientFirst = "n=" + name + ",r=" + x.nonce
		if x.settings.Token {
			x.clientFirst += ",tokenauth=true"
		}
		return []byte("n,," + x.clientFirst), false, nil
	case 2:
		answer, err = x.final(string(challenge))
		return answer, false, err
	}
	return nil, true, x.verify(string(challenge))
}

func (x *scramExchange) final(serverFirst string) ([]byte, error) {
	a := scramAttributes(serverFirst)
	if a['e'] != "" {
		return nil, refuse("SCRAM: the broker refused the login: %s", a['e'])
	}
	if !strings.HasPrefix(a['r'], x.nonce) || len(a['r']) == len(x.nonce) {
		return nil, errors.New("SCRAM: the broker's nonce does not extend ours")
	}
	salt, err := base64.StdEncoding.DecodeString(a['s'])
	if err != nil || len(salt) == 0 {
		return nil, errors.New("SCRAM: the broker sent no valid salt")
	}
	iterations, err := strconv.Atoi(a['i'])
	if err != nil || iterations < minScramIterations {
		return nil, refuse("SCRAM: the broker asks for %q iterations, at least %d are needed", a['i'], minScramIterations)
	}
	if iterations > maxScramIterations {
		return nil, refuse("SCRAM: the broker asks for %d iterations, more than %d are not done. Check that bootstrap.servers is your broker, and give the user fewer iterations",
			iterations, maxScramIterations)
	}
	salted, err := pbkdf2.Key(x.newHash, x.settings.Password, salt, iterations, x.newHash().Size())
	if err != nil {
		return nil, fmt.Errorf("SCRAM: derive key: %w", err)
	}
	clientKey := x.mac(salted, "Client Key")
	h := x.newHash()
	h.Write(clientKey)
	withoutProof := "c=biws,r=" + a['r']
	auth := x.clientFirst + "," + serverFirst + "," + withoutProof
	proof := x.mac(h.Sum(nil), auth)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	x.serverSig = x.mac(x.mac(salted, "Server Key"), auth)
	return []byte(withoutProof + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

func (x *scramExchange) verify(serverFinal string) error {
	a := scramAttributes(serverFinal)
	if a['e'] != "" {
		return refuse("SCRAM: the broker refused the login: %s", a['e'])
	}
	sig, err := base64.StdEncoding.DecodeString(a['v'])
	if err != nil || !hmac.Equal(sig, x.serverSig) {
		return refuse("SCRAM: the broker's signature is wrong: it does not know the password")
	}
	return nil
}

func (x *scramExchange) mac(key []byte, text string) []byte {
	m := hmac.New(x.newHash, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// scramAttributes splits "k=value,k=value".
func scramAttributes(msg string) map[byte]string {
	out := map[byte]string{}
	for f := range strings.SplitSeq(msg, ",") {
		if len(f) >= 2 && f[1] == '=' {
			out[f[0]] = f[2:]
		}
	}
	return out
}
