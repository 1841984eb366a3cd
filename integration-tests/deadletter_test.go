//go:build integration

package integration

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestPoisonGoesToTheDeadLetterQueue mixes records that are no JSON, or that a transform
// cannot work on, with good ones at random: exactly they arrive in the dead letter queue,
// with what is known about their failure, and the others in the sink's file, each once.
func TestPoisonGoesToTheDeadLetterQueue(t *testing.T) {
	const topic, queue, partitions, each = "poisoned", "poisoned-dlq", 2, 3000
	k, r := kafkaClient(t), newRand(t)
	createTopic(t, k, topic, partitions)
	type place struct {
		partition int32
		offset    int
	}
	poison := map[place]string{}
	var good []string
	produce(t, k, topic, partitions, 0, each, func(p int32, i int) string {
		switch r.IntN(20) {
		case 0:
			poison[place{p, i}] = "VALUE_CONVERTER"
			return fmt.Sprintf(`{"broken": %d-%d`, p, i)
		case 1:
			poison[place{p, i}] = "TRANSFORMATION"
			return fmt.Sprintf(`"text %d-%d is no map"`, p, i)
		}
		text := fmt.Sprintf("%d-%d", p, i)
		good = append(good, text)
		return fmt.Sprintf(`{"id": %q, "secret": "x"}`, text)
	})

	out := filepath.Join(t.TempDir(), "out")
	w := newWorker(t, "poisoned", nil)
	w.start()
	w.create("poisoned-sink", fileSink(topic, out, "value.converter", "org.apache.kafka.connect.json.JsonConverter",
		"value.converter.schemas.enable", "false",
		"transforms", "mask,id", "transforms.mask.type", "org.apache.kafka.connect.transforms.MaskField$Value", "transforms.mask.fields", "secret",
		"transforms.id.type", "org.apache.kafka.connect.transforms.ExtractField$Value", "transforms.id.field", "id",
		"errors.tolerance", "all", "errors.log.enable", "true",
		"errors.deadletterqueue.topic.name", queue, "errors.deadletterqueue.topic.replication.factor", "1",
		"errors.deadletterqueue.context.headers.enable", "true"))

	letters := readTopic(t, queue, kgo.ReadUncommitted())
	letters.until(time.Minute, "all poison is in the queue", func(all []*kgo.Record) bool { return len(all) >= len(poison) })
	w.eventually(time.Minute, "all good records are in the file", func() error {
		if n := len(fileLines(t, out)); n < len(good) {
			return fmt.Errorf("%d of %d", n, len(good))
		}
		return nil
	})
	left := maps.Clone(poison)
	for _, rec := range letters.more(time.Second) {
		h := map[string]string{}
		for _, header := range rec.Headers {
			h[strings.TrimPrefix(header.Key, "__connect.errors.")] = string(header.Value)
		}
		offset, err := strconv.Atoi(h["offset"])
		if err != nil {
			t.Fatal(err)
		}
		partition, err := strconv.Atoi(h["partition"])
		if err != nil {
			t.Fatal(err)
		}
		at := place{int32(partition), offset}
		stage, known := left[at]
		delete(left, at)
		if !known || h["topic"] != topic || h["stage"] != stage || h["connector.name"] != "poisoned-sink" || h["task.id"] != "0" ||
			h["exception.class.name"] == "" || h["exception.stacktrace"] == "" || len(h) != 10 {
			t.Fatalf("a letter with the headers %v, want stage %q", h, stage)
		}
		if want := fmt.Sprintf("%d-%d", partition, offset); !strings.Contains(string(rec.Value), want) {
			t.Fatalf("the letter of %v holds %q", at, rec.Value)
		}
	}
	if len(left) > 0 {
		t.Errorf("%d of %d letters are missing: %v", len(left), len(poison), left)
	}
	got := fileLines(t, out)
	slices.Sort(got)
	slices.Sort(good)
	if !slices.Equal(got, good) {
		t.Errorf("%d lines in the file, want %d, each once", len(got), len(good))
	}
	w.awaitRunning("poisoned-sink", 10*time.Second)
}
