//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// pauses measures the longest time without anything new in each of several streams.
type pauses struct {
	mu    sync.Mutex
	last  map[string]time.Time
	worst map[string]time.Duration
}

func newPauses() *pauses {
	return &pauses{last: map[string]time.Time{}, worst: map[string]time.Duration{}}
}

func (p *pauses) saw(stream string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, ok := p.last[stream]; ok {
		p.worst[stream] = max(p.worst[stream], at.Sub(last))
	}
	if at.After(p.last[stream]) {
		p.last[stream] = at
	}
}

// longest returns the longest pause of any stream since the last call.
func (p *pauses) longest() (longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.worst {
		longest = max(longest, d)
	}
	clear(p.worst)
	return longest
}

// since reports whether n streams have had something new after a time.
func (p *pauses) since(after time.Time, n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	lively := 0
	for _, at := range p.last {
		if at.After(after) {
			lively++
		}
	}
	if lively < n {
		return fmt.Errorf("%d of %d streams, last seen %v", lively, n, p.last)
	}
	return nil
}

// taskWatch measures the pauses of the tasks of a source by its records' timestamps. The
// key of a record names its stream.
type taskWatch struct{ *pauses }

func watchTasks(t *testing.T, topic string) *taskWatch {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(kafkaCluster.Bootstrap), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.UnknownTopicRetries(-1))
	if err != nil {
		t.Fatal(err)
	}
	w := &taskWatch{newPauses()}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			fetches := c.PollFetches(t.Context())
			if t.Context().Err() != nil {
				return
			}
			for _, r := range fetches.Records() {
				w.saw(string(r.Key), r.Timestamp)
			}
		}
	})
	t.Cleanup(func() {
		c.Close()
		reading.Wait()
	})
	return w
}

// fileWatch follows a file that sink tasks append lines to. The first word of a line names
// its stream.
type fileWatch struct {
	*pauses
	path string
}

func watchFile(t *testing.T, path string) *fileWatch {
	t.Helper()
	w := &fileWatch{pauses: newPauses(), path: path}
	var reading sync.WaitGroup
	reading.Go(func() {
		var offset int64
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-t.Context().Done():
				return
			case <-tick.C:
				offset += w.read(offset)
			}
		}
	})
	t.Cleanup(reading.Wait)
	return w
}

// read notes the whole lines from offset on and returns their length.
func (w *fileWatch) read(offset int64) int64 {
	f, err := os.Open(w.path)
	if err != nil {
		return 0 // not there yet
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, offset, 1<<40))
	if err != nil {
		return 0
	}
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	now := time.Now()
	for text := range strings.Lines(string(b)) {
		stream, _, _ := strings.Cut(text, " ")
		w.saw(stream, now)
	}
	return int64(len(b))
}

// complete returns nil once the last record of each partition is in the file.
func (w *fileWatch) complete(partitions, n int) error {
	b, err := os.ReadFile(w.path)
	if err != nil {
		return err
	}
	for p := range partitions {
		if last := flowText(int32(p), n-1) + "\n"; !bytes.Contains(b, []byte(last)) {
			return fmt.Errorf("%q is missing", last)
		}
	}
	return nil
}

// check reports records that are missing and counts those that came more than once.
func (w *fileWatch) check(t *testing.T, partitions, n int) (repeated int) {
	t.Helper()
	seen := map[string]int{}
	for _, text := range fileLines(t, w.path) {
		seen[text]++
	}
	missing := 0
	for p := range partitions {
		for i := range n {
			switch got := seen[flowText(int32(p), i)]; got {
			case 0:
				if missing++; missing < 5 {
					t.Errorf("%s lacks %q", w.path, flowText(int32(p), i))
				}
			default:
				repeated += got - 1
			}
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d records are missing", missing, partitions*n)
	}
	if strange := len(seen) - partitions*n + missing; strange != 0 {
		t.Errorf("%d lines are no records, or damaged", strange)
	}
	return repeated
}

func flowText(partition int32, i int) string { return fmt.Sprintf("p%d record %06d", partition, i) }

// flow produces a record to each partition every 20 ms until it is stopped.
type flow struct {
	stop chan struct{}
	done sync.WaitGroup
	n    int
}

func startFlow(t *testing.T, c *kgo.Client, topic string, partitions int32) *flow {
	t.Helper()
	f := &flow{stop: make(chan struct{})}
	f.done.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-f.stop:
				return
			case <-tick.C:
			}
			records := make([]*kgo.Record, partitions)
			for p := range partitions {
				records[p] = &kgo.Record{Topic: topic, Partition: p, Value: []byte(flowText(p, f.n))}
			}
			if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Error(err)
				return
			}
			f.n++
		}
	})
	return f
}

// finish returns how many records each partition has.
func (f *flow) finish() int {
	close(f.stop)
	f.done.Wait()
	return f.n
}

// mixedWork is what the members of a mixed group do meanwhile: a source of numbers, and two
// sinks of one topic, with both kinds of assignors, whose tasks share consumer groups over
// both kinds of workers.
type mixedWork struct {
	*mixedGroup
	numbers *taskWatch
	sinks   map[string]*fileWatch // by the assignor's name
	records *flow
}

