package settings

import "github.com/penstock-io/penstock/connect/config"

// The settings of Kafka's own clients, as connectors may override them. They tell which
// keys exist and of what type they are; what the clients of Penstock do with a key is
// decided by package internal/kafka.

const securityProtocol = `
security.protocol | STRING | PLAINTEXT | M | any PLAINTEXT,SSL,SASL_PLAINTEXT,SASL_SSL | How to talk to the brokers.
`

const securityProviders = `
security.providers | STRING | null | L | | JVM security providers. Java classes cannot be loaded: it is refused.
`

const recoveryKeys = `
metadata.recovery.strategy | STRING | rebootstrap | L | any none,rebootstrap | What to do when no known broker answers: start again from bootstrap.servers, or keep trying.
metadata.recovery.rebootstrap.trigger.ms | LONG | 300000 | L | 0.. | How long no broker may answer before the client starts again from bootstrap.servers.
`

const clientProviders = `
config.providers | LIST | | L | list empty | Providers for placeholders in client settings; the worker resolves those of connectors.
`

const producerKeys = `
bootstrap.servers | LIST | - | H | list | Brokers for the first connection, host:port.
client.dns.lookup | STRING | use_all_dns_ips | M | in use_all_dns_ips,resolve_canonical_bootstrap_servers_only | How host names are resolved.
buffer.memory | LONG | 33554432 | H | 0.. | Bytes of records that may wait to be sent.
retries | INT | 2147483647 | H | 0..2147483647 | How often a failed request is sent again.
acks | STRING | all | L | in all,-1,0,1 | How many replicas must have a record before it counts as written.
compression.type | STRING | none | H | in none,gzip,snappy,lz4,zstd | Codec of batches.
compression.gzip.level | INT | -1 | M | | Level of gzip: 1 to 9, or -1 for its default.
compression.lz4.level | INT | 9 | M | 1..17 | Level of lz4.
compression.zstd.level | INT | 3 | M | -131072..22 | Level of zstd.
batch.size | INT | 16384 | M | 0.. | Bytes that a batch of one partition may have.
partitioner.adaptive.partitioning.enable | BOOLEAN | true | L | | Whether faster brokers get more records without key.
partitioner.availability.timeout.ms | LONG | 0 | L | 0.. | After how long without answer a partition counts as unavailable; 0 = never.
partitioner.ignore.keys | BOOLEAN | false | M | | Whether keys do not count for the choice of a partition.
linger.ms | LONG | 5 | M | 0.. | How long a batch waits for more records.
delivery.timeout.ms | INT | 120000 | M | 0.. | Time in which a record must be written, retries included.
client.id | STRING | | M | | Name in the brokers' logs, metrics and quotas.
send.buffer.bytes | INT | 131072 | M | -1.. | TCP send buffer; -1 = the system's default.
receive.buffer.bytes | INT | 32768 | M | -1.. | TCP receive buffer; -1 = the system's default.
max.request.size | INT | 1048576 | M | 0.. | Largest request in bytes, and so the largest record.
reconnect.backoff.ms | LONG | 50 | L | 0.. | First pause before a broker is connected again.
reconnect.backoff.max.ms | LONG | 1000 | L | 0.. | Longest pause before a broker is connected again.
retry.backoff.ms | LONG | 100 | L | 0.. | First pause before a request is tried again.
retry.backoff.max.ms | LONG | 1000 | L | 0.. | Longest pause before a request is tried again.
enable.metrics.push | BOOLEAN | true | L | | Whether client metrics are pushed to the brokers.
max.block.ms | LONG | 60000 | M | 0.. | How long sending may wait for memory or metadata.
request.timeout.ms | INT | 30000 | M | 0.. | How long to wait for the answer to a request.
metadata.max.age.ms | LONG | 300000 | L | 0.. | When metadata is asked for again although nothing failed.
metadata.max.idle.ms | LONG | 300000 | L | 5000.. | After how long without records a topic's metadata is forgotten.
metrics.sample.window.ms | LONG | 30000 | L | 0.. | Length of one sample of a metric.
metrics.num.samples | INT | 2 | L | 1.. | Number of samples of a metric.
metrics.recording.level | STRING | INFO | L | in INFO,DEBUG,TRACE | Which metrics are recorded.
metric.reporters | LIST | org.apache.kafka.common.metrics.JmxReporter | L | list empty | Java metrics reporters; ignored here.
max.in.flight.requests.per.connection | INT | 5 | L | 1.. | Unanswered requests per connection.
key.serializer | CLASS | - | H | | Serialiser of keys; Connect always writes bytes.
value.serializer | CLASS | - | H | | Serialiser of values; Connect always writes bytes.
socket.connection.setup.timeout.ms | LONG | 10000 | M | | First time-out of a TCP connection's set-up.
socket.connection.setup.timeout.max.ms | LONG | 30000 | M | | Longest time-out of a TCP connection's set-up.
connections.max.idle.ms | LONG | 540000 | M | | After how long an idle connection is closed.
partitioner.class | CLASS | null | M | | Java partitioner; ignored here.
interceptor.classes | LIST | | L | list empty | Java interceptors; ignored here.
` + securityProtocol + securityProviders + sslKeys + saslKeys + `
enable.idempotence | BOOLEAN | true | L | | Whether retries can never write a record twice.
transaction.timeout.ms | INT | 60000 | L | | After how long the broker aborts an open transaction.
transactional.id | STRING | null | L | non-empty | Identity of a transactional producer.
transaction.two.phase.commit.enable | BOOLEAN | false | L | | Whether the application decides about prepared transactions.
` + recoveryKeys + clientProviders

