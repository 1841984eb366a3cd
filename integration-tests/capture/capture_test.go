//go:build capture

package capture

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// kafka is a broker behind a recorder.
type kafka struct{ rec *recorder }

func startKafka(t *testing.T) *kafka {
	rec := newRecorder(t)
	k, err := stack.StartKafka(context.Background(), stack.KafkaOptions{Dir: t.TempDir(), Settings: map[string]string{
		"advertised.listeners":         "PLAINTEXT://" + rec.address(),
		"group.min.session.timeout.ms": "1000",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Stop() })
	rec.mu.Lock()
	rec.target = k.Bootstrap
	rec.mu.Unlock()
	return &kafka{rec: rec}
}

// topicRecord is one line of a recorded topic.
type topicRecord struct {
	Topic     string  `json:"topic"` // config, status or offset
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
	Key       string  `json:"key"`
	Value     *string `json:"value"` // null = tombstone
}

// readTopics returns the committed records of the internal topics, in their order.
func (c *cluster) readTopics() []topicRecord {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out []topicRecord
	for _, kind := range []string{"config", "status", "offset"} {
		topic := c.rec.group + "-" + kind
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.rec.address()), kgo.ConsumeTopics(topic),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
		if err != nil {
			c.t.Fatal(err)
		}
		ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
		if err != nil {
			c.t.Fatal(err)
		}
		open := map[int32]int64{}
		ends.Each(func(o kadm.ListedOffset) {
			if o.Offset > 0 {
				open[o.Partition] = o.Offset
			}
		})
		var got []topicRecord
		for len(open) > 0 && ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				if r.Offset >= open[r.Partition]-1 {
					delete(open, r.Partition)
				}
				if r.Attrs.IsControl() {
					return
				}
				rec := topicRecord{Topic: kind, Partition: r.Partition, Offset: r.Offset, Key: string(r.Key)}
				if r.Value != nil {
					v := string(r.Value)
					rec.Value = &v
				}
				got = append(got, rec)
			})
		}
		cl.Close()
		if ctx.Err() != nil {
			c.t.Fatalf("read %s: %v", topic, ctx.Err())
		}
		slices.SortStableFunc(got, func(a, b topicRecord) int { return int(a.Partition - b.Partition) })
		out = append(out, got...)
	}
	return out
}

// root is the repository.
const root = "../.."

// save writes the run and the topics of a scenario.
func (c *cluster) save() {
	c.t.Helper()
	if c.t.Failed() {
		return
	}
	c.rec.mu.Lock()
	events := slices.Clone(c.rec.events)
	c.rec.mu.Unlock()
	writeLines(c.t, filepath.Join(root, "connect/group/protocol/testdata/java", c.name+".jsonl.gz"), events)
	writeLines(c.t, filepath.Join(root, "storage/records/testdata/java", c.name+".jsonl.gz"), c.readTopics())
}

// writeLines writes JSON lines, compressed when the name ends in .gz.
func writeLines[T any](t *testing.T, file string, lines []T) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	content := b.Bytes()
	if filepath.Ext(file) == ".gz" {
		var z bytes.Buffer
		w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression)
		w.Write(content)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		content = z.Bytes()
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d lines, %d bytes", file, len(lines), len(content))
}
