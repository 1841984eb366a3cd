package settings

import (
	"errors"
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
		"errors.retry.timeout", "-1", "errors.log.enable", "true"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Connector{Name: "c", Class: "HdfsSink", Version: "[1,2)", TasksMax: 4, Topics: []string{"a", "b"},
		Errors: Errors{TolerateAll: true, RetryTimeout: -time.Millisecond, RetryDelayMax: time.Minute, Log: true}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Connector{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
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
	for key, value := range map[string]string{
		"topics": "", "tasks.max": "0", "transforms": "t", "predicates": "p", "errors.deadletterqueue.topic.name": "d", "name": "",
	} {
		_, err := ParseSink(sinkProps(key, value), nil)
		var e *config.Error
		if !errors.As(err, &e) || e.Key != key {
			t.Errorf("%s=%s: %v", key, value, err)
		}
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