const consumerKeys = `
bootstrap.servers | LIST | - | H | list | Brokers for the first connection, host:port.
client.dns.lookup | STRING | use_all_dns_ips | M | in use_all_dns_ips,resolve_canonical_bootstrap_servers_only | How host names are resolved.
group.id | STRING | null | H | | Consumer group; a sink connector's is connect-<name> by default.
group.instance.id | STRING | null | M | non-empty | Identity of a static member.
session.timeout.ms | INT | 45000 | H | | After how long without heartbeat a member is removed from its group.
heartbeat.interval.ms | INT | 3000 | H | | Time between heartbeats.
partition.assignment.strategy | LIST | class org.apache.kafka.clients.consumer.RangeAssignor,class org.apache.kafka.clients.consumer.CooperativeStickyAssignor | M | list | How partitions are shared in the group.
metadata.max.age.ms | LONG | 300000 | L | 0.. | When metadata is asked for again although nothing failed.
enable.auto.commit | BOOLEAN | true | M | | Whether the client commits by itself; Connect commits what tasks have written.
auto.commit.interval.ms | INT | 5000 | L | 0.. | Time between automatic commits.
client.id | STRING | | L | | Name in the brokers' logs, metrics and quotas.
client.rack | STRING | | L | | Rack of this client; reads go to a replica there if there is one.
max.partition.fetch.bytes | INT | 1048576 | H | 0.. | Bytes to fetch of one partition at once.
send.buffer.bytes | INT | 131072 | M | -1.. | TCP send buffer; -1 = the system's default.
receive.buffer.bytes | INT | 65536 | M | -1.. | TCP receive buffer; -1 = the system's default.
fetch.min.bytes | INT | 1 | H | 0.. | Bytes a broker waits for before it answers a fetch.
fetch.max.bytes | INT | 52428800 | M | 0.. | Bytes of one fetch.
fetch.max.wait.ms | INT | 500 | L | 0.. | How long a broker waits for fetch.min.bytes.
reconnect.backoff.ms | LONG | 50 | L | 0.. | First pause before a broker is connected again.
reconnect.backoff.max.ms | LONG | 1000 | L | 0.. | Longest pause before a broker is connected again.
retry.backoff.ms | LONG | 100 | L | 0.. | First pause before a request is tried again.
retry.backoff.max.ms | LONG | 1000 | L | 0.. | Longest pause before a request is tried again.
enable.metrics.push | BOOLEAN | true | L | | Whether client metrics are pushed to the brokers.
auto.offset.reset | STRING | latest | M | | Where to start without a valid offset: earliest, latest, none or by_duration:<ISO 8601 duration>.
check.crcs | BOOLEAN | true | L | | Whether the checksums of batches are checked.
metrics.sample.window.ms | LONG | 30000 | L | 0.. | Length of one sample of a metric.
metrics.num.samples | INT | 2 | L | 1.. | Number of samples of a metric.
metrics.recording.level | STRING | INFO | L | in INFO,DEBUG,TRACE | Which metrics are recorded.
metric.reporters | LIST | org.apache.kafka.common.metrics.JmxReporter | L | list empty | Java metrics reporters; ignored here.
key.deserializer | CLASS | - | H | | Deserialiser of keys; Connect always reads bytes.
value.deserializer | CLASS | - | H | | Deserialiser of values; Connect always reads bytes.
request.timeout.ms | INT | 30000 | M | 0.. | How long to wait for the answer to a request.
default.api.timeout.ms | INT | 60000 | M | 0.. | Time-out of calls that have none of their own.
socket.connection.setup.timeout.ms | LONG | 10000 | M | | First time-out of a TCP connection's set-up.
socket.connection.setup.timeout.max.ms | LONG | 30000 | M | | Longest time-out of a TCP connection's set-up.
connections.max.idle.ms | LONG | 540000 | M | | After how long an idle connection is closed.
interceptor.classes | LIST | | L | list empty | Java interceptors; ignored here.
max.poll.records | INT | 500 | M | 1.. | Records handed over at once.
max.poll.interval.ms | INT | 300000 | M | 1.. | After how long without a poll a member gives up its partitions.
exclude.internal.topics | BOOLEAN | true | M | | Whether a pattern leaves out the brokers' internal topics.
internal.throw.on.fetch.stable.offset.unsupported | BOOLEAN | false | L | | For the brokers' own use.
isolation.level | STRING | read_uncommitted | M | in read_committed,read_uncommitted | Whether records of open and aborted transactions are read.
allow.auto.create.topics | BOOLEAN | true | M | | Whether subscribing may create a topic.
group.protocol | STRING | classic | H | any classic,consumer | Which group protocol is used.
group.remote.assignor | STRING | null | M | | Assignor of the brokers for the consumer protocol.
` + securityProviders + securityProtocol + sslKeys + saslKeys + recoveryKeys + `
share.acknowledgement.mode | STRING | implicit | M | | Of share groups; Connect does not use them.
share.acquire.mode | STRING | BATCH_OPTIMIZED | M | | Of share groups; Connect does not use them.
` + clientProviders

