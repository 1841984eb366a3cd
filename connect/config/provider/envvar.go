package provider

import (
	"os"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/javaregex"
)

// EnvVar reads environment variables (Java: EnvVarConfigProvider).
type EnvVar struct {
	pattern  *javaregex.Regex // nil allows all names
	loggable bool
	// Lookup replaces os.LookupEnv; for embedding and tests.
	Lookup func(name string) (string, bool)
}

// Configure takes allowlist.pattern, a regular expression that must match the whole
// name of a variable.
func (e *EnvVar) Configure(params map[string]string) error {
	if e.Lookup == nil {
		e.Lookup = os.LookupEnv
	}
	var err error
	if e.loggable, err = parseLoggable(params); err != nil {
		return err
	}
	text, given := params["allowlist.pattern"]
	if !given {
		return nil
	}
	pattern, err := javaregex.Compile(text)
	if err != nil {
		return config.Invalid("allowlist.pattern", text, "Invalid regex: "+err.Error())
	}
	e.pattern = pattern
	return nil
}

// Get returns the named variables; there are no paths.
func (e *EnvVar) Get(path string, keys []string) (Data, error) {
	if path != "" {
		return Data{}, &config.Error{Msg: "Path is not supported for EnvVarConfigProvider, invalid value '" + path +
			"': write ${provider:VARIABLE}, without a path"}
	}
	data := Data{Values: map[string]string{}, TTL: NoTTL, Loggable: e.loggable}
	for _, k := range keys {
		if e.pattern != nil && !e.pattern.MatchFull(k) {
			continue
		}
		if v, ok := e.Lookup(k); ok {
			data.Values[k] = v
		}
	}
	return data, nil
}

// Close does nothing.
func (e *EnvVar) Close() error { return nil }
