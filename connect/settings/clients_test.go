package settings

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

// clientProps are what every client of an internal topic gets of minimal().
func clientProps(clientID string, more ...string) map[string]string {
	props := minimal("client.id", clientID)
	delete(props, "group.id")
	for i := 0; i < len(more); i += 2 {
		props[more[i]] = more[i+1]
	}
	return props
}

func TestClientsOfInternalTopics(t *testing.T) {
	w := worker(t, Distributed, minimal("producer.acks", "0", "consumer.fetch.min.bytes", "9", "admin.retries", "1"))
	producer := []string{
		"acks", "all", "max.in.flight.requests.per.connection", "1", "enable.idempotence", "false", "delivery.timeout.ms", "2147483647", "linger.ms", "5",
	}
	consumer := []string{"auto.offset.reset", "earliest", "enable.auto.commit", "false"}
	statuses := clientProps("connect-cluster-statuses", append(producer, "retries", "0")...)
	delete(statuses, "delivery.timeout.ms") // the status store retries by itself
	leader := clientProps("connect-cluster-configs-leader", append(producer, "exactly.once.source.support", "preparing", "enable.idempotence", "true",
		"max.in.flight.requests.per.connection", "5", "transactional.id", "connect-cluster-connect-cluster")...)
	for name, test := range map[string]struct{ want, got map[string]string }{
		"config producer": {clientProps("connect-cluster-configs", producer...), w.ConfigProducer()},
		"leader producer": {leader, worker(t, Distributed, minimal("exactly.once.source.support", "preparing")).LeaderProducer()},
		"config consumer": {clientProps("connect-cluster-configs", consumer...), w.ConfigConsumer()},
		"offset producer": {clientProps("connect-cluster-offsets", producer...), w.OffsetTopicProducer()},
		"offset consumer": {clientProps("connect-cluster-offsets", consumer...), w.OffsetTopicConsumer()},
		"status producer": {statuses, w.StatusProducer()},
		"status consumer": {clientProps("connect-cluster-statuses", consumer...), w.StatusConsumer()},
		"admin":           {clientProps("connect-cluster-shared-admin"), w.SharedAdmin()},
	} {
		if d := cmp.Diff(test.want, test.got); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
}

func TestLeaderWritesWithoutTransactionsWhenExactlyOnceIsDisabled(t *testing.T) {
	for mode, want := range map[string]bool{"disabled": false, "preparing": true, "ENABLED": true} {
		w := worker(t, Distributed, minimal("exactly.once.source.support", mode, "transactional.id", "mine", "enable.idempotence", "false"))
		p := w.LeaderProducer()
		if (p != nil) != want {
			t.Errorf("%s: %v", mode, p)
		}
		if want && (p["transactional.id"] != "connect-cluster-connect-cluster" || p["enable.idempotence"] != "true") {
			t.Errorf("%s: the worker's own properties count: %v", mode, p)
		}
		committed := w.OffsetTopicConsumer()["isolation.level"] == "read_committed" && w.ConfigConsumer()["isolation.level"] == "read_committed"
		if committed != (mode == "ENABLED") {
			t.Errorf("%s: read_committed: %v", mode, committed)
		}
	}
}

func TestWorkerPropertiesReachInternalClients(t *testing.T) {
	w := worker(t, Distributed, minimal("security.protocol", "SSL", "linger.ms", "0", "acks", "1", "auto.offset.reset", "latest",
		"delivery.timeout.ms", "1000", "isolation.level", "read_uncommitted", "exactly.once.source.support", "enabled", "client.id", "blue"))
	p := w.ConfigProducer()
	for key, want := range map[string]string{"security.protocol": "SSL", "linger.ms": "0", "acks": "all", "delivery.timeout.ms": "2147483647",
		"client.id": "connect-cluster-blue-configs"} {
		if p[key] != want {
			t.Errorf("producer %s=%s, want %s", key, p[key], want)
		}
	}
	if c := w.ConfigConsumer(); c["auto.offset.reset"] != "earliest" || c["isolation.level"] != "read_committed" {
		t.Errorf("config consumer: %v", c)
	}
	if c := w.StatusConsumer(); c["isolation.level"] != "read_uncommitted" {
		t.Errorf("status consumer: %v", c)
	}
	if got := w.StatusProducer()["delivery.timeout.ms"]; got != "1000" {
		t.Errorf("status producer: delivery.timeout.ms=%s", got)
	}
}

func TestGroupMemberHasTheWorkersTimeouts(t *testing.T) {
	w := worker(t, Distributed, minimal("reconnect.backoff.ms", "2000"))
	got := w.GroupMember("host:8083")
	for key, want := range map[string]string{
		"client.id": "connect-host:8083", "reconnect.backoff.ms": "2000", "reconnect.backoff.max.ms": "2000", "request.timeout.ms": "40000",
		"retry.backoff.ms": "100", "retry.backoff.max.ms": "1000", "metadata.max.age.ms": "300000",
	} {
		if got[key] != want {
			t.Errorf("%s=%s, want %s", key, got[key], want)
		}
	}
	w = worker(t, Distributed, minimal("client.id", "blue", "reconnect.backoff.ms", "2000", "reconnect.backoff.max.ms", "3000"))
	if got := w.GroupMember("host:8083"); got["client.id"] != "blue" || got["reconnect.backoff.max.ms"] != "3000" {
		t.Errorf("%v", got)
	}
}

func TestPoliciesAllowWhatTheirNamesSay(t *testing.T) {
	for _, test := range []struct {
		policy, allowlist string
		allowed, refused  []string
	}{
		{"All", "", []string{"acks", "sasl.jaas.config"}, nil},
		{"None", "", nil, []string{"acks", "sasl.jaas.config"}},
		{"Principal", "", []string{"sasl.jaas.config", "sasl.mechanism", "security.protocol"}, []string{"acks", "sasl.jaas.config.x"}},
		{"Allowlist", "acks, linger.ms", []string{"acks", "linger.ms"}, []string{"sasl.jaas.config", "ack", "linger"}},
		{"Allowlist", "", nil, []string{"acks"}},
		{"org.apache.kafka.connect.connector.policy.NoneConnectorClientConfigOverridePolicy", "", nil, []string{"acks"}},
		{"NoneConnectorClientConfigOverridePolicy", "", nil, []string{"acks"}},
	} {
		w := worker(t, Distributed, minimal(policyKey, test.policy, allowlistKey, test.allowlist))
		for _, s := range test.allowed {
			if msg := w.Policy.Check(s); msg != "" {
				t.Errorf("%s: %s", test.policy, msg)
			}
		}
		for _, s := range test.refused {
			want := fmt.Sprintf("The '%s' policy does not allow '%s' to be overridden in the connector configuration.", w.Policy.Name, s)
			if msg := w.Policy.Check(s); msg != want {
				t.Errorf("%s: %q, want %q", test.policy, msg, want)
			}
		}
	}
	if got := len(PolicyClasses()); got != 4 {
		t.Errorf("%d classes", got)
	}
}

func TestPolicyOfAConnectorsClients(t *testing.T) {
	w := worker(t, Distributed, minimal(policyKey, "Principal"))
	connector := map[string]string{
		"consumer.override.sasl.mechanism": "PLAIN", "consumer.override.max.poll.records": "5", "consumer.override.fetch.min.bytes": "1",
		"producer.override.acks": "0", "name": "c",
	}
	props := map[string]string{}
	err := w.Policy.overrides(props, ConsumerOverride, connector)
	want := "Client Config Overrides not allowed [The 'Principal' policy does not allow 'fetch.min.bytes' to be overridden in the connector configuration. " +
		"The 'Principal' policy does not allow 'max.poll.records' to be overridden in the connector configuration.]"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if d := cmp.Diff(map[string]string{"sasl.mechanism": "PLAIN"}, props); d != "" {
		t.Error(d)
	}
}

func TestConsumerOfASinkTask(t *testing.T) {
	w := worker(t, Distributed, minimal("bootstrap.servers", "a:1,b:2", "consumer.max.poll.records", "7", "consumer.auto.offset.reset", "latest",
		"consumer.client.id", "shared", "security.protocol", "SSL", "producer.acks", "0"))
	got, err := w.SinkConsumer(connect.TaskID{Connector: "c", Task: 3}, map[string]string{
		"name": "c", "consumer.override.max.poll.records": "9", "consumer.override.group.id": "mine", "producer.override.acks": "1",
	})
	// The worker's own security settings do not reach a task's consumer, as in the JVM.
	want := map[string]string{
		"group.id": "mine", "client.id": "shared", "bootstrap.servers": "a:1,b:2", "enable.auto.commit": "false",
		"auto.offset.reset": "latest", "max.poll.records": "9",
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	got, err = worker(t, Distributed, minimal()).SinkConsumer(connect.TaskID{Connector: "c", Task: 3}, nil)
	want = map[string]string{
		"group.id": "connect-c", "client.id": "connector-consumer-c-3", "bootstrap.servers": "kafka-1:9092", "enable.auto.commit": "false",
		"auto.offset.reset": "earliest",
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestTablesRefuseBadLines(t *testing.T) {
	for _, line := range []string{
		"a | STRING | x | H", "a | INT | x | H | | doc", "a | INT | 1 | X | | doc", "a | INT | 1 | H | nonsense | doc",
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is accepted", line)
				}
			}()
			table(line)
		}()
	}
	defer func() {
		if recover() == nil {
			t.Error("a change of a missing key is accepted")
		}
	}()
	amend(table("a | INT | 1 | H | | doc"), map[string]func(k *config.Key){"b": hint("x")})
}
