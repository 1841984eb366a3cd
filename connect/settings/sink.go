package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/javaregex"
)

const deadLetterTopic = "errors.deadletterqueue.topic.name"

// Sink is what the runtime itself reads of a sink connector's config (Java:
// SinkConnectorConfig). It is not changed after ParseSink.
type Sink struct {
	Connector
	// Topics are the topics to read; when there are none, those that TopicsRegex, a
	// Java expression, matches in full.
	Topics      []string
	TopicsRegex string
	DeadLetter  DeadLetterQueue
}

// DeadLetterQueue has the errors.deadletterqueue.* settings (KIP-298).
type DeadLetterQueue struct {
	// Topic is for the records that failed; "" = they are not written anywhere.
	Topic string
	// ReplicationFactor is for the creation of the topic; -1 = the broker's default. A
	// value that is no number of replicas is left to the broker to refuse, as in the JVM.
	ReplicationFactor int16
	// ContextHeaders adds headers that tell about the failure.
	ContextHeaders bool
}

// ParseSink reads a sink connector's config, in which placeholders were resolved
// already. All problems are returned together; warn, which may be nil, is told what was
// put right silently.
func ParseSink(props map[string]string, warn func(key, msg string)) (*Sink, error) {
	v, err := SinkDef().ParseWarn(props, warn)
	problems := []error{err}
	for _, p := range SinkProblems(props) {
		problems = append(problems, p)
	}
	if err := joined(problems); err != nil {
		return nil, err
	}
	if warn != nil {
		warnIneffective(props, warn)
	}
	return &Sink{
		Connector: newConnector(v, props),
		Topics:    v.List("topics"), TopicsRegex: v.String("topics.regex"),
		DeadLetter: DeadLetterQueue{
			Topic:             v.String(deadLetterTopic),
			ReplicationFactor: v.Short("errors.deadletterqueue.topic.replication.factor"),
			ContextHeaders:    v.Bool("errors.deadletterqueue.context.headers.enable"),
		},
	}, nil
}

// UsesDeadLetterQueue reports whether a sink connector's config names a topic for records
// that failed, and so whether its producer and admin settings count.
func UsesDeadLetterQueue(props map[string]string) bool {
	return strings.TrimSpace(props[deadLetterTopic]) != ""
}

// SinkProblems tells what is wrong with a sink connector's config beyond single values,
// in a fixed order. Every error has its key.
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
	// A connector that reads its own dead letter queue would fail on each record for ever.
	dlq := strings.TrimSpace(props[deadLetterTopic])
	if dlq == "" {
		return problems
	}
	if topics := topicNames(props["topics"]); slices.Contains(topics, dlq) {
		add(fmt.Sprintf("The DLQ topic '%s' may not be included in the list of topics ('topics=%s') consumed by the connector",
			dlq, config.JavaText(topics)), "topics")
	}
	if hasRegex {
		// One that does not compile is an error of its own.
		if pattern, err := javaregex.Compile(props["topics.regex"]); err == nil && pattern.MatchFull(dlq) {
			add(fmt.Sprintf("The DLQ topic '%s' may not be matched by the regex for the topics ('topics.regex=%s') consumed by the connector",
				dlq, props["topics.regex"]), "topics.regex")
		}
	}
	return problems
}

// topicNames are the different names of a list, without empty ones.
func topicNames(text string) []string {
	var names []string
	for _, n := range config.Distinct(config.ParseList(text)) {
		if n != "" {
			names = append(names, n)
		}
	}
	return names
}
