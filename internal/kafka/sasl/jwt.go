package sasl

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// token is a JSON web token, with what a client looks at: it cannot and need not check the
// signature.
type token struct {
	text    string
	subject string
	start   time.Time // iat; zero if the token does not tell
	expires time.Time
}

// parseToken takes out the claims that a client needs and demands (Java: ClientJwtValidator).
// subject is the name of the claim that holds it. No error shows the token.
func parseToken(text, subject string) (token, error) {
	t := token{text: strings.TrimSpace(text)}
	parts := strings.Split(t.text, ".")
	if len(parts) != 3 {
		return t, errors.New("Malformed JWT provided; expected three sections (header, payload, and signature)") //nolint:staticcheck // Java's wording
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return t, errors.New("Could not validate the access token: the payload is no base64url") //nolint:staticcheck // Java's wording
	}
	var claims map[string]any
	if json.Unmarshal(payload, &claims) != nil { // its error would quote the token
		return t, errors.New("Could not validate the access token: the payload is no JSON object") //nolint:staticcheck // Java's wording
	}
	var ok bool
	if t.subject, ok = claims[subject].(string); !ok || t.subject == "" {
		return t, errors.New("Could not validate the access token: the claim " + subject + " is missing or no text (sasl.oauthbearer.sub.claim.name)") //nolint:staticcheck // Java's wording
	}
	if t.expires, ok = seconds(claims["exp"]); !ok {
		return t, errors.New("Could not validate the access token: the claim exp is missing or no number") //nolint:staticcheck // Java's wording
	}
	t.start, _ = seconds(claims["iat"])
	return t, nil
}

// seconds reads a NumericDate, which may have a fraction.
func seconds(claim any) (time.Time, bool) {
	n, ok := claim.(float64)
	if !ok || n < 0 || n > 1<<40 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(n * 1000)), true
}
