package provider

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/config"
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

// maxResolved bounds the bytes that the placeholders of one config stand for, all together:
// each of many may name the same large value.
const maxResolved = 64 << 20

func errTooMuch(where string) error {
	return &config.Error{Msg: fmt.Sprintf("The placeholders of the configuration stand for more than %d MiB in all, up to and including %s. "+
		"Use fewer placeholders, or ones with smaller values.", maxResolved>>20, where)}
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
	in := insertion{found: map[string]map[string]map[string]string{}}
	read := 0
	for _, s := range sources {
		data, err := p.Get(s)
		if err != nil {
			return Result{}, err
		}
		if data.TTL >= 0 {
			result.TTLs[s.Path] = data.TTL
		}
		if in.found[s.Provider] == nil {
			in.found[s.Provider] = map[string]map[string]string{}
		}
		in.found[s.Provider][s.Path] = data.Values
		for _, k := range s.Keys {
			if read += len(data.Values[k]); read > maxResolved {
				return Result{}, errTooMuch("${" + s.Provider + ":" + s.Path + ":" + k + "}")
			}
			if v := data.Values[k]; v != "" && !data.Loggable {
				result.Secrets = append(result.Secrets, v)
			}
		}
	}
	result.Props = make(map[string]string, len(props))
	for _, k := range slices.Sorted(maps.Keys(props)) {
		if result.Props[k] = in.replace(props[k]); in.size > maxResolved {
			return Result{}, errTooMuch("the key " + k)
		}
	}
	return result, nil
}

// insertion puts values in the place of placeholders.
type insertion struct {
	found map[string]map[string]map[string]string // provider, path, key
	size  int                                     // of what was put in, in bytes
}

func (in *insertion) replace(value string) string {
	if !strings.Contains(value, "${") {
		return value
	}
	return placeholder.ReplaceAllStringFunc(value, func(text string) string {
		m := placeholder.FindStringSubmatch(text)
		v, ok := in.found[m[1]][m[3]][m[4]]
		if !ok {
			return text
		}
		if in.size += len(v); in.size > maxResolved {
			return "" // the whole is refused: it shall not grow any more
		}
		return v
	})
}

func joinErrors(problems []error) error { return errors.Join(problems...) }
