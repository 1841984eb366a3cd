package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
)

// otherEffects are keys of the JVM that are accepted, so that the same files work, and
// that have no effect here ("-") or another one; of those that are "usual" in files of the JVM,
// and that nobody will miss, the log says nothing. What is not in it does what it does in
// the JVM; internal/archtest finds keys that nothing reads.
const otherEffects = `
plugin.path | - | Java plugins cannot be loaded, Penstock's connectors and converters are built in
plugin.discovery | - usual | Java plugins cannot be loaded: plugins are built in
metric.reporters | - | Java reporters cannot be loaded
metrics.sample.window.ms | - | metrics are not exported yet
metrics.num.samples | - | metrics are not exported yet
metrics.recording.level | - | metrics are not exported yet
enable.metrics.push | - | nothing is pushed to brokers
interceptor.classes | - | Java interceptors cannot be loaded
partitioner.class | - | Java partitioners cannot be loaded: records go where Java's default partitioner puts them
partitioner.adaptive.partitioning.enable | - | records without a key go to one partition until a batch is full
partitioner.availability.timeout.ms | - | records without a key go to one partition until a batch is full
key.serializer | - usual | converters make the bytes
value.serializer | - usual | converters make the bytes
key.deserializer | - usual | converters read the bytes
value.deserializer | - usual | converters read the bytes
compression.gzip.level | - | the library's level
compression.lz4.level | - | the library's level
compression.zstd.level | - | the library's level
metadata.max.idle.ms | - | topics are forgotten when nobody uses them
metadata.recovery.rebootstrap.trigger.ms | - | bootstrap.servers are asked again as soon as no known broker answers
socket.connection.setup.timeout.max.ms | - | each attempt has socket.connection.setup.timeout.ms
max.in.flight.requests.per.connection | in part | one request per partition at a time, whatever is set; batches that wait grow instead
batch.size | in part | unless it is set, batches that wait grow up to 256 KiB
allow.auto.create.topics | - | topics that do not exist are waited for, never created by being read
enable.auto.commit | - usual | clients never commit by themselves: Connect commits what tasks have written
auto.commit.interval.ms | - usual | Connect commits by offset.flush.interval.ms
share.acknowledgement.mode | - | Connect uses no share groups
share.acquire.mode | - | Connect uses no share groups
internal.throw.on.fetch.stable.offset.unsupported | - | of Kafka Streams
check.crcs | - usual | checksums are always checked
group.protocol | in part | consumer is accepted and means classic: brokers let both share a group
group.remote.assignor | - | the classic group protocol is used
bootstrap.controllers | - | brokers are asked
transaction.two.phase.commit.enable | - | transactions are Connect's own
config.providers | in part | the worker's own resolve placeholders; those of a client are ignored
security.providers | in part | cryptography is Go's: refused by name
ssl.provider | - | TLS is Go's
ssl.keymanager.algorithm | - | TLS is Go's
ssl.trustmanager.algorithm | - | TLS is Go's
ssl.secure.random.implementation | - | TLS is Go's
ssl.cipher.suites | in part | suites that Go lacks are refused by name; those of TLS 1.3 are always on
rest.extension.classes | in part | what is built in; other classes are refused by name
sasl.kerberos.kinit.cmd | - usual | tickets are fetched without it
ssl.engine.factory.class | in part | Java classes cannot be loaded: others than Kafka's own are refused by name
sasl.client.callback.handler.class | in part | Java classes cannot be loaded: refused by name
sasl.login.callback.handler.class | in part | Kafka's own for OAUTHBEARER are built in; others are refused by name
sasl.login.class | in part | Java classes cannot be loaded: refused by name
sasl.login.connect.timeout.ms | in part | 30 seconds if it is not set
sasl.login.read.timeout.ms | in part | 30 seconds if it is not set
sasl.oauthbearer.jwt.retriever.class | in part | client credentials and files are built in; other classes are refused by name
sasl.oauthbearer.jwt.validator.class | in part | the client's is built in; other classes are refused by name
sasl.oauthbearer.assertion.algorithm | in part | assertions are refused by name
sasl.oauthbearer.assertion.claim.aud | in part | assertions are refused by name
sasl.oauthbearer.assertion.claim.exp.seconds | in part | assertions are refused by name
sasl.oauthbearer.assertion.claim.iss | in part | assertions are refused by name
sasl.oauthbearer.assertion.claim.jti.include | in part | assertions are refused by name
sasl.oauthbearer.assertion.claim.nbf.seconds | in part | assertions are refused by name
sasl.oauthbearer.assertion.claim.sub | in part | assertions are refused by name
sasl.oauthbearer.assertion.file | in part | assertions are refused by name
sasl.oauthbearer.assertion.private.key.file | in part | assertions are refused by name
sasl.oauthbearer.assertion.private.key.passphrase | in part | assertions are refused by name
sasl.oauthbearer.assertion.template.file | in part | assertions are refused by name
sasl.oauthbearer.scope.claim.name | - | brokers check tokens, clients do not
sasl.oauthbearer.jwks.endpoint.url | - | brokers check tokens, clients do not
sasl.oauthbearer.jwks.endpoint.refresh.ms | - | brokers check tokens, clients do not
sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms | - | brokers check tokens, clients do not
sasl.oauthbearer.jwks.endpoint.retry.backoff.ms | - | brokers check tokens, clients do not
sasl.oauthbearer.clock.skew.seconds | - | brokers check tokens, clients do not
sasl.oauthbearer.expected.audience | - | brokers check tokens, clients do not
sasl.oauthbearer.expected.issuer | - | brokers check tokens, clients do not
`

