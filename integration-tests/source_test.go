//go:build integration

package integration

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

var kills = flag.Int("kills", 50, "how often the exactly-once test kills the worker")

// killAndRestart ends the worker a few times as crashes do, each time at some other point
// of its life, from its first steps to its steady work.
func (w *workerProcess) killAndRestart(times int, r *rand.Rand) {
	w.t.Helper()
	for range times {
		alive := time.Duration(r.IntN(1500)) * time.Millisecond
		select {
		case <-w.exited:
			w.t.Fatalf("the worker ended by itself:\n%s", w.logTail(40))
		case <-time.After(alive):
		}
		w.kill()
		w.launch()
	}
}

func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// TestLinesOfAFileSurviveKills follows lines from a file through a topic into a file while
// the worker is killed: some may come twice, none may be missing.
func TestLinesOfAFileSurviveKills(t *testing.T) {
	const topic = "lines"
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	createTopic(t, kafkaClient(t), topic, 1)
	w := newWorker(t, "lines-survive", nil)
	w.start()
	lines := startLines(t, in)
	w.create("lines-source", fileSource(in, topic))
	w.create("lines-sink", fileSink(topic, out))
	w.killAndRestart(8, newRand(t))
	n := lines.finish()

	got := readTopic(t, topic, kgo.ReadUncommitted()).untilLines(time.Minute, n)
	t.Logf("%d lines, %d records repeated", n, checkNoGap(t, got, n))
	w.eventually(time.Minute, "the last line is in the file of the sink", func() error {
		if all := fileLines(t, out); all[len(all)-1] != line(n-1) {
			return fmt.Errorf("the last line is %q", all[len(all)-1])
		}
		return nil
	})
	checkNoGap(t, fileLines(t, out), n)

	// A worker that is stopped in order has committed everything: nothing is read again.
	before := len(got)
	if code := w.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.start()
	w.awaitRunning("lines-source", time.Minute)
	lines.append(5)
	if got = readTopic(t, topic, kgo.ReadUncommitted()).untilLines(time.Minute, n+5); len(got) < before+5 || len(got) > before+5 {
		t.Errorf("%d records after a clean restart and 5 lines, want %d", len(got), before+5)
	}
}

// exactlyOnce are the properties of a worker with exactly-once sources.
func exactlyOnce(more ...string) map[string]string {
	return with(map[string]string{"exactly.once.source.support": "enabled"}, more...)
}

// TestExactlyOnceSourceSurvivesKills kills a worker again and again: who reads committed
// records sees each line once.
func TestExactlyOnceSourceSurvivesKills(t *testing.T) {
	const topic = "once"
	in := filepath.Join(t.TempDir(), "in")
	createTopic(t, kafkaClient(t), topic, 1)
	w := newWorker(t, "exactly-once", exactlyOnce())
	w.start()
	lines := startLines(t, in)
	w.create("once-source", fileSource(in, topic, "exactly.once.support", "required"))
	w.killAndRestart(*kills, newRand(t))
	n := lines.finish()

	r := readTopic(t, topic, kgo.ReadCommitted())
	r.untilLines(2*time.Minute, n)
	var got []string
	for _, rec := range r.more(time.Second) {
		got = append(got, string(rec.Value))
	}
	checkEachOnce(t, got, n)
	all := len(readTopic(t, topic, kgo.ReadUncommitted()).untilLines(time.Minute, n))
	t.Logf("%d lines; %d records with those of aborted transactions, after %d kills", n, all, *kills)
}

// TestTransactionBoundaries lets the interval and the batch decide about transactions.
func TestTransactionBoundaries(t *testing.T) {
	w := newWorker(t, "boundaries", exactlyOnce())
	w.start()
	for boundary, more := range map[string][]string{
		"poll":     nil,
		"interval": {"transaction.boundary.interval.ms", "300"},
	} {
		topic, in := "boundary-"+boundary, filepath.Join(t.TempDir(), "in")
		createTopic(t, kafkaClient(t), topic, 1)
		lines := &lineWriter{t: t, path: in}
		lines.append(5000)
		w.create(topic, fileSource(in, topic, append(more, "transaction.boundary", boundary)...))
		r := readTopic(t, topic, kgo.ReadCommitted())
		checkEachOnce(t, r.untilLines(time.Minute, 5000), 5000)
		w.delete(topic)
	}
}

// TestAZombieSourceTaskIsFenced freezes a worker beyond its session time-out. Another one
// takes over its task; when the frozen one wakes up, it can commit nothing more.
func TestAZombieSourceTaskIsFenced(t *testing.T) {
	const topic = "zombie"
	in := filepath.Join(t.TempDir(), "in")
	createTopic(t, kafkaClient(t), topic, 1)
	props := exactlyOnce("session.timeout.ms", "6000", "heartbeat.interval.ms", "1000", "rebalance.timeout.ms", "7000",
		"scheduled.rebalance.max.delay.ms", "0")
	first := newWorker(t, "zombies", props)
	first.start()
	lines := startLines(t, in)
	first.create("zombie-source", fileSource(in, topic))
	r := readTopic(t, topic, kgo.ReadCommitted())
	r.untilLines(time.Minute, 10)

	second := newWorker(t, "zombies", props)
	second.start()
	// Whichever has the task is frozen.
	owner, other := first, second
	var st api.ConnectorStatus
	first.eventually(time.Minute, "the task runs after the second worker joined", func() (err error) {
		if st, err = first.status("zombie-source"); err != nil {
			return err
		}
		if len(st.Tasks) != 1 || st.Tasks[0].State != "RUNNING" {
			return fmt.Errorf("status %+v", st)
		}
		return nil
	})
	if !strings.HasSuffix(first.base, st.Tasks[0].WorkerID) {
		owner, other = second, first
	}
	if err := owner.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	other.eventually(time.Minute, "the other worker has the task", func() error {
		st, err := other.status("zombie-source")
		if err != nil {
			return err
		}
		if len(st.Tasks) != 1 || st.Tasks[0].State != "RUNNING" || !strings.HasSuffix(other.base, st.Tasks[0].WorkerID) {
			return fmt.Errorf("status %+v", st)
		}
		return nil
	})
	t.Logf("the other worker had the task after %.1f s", time.Since(frozen).Seconds())
	if err := owner.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	// Both live now; the zombie finds out that it is one.
	owner.eventually(time.Minute, "the zombie is a healthy member again", func() error {
		return owner.client.JSON(t.Context(), http.MethodGet, owner.base+"/health", nil, nil)
	})
	n := lines.finish()
	r.untilLines(time.Minute, n)
	var got []string
	for _, rec := range r.more(2 * time.Second) {
		got = append(got, string(rec.Value))
	}
	checkEachOnce(t, got, n)
	other.awaitRunning("zombie-source", time.Minute)
}

