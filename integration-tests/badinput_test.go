//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// bad is one mistake that users make: what stands in the topic, how the connector is
// configured, and what the message must tell.
type bad struct {
	name   string
	value  []byte // nil: tombstone
	config map[string]string
	want   []string // in the task's trace
}

var noSchemas = map[string]string{"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"}

func with(base map[string]string, kv ...string) map[string]string {
	m := map[string]string{}
	for k, v := range base {
		m[k] = v
	}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return m
}

var badInputs = []bad{
	{"a record that is not JSON", []byte("{not json"), nil, []string{"value.converter", "errors.tolerance"}},
	{"a tombstone", nil, nil, []string{"null"}},
	{"a missing timestamp field", []byte(event(0, 1)), map[string]string{
		"partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner", "locale": "en", "timezone": "UTC",
		"timestamp.extractor": "RecordField", "timestamp.field": "created"}, []string{"created", "timestamp.field"}},
	{"a value without schema for Avro", []byte(`{"a":1}`), noSchemas, []string{"schema", "value.converter"}},
}

func TestBadInputFailsTheTaskWithAMessageThatHelps(t *testing.T) {
	k := kafkaClient(t)
	w := newWorker(t, "bad-input", nil)
	w.start()
	for i, tc := range badInputs {
		t.Run(tc.name, func(t *testing.T) {
			topic := fmt.Sprintf("bad-%d", i)
			createTopic(t, k, topic, 1)
			produceRaw(t, k, &kgo.Record{Topic: topic, Value: tc.value})
			w.put(topic, sinkConfig(topic, 1, with(tc.config, "tasks.max", "1")))
			var trace string
			w.eventually(time.Minute, "the task is FAILED", func() error {
				st, err := w.status(topic)
				if err != nil {
					return err
				}
				if len(st.Tasks) != 1 || st.Tasks[0].State != "FAILED" {
					return fmt.Errorf("status %+v", st)
				}
				trace = st.Tasks[0].Trace
				return nil
			})
			for _, want := range append([]string{topic, "partition 0", "offset 0"}, tc.want...) {
				if !strings.Contains(trace, want) {
					t.Errorf("%q is not in the trace:\n%s", want, trace)
				}
			}
		})
	}
}

func TestBadInputIsSkippedWithToleranceAll(t *testing.T) {
	k, h := kafkaClient(t), hdfsClient(t)
	w := newWorker(t, "tolerant", nil)
	w.start()
	for i, tc := range badInputs {
		t.Run(tc.name, func(t *testing.T) {
			topic := fmt.Sprintf("tolerant-%d", i)
			createTopic(t, k, topic, 1)
			good := []byte(strings.Replace(event(0, 0), `"user":"user-0"`, `"user":"created"`, 1))
			config := tc.config
			if strings.Contains(tc.name, "timestamp") {
				// This record has the field that the others lack.
				good = []byte(`{"schema":{"type":"struct","optional":false,"fields":[{"field":"created","type":"int64","optional":false}]},"payload":{"created":1700000000000}}`)
			}
			if tc.config["value.converter.schemas.enable"] == "false" {
				// No record can be good for Avro here: the task must still go on.
				config = with(tc.config, "format.class", "io.confluent.connect.hdfs.string.StringFormat")
				good = []byte(`"text"`)
			}
			produceRaw(t, k, &kgo.Record{Topic: topic, Value: tc.value})
			produceRaw(t, k, &kgo.Record{Topic: topic, Value: good})
			w.create(topic, sinkConfig(topic, 1, with(config, "tasks.max", "1", "errors.tolerance", "all",
				"errors.deadletterqueue.topic.name", topic+"-dlq", "errors.deadletterqueue.topic.replication.factor", "1",
				"errors.deadletterqueue.context.headers.enable", "true")))
			w.eventually(time.Minute, "the good record is committed", func() error {
				return reachedOffset(t, h, topicsDir(topic), topic, 1, 2)
			})
			if n := len(dataFiles(t, h, topicsDir(topic), topic)); n != 1 {
				t.Errorf("%d files, want the one of the good record", n)
			}
			// The other one is in the dead letter queue as it was, whoever refused it.
			letters := readTopic(t, topic+"-dlq", kgo.ReadUncommitted())
			letters.until(time.Minute, "the bad record is in the queue", func(all []*kgo.Record) bool { return len(all) > 0 })
			if all := letters.more(300 * time.Millisecond); len(all) != 1 || !bytes.Equal(all[0].Value, tc.value) || len(all[0].Headers) != 10 {
				t.Errorf("letters: %v", all)
			}
			w.awaitRunning(topic, 10*time.Second)
		})
	}
}