// Effect tells in what a key of worker or clients differs from the JVM's; the zero value
// is no difference.
type Effect struct {
	None  bool   // it has no effect at all
	Quiet bool   // and the log does not tell
	Why   string // "" = as in the JVM
}

// EffectOf returns what a key does, without producer., consumer. or admin. in front.
func EffectOf(key string) Effect { return effects[key] }

var effects = func() map[string]Effect {
	all := map[string]Effect{}
	for line := range strings.Lines(strings.TrimSpace(otherEffects)) {
		f := strings.Split(strings.TrimSpace(line), " | ")
		all[f[0]] = Effect{None: f[1] != "in part", Quiet: f[1] == "- usual", Why: f[2]}
	}
	return all
}()

// ineffective tells which of the properties have no effect, one sentence each.
func ineffective(props map[string]string, clients ...string) (sentences []string) {
	for _, k := range slices.Sorted(maps.Keys(props)) {
		setting := k
		for _, prefix := range clients {
			setting = strings.TrimPrefix(setting, prefix)
		}
		if e := EffectOf(setting); e.None && !e.Quiet {
			sentences = append(sentences, fmt.Sprintf("%s has no effect: %s", k, e.Why))
		}
	}
	return sentences
}

// warnIneffective is ineffective for the client settings that a connector overrides.
func warnIneffective(props map[string]string, warn func(key, msg string)) {
	overrides := map[string]string{}
	for k, v := range props {
		if strings.HasPrefix(k, ProducerOverride) || strings.HasPrefix(k, ConsumerOverride) || strings.HasPrefix(k, AdminOverride) {
			overrides[k] = v
		}
	}
	for _, text := range ineffective(overrides, ProducerOverride, ConsumerOverride, AdminOverride) {
		key, _, _ := strings.Cut(text, " ")
		warn(key, text)
	}
}

// CompatibleKey is a line of the compatibility matrix.
type CompatibleKey struct {
	Key string
	// In names the definitions that have it: distributed, standalone, source, sink, producer, consumer, admin.
	In     []string
	Effect Effect
}

// CompatibleKeys returns all keys of the runtime and of Kafka's clients, sorted. All of
// them have the JVM's names, types, defaults and checks (testdata/java).
func CompatibleKeys() []CompatibleKey {
	byKey := map[string]*CompatibleKey{}
	for _, d := range []struct {
		name string
		def  *config.Def
	}{
		{"distributed", WorkerDef(Distributed)}, {"standalone", WorkerDef(Standalone)}, {"source", SourceDef()}, {"sink", SinkDef()},
		{"producer", ProducerDef()}, {"consumer", ConsumerDef()}, {"admin", AdminDef()},
	} {
		for _, k := range d.def.Keys() {
			if byKey[k.Name] == nil {
				byKey[k.Name] = &CompatibleKey{Key: k.Name, Effect: EffectOf(k.Name)}
			}
			byKey[k.Name].In = append(byKey[k.Name].In, d.name)
		}
	}
	keys := make([]CompatibleKey, 0, len(byKey))
	for _, name := range slices.Sorted(maps.Keys(byKey)) {
		keys = append(keys, *byKey[name])
	}
	return keys
}
