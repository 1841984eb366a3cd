package settings

import (
	"errors"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
)

const workerKeys = `
bootstrap.servers | LIST | - | H | list | Kafka brokers for the first connection, host:port; more than one lets the worker start while one is down.
client.dns.lookup | STRING | use_all_dns_ips | M | in use_all_dns_ips,resolve_canonical_bootstrap_servers_only | How host names of brokers are resolved.
key.converter | CLASS | - | H | | Converter of record keys for connectors that do not set their own; its options follow as key.converter.<option>.
key.converter.plugin.version | STRING | null | L | | Version range of the key converter.
value.converter | CLASS | - | H | | Converter of record values for connectors that do not set their own; its options follow as value.converter.<option>.
value.converter.plugin.version | STRING | null | L | | Version range of the value converter.
task.shutdown.graceful.timeout.ms | LONG | 5000 | L | | Time that all tasks together have to stop, in milliseconds; after it they are abandoned.
offset.flush.interval.ms | LONG | 60000 | L | | Time between offset commits of a task, in milliseconds.
offset.flush.timeout.ms | LONG | 5000 | L | | Time an offset commit may take, in milliseconds, before it is given up and tried again later.
plugin.path | LIST | null | L | list null | Directories of Java plugins. Penstock reads none of them: its plugins are built in.
plugin.discovery | STRING | hybrid_warn | L | any only_scan,service_load,hybrid_warn,hybrid_fail | How Java plugins are searched; ignored here.
metrics.sample.window.ms | LONG | 30000 | L | 0.. | Length of one sample of a metric.
metrics.num.samples | INT | 2 | L | 1.. | Number of samples of a metric.
metrics.recording.level | STRING | INFO | L | in INFO,DEBUG | Which metrics are recorded.
metric.reporters | LIST | org.apache.kafka.common.metrics.JmxReporter | L | list empty | Java metrics reporters; ignored here, metrics are served over HTTP.
header.converter | CLASS | org.apache.kafka.connect.storage.SimpleHeaderConverter | L | | Converter of record headers for connectors that do not set their own.
header.converter.plugin.version | STRING | null | L | | Version range of the header converter.
config.providers | LIST | | L | list empty | Names of the providers that resolve placeholders such as ${file:/etc/secrets:password}; each needs config.providers.<name>.class.
connector.client.config.override.policy | STRING | All | M | | Which client settings connectors may override: All, None, Principal, Allowlist, or a class name of these.
topic.creation.enable | BOOLEAN | true | L | | Whether source connectors may have topics created by topic.creation.* settings.
`

const trackingKeys = `
topic.tracking.enable | BOOLEAN | true | L | | Whether the topics that a connector has used are recorded.
topic.tracking.allow.reset | BOOLEAN | true | L | | Whether that record may be reset by a request.
`

const restKeys = `
listeners | LIST | http://:8083 | L | | Addresses of the REST interface, as http://host:port or https://host:port; without host all interfaces.
rest.advertised.host.name | STRING | null | L | | Host name under which other workers reach this one.
rest.advertised.port | INT | null | L | | Port under which other workers reach this one.
rest.advertised.listener | STRING | null | L | | Protocol with which other workers reach this one: http or https.
access.control.allow.origin | STRING | | L | | Origins that browsers may call from (CORS), as a list of regular expressions or *; empty switches CORS off.
access.control.allow.methods | STRING | | L | | Methods announced to browsers; empty means GET, POST and HEAD.
response.http.headers.config | STRING | | L | | Headers added to all answers, as rules such as "set X-Frame-Options: DENY".
ssl.client.auth | STRING | none | L | in required,requested,none | Whether clients of an https listener must show a certificate.
rest.extension.classes | LIST | | L | list empty | REST extensions, of which the basic authentication is built in.
admin.listeners | LIST | null | L | list empty null | Addresses of the administration interface; not set: the listeners, empty: switched off.
`

