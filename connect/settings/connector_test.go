package settings

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

func sinkProps(pairs ...string) map[string]string {
	props := map[string]string{"name": "c", "connector.class": "HdfsSink", "topics": "a, b"}
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	return props
}

func testWorker(t *testing.T, pairs ...string) *Worker {
	t.Helper()
	props := map[string]string{
		"bootstrap.servers": "k1:9092,k2:9092", "group.id": "g", "config.storage.topic": "c", "offset.storage.topic": "o", "status.storage.topic": "s",
		"key.converter": "StringConverter", "value.converter": "JsonConverter", "value.converter.schemas.enable": "false",
	}
	for i := 0; i < len(pairs); i += 2 {
		props[pairs[i]] = pairs[i+1]
	}
	w, err := ParseWorker(props, Distributed)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestParseSink(t *testing.T) {
	got, err := ParseSink(sinkProps("tasks.max", "4", "tasks.max.enforce", "false", "connector.plugin.version", "[1,2)", "errors.tolerance", "all",
		"errors.retry.timeout", "-1", "errors.log.enable", "true", "errors.deadletterqueue.topic.name", " dlq ",
		"errors.deadletterqueue.topic.replication.factor", "1", "errors.deadletterqueue.context.headers.enable", "true"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Sink{
		Connector: Connector{Name: "c", Class: "HdfsSink", Version: "[1,2)", TasksMax: 4,
			Errors: Errors{TolerateAll: true, RetryTimeout: -time.Millisecond, RetryDelayMax: time.Minute, Log: true}},
		Topics: []string{"a", "b"}, DeadLetter: DeadLetterQueue{Topic: "dlq", ReplicationFactor: 1, ContextHeaders: true},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Connector{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestListsOfNamesAreBounded(t *testing.T) {
	names := func(n int) string { return strings.TrimSuffix(strings.Repeat("a,", n), ",") }
	created := []string{"topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1"}
	for _, key := range []string{"transforms", "predicates", "topic.creation.groups"} {
		_, err := ParseSource(testWorker(t), sourceProps(append(created, key, names(1001), "topic.creation.a.partitions", "not even looked at")...), nil)
		var wrong *config.Error
		want := "Configuration '" + key + "' has 1001 names, but must not have more than 1000."
		if !errors.As(err, &wrong) || wrong.Key != key || err.Error() != want {
			t.Errorf("%s: %v", key, err)
		}
		_, err = ParseSource(testWorker(t), sourceProps(append(created, key, names(1000))...), nil)
		if err == nil || !strings.Contains(err.Error(), "Duplicate alias provided.") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// A stored config with a topic twice keeps running, as in the JVM.
func TestParseSinkDropsDuplicates(t *testing.T) {
	var warned string
	got, err := ParseSink(sinkProps("topics", "a,a"), func(key, _ string) { warned = key })
	if err != nil || len(got.Topics) != 1 || warned != "topics" {
		t.Errorf("%+v, %v, warned of %q", got, err, warned)
	}
}

func TestParseSinkRefuses(t *testing.T) {
	for _, test := range []struct{ key, value, at, msg string }{
		{"topics", "", "topics", "Must configure one of topics or topics.regex"},
		{"topics.regex", "x", "topics", "topics and topics.regex are mutually exclusive options, but both are set."},
		{"tasks.max", "0", "tasks.max", "Invalid value 0 for configuration tasks.max: Value must be at least 1"},
		{"name", "", "name", "Invalid value  for configuration name: String may not be empty"},
		{"transforms", "t,t", "transforms", "Invalid value [t, t] for configuration transforms: Duplicate alias provided."},
		{deadLetterTopic, " b ", "topics",
			"The DLQ topic 'b' may not be included in the list of topics ('topics=[a, b]') consumed by the connector"},
		{"errors.deadletterqueue.topic.replication.factor", "x", "errors.deadletterqueue.topic.replication.factor",
			"Invalid value x for configuration errors.deadletterqueue.topic.replication.factor: Not a number of type SHORT"},
	} {
		_, err := ParseSink(sinkProps(test.key, test.value), nil)
		var e *config.Error
		if !errors.As(err, &e) || e.Key != test.at || e.Msg != test.msg {
			t.Errorf("%s=%s: %v", test.key, test.value, err)
		}
	}
}

func TestDeadLetterQueueIsNotAmongTheTopics(t *testing.T) {
	props := func(pairs ...string) map[string]string {
		p := sinkProps(pairs...)
		delete(p, "topics")
		return p
	}
	problems := SinkProblems(props("topics.regex", "dlq-.*", deadLetterTopic, "dlq-1"))
	const want = "The DLQ topic 'dlq-1' may not be matched by the regex for the topics ('topics.regex=dlq-.*') consumed by the connector"
	if len(problems) != 1 || problems[0].Key != "topics.regex" || problems[0].Msg != want {
		t.Errorf("%v", problems)
	}
	for _, right := range []map[string]string{
		props("topics.regex", "dlq-.*", deadLetterTopic, "my-dlq-1"), // the whole name must match
		props("topics.regex", "dlq-(", deadLetterTopic, "dlq-"),      // reported by the key's validator
		sinkProps("topics", "a,a,,b", deadLetterTopic, "c"), sinkProps(deadLetterTopic, " "),
	} {
		if problems := SinkProblems(right); len(problems) != 0 {
			t.Errorf("%v: %v", right, problems)
		}
	}
	if UsesDeadLetterQueue(sinkProps(deadLetterTopic, " ")) || !UsesDeadLetterQueue(sinkProps(deadLetterTopic, "d")) {
		t.Error("UsesDeadLetterQueue is wrong")
	}
}

func TestParseConnector(t *testing.T) {
	props := map[string]string{"name": "c", "connector.class": "X", "x": "y"}
	c, err := ParseConnector(props, nil)
	if err != nil || c.Name != "c" || c.TasksMax != 1 || !c.EnforceTasksMax {
		t.Errorf("%+v, %v", c, err)
	}
	got := c.Props()
	got["x"] = "changed"
	if props["x"] != "y" || c.Props()["x"] != "y" {
		t.Error("Props is no copy")
	}
	if _, err := ParseConnector(map[string]string{"name": "c"}, nil); err == nil {
		t.Error("no class is accepted")
	}
}

func TestConnectorConverters(t *testing.T) {
	w := testWorker(t, "value.converter.plugin.version", "4.3.1")
	c, err := ParseSink(sinkProps("key.converter", "JsonConverter", "key.converter.schemas.enable", "true", "key.converter.plugin.version", "4",
		"value.converter.schemas.enable", "true"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]Plugin{
		"key.converter": {Class: "JsonConverter", Version: "4", Props: map[string]string{"schemas.enable": "true", "plugin.version": "4"}},
		// Options alone do not make a converter of its own: the worker's has the worker's options.
		"value.converter":  {Class: "JsonConverter", Version: "4.3.1", Props: map[string]string{"schemas.enable": "false", "plugin.version": "4.3.1"}},
		"header.converter": {Class: "org.apache.kafka.connect.storage.SimpleHeaderConverter", Props: map[string]string{}},
	} {
		if diff := cmp.Diff(want, c.Converter(w, key)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

func TestSinkConsumer(t *testing.T) {
	id := connect.TaskID{Connector: "c", Task: 3}
	w := testWorker(t, "consumer.fetch.min.bytes", "7", "consumer.max.poll.records", "9", "security.protocol", "PLAINTEXT")
	got, err := w.SinkConsumer(id, sinkProps("consumer.override.max.poll.records", "11", "consumer.override.group.id", "mine"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"group.id": "mine", "client.id": "connector-consumer-c-3", "bootstrap.servers": "k1:9092,k2:9092",
		"enable.auto.commit": "false", "auto.offset.reset": "earliest", "fetch.min.bytes": "7", "max.poll.records": "11"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	w = testWorker(t, "connector.client.config.override.policy", "None")
	if _, err := w.SinkConsumer(id, sinkProps("consumer.override.group.id", "mine")); err == nil {
		t.Error("the policy was not asked")
	}
}
