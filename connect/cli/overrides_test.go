package cli

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connectors/filestream"
	"github.com/penstock-io/penstock/internal/kafkatest"
)

// wire is what Kafka sees of settings that connectors override, by kind of request.
type wire struct {
	mu   sync.Mutex
	seen map[string]bool
}

func watchWire(c *kafkatest.Cluster) *wire {
	w := &wire{seen: map[string]bool{}}
	note := func(key kmsg.Key, what func(r kmsg.Request) string) {
		c.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			w.mu.Lock()
			defer w.mu.Unlock()
			w.seen[what(r)] = true
			return nil, nil, false
		})
	}
	note(kmsg.Fetch, func(r kmsg.Request) string {
		return fmt.Sprint("fetch max wait ", r.(*kmsg.FetchRequest).MaxWaitMillis)
	})
	note(kmsg.CreateTopics, func(r kmsg.Request) string {
		create := r.(*kmsg.CreateTopicsRequest)
		return fmt.Sprint("create ", create.Topics[0].Topic, " within ", create.TimeoutMillis)
	})
	note(kmsg.Produce, func(r kmsg.Request) string {
		produce := r.(*kmsg.ProduceRequest)
		const attributes = 21 // of a record batch, two bytes; its last three bits are the codec
		return fmt.Sprint("produce codec ", produce.Topics[0].Partitions[0].Records[attributes+1]&7)
	})
	return w
}

func (w *wire) await(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		eventually(t, "Kafka has seen: "+line, func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if !w.seen[line] {
				return errors.New(fmt.Sprint(w.seen))
			}
			return nil
		})
	}
}

func TestOverridesReachTheClientsOfASink(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("numbers", 1)
	c.Produce("none", kafkatest.Values("numbers", 0, "no number ", 1)...)
	seen := watchWire(c)
	w := start(t, settings.Distributed, distributedProps(c))
	cfg := sinkConfig(t.TempDir(), "numbers", 1)
	for k, v := range map[string]string{
		"consumer.override.fetch.max.wait.ms": "77", "producer.override.compression.type": "gzip", "admin.override.request.timeout.ms": "12345",
		"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead", "errors.deadletterqueue.topic.replication.factor": "1",
		"value.converter": "org.apache.kafka.connect.converters.IntegerConverter",
	} {
		cfg[k] = v
	}
	w.must(201, http.MethodPut, "connectors/numbers/config", jsonText(t, cfg))
	seen.await(t, "fetch max wait 77", "create dead within 12345", "produce codec 1")
}

func TestOverridesReachTheClientsOfASource(t *testing.T) {
	c := kafkatest.New(t)
	seen := watchWire(c)
	p := testProgram()
	p.Plugins.Connectors = append(p.Plugins.Connectors, plugin.Plugin[connect.Connector]{
		Class: filestream.SourceClass, New: func() connect.Connector { return filestream.NewSource(KafkaVersion) }})
	w, a := launchProgram(t, p, settings.Distributed, distributedProps(c))
	w.await(a)
	w.must(201, http.MethodPut, "connectors/lines/config", jsonText(t, map[string]string{
		"connector.class": "FileStreamSource", "topic": "read", "file": writeText(t, "lines.txt", "one\ntwo\n"),
		"producer.override.compression.type": "lz4", "consumer.override.fetch.max.wait.ms": "88", "admin.override.request.timeout.ms": "23456",
		"topic.creation.default.replication.factor": "1", "topic.creation.default.partitions": "1", "offsets.storage.topic": "own-offsets",
	}))
	seen.await(t, "fetch max wait 88", "create read within 23456", "produce codec 3")
}