const distributedKeys = `
group.id | STRING | - | H | | Name of the worker group, the same on all workers of a cluster and used by nothing else.
session.timeout.ms | INT | 10000 | H | | After how long without heartbeat a worker is removed from the group, in milliseconds.
rebalance.timeout.ms | INT | 60000 | H | | How long workers may take to join a rebalance.
heartbeat.interval.ms | INT | 3000 | H | | Time between heartbeats; at most a third of session.timeout.ms is usual.
exactly.once.source.support | STRING | disabled | H | any disabled,enabled,preparing | Exactly-once support for source connectors.
metadata.max.age.ms | LONG | 300000 | L | 0.. | When metadata is asked for again although nothing failed.
client.id | STRING | | L | | Name in the brokers' logs, metrics and quotas.
send.buffer.bytes | INT | 131072 | M | -1.. | TCP send buffer; -1 = the system's default.
receive.buffer.bytes | INT | 32768 | M | -1.. | TCP receive buffer; -1 = the system's default.
reconnect.backoff.ms | LONG | 50 | L | 0.. | First pause before a broker is connected again.
reconnect.backoff.max.ms | LONG | 1000 | L | 0.. | Longest pause before a broker is connected again; follows reconnect.backoff.ms when only that is set.
socket.connection.setup.timeout.ms | LONG | 10000 | L | 0.. | First time-out of a TCP connection's set-up.
socket.connection.setup.timeout.max.ms | LONG | 30000 | L | 0.. | Longest time-out of a TCP connection's set-up.
retry.backoff.ms | LONG | 100 | L | 0.. | First pause before a request is tried again.
retry.backoff.max.ms | LONG | 1000 | L | 0.. | Longest pause before a request is tried again.
request.timeout.ms | INT | 40000 | M | 0.. | How long to wait for the answer to a request.
connections.max.idle.ms | LONG | 540000 | M | | After how long an idle connection is closed.
` + securityProtocol + saslKeys + `
worker.sync.timeout.ms | INT | 3000 | M | | How long a worker may take to catch up with the config topic before it leaves the group for a while.
worker.unsync.backoff.ms | INT | 300000 | M | | How long a worker that could not catch up stays out of the group.
offset.storage.topic | STRING | - | H | | Topic with the offsets of source connectors.
offset.storage.partitions | INT | 25 | L | | Partitions of the offset topic when it is created.
offset.storage.replication.factor | SHORT | 3 | L | | Replicas of the offset topic when it is created.
config.storage.topic | STRING | - | H | | Topic with the configurations of connectors and tasks; it has one partition.
config.storage.replication.factor | SHORT | 3 | L | | Replicas of the config topic when it is created.
status.storage.topic | STRING | - | H | | Topic with the states of connectors and tasks.
status.storage.partitions | INT | 5 | L | | Partitions of the status topic when it is created.
status.storage.replication.factor | SHORT | 3 | L | | Replicas of the status topic when it is created.
connect.protocol | STRING | sessioned | L | | Group protocol: eager, compatible (incremental) or sessioned (incremental, with signed requests between workers).
scheduled.rebalance.max.delay.ms | INT | 300000 | L | 0..2147483647 | How long the work of a worker that vanished waits for its return.
inter.worker.key.ttl.ms | INT | 3600000 | L | 0..2147483647 | Age at which the key for requests between workers is replaced; 0 = never.
inter.worker.key.generation.algorithm | STRING | HmacSHA256 | L | | Algorithm of that key.
inter.worker.key.size | INT | null | L | | Size of that key in bits; null = the algorithm's default.
inter.worker.signature.algorithm | STRING | HmacSHA256 | L | | Algorithm with which requests between workers are signed.
inter.worker.verification.algorithms | LIST | HmacSHA256 | L | | Algorithms of accepted signatures.
` + recoveryKeys

const standaloneKeys = `
offset.storage.file.filename | STRING | - | H | | File with the offsets of source connectors.
`

// Mode tells what kind of worker a properties file is for.
type Mode uint8

// The modes.
const (
	Distributed Mode = iota
	Standalone
)

