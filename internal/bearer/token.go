package bearer

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// token is a JSON web token in its parts. Nothing of it is true before its signature is verified.
type token struct {
	header    tokenHeader
	claims    map[string]any
	signed    []byte // what the signature is of
	signature []byte
}

// tokenHeader is the part of RFC 7515's header that matters.
type tokenHeader struct {
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Critical  json.RawMessage `json:"crit"`
}

// parse reads the compact form of a token with one of the algorithms that are accepted.
func parse(text string) (token, error) {
	var t token
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return t, errors.New("it is no signed JSON web token")
	}
	header, err1 := decode(parts[0])
	claims, err2 := decode(parts[1])
	signature, err3 := decode(parts[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		return t, errors.New("it is no JSON web token: its parts must be base64 for URLs")
	}
	if json.Unmarshal(header, &t.header) != nil || json.Unmarshal(claims, &t.claims) != nil || t.claims == nil {
		return t, errors.New("it is no JSON web token: header and claims must be JSON objects")
	}
	if _, known := algorithms[t.header.Algorithm]; !known {
		return t, fmt.Errorf("its algorithm is %q; accepted are RS, PS and ES with 256, 384 and 512, and EdDSA", t.header.Algorithm)
	}
	if t.header.Critical != nil {
		return t, errors.New("its header has critical extensions, of which none is known here")
	}
	t.signed, t.signature = []byte(parts[0]+"."+parts[1]), signature
	return t, nil
}

func decode(text string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(text) }

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
