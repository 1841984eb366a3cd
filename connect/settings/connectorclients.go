package settings

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect"
)

// Client properties of connectors: defaults, the worker's producer.*, consumer.* or
// admin.* properties, the connector's overrides, and what exactly-once forces (Java:
// Worker.baseProducerConfigs and its kind). Each fails when the worker's policy does not
// allow an override. connectorProps have their placeholders resolved.

// SinkGroup returns the consumer group of a sink connector that names no other.
func SinkGroup(connector string) string { return "connect-" + connector }

// clientID is <kind>-<connector>-<task>, or without the task for a connector's own.
func clientID(kind string, id connect.TaskID) string {
	if id.Task < 0 {
		return kind + "-" + id.Connector
	}
	return kind + "-" + id.Connector + "-" + strconv.Itoa(id.Task)
}

// connectorProducer returns the properties of a producer that waits and retries for ever,
// because records are not to be lost, and one request at a time, because their order is
// not to change.
func (w *Worker) connectorProducer(id string, connectorProps map[string]string) (map[string]string, error) {
	props := map[string]string{
		"bootstrap.servers": strings.Join(w.BootstrapServers, ","), "client.id": id,
		"max.block.ms": "9223372036854775807", "enable.idempotence": "false", "acks": "all",
		"max.in.flight.requests.per.connection": "1", "delivery.timeout.ms": maxInt32,
		"linger.ms": "5", // the default of Kafka 4 producers
	}
	maps.Copy(props, withPrefix(w.Props, "producer."))
	return props, w.Policy.overrides(props, ProducerOverride, connectorProps)
}

func (w *Worker) connectorConsumer(id, connector string, connectorProps map[string]string) (map[string]string, error) {
	props := map[string]string{
		"group.id": SinkGroup(connector), "client.id": id,
		"bootstrap.servers": strings.Join(w.BootstrapServers, ","), "enable.auto.commit": "false", "auto.offset.reset": "earliest",
	}
	maps.Copy(props, withPrefix(w.Props, "consumer."))
	return props, w.Policy.overrides(props, ConsumerOverride, connectorProps)
}

// connectorAdmin inherits the worker's own properties as well, security settings above
// all; even a client.id among them counts more than ours, as in the JVM.
func (w *Worker) connectorAdmin(id string, connectorProps map[string]string) (map[string]string, error) {
	props := map[string]string{"bootstrap.servers": strings.Join(w.BootstrapServers, ","), "client.id": id}
	for k, v := range w.Props {
		if !strings.HasPrefix(k, "producer.") && !strings.HasPrefix(k, "consumer.") && !strings.HasPrefix(k, "admin.") {
			props[k] = v
		}
	}
	delete(props, "group.id") // the workers' group
	maps.Copy(props, withPrefix(w.Props, "admin."))
	return props, w.Policy.overrides(props, AdminOverride, connectorProps)
}

// SinkConsumer returns the properties of a sink task's consumer.
func (w *Worker) SinkConsumer(id connect.TaskID, connectorProps map[string]string) (map[string]string, error) {
	return w.connectorConsumer(clientID("connector-consumer", id), id.Connector, connectorProps)
}

// SourceProducer returns the properties of a source task's producer without exactly-once.
func (w *Worker) SourceProducer(id connect.TaskID, connectorProps map[string]string) (map[string]string, error) {
	return w.connectorProducer(clientID("connector-producer", id), connectorProps)
}

// TransactionalProducer returns the properties of a source task's producer with
// exactly-once. warnings tell which of the user's values are not used, one sentence each.
func (w *Worker) TransactionalProducer(id connect.TaskID, connectorProps map[string]string) (props map[string]string, warnings []string, err error) {
	if props, err = w.SourceProducer(id, connectorProps); err != nil {
		return nil, nil, err
	}
	const idempotence = "enable.idempotence"
	_, byConnector := connectorProps[ProducerOverride+idempotence]
	if _, byWorker := w.Props["producer."+idempotence]; !byConnector && !byWorker {
		delete(props, idempotence) // it is our own false then, no word to the user
	}
	same := func(a, b string) bool { return a == b }
	for _, msg := range []string{
		force(props, idempotence, "true", strings.EqualFold),
		force(props, "transactional.id", w.TransactionalID(id), same),
	} {
		if msg != "" {
			warnings = append(warnings, msg)
		}
	}
	return props, warnings, nil
}

// force sets a property and returns a warning when the user wanted another value.
func force(props map[string]string, key, value string, same func(a, b string) bool) string {
	given, set := props[key]
	if set && same(given, value) {
		return ""
	}
	props[key] = value
	if !set {
		return ""
	}
	return fmt.Sprintf("The value '%s' for the '%s' property will be ignored as it cannot be overridden for connectors "+
		"when exactly-once source support is enabled. The value '%s' will be used instead.", given, key, value)
}

// TransactionalID returns the transactional.id of a source task, by which a later
// generation of the task fences this one.
func (w *Worker) TransactionalID(id connect.TaskID) string {
	return w.GroupID + "-" + id.Connector + "-" + strconv.Itoa(id.Task)
}

// ConnectorAdmin returns the properties of the admin client that creates a source
// connector's topics; id.Task < 0 means the connector instance's own.
func (w *Worker) ConnectorAdmin(id connect.TaskID, connectorProps map[string]string) (map[string]string, error) {
	return w.connectorAdmin(clientID("connector-adminclient", id), connectorProps)
}

// OffsetsConsumer returns the properties of the reader of a source connector's own offsets
// topic; id.Task < 0 means the connector instance's. It reads committed records only,
// which the user can change unless exactly-once is enabled.
func (w *Worker) OffsetsConsumer(id connect.TaskID, connectorProps map[string]string) (map[string]string, error) {
	props, err := w.connectorConsumer(clientID("connector-consumer", id), id.Connector, connectorProps)
	if _, set := props["isolation.level"]; !set || w.ExactlyOnceEnabled() {
		props["isolation.level"] = "read_committed"
	}
	return props, err
}

// OffsetsProducer returns the properties of the producer with which a user's change of a
// source connector's offsets is written, without exactly-once: with it, the change is
// written by TransactionalProducer of task 0.
func (w *Worker) OffsetsProducer(connector string, connectorProps map[string]string) (map[string]string, error) {
	return w.connectorProducer("connector-offset-producer-"+connector, connectorProps)
}

// DeadLetterProducer returns the properties of the producer of a sink task's dead letter queue.
func (w *Worker) DeadLetterProducer(id connect.TaskID, connectorProps map[string]string) (map[string]string, error) {
	return w.connectorProducer(clientID("connector-dlq-producer", id), connectorProps)
}

// DeadLetterAdmin returns the properties of the admin client that creates that topic.
func (w *Worker) DeadLetterAdmin(id connect.TaskID, connectorProps map[string]string) (map[string]string, error) {
	return w.connectorAdmin(clientID("connector-dlq-adminclient", id), connectorProps)
}

// ConnectorWorkerAdmin returns the properties of the admin client that fences a source
// connector's tasks and reads and changes a sink connector's offsets.
func (w *Worker) ConnectorWorkerAdmin(connector string, connectorProps map[string]string) (map[string]string, error) {
	return w.connectorAdmin("connector-worker-adminclient-"+connector, connectorProps)
}
