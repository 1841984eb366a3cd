package kafka

import (
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

	"github.com/IBM/sarama"
)

// scramClient is the client side of SCRAM (RFC 5802, RFC 7677) as Kafka uses it:
// no channel binding, no authorisation id. It belongs to one login.
type scramClient struct {
	newHash        func() hash.Hash
	nonce          func() string
	user, password string

	step        int
	clientFirst string // client-first-message-bare
	serverSig   []byte
}

// minScramIterations guards against a server that asks for a cheap hash; Kafka's own minimum.
const minScramIterations = 4096

func newScramClient(mechanism string) *scramClient {
	c := &scramClient{newHash: sha256.New, nonce: randomNonce}
	if mechanism == sarama.SASLTypeSCRAMSHA512 {
		c.newHash = sha512.New
	}
	return c
}

func randomNonce() string { return strings.ToLower(rand.Text()) }

// Begin implements sarama.SCRAMClient.
func (c *scramClient) Begin(user, password, _ string) error {
	c.user, c.password, c.step = user, password, 0
	return nil
}

// Step implements sarama.SCRAMClient: it answers the server's messages in turn.
func (c *scramClient) Step(challenge string) (string, error) {
	c.step++
	switch c.step {
	case 1:
		name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(c.user)
		c.clientFirst = "n=" + name + ",r=" + c.nonce()
		return "n,," + c.clientFirst, nil
	case 2:
		return c.final(challenge)
	case 3:
		return "", c.verify(challenge)
	}
	return "", errors.New("SCRAM: the broker went on after the end")
}

// Done implements sarama.SCRAMClient.
func (c *scramClient) Done() bool { return c.step >= 3 }

func (c *scramClient) final(serverFirst string) (string, error) {
	a := scramAttributes(serverFirst)
	if a['e'] != "" {
		return "", fmt.Errorf("SCRAM: the broker refused the login: %s", a['e'])
	}
	nonce := c.clientFirst[strings.LastIndex(c.clientFirst, ",r=")+3:]
	if !strings.HasPrefix(a['r'], nonce) || len(a['r']) == len(nonce) {
		return "", errors.New("SCRAM: the broker's nonce does not extend ours")
	}
	salt, err := base64.StdEncoding.DecodeString(a['s'])
	if err != nil || len(salt) == 0 {
		return "", errors.New("SCRAM: the broker sent no valid salt")
	}
	iterations, err := strconv.Atoi(a['i'])
	if err != nil || iterations < minScramIterations {
		return "", fmt.Errorf("SCRAM: the broker asks for %q iterations, at least %d are needed", a['i'], minScramIterations)
	}
	salted, err := pbkdf2.Key(c.newHash, c.password, salt, iterations, c.newHash().Size())
	if err != nil {
		return "", fmt.Errorf("SCRAM: derive key: %w", err)
	}
	clientKey := c.mac(salted, "Client Key")
	h := c.newHash()
	h.Write(clientKey)
	withoutProof := "c=biws,r=" + a['r']
	auth := c.clientFirst + "," + serverFirst + "," + withoutProof
	proof := c.mac(h.Sum(nil), auth)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	c.serverSig = c.mac(c.mac(salted, "Server Key"), auth)
	return withoutProof + ",p=" + base64.StdEncoding.EncodeToString(proof), nil
}

func (c *scramClient) verify(serverFinal string) error {
	a := scramAttributes(serverFinal)
	if a['e'] != "" {
		return fmt.Errorf("SCRAM: the broker refused the login: %s", a['e'])
	}
	sig, err := base64.StdEncoding.DecodeString(a['v'])
	if err != nil || !hmac.Equal(sig, c.serverSig) {
		return errors.New("SCRAM: the broker's signature is wrong: it does not know the password")
	}
	return nil
}

func (c *scramClient) mac(key []byte, text string) []byte {
	m := hmac.New(c.newHash, key)
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
