package bearer

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that are accepted. There are none with a shared secret, and not "none".
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// minRSA is the length in bits below which RSA keys are refused (RFC 7518, 3.3).
const minRSA = 2048

// parseKey reads a public JSON web key for signatures.
func parseKey(text []byte) (jose.JSONWebKey, error) {
	var k jose.JSONWebKey
	if err := json.Unmarshal(text, &k); err != nil {
		return k, fmt.Errorf("a key cannot be read: %w", err)
	}
	if k.Use != "" && k.Use != "sig" {
		return k, fmt.Errorf("key %q is not for signatures but for %q", k.KeyID, k.Use)
	}
	switch public := k.Key.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSA {
			return k, fmt.Errorf("key %q: RSA with %d bits is not accepted: at least %d bits", k.KeyID, public.N.BitLen(), minRSA)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return k, fmt.Errorf("key %q: a %T is no public key for signatures", k.KeyID, k.Key)
	}
	return k, nil
}
