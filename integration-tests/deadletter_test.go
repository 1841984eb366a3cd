//go:build integration

package integration

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/rest/client"
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

// TestLettersAreThoseOfTheJVMWorker gives the same poison to a JVM worker and to ours: the
// letters have the same key, value, timestamp and headers.
func TestLettersAreThoseOfTheJVMWorker(t *testing.T) {
	const topic, name = "letters", "letters-sink"
	k := kafkaClient(t)
	createTopic(t, k, topic, 1)
	for i, value := range []string{`{"id": 1}`, `{"broken"`, `"no map"`, `{"id": {"a": 1}, "n": "x"}`, ""} {
		rec := &kgo.Record{Topic: topic, Key: []byte(fmt.Sprint(i)), Value: []byte(value), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)),
			Headers: []kgo.RecordHeader{{Key: "mine", Value: []byte("1")}, {Key: "null"}}}
		produceRaw(t, k, rec)
	}
	config := func(queue string) map[string]string {
		return fileSink(topic, filepath.Join(t.TempDir(), "out"), "value.converter", "org.apache.kafka.connect.json.JsonConverter",
			"value.converter.schemas.enable", "false", "transforms", "cast", "transforms.cast.type", "org.apache.kafka.connect.transforms.Cast$Value",
			"transforms.cast.spec", "id:int32,n:int64", "errors.tolerance", "all",
			"errors.deadletterqueue.topic.name", queue, "errors.deadletterqueue.topic.replication.factor", "1",
			"errors.deadletterqueue.context.headers.enable", "true")
	}
	w := newWorker(t, "letters", nil)
	props, err := readProperties(w.props)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"group.id", "config.storage.topic", "offset.storage.topic", "status.storage.topic"} {
		props[key] += "-jvm"
	}
	delete(props, "listeners")
	jvm := startJVM(t, props)
	// The same name, so that the headers are the same; the consumer groups are not.
	theirs := with(config("letters-jvm"), "consumer.override.group.id", "letters-read-by-jvm")
	if err := client.New(nil).JSON(t.Context(), http.MethodPut, client.ConnectorURL(jvm.URL, name, "config"), theirs, nil); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.create(name, with(config("letters-ours"), "consumer.override.group.id", "letters-read-by-us"))

	all := func(queue string) (letters []string) {
		r := readTopic(t, queue, kgo.ReadUncommitted())
		r.until(time.Minute, "letters come", func(all []*kgo.Record) bool { return len(all) >= 3 })
		for _, rec := range r.more(time.Second) {
			var b strings.Builder
			fmt.Fprintf(&b, "key %q value %q at %d", rec.Key, rec.Value, rec.Timestamp.UnixMilli())
			for _, h := range rec.Headers {
				value := string(h.Value)
				if h.Key == "__connect.errors.exception.stacktrace" {
					value = thrown(value)
				}
				fmt.Fprintf(&b, "\n  %s = %q (null: %t)", h.Key, value, h.Value == nil)
			}
			letters = append(letters, b.String())
		}
		return letters
	}
	if diff := cmp.Diff(all("letters-jvm"), all("letters-ours")); diff != "" {
		t.Errorf("letters (-JVM +ours):\n%s", diff)
	}
}

// thrown leaves of a stack trace the first class: frames and the causes of libraries differ.
func thrown(trace string) string {
	var classes []string
	for text := range strings.SplitSeq(trace, "\n") {
		if text == "" || strings.HasPrefix(text, "\t") || strings.HasPrefix(text, " ") {
			continue
		}
		class, _, _ := strings.Cut(strings.TrimPrefix(text, "Caused by: "), ":")
		classes = append(classes, class)
	}
	return classes[0]
}
