package provider

import (
	"errors"
	"maps"
	"regexp"
	"strings"
	"time"
)

// placeholder is ${provider:path:key} or ${provider:key}; see ConfigTransformer.
var placeholder = regexp.MustCompile(`\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`)

// HasPlaceholder reports whether a value has a placeholder, whoever may resolve it.
func HasPlaceholder(value string) bool { return placeholder.MatchString(value) }

// Result is a resolved map.
type Result struct {
	Props map[string]string
	// TTLs holds the time-to-live of each path that has one.
	TTLs map[string]time.Duration
	// Secrets are the values that were put in, but those that may be logged.
	Secrets []string
}

// MinTTL returns the shortest time after which a value may have changed; ok is false
// when there is none.
func (r Result) MinTTL() (ttl time.Duration, ok bool) {
	for _, t := range r.TTLs {
		if !ok || t < ttl {
			ttl, ok = t, true
		}
	}
	return ttl, ok
}

// Resolve returns props with its placeholders replaced. A placeholder of an unknown
// provider or key stays as it is; values that were put in are not searched again.
// Every path is read once per call. Safe for concurrent use.
func (p Providers) Resolve(props map[string]string) (Result, error) {
	sources := p.Sources(props)
	result := Result{Props: props, TTLs: map[string]time.Duration{}}
	if len(sources) == 0 {
		result.Props = maps.Clone(props)
		return result, nil
	}
	found := map[string]map[string]map[string]string{} // provider, path, key
	for _, s := range sources {
		data, err := p.Get(s)
		if err != nil {
			return Result{}, err
		}
		if data.TTL >= 0 {
			result.TTLs[s.Path] = data.TTL
		}
		if found[s.Provider] == nil {
			found[s.Provider] = map[string]map[string]string{}
		}
		found[s.Provider][s.Path] = data.Values
		for _, k := range s.Keys {
			if v := data.Values[k]; v != "" && !data.Loggable {
				result.Secrets = append(result.Secrets, v)
			}
		}
	}
	result.Props = make(map[string]string, len(props))
	for k, v := range props {
		result.Props[k] = replace(v, found)
	}
	return result, nil
}

func replace(value string, found map[string]map[string]map[string]string) string {
	if !strings.Contains(value, "${") {
		return value
	}
	return placeholder.ReplaceAllStringFunc(value, func(text string) string {
		m := placeholder.FindStringSubmatch(text)
		if v, ok := found[m[1]][m[3]][m[4]]; ok {
			return v
		}
		return text
	})
}

func joinErrors(problems []error) error { return errors.Join(problems...) }
