package settings

import (
	"maps"
	"strconv"
	"strings"
)

// InternalTopic describes a topic in which the cluster keeps its state.
type InternalTopic struct {
	Name              string
	Property          string // that names it, for messages
	Partitions        int32  // -1 = the broker's default
	ReplicationFactor int16  // -1 = the broker's default
	// Config is passed to the creation of the topic.
	Config map[string]string
}

// internalTopic reads <kind>.storage.*: everything there that is no worker property is a
// topic setting. The clean-up policy is always compact.
func (w *Worker) internalTopic(kind string) InternalTopic {
	prefix := kind + ".storage."
	t := InternalTopic{
		Name: w.Values.String(prefix + "topic"), Property: prefix + "topic",
		Partitions: int32(w.Values.Int(prefix + "partitions")), ReplicationFactor: w.Values.Short(prefix + "replication.factor"),
		Config: withPrefix(w.Props, prefix),
	}
	for _, own := range []string{"topic", "partitions", "replication.factor"} {
		delete(t.Config, own)
	}
	t.Config["cleanup.policy"] = "compact"
	return t
}

const maxInt32 = "2147483647"

// internal returns the properties of one of the worker's own clients: the worker's
// properties (without producer., consumer. and admin. ones, which are for connectors),
// then what is forced.
func (w *Worker) internal(clientID string, forced map[string]string) map[string]string {
	props := make(map[string]string, len(w.Props)+len(forced)+1)
	for k, v := range w.Props {
		if !strings.HasPrefix(k, "producer.") && !strings.HasPrefix(k, "consumer.") && !strings.HasPrefix(k, "admin.") {
			props[k] = v
		}
	}
	// A group id is the worker group's; a consumer of an internal topic is in no group.
	delete(props, "group.id")
	props["client.id"] = w.ClientIDBase() + clientID
	maps.Copy(props, forced)
	return props
}

// producer is internal for a producer of an internal topic, which writes in order.
func (w *Worker) producer(clientID string, forced map[string]string) map[string]string {
	props := w.internal(clientID, map[string]string{
		"acks": "all", "max.in.flight.requests.per.connection": "1", "enable.idempotence": "false", "delivery.timeout.ms": maxInt32,
	})
	if _, set := props["linger.ms"]; !set {
		props["linger.ms"] = "5" // the default of Kafka 4 producers
	}
	maps.Copy(props, forced)
	return props
}

func (w *Worker) consumer(clientID string) map[string]string {
	return w.internal(clientID, map[string]string{"auto.offset.reset": "earliest", "enable.auto.commit": "false"})
}

// ConfigProducer returns the client properties of the config topic's writer.
func (w *Worker) ConfigProducer() map[string]string { return w.producer("configs", nil) }

// LeaderProducer returns the client properties of the config topic's transactional writer,
// which fences the one of a former leader; nil when exactly.once.source.support is
// disabled: then ConfigProducer writes.
func (w *Worker) LeaderProducer() map[string]string {
	if w.ExactlyOnce != "preparing" && !w.ExactlyOnceEnabled() {
		return nil
	}
	return w.producer("configs-leader", map[string]string{
		"enable.idempotence": "true", "max.in.flight.requests.per.connection": "5", "transactional.id": "connect-cluster-" + w.GroupID,
	})
}

// ConfigConsumer returns the client properties of the config topic's reader.
func (w *Worker) ConfigConsumer() map[string]string { return w.committed(w.consumer("configs")) }

// OffsetTopicProducer returns the client properties of the writer of the worker's offset topic.
func (w *Worker) OffsetTopicProducer() map[string]string { return w.producer("offsets", nil) }

// OffsetTopicConsumer returns the client properties of its reader.
func (w *Worker) OffsetTopicConsumer() map[string]string { return w.committed(w.consumer("offsets")) }

// StatusProducer returns the client properties of the status topic's writer, which
// retries by itself.
func (w *Worker) StatusProducer() map[string]string {
	props := w.producer("statuses", map[string]string{"retries": "0"})
	if v, set := w.Props["delivery.timeout.ms"]; set {
		props["delivery.timeout.ms"] = v
	} else {
		delete(props, "delivery.timeout.ms")
	}
	return props
}

// StatusConsumer returns the client properties of the status topic's reader.
func (w *Worker) StatusConsumer() map[string]string { return w.consumer("statuses") }

// SharedAdmin returns the client properties of the admin client of the internal topics.
func (w *Worker) SharedAdmin() map[string]string { return w.internal("shared-admin", nil) }

// GroupMember returns the client properties of the group member of a worker.
func (w *Worker) GroupMember(workerID string) map[string]string {
	props := w.internal("", nil)
	props["client.id"] = w.ClientID
	if w.ClientID == "" {
		props["client.id"] = "connect-" + workerID
	}
	for _, key := range []string{"reconnect.backoff.ms", "retry.backoff.ms", "retry.backoff.max.ms", "metadata.max.age.ms",
		"socket.connection.setup.timeout.ms", "socket.connection.setup.timeout.max.ms"} {
		props[key] = strconv.FormatInt(w.Values.Long(key), 10)
	}
	props["request.timeout.ms"] = strconv.Itoa(w.Values.Int("request.timeout.ms"))
	props["reconnect.backoff.max.ms"] = strconv.FormatInt(w.reconnectBackoffMax(), 10)
	return props
}

// reconnectBackoffMax follows reconnect.backoff.ms when only that is set.
func (w *Worker) reconnectBackoffMax() int64 {
	_, maxSet := w.Props["reconnect.backoff.max.ms"]
	if _, set := w.Props["reconnect.backoff.ms"]; set && !maxSet {
		return w.Values.Long("reconnect.backoff.ms")
	}
	return w.Values.Long("reconnect.backoff.max.ms")
}

// committed adds read_committed when the leader writes in transactions.
func (w *Worker) committed(props map[string]string) map[string]string {
	if w.ExactlyOnceEnabled() {
		props["isolation.level"] = "read_committed"
	}
	return props
}
