package bearer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// token is a JSON web token. Nothing of it is true before its signature is verified.
type token struct {
	signed *jose.JSONWebSignature
	header jose.Header
	claims map[string]any
}

// parse reads the compact form of a token with one of the algorithms that are accepted.
func parse(text string) (token, error) {
	signed, err := jose.ParseSignedCompact(text, algorithms)
	var algorithm *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &algorithm):
		return token{}, fmt.Errorf("its algorithm is %q; accepted are RS, PS and ES with 256, 384 and 512, and EdDSA", algorithm.Got)
	case err != nil || len(signed.Signatures) != 1:
		return token{}, errors.New("it is no signed JSON web token")
	}
	t := token{signed: signed, header: signed.Signatures[0].Protected}
	if json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &t.claims) != nil || t.claims == nil {
		return t, errors.New("it is no JSON web token: its claims must be a JSON object")
	}
	return t, nil
}

// verifiedBy tells whether a key has signed a token. The token's algorithm must be one of the
// key's kind, and the key's own if it has one.
func (t token) verifiedBy(k jose.JSONWebKey) bool {
	if k.Algorithm != "" && k.Algorithm != t.header.Algorithm || t.header.KeyID != "" && t.header.KeyID != k.KeyID {
		return false
	}
	_, err := t.signed.Verify(k.Key)
	return err == nil
}

// seconds reads a NumericDate.
func seconds(v any) (time.Time, bool) {
	n, ok := v.(float64)
	if !ok || math.Abs(n) > 1<<40 {
		return time.Time{}, false
	}
	whole, part := math.Modf(n)
	return time.Unix(int64(whole), int64(part*1e9)), true
}

// claim finds a claim by its name or, if there is none of that name, by a path with dots.
func claim(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	first, rest, found := strings.Cut(name, ".")
	if !found {
		return nil
	}
	below, _ := claims[first].(map[string]any)
	return claim(below, rest)
}

// texts are those of a list, or the words of a text, as in a scope.
func texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		for _, item := range v {
			if text, ok := item.(string); ok && text != "" {
				all = append(all, text)
			}
		}
	}
	return all
}