// TestSourceOffsetsAreSharedWithTheJVMWorker lets the JVM worker, ours and the JVM's again
// read one file after the other: each goes on where the one before stopped.
func TestSourceOffsetsAreSharedWithTheJVMWorker(t *testing.T) {
	const topic, name = "shared-lines", "shared-source"
	in := filepath.Join(t.TempDir(), "in")
	createTopic(t, kafkaClient(t), topic, 1)
	w := newWorker(t, "shared-offsets", nil)
	props, err := readProperties(w.props)
	if err != nil {
		t.Fatal(err)
	}
	delete(props, "listeners")
	lines := &lineWriter{t: t, path: in}
	lines.append(1000)

	jvm := startJVM(t, props)
	if err := client.New(nil).JSON(t.Context(), http.MethodPut, client.ConnectorURL(jvm.URL, name, "config"), fileSource(in, topic), nil); err != nil {
		t.Fatal(err)
	}
	r := readTopic(t, topic, kgo.ReadUncommitted())
	r.untilLines(time.Minute, 1000)
	if err := jvm.Stop(); err != nil {
		t.Fatal(err)
	}

	w.start()
	w.awaitRunning(name, time.Minute)
	lines.append(1000)
	r.untilLines(time.Minute, 2000)
	if code := w.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}

	jvm = startJVM(t, props)
	lines.append(1000)
	checkEachOnce(t, r.untilLines(time.Minute, 3000), 3000)
	if err := jvm.Stop(); err != nil {
		t.Fatal(err)
	}
}

// TestExactlyOnceSourcesInAMixedGroup has a JVM worker and ours in one group with
// exactly-once support: whoever leads, the task of the other gets its zombies fenced, and
// each line comes once.
func TestExactlyOnceSourcesInAMixedGroup(t *testing.T) {
	const topic = "mixed-once"
	in := filepath.Join(t.TempDir(), "in")
	createTopic(t, kafkaClient(t), topic, 1)
	w := newWorker(t, "mixed-once", exactlyOnce("scheduled.rebalance.max.delay.ms", "0"))
	props, err := readProperties(w.props)
	if err != nil {
		t.Fatal(err)
	}
	delete(props, "listeners")
	lines := startLines(t, in)

	// The JVM leads, and has the task.
	jvm := startJVM(t, props)
	rest := client.New(nil)
	if err := rest.JSON(t.Context(), http.MethodPut, client.ConnectorURL(jvm.URL, topic, "config"), fileSource(in, topic, "tasks.max", "1"), nil); err != nil {
		t.Fatal(err)
	}
	r := readTopic(t, topic, kgo.ReadCommitted())
	r.until(time.Minute, "lines come", func(all []*kgo.Record) bool { return len(all) > 100 })
	w.start()
	// New task configs, so that zombies are to be fenced, written by the JVM leader; the
	// task may move to ours.
	for i := range 3 {
		config := fileSource(in, topic, "batch.size", fmt.Sprint(100+i))
		eventually(t, time.Minute, "the config is changed", func() error {
			return rest.JSON(t.Context(), http.MethodPut, client.ConnectorURL(w.base, topic, "config"), config, nil)
		})
		before := len(r.records)
		w.awaitRunning(topic, time.Minute)
		r.until(time.Minute, "lines come again", func(all []*kgo.Record) bool { return len(all) > before+100 })
	}
	// The JVM goes: ours leads, fences and has the task.
	if err := jvm.Stop(); err != nil {
		t.Fatal(err)
	}
	w.eventually(time.Minute, "the config is changed", func() error {
		return rest.JSON(t.Context(), http.MethodPut, client.ConnectorURL(w.base, topic, "config"), fileSource(in, topic, "batch.size", "50"), nil)
	})
	w.awaitRunning(topic, time.Minute)
	before := len(r.records)
	r.until(time.Minute, "lines come from ours", func(all []*kgo.Record) bool { return len(all) > before+100 })
	// A JVM follower gets its task fenced by us.
	jvm = startJVM(t, props)
	for i := range 3 {
		config := fileSource(in, topic, "batch.size", fmt.Sprint(200+i))
		eventually(t, time.Minute, "the config is changed", func() error {
			return rest.JSON(t.Context(), http.MethodPut, client.ConnectorURL(jvm.URL, topic, "config"), config, nil)
		})
		before := len(r.records)
		w.awaitRunning(topic, time.Minute)
		r.until(time.Minute, "lines come again", func(all []*kgo.Record) bool { return len(all) > before+100 })
	}
	n := lines.finish()
	r.untilLines(time.Minute, n)
	var got []string
	for _, rec := range r.more(time.Second) {
		got = append(got, string(rec.Value))
	}
	checkEachOnce(t, got, n)
}
