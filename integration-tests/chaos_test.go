//go:build integration

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

var (
	chaosTime = flag.Duration("chaos", 2*time.Minute, "how long the chaos test breaks things")
	chaosSeed = flag.Uint64("chaos.seed", 0, "of what the chaos test does; 0 takes another one each time")
)

// chaos is one run: its cluster, what happened and what went wrong.
type chaos struct {
	t          *testing.T
	seed       uint64
	dir        string
	file       *os.File // of events
	kafka      *stack.KafkaCluster
	client     *kgo.Client
	rest       *client.Client
	start      time.Time
	once       []*chaosWorker // a group with exactly-once sources
	lines      []*chaosWorker // a group without
	connectors []chaosConnector
	running    context.Context
	stop       context.CancelFunc

	mu       sync.Mutex
	events   []string
	problems []string
	counts   map[string]int
}

// log adds to the log of events, which is printed when the run fails. Its file lets people
// watch a run.
func (c *chaos) log(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	event := fmt.Sprintf("%s +%6.1f s  %s", time.Now().Format("15:04:05.000"), time.Since(c.start).Seconds(), fmt.Sprintf(format, args...))
	c.events = append(c.events, event)
	fmt.Fprintln(c.file, event) //nolint:errcheck // for those who watch
}

// problem notes what must not happen and ends the faults early, so that the log ends with
// what led to it.
func (c *chaos) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.log("PROBLEM %s", text)
	c.mu.Lock()
	c.problems = append(c.problems, text)
	c.mu.Unlock()
	c.stop()
}

func (c *chaos) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
}

func (c *chaos) faults() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.counts {
		n += m
	}
	return n
}

// wait lets time pass; faults are healed in their time even when the chaos is over.
func (c *chaos) wait(d time.Duration) { time.Sleep(d) }

func (c *chaos) over() bool { return c.running.Err() != nil }

// server takes a server away for a time.
func (c *chaos) server(name string, end func() error, away time.Duration, start func(context.Context) error) {
	c.log("%s: goes, for %.1f s", name, away.Seconds())
	if err := end(); err != nil {
		c.problem("%s: %v", name, err)
	}
	c.wait(away)
	c.log("%s: starts", name)
	if err := start(c.t.Context()); err != nil {
		c.problem("%s: %v", name, err)
	}
	c.log("%s: is back", name)
}

func (c *chaos) workers() []*chaosWorker {
	return append(append([]*chaosWorker{}, c.once...), c.lines...)
}

const (
	chaosTopic      = "chaos"
	chaosPartitions = 5
	chaosOnceTopic  = "chaos-once"
	chaosLinesTopic = "chaos-lines"
	chaosOnceGroup  = "chaos-a"
	chaosLinesGroup = "chaos-b"
)

// TestChaosLosesNothing breaks workers, links and servers at random while a sink writes to
// HDFS and sources write to Kafka. When the chaos is over, everything must run again without
// anybody's help, every record be in HDFS once and in order, and the topics of the sources
// have no gap (and no repeat, with exactly-once support).
func TestChaosLosesNothing(t *testing.T) {
	c := newChaos(t)
	r := rand.New(rand.NewPCG(c.seed, 1))
	in := filepath.Join(c.dir, "lines")
	lines := startLines(t, in)
	c.connectors = []chaosConnector{
		{"chaos-sink", c.once, c.sink(r), 3},
		{"chaos-once", c.once, verifiableSource(chaosOnceTopic, "tasks.max", "2"), 2},
		{"chaos-lines", c.lines, fileSource(in, chaosLinesTopic), 1},
	}
	for _, con := range c.connectors {
		c.create(con)
	}
	records := c.produce()
	c.log("the chaos begins")
	time.AfterFunc(*chaosTime, c.stop)
	c.rage([]lane{
		{workerFaults, c.once, 0.2, 6}, {workerFaults, c.once, 1, 12}, {workerFaults, c.lines, 1, 12}, {serverFaults, nil, 3, 15},
		{userFaults, nil, 1, 20},
	})
	c.restartDataNode()
	c.wait(2 * time.Second) // the last records come to a whole cluster
	perPartition, written := records.finish(), lines.finish()
	healed := time.Now()
	c.calm(t)
	c.awaitHealthy(2 * time.Minute)
	healthy := time.Since(healed)
	c.checkSink(perPartition, 3*time.Minute)
	read := time.Since(healed)
	c.checkOnce()
	c.checkLines(written)
	c.checkFootprints()
	t.Logf("seed %d: %d faults %s; %d records, %d lines; all healthy %.1f s after the chaos, all records committed and read after %.1f s",
		c.seed, c.faults(), c.summary(), perPartition*chaosPartitions, written, healthy.Seconds(), read.Seconds())
}

