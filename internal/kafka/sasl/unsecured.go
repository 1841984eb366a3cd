package sasl

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Unsecured makes tokens without signature, which only brokers for tests take (Java:
// OAuthBearerUnsecuredLoginCallbackHandler). Names are those of the JAAS options.
type Unsecured struct {
	Claims   map[string]any // all but exp and iat
	Lifetime time.Duration  // unsecuredLoginLifetimeSeconds
}

// Options of OAuthBearerLoginModule for tokens without signature.
const (
	unsecuredPrefix    = "unsecuredLogin"
	unsecuredString    = unsecuredPrefix + "StringClaim_"
	unsecuredNumber    = unsecuredPrefix + "NumberClaim_"
	unsecuredList      = unsecuredPrefix + "ListClaim_"
	unsecuredExtension = unsecuredPrefix + "Extension_"
	unsecuredLifetime  = unsecuredPrefix + "LifetimeSeconds"
	unsecuredPrincipal = unsecuredPrefix + "PrincipalClaimName"
)

// ReadUnsecured reads the options of a JAAS entry. subject is the claim that names the
// principal, extensions what goes with the token.
func ReadUnsecured(options map[string]string) (u Unsecured, subject string, extensions map[string]string, err error) {
	u, subject = Unsecured{Claims: map[string]any{}, Lifetime: time.Hour}, "sub"
	extensions = map[string]string{}
	for name, value := range options {
		claim := name[strings.Index(name, "_")+1:]
		switch {
		case name == unsecuredPrincipal:
			subject = value
		case name == unsecuredLifetime:
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil || n <= 0 {
				return u, "", nil, fmt.Errorf("the option %s is no positive number of seconds", name)
			}
			u.Lifetime = time.Duration(n) * time.Second
		case strings.HasPrefix(name, unsecuredExtension):
			extensions[claim] = value
		case strings.HasPrefix(name, unsecuredString), strings.HasPrefix(name, unsecuredNumber), strings.HasPrefix(name, unsecuredList):
			if claim == "iat" || claim == "exp" {
				return u, "", nil, fmt.Errorf("Cannot explicitly set the '%s' claim", claim) //nolint:staticcheck // Java's wording
			}
			if u.Claims[claim], err = claimValue(name, value); err != nil {
				return u, "", nil, err
			}
		}
	}
	if _, ok := u.Claims[subject].(string); !ok {
		return u, "", nil, fmt.Errorf("the option %s%s is missing, which names the principal."+
			" For tokens of an identity provider set sasl.oauthbearer.token.endpoint.url", unsecuredString, subject)
	}
	return u, subject, extensions, nil
}

// claimValue reads a text, a number, or a list whose first character separates the items.
func claimValue(name, value string) (any, error) {
	switch {
	case strings.HasPrefix(name, unsecuredNumber):
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("the option %s is no number", name)
		}
		return n, nil
	case strings.HasPrefix(name, unsecuredList):
		if value == "" {
			return []string{}, nil
		}
		return strings.Split(value[1:], value[:1]), nil
	}
	return value, nil
}

// Source returns the source of tokens.
func (u Unsecured) Source() TokenSource {
	return func(context.Context) (string, error) {
		now := time.Now()
		claims := map[string]any{"iat": float64(now.UnixMilli()) / 1000, "exp": float64(now.Add(u.Lifetime).UnixMilli()) / 1000}
		for name, v := range u.Claims {
			claims[name] = v
		}
		payload, err := json.Marshal(claims)
		if err != nil {
			return "", err
		}
		encode := base64.RawURLEncoding.EncodeToString
		return encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + ".", nil
	}
}
