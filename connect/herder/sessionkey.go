package herder

import (
	"context"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // HmacMD5 is one of the JVM's algorithms
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // HmacSHA1 likewise
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// Signing has the inter.worker.* settings (KIP-507).
type Signing struct {
	KeyAlgorithm string        // inter.worker.key.generation.algorithm
	KeyBytes     int           // inter.worker.key.size / 8; 0: the algorithm's default
	KeyTTL       time.Duration // inter.worker.key.ttl.ms; 0: never rotated by age
	Algorithm    string        // inter.worker.signature.algorithm
	Accepted     []string      // inter.worker.verification.algorithms
}

// macs are the algorithms of the JVM, with the key length its generator uses, in bytes.
var macs = map[string]struct {
	newHash  func() hash.Hash
	keyBytes int
}{
	"HmacMD5":    {md5.New, 64},
	"HmacSHA1":   {sha1.New, 64},
	"HmacSHA224": {sha256.New224, 28},
	"HmacSHA256": {sha256.New, 32},
	"HmacSHA384": {sha512.New384, 48},
	"HmacSHA512": {sha512.New, 64},
}

func (s Signing) keyBytes() int {
	if s.KeyBytes > 0 {
		return s.KeyBytes
	}
	return macs[s.KeyAlgorithm].keyBytes
}

// Sign returns the MAC of a body in base64, "" for an unknown algorithm.
func Sign(algorithm string, key, body []byte) string {
	m, ok := macs[algorithm]
	if !ok {
		return ""
	}
	mac := hmac.New(m.newHash, key)
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// checkSessionKey makes the leader of a sessioned group write a key when there is none,
// when it is of another kind, and again before it gets too old.
func (h *Herder) checkSessionKey() {
	h.keyTimer.Stop()
	if v := h.view.Load(); !v.leader || !v.sessioned || h.stopping {
		return
	}
	key := h.Configs.Snapshot().SessionKey
	switch {
	case key == nil, key.Algorithm != h.Signing.KeyAlgorithm, len(key.Key) != h.Signing.keyBytes():
		h.rotateSessionKey()
	case h.Signing.KeyTTL > 0:
		h.keyTimer.Reset(max(time.Until(key.Created.Add(h.Signing.KeyTTL)), 0))
	}
}

const keyRetry = time.Second

func (h *Herder) rotateSessionKey() {
	if v := h.view.Load(); !v.leader || !v.sessioned || h.stopping || h.rotating {
		return
	}
	h.rotating = true
	key := storage.SessionKey{Key: make([]byte, h.Signing.keyBytes()), Algorithm: h.Signing.KeyAlgorithm, Created: time.Now()}
	rand.Read(key.Key) //nolint:errcheck // never fails
	h.background(h.runCtx, func(ctx context.Context) func() {
		err := h.lead(ctx, "", func() error { return h.Configs.PutSessionKey(ctx, key) })
		return func() {
			h.rotating = false
			if err != nil {
				h.Log.Warn("Failed to write new session key to config topic; it is tried again", zap.Error(err))
				h.keyTimer.Reset(keyRetry)
				return
			}
			h.checkSessionKey() // sets the timer: the store has read the key back
		}
	})
}

// readSignature returns what a request was signed with.
func readSignature(sig api.Signature) (mac []byte, err error) {
	if !knownToJava(sig.Algorithm) {
		return nil, api.Errorf(http.StatusBadRequest, "Algorithm %s not available", sig.Algorithm)
	}
	if mac, err = decodeBase64(sig.MAC); err != nil {
		return nil, api.Errorf(http.StatusBadRequest, "%s", err.Error())
	}
	return mac, nil
}

// verify checks the signature of an internal request, in the JVM's order.
func (h *Herder) verify(sig api.Signature) error {
	if !h.view.Load().sessioned && !h.RequireSignatures {
		return nil
	}
	if !sig.Given && (sig.MAC == "" || sig.Algorithm == "") {
		return api.Errorf(http.StatusBadRequest, "Internal request missing required signature")
	}
	given, err := readSignature(sig)
	if err != nil {
		return err
	}
	m, ok := macs[sig.Algorithm]
	if !ok || !slices.Contains(h.Signing.Accepted, sig.Algorithm) {
		return api.Errorf(http.StatusBadRequest, "This worker does not support the '%s' key signing algorithm used by other workers. "+
			"This worker is currently configured to use: [%s]. Check that all workers' configuration files permit the same set of signature algorithms, "+
			"and correct any misconfigured worker and restart it.", sig.Algorithm, strings.Join(h.Signing.Accepted, ", "))
	}
	key := h.Configs.Snapshot().SessionKey
	if key == nil {
		return api.Errorf(http.StatusServiceUnavailable, "This worker is still starting up and has not been able to read a session key from the config topic yet")
	}
	mac := hmac.New(m.newHash, key.Key)
	mac.Write(sig.Body)
	if !hmac.Equal(mac.Sum(nil), given) {
		return api.Errorf(http.StatusForbidden, "Internal request contained invalid signature.")
	}
	return nil
}