// newChaos starts Kafka and both groups.
func newChaos(t *testing.T) *chaos {
	t.Helper()
	c := &chaos{t: t, seed: *chaosSeed, start: time.Now(), counts: map[string]int{}, rest: client.New(nil)}
	if c.seed == 0 {
		c.seed = rand.Uint64()
	}
	t.Logf("seed %d", c.seed)
	c.running, c.stop = context.WithCancel(t.Context())
	var err error
	if c.dir, err = os.MkdirTemp("", "penstock-chaos-"); err != nil {
		t.Fatal(err)
	}
	if c.file, err = os.Create(filepath.Join(c.dir, "events.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.report)
	for i := range 5 {
		w := newChaosWorker(c, fmt.Sprintf("worker-%d", i+1))
		if i < 3 {
			c.once = append(c.once, w)
		} else {
			c.lines = append(c.lines, w)
		}
	}
	options := stack.KafkaOptions{Dir: filepath.Join(c.dir, "kafka"), SeparateController: true}
	for _, w := range c.workers() {
		options.Proxied = append(options.Proxied, w.kafkaPorts)
	}
	if c.kafka, err = stack.StartKafka(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.kafka.Stop() })
	c.client = c.newClient()
	createTopic(t, c.client, chaosTopic, chaosPartitions)
	createTopic(t, c.client, chaosOnceTopic, 2)
	createTopic(t, c.client, chaosLinesTopic, 1)
	c.startWorkers()
	var markers sync.WaitGroup
	markers.Go(c.writeLostMarkers)
	t.Cleanup(markers.Wait) // the test's context ends before its clean-ups
	return c
}

func (c *chaos) startWorkers() {
	for i, w := range c.workers() {
		group, more := chaosOnceGroup, exactlyOnce()
		if i >= len(c.once) {
			group, more = chaosLinesGroup, nil
		}
		w.configure(group, more)
		w.launch()
		c.t.Cleanup(w.end)
	}
	for group, workers := range map[string][]*chaosWorker{chaosOnceGroup: c.once, chaosLinesGroup: c.lines} {
		for _, w := range workers {
			c.awaitHealth(w, time.Minute)
		}
		c.watch(group)
	}
}

func (c *chaos) newClient(more ...kgo.Opt) *kgo.Client {
	k, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.kafka.Bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.FetchMaxWait(200 * time.Millisecond), kgo.UnknownTopicRetries(-1), kgo.RecordRetries(1 << 30)}, more...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(k.Close)
	return k
}

// sink is the config of the HDFS sink; details are left to chance.
func (c *chaos) sink(r *rand.Rand) map[string]string {
	format := []string{"io.confluent.connect.hdfs.avro.AvroFormat", "io.confluent.connect.hdfs.json.JsonFormat"}[r.IntN(2)]
	flushSize := 200 + r.IntN(800)
	c.log("the sink has %s and flush.size=%d", format, flushSize)
	return sinkConfig(chaosTopic, flushSize, map[string]string{"tasks.max": "3", "hdfs.url": "${env:" + hdfsVariable + "}",
		"format.class": format, "flush.interval.ms": "1000",
		"topics.dir": fmt.Sprintf("/chaos-%d/data", c.seed), "logs.dir": fmt.Sprintf("/chaos-%d/logs", c.seed)})
}

func (c *chaos) create(con chaosConnector) {
	c.t.Helper()
	eventually(c.t, time.Minute, "connector "+con.name+" is created", func() error {
		err := c.ask(con.workers[0], con, http.MethodPut, "config", con.config)
		var e *api.Error
		if errors.As(err, &e) && e.Status == http.StatusBadRequest {
			c.t.Fatal(e.Message)
		}
		return err
	})
	eventually(c.t, time.Minute, "connector "+con.name+" runs", func() error { return c.runs(con.workers[0], con) })
}

// runs checks that a connector and its tasks run, as a worker tells.
func (c *chaos) runs(w *chaosWorker, con chaosConnector) error {
	var st api.ConnectorStatus
	if err := c.rest.JSON(c.t.Context(), http.MethodGet, client.ConnectorURL(w.base, con.name, "status"), nil, &st); err != nil {
		return err
	}
	running := 0
	for _, task := range st.Tasks {
		if task.State == "RUNNING" {
			running++
		}
	}
	if st.Connector.State != "RUNNING" || running != con.tasks || len(st.Tasks) != con.tasks {
		return fmt.Errorf("%s tells of %s: %+v", w.name, con.name, st)
	}
	return nil
}

// watch follows the status topic of a group: every state that anybody ever had is there, and
// nothing may have FAILED.
func (c *chaos) watch(group string) {
	k := c.newClient(kgo.ConsumeTopics(group+"-status"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var done sync.WaitGroup
	ctx, cancel := context.WithCancel(c.t.Context())
	c.t.Cleanup(func() { cancel(); done.Wait() })
	done.Go(func() {
		for ctx.Err() == nil {
			k.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				var st struct {
					State, Trace string
					Worker       string `json:"worker_id"`
				}
				if !strings.HasPrefix(string(r.Key), "status-") || json.Unmarshal(r.Value, &st) != nil {
					return
				}
				c.log("%s %s at %s (%s)", r.Key, st.State, st.Worker, c.nameOf(st.Worker))
				if st.State == "FAILED" {
					c.problem("%s FAILED at %s: %s", r.Key, c.nameOf(st.Worker), st.Trace)
				}
			})
		}
	})
}

func (c *chaos) nameOf(workerID string) string {
	for _, w := range c.workers() {
		if w.links[linkREST].Addr() == workerID {
			return w.name
		}
	}
	return "nobody"
}

// report fails the test for all problems and prints what is needed to understand them.
func (c *chaos) report() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.file.Close()
	for _, p := range c.problems {
		c.t.Error(p)
	}
	if !c.t.Failed() {
		os.RemoveAll(c.dir)
		return
	}
	c.t.Logf("seed %d; logs and data are in %s; the events:\n%s", c.seed, c.dir, strings.Join(c.events, "\n"))
}
