package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// PassHeader carries a Pass.
const PassHeader = "X-Penstock-Pass"

// Pass is what a worker vouches for when it sends a request to another one: who sent it, or that
// the worker itself asks. It is signed with a key derived from the group's session key (KIP-507),
// which all workers know and nobody else, and is good for that one request.
type Pass struct {
	User
	Remote    string `json:"remote,omitempty"` // address of the client at the first worker
	From      string `json:"from"`             // URL of the worker that sends it
	RequestID string `json:"id,omitempty"`     // that of the first worker's audit line

	Body    string `json:"body"`    // SHA-256 of the request's body, in hexadecimal
	Sent    int64  `json:"sent"`    // ms since the epoch
	KeyTime int64  `json:"keyTime"` // when the session key was made: which one it is
}

// Key is a session key.
type Key struct {
	Secret  []byte
	Created time.Time
}

// passLife is for how long a pass is good, counted in both directions: clocks differ.
const passLife = 5 * time.Minute

// Errors of a pass.
var (
	// ErrOtherKey: it was signed with a session key that this worker does not have, or no longer.
	ErrOtherKey = errors.New("the request was signed with another session key than this worker has at present. Send it again")
	// ErrBadPass: the worker that sent it cannot be believed.
	ErrBadPass = errors.New("the signature of a request between workers is wrong")
)

// Sign fills in Body, Sent and KeyTime and returns the header's value for a request. target is
// path and query as they are sent.
func (p Pass) Sign(key Key, method, target string, body []byte, now time.Time) (string, error) {
	p.Body, p.Sent, p.KeyTime = Digest(body), now.UnixMilli(), key.Created.UnixMilli()
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("write the pass of %v as JSON: %w", p.User, err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode(text) + "." + encode(passMAC(key, method, target, text)), nil
}

// OpenPass checks a header's value for a request. Who has the body must compare its Digest with
// that of the pass before he acts on it.
func OpenPass(value string, key Key, method, target string, now time.Time) (Pass, error) {
	var p Pass
	encoded, encodedMAC, _ := strings.Cut(value, ".")
	text, err1 := base64.RawURLEncoding.DecodeString(encoded)
	mac, err2 := base64.RawURLEncoding.DecodeString(encodedMAC)
	if err1 != nil || err2 != nil || json.Unmarshal(text, &p) != nil {
		return Pass{}, ErrBadPass
	}
	// Nothing of p is believed before the signature is right, but for the error.
	switch {
	case !hmac.Equal(mac, passMAC(key, method, target, text)) && p.KeyTime != key.Created.UnixMilli():
		return Pass{}, ErrOtherKey
	case !hmac.Equal(mac, passMAC(key, method, target, text)):
		return Pass{}, ErrBadPass
	}
	if age := now.Sub(time.UnixMilli(p.Sent)); age.Abs() > passLife {
		return Pass{}, fmt.Errorf("a request between workers was signed %v ago by its worker's clock; at most %v are accepted. Set the clocks of the workers: %w",
			age.Round(time.Second), passLife, ErrBadPass)
	}
	return p, nil
}

// Digest is that of a body.
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// passMAC signs with a key of its own: the session key itself signs bodies of internal requests,
// and neither signature must ever pass for the other.
func passMAC(key Key, method, target string, text []byte) []byte {
	derive := hmac.New(sha256.New, key.Secret)
	derive.Write([]byte("penstock: a worker vouches for a request"))
	mac := hmac.New(sha256.New, derive.Sum(nil))
	mac.Write(bytes.Join([][]byte{[]byte(method), []byte(target), text}, []byte{'\n'}))
	return mac.Sum(nil)
}