// WorkerDef defines the properties of a worker, in the JVM's order.
func WorkerDef(m Mode) *config.Def {
	keys := table(workerKeys + sslKeys + trackingKeys + restKeys)
	amend(keys, map[string]func(k *config.Key){
		"bootstrap.servers":            hint("Set it to the Kafka brokers, e.g. kafka-1:9092,kafka-2:9092."),
		"key.converter":                hint("Set it to the converter of record keys, e.g. org.apache.kafka.connect.storage.StringConverter."),
		"value.converter":              hint("Set it to the converter of record values, e.g. org.apache.kafka.connect.json.JsonConverter."),
		"plugin.path":                  hint("Remove it: Penstock's plugins are built in."),
		"listeners":                    checkedHint(checkListeners, "URLs", "Write e.g. http://0.0.0.0:8083."),
		"rest.advertised.listener":     checkedHint(config.NullOr(checkAdvertisedListener), "http or https", "Set it to http or https, or remove it."),
		"admin.listeners":              hint("Write e.g. http://127.0.0.1:8084, or nothing to switch the administration interface off."),
		"response.http.headers.config": checked(checkHeaderRules, "rules, comma-separated, in double quotes if they contain a comma"),
	})
	if m == Standalone {
		keys = append(keys, amend(table(standaloneKeys), map[string]func(k *config.Key){
			"offset.storage.file.filename": hint("Set it to a file that survives restarts, e.g. /var/lib/penstock/connect.offsets."),
		})...)
		return config.NewDef(keys...)
	}
	return config.NewDef(append(keys, distributed()...)...)
}

func distributed() []config.Key {
	const replication = "Set it to at most the number of brokers, e.g. 1 with a single broker."
	return amend(table(distributedKeys), map[string]func(k *config.Key){
		"group.id":                              hint("Set it to one name for all workers of the cluster, e.g. connect-cluster."),
		"config.storage.topic":                  hint("Set it to a topic of this cluster alone, e.g. connect-configs."),
		"offset.storage.topic":                  hint("Set it to a topic of this cluster alone, e.g. connect-offsets."),
		"status.storage.topic":                  hint("Set it to a topic of this cluster alone, e.g. connect-status."),
		"offset.storage.partitions":             checked(checkPartitions, "positive, or -1 for the broker's default"),
		"status.storage.partitions":             checked(checkPartitions, "positive, or -1 for the broker's default"),
		"config.storage.replication.factor":     checkedHint(checkReplication, "positive, or -1 for the broker's default", replication),
		"offset.storage.replication.factor":     checkedHint(checkReplication, "positive, or -1 for the broker's default", replication),
		"status.storage.replication.factor":     checkedHint(checkReplication, "positive, or -1 for the broker's default", replication),
		"connect.protocol":                      checkedHint(checkProtocol, "eager, compatible, sessioned (any case)", "Set it to eager, compatible or sessioned."),
		"inter.worker.key.generation.algorithm": checked(checkAlgorithm, strings.Join(macAlgorithms, ", ")),
		"inter.worker.signature.algorithm":      checked(checkAlgorithm, strings.Join(macAlgorithms, ", ")),
		"inter.worker.verification.algorithms":  checked(checkAlgorithms, "non-empty list of "+strings.Join(macAlgorithms, ", ")),
	})
}

func checkedHint(v config.Validator, valid, text string) func(k *config.Key) {
	return func(k *config.Key) { k.Validator, k.Valid, k.Hint = v, valid, text }
}

func checkPartitions(_ string, v any) error {
	if n, ok := v.(int); ok && (n >= 1 || n == -1) {
		return nil
	}
	return errors.New("Number of partitions must be positive, or -1 to use the broker's default")
}

func checkReplication(_ string, v any) error {
	if n, ok := v.(int16); ok && (n >= 1 || n == -1) {
		return nil
	}
	return errors.New("Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default")
}

func checkProtocol(_ string, v any) error {
	if s, _ := v.(string); slices.Contains([]string{"eager", "compatible", "sessioned"}, strings.ToLower(s)) {
		return nil
	}
	return errors.New("Invalid Connect protocol compatibility")
}

// macAlgorithms are the MACs that every JVM has.
var macAlgorithms = []string{"HmacMD5", "HmacSHA1", "HmacSHA224", "HmacSHA256", "HmacSHA384", "HmacSHA512"}

func checkAlgorithm(key string, v any) error {
	if s, _ := v.(string); slices.Contains(macAlgorithms, s) {
		return nil
	}
	return config.Invalid(key, v, "the algorithm is not supported by this worker; the supported algorithms are: "+config.JavaText(macAlgorithms))
}

func checkAlgorithms(key string, v any) error {
	list, _ := v.([]string)
	if len(list) == 0 {
		return errors.New("At least one signature verification algorithm must be provided")
	}
	for _, a := range list {
		if err := checkAlgorithm(key, a); err != nil {
			return err
		}
	}
	return nil
}
