package settings

import (
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/provider"
)

// Connector is what the runtime itself reads of every connector's config (Java:
// ConnectorConfig). It is not changed once it is parsed.
type Connector struct {
	Name string
	// Class and Version are connector.class, by name or alias, and the range that the
	// plugin's version must lie in, "" for any.
	Class, Version string
	TasksMax       int
	// EnforceTasksMax makes too many tasks an error instead of a warning.
	EnforceTasksMax bool
	Errors          Errors

	props map[string]string
}

// Errors has the errors.* settings of a connector.
type Errors struct {
	TolerateAll   bool          // errors.tolerance=all
	RetryTimeout  time.Duration // errors.retry.timeout; 0 = no retry, negative = for ever
	RetryDelayMax time.Duration // errors.retry.delay.max.ms
	Log           bool          // errors.log.enable
	LogMessages   bool          // errors.log.include.messages
}

// ParseConnector reads the keys that sinks and sources have in common, from a config in
// which placeholders were resolved already. All problems are returned together; warn, which
// may be nil, is told what was put right silently.
func ParseConnector(props map[string]string, warn func(key, msg string)) (*Connector, error) {
	v, err := ConnectorDef().ParseWarn(props, warn)
	if err != nil {
		return nil, err
	}
	c := newConnector(v, props)
	return &c, nil
}

func newConnector(v config.Values, props map[string]string) Connector {
	return Connector{
		Name: v.String("name"), Class: v.String("connector.class"), Version: v.String("connector.plugin.version"),
		TasksMax: v.Int("tasks.max"), EnforceTasksMax: v.Bool("tasks.max.enforce"),
		Errors: Errors{
			TolerateAll: v.String("errors.tolerance") == "all", RetryTimeout: v.Millis("errors.retry.timeout"),
			RetryDelayMax: v.Millis("errors.retry.delay.max.ms"),
			Log:           v.Bool("errors.log.enable"), LogMessages: v.Bool("errors.log.include.messages"),
		},
		props: maps.Clone(props),
	}
}

// Props returns a copy of the config that was parsed.
func (c *Connector) Props() map[string]string { return maps.Clone(c.props) }

// Converter returns the converter that a key (key.converter, value.converter or
// header.converter) names: the connector's with the connector's properties below the key,
// or else the worker's with the worker's. The two are never mixed.
func (c *Connector) Converter(w *Worker, key string) Plugin {
	if class := strings.TrimSpace(c.props[key]); class != "" {
		return Plugin{Class: class, Version: c.props[key+".plugin.version"], Props: withPrefix(c.props, key+".")}
	}
	return w.plugin(key)
}

// HasPlaceholder reports whether a value has a placeholder such as ${env:PASSWORD}.
func HasPlaceholder(value string) bool { return provider.HasPlaceholder(value) }

// joined returns nothing, the one error there is, or all: a single *config.Error is shown
// with its Java class, which a list has not.
func joined(problems []error) error {
	var real []error
	for _, err := range problems {
		if err != nil {
			real = append(real, err)
		}
	}
	if len(real) == 1 {
		return real[0]
	}
	return errors.Join(real...)
}
