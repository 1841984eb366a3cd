package settings

import (
	"errors"
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/javaregex"
)

// The keys of every connector, in the JVM's order. placement adds where forms show them.
const connectorKeys = `
name | STRING | - | H | | Name of the connector, unique in the cluster.
connector.class | STRING | - | H | | Class of the connector: full name, simple name, or simple name without Connector.
connector.plugin.version | STRING | null | M | | Version range that the connector's version must lie in.
tasks.max | INT | 1 | H | 1.. | Largest number of tasks.
tasks.max.enforce | BOOLEAN | true | L | | Whether more tasks than tasks.max make the connector fail.
key.converter | CLASS | null | L | | Converter of record keys; not set: the worker's. Its options follow as key.converter.<option>.
key.converter.plugin.version | STRING | null | L | | Version range of the key converter.
value.converter | CLASS | null | L | | Converter of record values; not set: the worker's. Its options follow as value.converter.<option>.
value.converter.plugin.version | STRING | null | L | | Version range of the value converter.
header.converter | CLASS | null | L | | Converter of record headers; not set: the worker's.
header.converter.plugin.version | STRING | null | L | | Version range of the header converter.
transforms | LIST | | L | | Names of the transformations of records, in order; the keys of each follow as transforms.<name>.type and transforms.<name>.<key>.
predicates | LIST | | L | | Names of the predicates that transformations use; the keys of each follow as predicates.<name>.type and predicates.<name>.<key>.
config.action.reload | STRING | restart | L | in none,restart | What happens when a value from a config provider has expired.
errors.retry.timeout | LONG | 0 | M | | How long a failed operation is tried again, in milliseconds; 0 = not at all, -1 = for ever.
errors.retry.delay.max.ms | LONG | 60000 | M | | Longest pause between tries, in milliseconds.
errors.tolerance | STRING | none | M | in none,all | Whether a record that fails makes the task fail (none) or is skipped (all).
errors.log.enable | BOOLEAN | false | M | | Whether records that are skipped are logged.
errors.log.include.messages | BOOLEAN | false | M | | Whether that log names topic, partition, offset and timestamp.
`

const sinkKeys = `
topics | LIST | | H | list empty | Topics to read. Set either topics or topics.regex.
topics.regex | STRING | | H | | Java regular expression of the topics to read; it must match the whole name.
errors.deadletterqueue.topic.name | STRING | | M | | Topic for the records that failed; empty means none. It must not be one of those that the connector reads.
errors.deadletterqueue.topic.replication.factor | SHORT | 3 | M | | Replicas of the dead letter queue when it is created.
errors.deadletterqueue.context.headers.enable | BOOLEAN | false | M | | Whether records in the dead letter queue have headers that tell about the failure.
`

const sourceKeys = `
topic.creation.groups | LIST | | L | | Names of groups of new topics; the settings of each follow as topic.creation.<name>.partitions, .replication.factor, .include, .exclude and topic settings. The group default takes what no other takes.
exactly.once.support | STRING | requested | M | any requested,required | required refuses the connector unless the worker's exactly-once support is enabled and the connector says that it has it.
transaction.boundary | STRING | poll | M | any interval,poll,connector | When a transaction ends: after each batch of records (poll), after a time (interval), or when the task says so (connector).
transaction.boundary.interval.ms | LONG | null | L | 0.. | Time after which a transaction ends with transaction.boundary=interval; not set: the worker's offset.flush.interval.ms.
offsets.storage.topic | STRING | null | L | non-empty | Topic for this connector's offsets; not set: the worker's. It is created when it does not exist. It counts in distributed mode only.
`

type place struct {
	group, display string
	order          int
	width          config.Width
}

