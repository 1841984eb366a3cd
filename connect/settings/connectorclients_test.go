package settings

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
)

func with(props map[string]string, pairs ...string) map[string]string {
	props = maps.Clone(props)
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	return props
}

var (
	task     = connect.TaskID{Connector: "c", Task: 2}
	instance = connect.TaskID{Connector: "c", Task: -1}
	producer = map[string]string{
		"bootstrap.servers": "kafka-1:9092", "max.block.ms": "9223372036854775807", "enable.idempotence": "false", "acks": "all",
		"max.in.flight.requests.per.connection": "1", "delivery.timeout.ms": "2147483647", "linger.ms": "5",
	}
	consumer = map[string]string{
		"group.id": "connect-c", "bootstrap.servers": "kafka-1:9092", "enable.auto.commit": "false", "auto.offset.reset": "earliest",
	}
)

func TestClientsOfConnectors(t *testing.T) {
	admin := minimal()
	delete(admin, "group.id")
	w := worker(t, Distributed, minimal())
	for _, test := range []struct {
		name string
		make func(connectorProps map[string]string) (map[string]string, error)
		want map[string]string
	}{
		{"source producer", func(p map[string]string) (map[string]string, error) { return w.SourceProducer(task, p) },
			with(producer, "client.id", "connector-producer-c-2")},
		{"dead letter producer", func(p map[string]string) (map[string]string, error) { return w.DeadLetterProducer(task, p) },
			with(producer, "client.id", "connector-dlq-producer-c-2")},
		{"producer for a user's offsets", func(p map[string]string) (map[string]string, error) { return w.OffsetsProducer("c", p) },
			with(producer, "client.id", "connector-offset-producer-c")},
		{"sink consumer", func(p map[string]string) (map[string]string, error) { return w.SinkConsumer(task, p) },
			with(consumer, "client.id", "connector-consumer-c-2")},
		{"offsets consumer of a task", func(p map[string]string) (map[string]string, error) { return w.OffsetsConsumer(task, p) },
			with(consumer, "client.id", "connector-consumer-c-2", "isolation.level", "read_committed")},
		{"offsets consumer of a connector", func(p map[string]string) (map[string]string, error) { return w.OffsetsConsumer(instance, p) },
			with(consumer, "client.id", "connector-consumer-c", "isolation.level", "read_committed")},
		{"admin of a task", func(p map[string]string) (map[string]string, error) { return w.ConnectorAdmin(task, p) },
			with(admin, "client.id", "connector-adminclient-c-2")},
		{"admin of a connector", func(p map[string]string) (map[string]string, error) { return w.ConnectorAdmin(instance, p) },
			with(admin, "client.id", "connector-adminclient-c")},
		{"dead letter admin", func(p map[string]string) (map[string]string, error) { return w.DeadLetterAdmin(task, p) },
			with(admin, "client.id", "connector-dlq-adminclient-c-2")},
		{"admin of the worker", func(p map[string]string) (map[string]string, error) { return w.ConnectorWorkerAdmin("c", p) },
			with(admin, "client.id", "connector-worker-adminclient-c")},
	} {
		got, err := test.make(nil)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", test.name, err, diff)
		}
		// An override of another kind of client is none of it.
		overrides := map[string]string{"producer.override.x": "p", "consumer.override.x": "c", "admin.override.x": "a"}
		if got, err := test.make(overrides); err != nil || len(got) != len(test.want)+1 || !strings.Contains(test.name+" "+clientOf(test.want), kindOf(got["x"])) {
			t.Errorf("%s: %v, x=%s", test.name, err, got["x"])
		}
		w := w
		w.Policy = worker(t, Distributed, minimal(policyKey, "None")).Policy
		if _, err := test.make(overrides); err == nil || !strings.HasPrefix(err.Error(), "Client Config Overrides not allowed [") {
			t.Errorf("%s: the policy was not asked: %v", test.name, err)
		}
		w.Policy = worker(t, Distributed, minimal()).Policy
	}
}

