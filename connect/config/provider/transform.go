package provider

import (
	"errors"
	"maps"
	"regexp"
	"slices"
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
	wanted := map[string]map[string]map[string]bool{} // provider, path, key
	for _, v := range props {
		for _, m := range placeholder.FindAllStringSubmatch(v, -1) {
			name, path, key := m[1], m[3], m[4]
			if p[name] == nil {
				continue
			}
			if wanted[name] == nil {
				wanted[name] = map[string]map[string]bool{}
			}
			if wanted[name][path] == nil {
				wanted[name][path] = map[string]bool{}
			}
			wanted[name][path][key] = true
		}
	}
	result := Result{Props: props, TTLs: map[string]time.Duration{}}
	if len(wanted) == 0 {
		result.Props = maps.Clone(props)
		return result, nil
	}
	found := map[string]map[string]map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		found[name] = map[string]map[string]string{}
		for _, path := range slices.Sorted(maps.Keys(wanted[name])) {
			data, err := p[name].Get(path, slices.Sorted(maps.Keys(wanted[name][path])))
			if err != nil {
				return Result{}, err
			}
			if data.TTL >= 0 {
				result.TTLs[path] = data.TTL
			}
			found[name][path] = data.Values
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