var placement = map[string]place{
	"name":                           {"Common", "Connector name", 1, config.WidthMedium},
	"connector.class":                {"Common", "Connector class", 2, config.WidthLong},
	"connector.plugin.version":       {"Common", "Connector version", 3, config.WidthMedium},
	"tasks.max":                      {"Common", "Tasks max", 4, config.WidthShort},
	"tasks.max.enforce":              {"Common", "Enforce tasks max", 5, config.WidthShort},
	"key.converter":                  {"Common", "Key converter class", 6, config.WidthShort},
	"key.converter.plugin.version":   {"Common", "Key converter version", 7, config.WidthShort},
	"value.converter":                {"Common", "Value converter class", 8, config.WidthShort},
	"value.converter.plugin.version": {"Common", "Value converter version", 9, config.WidthShort},
	"header.converter":               {"Common", "Header converter class", 10, config.WidthShort},
	"header.converter.plugin.version": {"Common", "Header converter version", 11,
		config.WidthShort},
	"transforms":                        {"Transforms", "Transforms", 12, config.WidthLong},
	"predicates":                        {"Predicates", "Predicates", 13, config.WidthLong},
	"config.action.reload":              {"Common", "Reload Action", 14, config.WidthMedium},
	"errors.retry.timeout":              {"Error Handling", "Retry Timeout for Errors", 1, config.WidthMedium},
	"errors.retry.delay.max.ms":         {"Error Handling", "Maximum Delay Between Retries for Errors", 2, config.WidthMedium},
	"errors.tolerance":                  {"Error Handling", "Error Tolerance", 3, config.WidthShort},
	"errors.log.enable":                 {"Error Handling", "Log Errors", 4, config.WidthShort},
	"errors.log.include.messages":       {"Error Handling", "Log Error Details", 5, config.WidthShort},
	"topics":                            {"Common", "Topics", 4, config.WidthLong},
	"topics.regex":                      {"Common", "Topics regex", 4, config.WidthLong},
	"errors.deadletterqueue.topic.name": {"Error Handling", "Dead Letter Queue Topic Name", 6, config.WidthMedium},
	"errors.deadletterqueue.topic.replication.factor": {"Error Handling", "Dead Letter Queue Topic Replication Factor", 7,
		config.WidthMedium},
	"topic.creation.groups":                         {"Topic Creation", "Topic Creation Groups", 1, config.WidthLong},
	"exactly.once.support":                          {"Exactly Once Support", "Exactly once support", 2, config.WidthShort},
	"transaction.boundary":                          {"Exactly Once Support", "Transaction Boundary", 3, config.WidthShort},
	"transaction.boundary.interval.ms":              {"Exactly Once Support", "Transaction boundary interval", 4, config.WidthShort},
	"offsets.storage.topic":                         {"offsets.topic", "Offsets topic", 1, config.WidthLong},
	"errors.deadletterqueue.context.headers.enable": {"Error Handling", "Enable Error Context Headers", 8, config.WidthMedium},
}

// ConnectorDef defines the keys that every connector has, in the JVM's order. Classes are
// not looked up.
func ConnectorDef() *config.Def { return config.NewDef(connectorTable(connectorKeys)...) }

// SinkDef defines the keys that every sink connector has: ConnectorDef's and those of sinks.
func SinkDef() *config.Def { return config.NewDef(connectorTable(connectorKeys + sinkKeys)...) }

// SourceDef defines the keys that every source connector has: ConnectorDef's and those of
// sources. Those of topic groups other than their names are no part of it, as in the JVM.
func SourceDef() *config.Def { return config.NewDef(connectorTable(connectorKeys + sourceKeys)...) }

func connectorTable(text string) []config.Key {
	keys := table(text)
	for i := range keys {
		k := &keys[i]
		p := placement[k.Name]
		k.Group, k.DisplayName, k.Order, k.Width = p.group, p.display, p.order, p.width
		switch {
		case k.Name == "name":
			k.Validator, k.Valid = config.NonEmptyWithoutControl, "non-empty, no control characters"
		case k.Name == "transforms", k.Name == "predicates", k.Name == "topic.creation.groups":
			k.Validator, k.Valid = checkNames, fmt.Sprintf("at most %d, no duplicates", MaxNames)
		case k.Name == boundaryInterval:
			k.Validator = config.NullOr(k.Validator)
		case k.Name == "topics.regex":
			k.Validator, k.Valid = checkRegex, "Java regular expression"
		case strings.HasSuffix(k.Name, ".plugin.version"):
			k.Valid = "version, or range of versions such as [1.0,2.0)"
		}
	}
	return keys
}

// MaxNames bounds the names in a list of transforms, predicates or topic groups: each of them
// has keys of its own, with what there is to choose from.
const MaxNames = 1000

// checkNames does not repeat a list that is too long.
func checkNames(key string, v any) error {
	if list, _ := v.([]string); len(list) > MaxNames {
		return &config.Error{Key: key, Msg: fmt.Sprintf("Configuration '%s' has %d names, but must not have more than %d.", key, len(list), MaxNames)}
	}
	return config.Unique(key, v)
}

func checkRegex(_ string, v any) error {
	text, ok := v.(string)
	if !ok {
		return errors.New("Invalid regex: null")
	}
	if _, err := javaregex.Compile(text); err != nil {
		return errors.New("Invalid regex: " + err.Error())
	}
	return nil
}

// ConverterKeys are the keys of a connector that name converters, in the order in which
// validation shows the converters' own keys.
func ConverterKeys() []string {
	return []string{"header.converter", "key.converter", "value.converter"}
}