const (
	mixedPartitions = 6
	mixedTasks      = 3
)

func (g *mixedWork) startWork(t *testing.T, m *member) {
	t.Helper()
	createTopic(t, g.kafka, "mixed-numbers", 1)
	createTopic(t, g.kafka, "mixed-records", mixedPartitions)
	g.records = startFlow(t, g.kafka, "mixed-records", mixedPartitions)
	m.via(t).put("mixed-numbers", verifiableSource("mixed-numbers", "tasks.max", fmt.Sprint(mixedTasks)))
	g.numbers, g.sinks = watchTasks(t, "mixed-numbers"), map[string]*fileWatch{}
	for name, strategy := range map[string]string{"range": "RangeAssignor", "cooperative-sticky": "CooperativeStickyAssignor"} {
		out := filepath.Join(t.TempDir(), "out")
		g.sinks[name] = watchFile(t, out)
		m.via(t).put("mixed-"+name, fileSink("mixed-records", out, "tasks.max", fmt.Sprint(mixedTasks),
			"consumer.override.partition.assignment.strategy", "org.apache.kafka.clients.consumer."+strategy))
	}
	g.settled(t, "all have started", time.Now())
	kinds := map[bool]bool{}
	for name := range g.sinks {
		for _, task := range g.agree(t, "mixed-"+name, "RUNNING", times(mixedTasks, "RUNNING")...).Tasks {
			kinds[g.byID(task.WorkerID).jvm != nil] = true
		}
	}
	if len(kinds) != 2 {
		t.Error("the sinks' tasks are all on one kind of worker")
	}
}

// settled waits until everything runs, on workers that are there, and has written something
// after an event. It logs how long something did not.
func (g *mixedWork) settled(t *testing.T, what string, event time.Time) {
	t.Helper()
	g.leader(t)
	eventually(t, time.Minute, "each task of the source writes", func() error { return g.numbers.since(event, mixedTasks) })
	g.agree(t, "mixed-numbers", "RUNNING", times(mixedTasks, "RUNNING")...)
	for name, w := range g.sinks {
		eventually(t, time.Minute, "all partitions come to the sink "+name, func() error { return w.since(event, mixedPartitions) })
		g.agree(t, "mixed-"+name, "RUNNING", times(mixedTasks, "RUNNING")...)
		eventually(t, time.Minute, "each task is a member of the group with the assignor "+name, func() error {
			d, err := describe(t.Context(), g.kafka, "connect-mixed-"+name)
			if err != nil {
				return err
			}
			if len(d.Members) != mixedTasks || d.Protocol != name {
				return fmt.Errorf("%d members with the assignor %s", len(d.Members), d.Protocol)
			}
			return nil
		})
	}
	// A little later all of the pause has been seen.
	now := time.Now()
	eventually(t, time.Minute, "each task of the source writes", func() error { return g.numbers.since(now, mixedTasks) })
	text := fmt.Sprintf("source %.1f s", g.numbers.longest().Seconds())
	for _, name := range slices.Sorted(maps.Keys(g.sinks)) {
		w := g.sinks[name]
		eventually(t, time.Minute, "all partitions come to the sink "+name, func() error { return w.since(now, mixedPartitions) })
		text += fmt.Sprintf(", %s sink %.1f s (%d records repeated so far)", name, w.longest().Seconds(), countRepeats(t, w.path))
	}
	t.Logf("%s; longest pauses: %s", what, text)
}

// checkRepeats is for the time when everybody has left in order. With the cooperative
// assignor a task that is stopped in the middle of a rebalance of its group cannot commit,
// in the JVM as here; with the others it gives all up, and commits, before the rebalance.
func (g *mixedWork) checkRepeats(t *testing.T) {
	t.Helper()
	if n := countRepeats(t, g.sinks["range"].path); n > 0 {
		t.Errorf("%d records were repeated although every worker left in order", n)
	}
}

// finishWork ends the work: nothing is missing.
func (g *mixedWork) finishWork(t *testing.T) {
	t.Helper()
	g.leader(t).via(t).request(http.MethodDelete, "/connectors/mixed-numbers", nil)
	n := g.records.finish()
	for name, w := range g.sinks {
		eventually(t, time.Minute, "the last records are in the file of "+name, func() error { return w.complete(mixedPartitions, n) })
		t.Logf("%s: %d records in each partition, %d repeated", name, n, w.check(t, mixedPartitions, n))
	}
	numbers := readTopic(t, "mixed-numbers", kgo.ReadUncommitted()).more(2 * time.Second)
	checkSeqnos(t, numbers, false)
	t.Logf("source: %d numbers, none is missing", len(numbers))
}

// countRepeats counts lines that a file has more than once.
func countRepeats(t *testing.T, path string) (repeated int) {
	t.Helper()
	seen := map[string]bool{}
	for _, text := range fileLines(t, path) {
		if seen[text] {
			repeated++
		}
		seen[text] = true
	}
	return repeated
}
