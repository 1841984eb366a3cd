package provider

import (
	"fmt"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/config"
)

// NoTTL is the TTL of values that do not expire.
const NoTTL time.Duration = -1

// Data is what a provider knows of one path.
type Data struct {
	Values map[string]string
	// TTL is how long the values are good: after it what uses them is started again, as in
	// the JVM. Negative = for ever.
	TTL time.Duration
	// CheckEvery is how often the values are worth a look: when one has changed, what uses it
	// is started again. 0 = never.
	CheckEvery time.Duration
	// Loggable values are no secrets: they may stand in logs and error texts.
	Loggable bool
}

// Provider looks up values by path and key. Configure is called once; Get is then safe
// for concurrent use.
type Provider interface {
	Configure(params map[string]string) error
	// Get returns the values of those of the keys that exist. An error ends the whole
	// resolution; a key that is not found leaves its placeholder as it is. CheckEvery counts
	// along with an error, too.
	Get(path string, keys []string) (Data, error)
	Close() error
}

// The parameters that the built-in providers have beyond the JVM's, which ignores them.
const (
	// TTLParam is how often files are looked at for changed values, in milliseconds, at least
	// 100; without it they are read only when something is started.
	TTLParam = "ttl.ms"
	// LogParam = true tells that a provider's values are no secrets.
	LogParam = "log.values"
)

// The Java classes of the providers that are built in.
const (
	FileClass      = "org.apache.kafka.common.config.provider.FileConfigProvider"
	DirectoryClass = "org.apache.kafka.common.config.provider.DirectoryConfigProvider"
	EnvVarClass    = "org.apache.kafka.common.config.provider.EnvVarConfigProvider"
)

// Builtin returns the factories of the built-in providers by Java class name. warn, which
// may be nil, is told why a path has no values.
func Builtin(warn func(msg string)) map[string]func() Provider {
	return map[string]func() Provider{
		FileClass:      func() Provider { return &File{files{warn: warn}} },
		DirectoryClass: func() Provider { return &Directory{files{warn: warn}} },
		EnvVarClass:    func() Provider { return &EnvVar{} },
	}
}

// Providers are configured providers by the name that placeholders use.
type Providers map[string]Provider

// FromProps makes the providers that config.providers lists. newProvider returns a
// provider by class name or alias, or false. A listed provider without a class is
// ignored. All problems are returned together; then no provider stays open.
func FromProps(props map[string]string, newProvider func(class string) (Provider, bool)) (Providers, error) {
	providers := Providers{}
	var problems []error
	for _, name := range config.ParseList(props["config.providers"]) {
		prefix := "config.providers." + name + "."
		class, given := props[prefix+"class"]
		if _, again := providers[name]; again || !given {
			continue
		}
		p, ok := newProvider(strings.TrimSpace(class))
		if !ok {
			problems = append(problems, config.Invalid(prefix+"class", class,
				"Could not load config provider class or one of its dependencies. "+
					"Penstock has FileConfigProvider, DirectoryConfigProvider and EnvVarConfigProvider; Java classes cannot be loaded."))
			continue
		}
		params := map[string]string{}
		for k, v := range props {
			if param, ok := strings.CutPrefix(k, prefix+"param."); ok && param != "" {
				params[param] = v
			}
		}
		if err := p.Configure(params); err != nil {
			problems = append(problems, fmt.Errorf("config provider %s: %w", name, err))
			continue
		}
		providers[name] = newBounded(name, p)
	}
	if err := joinErrors(problems); err != nil {
		_ = providers.Close() // nothing was used yet
		return nil, err
	}
	return providers, nil
}

// Close closes all providers.
func (p Providers) Close() error {
	var problems []error
	for _, one := range p {
		problems = append(problems, one.Close())
	}
	return joinErrors(problems)
}
