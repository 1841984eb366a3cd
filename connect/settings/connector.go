package settings

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/provider"
)

// Connector is what the runtime itself reads of a sink connector's config (Java:
// ConnectorConfig, SinkConnectorConfig). It is not changed after ParseSink.
type Connector struct {
	Name string
	// Class and Version are connector.class, by name or alias, and the range that the
	// plugin's version must lie in, "" for any.
	Class, Version string
	TasksMax       int
	// EnforceTasksMax makes too many tasks an error instead of a warning.
	EnforceTasksMax bool
	// Topics are the topics to read; when there are none, those that TopicsRegex, a
	// Java expression, matches in full.
	Topics      []string
	TopicsRegex string
	Errors      Errors

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

// ParseSink reads a sink connector's config, in which placeholders were resolved
// already. All problems are returned together, those of keys that this worker cannot
// serve included; warn, which may be nil, is told what was put right silently.
func ParseSink(props map[string]string, warn func(key, msg string)) (*Connector, error) {
	v, err := SinkDef().ParseWarn(props, warn)
	switch more := SinkProblems(props); {
	case err == nil && len(more) == 1:
		return nil, more[0] // shown with its Java class, which a list has not
	case len(more) > 0:
		problems := []error{err}
		for _, p := range more {
			problems = append(problems, p)
		}
		return nil, errors.Join(problems...)
	case err != nil:
		return nil, err
	}
	return &Connector{
		Name: v.String("name"), Class: v.String("connector.class"), Version: v.String("connector.plugin.version"),
		TasksMax: v.Int("tasks.max"), EnforceTasksMax: v.Bool("tasks.max.enforce"),
		Topics: v.List("topics"), TopicsRegex: v.String("topics.regex"),
		Errors: Errors{
			TolerateAll: v.String("errors.tolerance") == "all", RetryTimeout: v.Millis("errors.retry.timeout"),
			RetryDelayMax: v.Millis("errors.retry.delay.max.ms"),
			Log:           v.Bool("errors.log.enable"), LogMessages: v.Bool("errors.log.include.messages"),
		},
		props: maps.Clone(props),
	}, nil
}

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

// SinkGroup returns the consumer group of a sink connector that names no other.
func SinkGroup(connector string) string { return "connect-" + connector }

// SinkConsumer returns the client properties of a sink task's consumer: defaults, the
// worker's consumer.* properties, the connector's consumer.override.*. It fails when the
// worker's policy does not allow one of the latter.
func (w *Worker) SinkConsumer(id connect.TaskID, connectorProps map[string]string) (map[string]string, error) {
	props := map[string]string{
		"group.id": SinkGroup(id.Connector), "client.id": "connector-consumer-" + id.Connector + "-" + strconv.Itoa(id.Task),
		"bootstrap.servers": strings.Join(w.BootstrapServers, ","), "enable.auto.commit": "false", "auto.offset.reset": "earliest",
	}
	maps.Copy(props, withPrefix(w.Props, "consumer."))
	return props, w.Policy.overrides(props, ConsumerOverride, connectorProps)
}

// SinkProblems tells what is wrong with a sink connector's config beyond single values,
// and what it asks for that this worker does not have, in a fixed order. Every error has
// its key.
func SinkProblems(props map[string]string) []*config.Error {
	var problems []*config.Error
	add := func(msg string, keys ...string) {
		for _, k := range keys {
			problems = append(problems, &config.Error{Key: k, Msg: msg})
		}
	}
	hasTopics, hasRegex := strings.TrimSpace(props["topics"]) != "", strings.TrimSpace(props["topics.regex"]) != ""
	switch {
	case hasTopics && hasRegex:
		add("topics and topics.regex are mutually exclusive options, but both are set.", "topics", "topics.regex")
	case !hasTopics && !hasRegex:
		add("Must configure one of topics or topics.regex", "topics", "topics.regex")
	}
	for _, u := range unsupported {
		if v := strings.TrimSpace(props[u.key]); v != "" {
			add("Invalid value "+v+" for configuration "+u.key+": "+u.reason, u.key)
		}
	}
	return problems
}

// unsupported are keys that a JVM worker serves and this one does not: they are refused
// rather than ignored, because records would be written as nobody wants them.
var unsupported = []struct{ key, reason string }{
	{"transforms", "This worker does not run transformations yet. Remove transforms, or run this connector on a JVM worker."},
	{"predicates", "This worker does not run predicates yet. Remove predicates, or run this connector on a JVM worker."},
	{"errors.deadletterqueue.topic.name", "This worker does not write a dead letter queue yet. " +
		"Remove errors.deadletterqueue.topic.name; errors.log.enable=true logs the records that are skipped."},
}

// RefusedOverrides returns the refusals of client settings that a connector overrides,
// by full key.
func (p *Policy) RefusedOverrides(prefix string, props map[string]string) map[string]string {
	refused := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(props)) {
		if setting, ok := strings.CutPrefix(k, prefix); ok {
			if msg := p.Check(setting); msg != "" {
				refused[k] = msg
			}
		}
	}
	return refused
}
