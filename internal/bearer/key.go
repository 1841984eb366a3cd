package bearer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.Hash
	_ "crypto/sha512" // for crypto.Hash
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// algorithm is how a signature is made (RFC 7518, RFC 8037).
type algorithm struct {
	family string // RS, PS, ES, EdDSA
	hash   crypto.Hash
	curve  elliptic.Curve // of ES
}

// algorithms are those that are accepted. There are none with a shared secret, and not "none".
var algorithms = map[string]algorithm{
	"RS256": {"RS", crypto.SHA256, nil}, "RS384": {"RS", crypto.SHA384, nil}, "RS512": {"RS", crypto.SHA512, nil},
	"PS256": {"PS", crypto.SHA256, nil}, "PS384": {"PS", crypto.SHA384, nil}, "PS512": {"PS", crypto.SHA512, nil},
	"ES256": {"ES", crypto.SHA256, elliptic.P256()}, "ES384": {"ES", crypto.SHA384, elliptic.P384()}, "ES512": {"ES", crypto.SHA512, elliptic.P521()},
	"EdDSA": {"EdDSA", 0, nil},
}

// key is a public key of the issuer.
type key struct {
	id     string
	alg    string // "" does for every algorithm of its kind
	public crypto.PublicKey
}

// minRSA is the length in bits below which RSA keys are refused (RFC 7518, 3.3).
const minRSA = 2048

// parseKey reads a JSON web key for signatures.
func parseKey(text []byte) (key, error) {
	var j struct {
		Kty, Kid, Alg, Use, Crv string
		N, E, X, Y              string
	}
	if err := json.Unmarshal(text, &j); err != nil {
		return key{}, fmt.Errorf("a key is not the JSON that is expected: %w", err)
	}
	k := key{id: j.Kid, alg: j.Alg}
	if j.Use != "" && j.Use != "sig" {
		return k, fmt.Errorf("key %q is not for signatures but for %q", j.Kid, j.Use)
	}
	var err error
	switch j.Kty {
	case "RSA":
		k.public, err = rsaKey(j.N, j.E)
	case "EC":
		k.public, err = ecKey(j.Crv, j.X, j.Y)
	case "OKP":
		var x []byte
		if x, err = decode(j.X); err == nil && (j.Crv != "Ed25519" || len(x) != ed25519.PublicKeySize) {
			err = fmt.Errorf("curve %q is not supported, or its key has the wrong length", j.Crv)
		}
		k.public = ed25519.PublicKey(x)
	default:
		err = fmt.Errorf("type %q is not supported", j.Kty)
	}
	if err != nil {
		return k, fmt.Errorf("key %q: %w", j.Kid, err)
	}
	return k, nil
}

func rsaKey(n, e string) (*rsa.PublicKey, error) {
	modulus, err1 := decode(n)
	exponent, err2 := decode(e)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus)}
	exp := new(big.Int).SetBytes(exponent)
	if k.N.BitLen() < minRSA || !exp.IsInt64() || exp.Int64() < 3 || exp.Int64() >= 1<<31 {
		return nil, fmt.Errorf("RSA with %d bits and the exponent %v is not accepted: at least %d bits", k.N.BitLen(), exp, minRSA)
	}
	k.E = int(exp.Int64())
	return k, nil
}

func ecKey(curve, x, y string) (*ecdsa.PublicKey, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	c, ok := curves[curve]
	if !ok {
		return nil, fmt.Errorf("curve %q is not supported", curve)
	}
	xb, err1 := decode(x)
	yb, err2 := decode(y)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	size := coordinate(c)
	if len(xb) > size || len(yb) > size {
		return nil, errors.New("its coordinates are too long")
	}
	point := make([]byte, 1+2*size)
	point[0] = 4 // uncompressed
	copy(point[1+size-len(xb):], xb)
	copy(point[1+2*size-len(yb):], yb)
	return ecdsa.ParseUncompressedPublicKey(c, point) // checks that it is on the curve
}

// coordinate is the size of a coordinate in bytes.
func coordinate(c elliptic.Curve) int { return (c.Params().BitSize + 7) / 8 }

// verifies tells whether a key has signed a token. The token's algorithm must be one of the
// key's kind, and the key's own if it has one.
func (k key) verifies(t token) bool {
	a := algorithms[t.header.Algorithm]
	if k.alg != "" && k.alg != t.header.Algorithm {
		return false
	}
	var sum []byte
	if a.hash != 0 {
		h := a.hash.New()
		h.Write(t.signed)
		sum = h.Sum(nil)
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		switch a.family {
		case "RS":
			return rsa.VerifyPKCS1v15(public, a.hash, sum, t.signature) == nil
		case "PS":
			return rsa.VerifyPSS(public, a.hash, sum, t.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	case *ecdsa.PublicKey:
		size := coordinate(public.Curve)
		if a.family != "ES" || public.Curve != a.curve || len(t.signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(t.signature[:size]), new(big.Int).SetBytes(t.signature[size:])
		return ecdsa.Verify(public, sum, r, s)
	case ed25519.PublicKey:
		return a.family == "EdDSA" && ed25519.Verify(public, t.signed, t.signature)
	}
	return false
}