const adminKeys = `
bootstrap.servers | LIST | | H | list empty | Brokers for the first connection, host:port.
bootstrap.controllers | LIST | | H | list empty | Controllers for the first connection, instead of brokers.
client.id | STRING | | M | | Name in the brokers' logs, metrics and quotas.
metadata.max.age.ms | LONG | 300000 | L | 0.. | When metadata is asked for again although nothing failed.
send.buffer.bytes | INT | 131072 | M | -1.. | TCP send buffer; -1 = the system's default.
receive.buffer.bytes | INT | 65536 | M | -1.. | TCP receive buffer; -1 = the system's default.
reconnect.backoff.ms | LONG | 50 | L | 0.. | First pause before a broker is connected again.
reconnect.backoff.max.ms | LONG | 1000 | L | 0.. | Longest pause before a broker is connected again.
retry.backoff.ms | LONG | 100 | L | 0.. | First pause before a request is tried again.
retry.backoff.max.ms | LONG | 1000 | L | 0.. | Longest pause before a request is tried again.
enable.metrics.push | BOOLEAN | false | L | | Whether client metrics are pushed to the brokers.
request.timeout.ms | INT | 30000 | M | 0.. | How long to wait for the answer to a request.
socket.connection.setup.timeout.ms | LONG | 10000 | M | | First time-out of a TCP connection's set-up.
socket.connection.setup.timeout.max.ms | LONG | 30000 | M | | Longest time-out of a TCP connection's set-up.
connections.max.idle.ms | LONG | 300000 | M | | After how long an idle connection is closed.
retries | INT | 2147483647 | L | 0..2147483647 | How often a failed request is sent again.
default.api.timeout.ms | INT | 60000 | M | 0.. | Time-out of calls that have none of their own.
metrics.sample.window.ms | LONG | 30000 | L | 0.. | Length of one sample of a metric.
metrics.num.samples | INT | 2 | L | 1.. | Number of samples of a metric.
metric.reporters | LIST | org.apache.kafka.common.metrics.JmxReporter | L | list empty | Java metrics reporters; ignored here.
metrics.recording.level | STRING | INFO | L | in INFO,DEBUG,TRACE | Which metrics are recorded.
client.dns.lookup | STRING | use_all_dns_ips | M | in use_all_dns_ips,resolve_canonical_bootstrap_servers_only | How host names are resolved.
` + securityProviders + securityProtocol + sslKeys + saslKeys + recoveryKeys + clientProviders

// ProducerDef defines the settings of a Kafka producer.
func ProducerDef() *config.Def {
	return config.NewDef(amend(table(producerKeys), map[string]func(k *config.Key){
		"compression.gzip.level": checked(checkGzipLevel, "1 to 9, or -1"),
	})...)
}

// ConsumerDef defines the settings of a Kafka consumer.
func ConsumerDef() *config.Def {
	return config.NewDef(amend(table(consumerKeys), map[string]func(k *config.Key){
		"internal.throw.on.fetch.stable.offset.unsupported": func(k *config.Key) { k.Internal = true },
		"auto.offset.reset":          checked(checkOffsetReset, "earliest, latest, none, by_duration:<ISO 8601 duration>"),
		"share.acknowledgement.mode": checked(checkShareMode, "implicit, explicit"),
		"share.acquire.mode":         checked(checkShareAcquire, "batch_optimized, record_limit (any case)"),
	})...)
}

// AdminDef defines the settings of a Kafka admin client.
func AdminDef() *config.Def { return config.NewDef(table(adminKeys)...) }
