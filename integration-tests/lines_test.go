//go:build integration

package integration

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lineWriter appends numbered lines to a file, as an application does with its log, until
// it is stopped.
type lineWriter struct {
	t    *testing.T
	path string
	stop chan struct{}
	done sync.WaitGroup

	mu sync.Mutex
	n  int
}

func line(i int) string { return fmt.Sprintf("line %07d of the log", i) }

// startLines writes a few lines every few milliseconds.
func startLines(t *testing.T, path string) *lineWriter {
	t.Helper()
	w := &lineWriter{t: t, path: path, stop: make(chan struct{})}
	w.append(10)
	w.done.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.stop:
				return
			case <-tick.C:
				w.append(3)
			}
		}
	})
	return w
}

// append writes n more lines.
func (w *lineWriter) append(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for range n {
		b.WriteString(line(w.n) + "\n")
		w.n++
	}
	appendText(w.t, w.path, b.String())
}

func appendText(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Error(err)
	}
}

// finish stops writing and returns how many lines there are.
func (w *lineWriter) finish() int {
	close(w.stop)
	w.done.Wait()
	return w.n
}

// reading is a consumer of a topic from its beginning.
type reading struct {
	t       *testing.T
	client  *kgo.Client
	records []*kgo.Record
}

// readTopic begins to read a topic; committed leaves out what no transaction has committed.
func readTopic(t *testing.T, topic string, isolation kgo.IsolationLevel) *reading {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(kafkaCluster.Bootstrap), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(isolation),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond), kgo.UnknownTopicRetries(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &reading{t: t, client: c}
}

// until reads on until enough says so.
func (r *reading) until(timeout time.Duration, what string, enough func(all []*kgo.Record) bool) []*kgo.Record {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), timeout)
	defer cancel()
	for !enough(r.records) {
		fetches := r.client.PollFetches(ctx)
		if ctx.Err() != nil {
			r.t.Fatalf("%s: not after %v; %d records were read", what, timeout, len(r.records))
		}
		for _, err := range fetches.Errors() {
			r.t.Logf("reading %s: %v", err.Topic, err.Err)
		}
		r.records = append(r.records, fetches.Records()...)
	}
	return r.records
}

// more reads what comes within a while.
func (r *reading) more(d time.Duration) []*kgo.Record {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), d)
	defer cancel()
	for ctx.Err() == nil {
		r.records = append(r.records, r.client.PollFetches(ctx).Records()...)
	}
	return r.records
}

// untilLines reads until the last of n lines was seen.
func (r *reading) untilLines(timeout time.Duration, n int) []string {
	r.t.Helper()
	last, seen := line(n-1), 0
	r.until(timeout, fmt.Sprintf("line %d has arrived", n-1), func(all []*kgo.Record) bool {
		for ; seen < len(all); seen++ {
			if string(all[seen].Value) == last {
				return true
			}
		}
		return false
	})
	texts := make([]string, len(r.records))
	for i, rec := range r.records {
		texts[i] = string(rec.Value)
	}
	return texts
}

// checkEachOnce reports lines that are missing, repeated or out of order.
func checkEachOnce(t *testing.T, got []string, n int) {
	t.Helper()
	if len(got) != n {
		t.Errorf("%d lines, want %d", len(got), n)
	}
	for i, text := range got {
		if text != line(i) {
			t.Fatalf("line %d is %q, want %q", i, text, line(i))
		}
	}
}

// checkNoGap reports lines that come before an earlier one has been seen. Repeats are fine.
func checkNoGap(t *testing.T, got []string, n int) (repeated int) {
	t.Helper()
	next := 0
	for i, text := range got {
		switch {
		case next < n && text == line(next):
			next++
		case text < line(next):
			repeated++
		default:
			t.Fatalf("record %d is %q before %q was seen", i, text, line(next))
		}
	}
	if next != n {
		t.Errorf("the lines end with %d, want %d", next, n)
	}
	return repeated
}

func fileLines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// fileSource is the config of a source of a file's lines.
func fileSource(path, topic string, more ...string) map[string]string {
	return with(map[string]string{
		"connector.class": "FileStreamSource", "tasks.max": "1", "file": path, "topic": topic,
		"key.converter":   "org.apache.kafka.connect.storage.StringConverter",
		"value.converter": "org.apache.kafka.connect.storage.StringConverter",
	}, more...)
}

// fileSink is the config of a sink of a topic's text into a file.
func fileSink(topic, path string, more ...string) map[string]string {
	return with(map[string]string{
		"connector.class": "FileStreamSink", "tasks.max": "1", "file": path, "topics": topic,
		"key.converter":   "org.apache.kafka.connect.storage.StringConverter",
		"value.converter": "org.apache.kafka.connect.storage.StringConverter",
	}, more...)
}