func kindOf(override string) string {
	return map[string]string{"p": "<producer>", "c": "<consumer>", "a": "<admin>"}[override]
}

// clientOf tells a client by a property that only it has.
func clientOf(props map[string]string) string {
	switch {
	case props["acks"] != "":
		return "<producer>"
	case props["enable.auto.commit"] != "":
		return "<consumer>"
	}
	return "<admin>"
}

func TestPrecedenceOfClientProperties(t *testing.T) {
	w := worker(t, Distributed, minimal("producer.acks", "1", "producer.linger.ms", "9", "producer.client.id", "shared", "consumer.isolation.level", "read_uncommitted",
		"security.protocol", "SSL", "sasl.mechanism", "PLAIN", "admin.sasl.mechanism", "GSSAPI", "client.id", "blue"))
	p, err := w.SourceProducer(task, map[string]string{"producer.override.acks": "0"})
	if err != nil || p["acks"] != "0" || p["linger.ms"] != "9" || p["client.id"] != "shared" || p["security.protocol"] != "" {
		t.Errorf("producer: %v, %v", p, err)
	}
	a, err := w.ConnectorAdmin(task, map[string]string{"admin.override.retries": "3"})
	if err != nil || a["security.protocol"] != "SSL" || a["sasl.mechanism"] != "GSSAPI" || a["retries"] != "3" || a["client.id"] != "blue" || a["producer.acks"] != "" {
		t.Errorf("admin: %v, %v", a, err)
	}
	// Whose offsets are exactly once must not read what is not committed.
	if c, err := w.OffsetsConsumer(task, nil); err != nil || c["isolation.level"] != "read_uncommitted" {
		t.Errorf("offsets consumer: %v, %v", c, err)
	}
	w = worker(t, Distributed, minimal("exactly.once.source.support", "enabled"))
	if c, err := w.OffsetsConsumer(task, map[string]string{"consumer.override.isolation.level": "read_uncommitted"}); err != nil || c["isolation.level"] != "read_committed" {
		t.Errorf("offsets consumer with exactly-once: %v, %v", c, err)
	}
}

func TestTransactionalProducer(t *testing.T) {
	want := with(producer, "client.id", "connector-producer-c-2", "enable.idempotence", "true", "transactional.id", "connect-cluster-c-2")
	for name, test := range map[string]struct {
		worker, connector map[string]string
		warnings          []string
	}{
		"nothing said": {minimal(), nil, nil},
		"the same":     {minimal("producer.enable.idempotence", "TRUE"), map[string]string{"producer.override.transactional.id": "connect-cluster-c-2"}, nil},
		"the worker's": {minimal("producer.enable.idempotence", "false"), nil, []string{"The value 'false' for the 'enable.idempotence' property will be ignored " +
			"as it cannot be overridden for connectors when exactly-once source support is enabled. The value 'true' will be used instead."}},
		"the connector's": {minimal(), map[string]string{"producer.override.enable.idempotence": "false", "producer.override.transactional.id": "mine"}, []string{
			"The value 'false' for the 'enable.idempotence' property will be ignored " +
				"as it cannot be overridden for connectors when exactly-once source support is enabled. The value 'true' will be used instead.",
			"The value 'mine' for the 'transactional.id' property will be ignored " +
				"as it cannot be overridden for connectors when exactly-once source support is enabled. The value 'connect-cluster-c-2' will be used instead.",
		}},
	} {
		w := worker(t, Distributed, test.worker)
		got, warnings, err := w.TransactionalProducer(task, test.connector)
		if strings.EqualFold(got["enable.idempotence"], "true") {
			got["enable.idempotence"] = "true"
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		if diff := cmp.Diff(test.warnings, warnings); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", name, diff)
		}
	}
	w := worker(t, Distributed, minimal(policyKey, "None"))
	if _, _, err := w.TransactionalProducer(task, map[string]string{"producer.override.acks": "0"}); err == nil {
		t.Error("the policy was not asked")
	}
}
