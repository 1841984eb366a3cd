package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connectors/hdfssink"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/internal/logging"
	"github.com/penstock-io/penstock/rest/client"
)

// patience is how long a test waits for something that happens within milliseconds.
const patience = 20 * time.Second

// TestMain is also the entry of child processes, see signal_test.go.
func TestMain(m *testing.M) {
	if child(os.Getenv(childVariable)) {
		return
	}
	code := m.Run()
	// The connections of the clients with the default transport are kept for reuse.
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if code == 0 {
		if err := goleak.Find(goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// testProgram has the plugins of cmd/worker that tests use.
func testProgram() Program {
	set := plugin.Builtin(KafkaVersion)
	set.Connectors = append(set.Connectors, plugin.Plugin[connect.Connector]{
		Class: hdfssink.ConnectorClass, New: func() connect.Connector { return hdfssink.NewConnector() },
	})
	return Program{Plugins: set}
}

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// eventually asks until check succeeds.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s: %v", what, err)
		}
	}
}

// testWorker is a worker that runs in the test's process.
type testWorker struct {
	t    *testing.T
	url  string
	log  *logBuffer
	rest *client.Client

	cancel context.CancelFunc
	ended  chan struct{}
	err    error // once ended is closed
}

// launch starts a worker without waiting for anything; it ends with the test.
func launch(t *testing.T, mode settings.Mode, props map[string]string, files ...connectorFile) (*testWorker, *Worker) {
	t.Helper()
	return launchProgram(t, testProgram(), mode, props, files...)
}

func launchProgram(t *testing.T, p Program, mode settings.Mode, props map[string]string, files ...connectorFile) (*testWorker, *Worker) {
	t.Helper()
	w := &testWorker{t: t, log: &logBuffer{}, rest: client.New(nil), ended: make(chan struct{})}
	log, levels := logging.New(w.log)
	a, err := p.NewWorker(mode, props, log, levels)
	if err != nil {
		t.Fatalf("newApp: %v", err)
	}
	a.connectors = files
	var ctx context.Context
	ctx, w.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(w.ended)
		w.err = a.Run(ctx)
	}()
	t.Cleanup(func() {
		w.cancel()
		<-w.ended
		if t.Failed() {
			t.Logf("log of the worker at %s:\n%s", w.url, w.log)
		}
	})
	return w, a
}

// start is launch, and waits until REST answers and the first assignment was worked off.
func start(t *testing.T, mode settings.Mode, props map[string]string, files ...connectorFile) *testWorker {
	t.Helper()
	w, a := launch(t, mode, props, files...)
	w.await(a)
	return w
}

// await waits until REST answers and the first assignment was worked off.
func (w *testWorker) await(a *Worker) {
	t := w.t
	t.Helper()
	select {
	case w.url = <-a.listening:
	case <-w.ended:
		t.Fatalf("the worker ended at once: %v", w.err)
	case <-time.After(patience):
		t.Fatal("the worker does not listen")
	}
	eventually(t, "the worker is healthy", func() error { return w.call(http.MethodGet, "health", nil, nil) })
}

// stop stops the worker as a signal does.
func (w *testWorker) stop() error {
	w.cancel()
	return w.wait()
}

func (w *testWorker) wait() error {
	w.t.Helper()
	select {
	case <-w.ended:
		return w.err
	case <-time.After(patience):
		w.t.Fatal("the worker does not end")
		return nil
	}
}

func (w *testWorker) call(method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return w.rest.JSON(ctx, method, w.url+path, in, out)
}

// must is call that has to succeed with the given status.
func (w *testWorker) must(status int, method, path string, body string) string {
	w.t.Helper()
	got, text := w.do(method, path, body)
	if got != status {
		w.t.Fatalf("%s /%s: status %d, want %d: %s", method, path, got, status, text)
	}
	return text
}

func (w *testWorker) do(method, path, body string) (status int, text string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var sent []byte
	if body != "" {
		sent = []byte(body)
	}
	resp, err := w.rest.Do(ctx, method, w.url+path, nil, sent)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.Status, string(resp.Body)
}

// standaloneProps are the properties of a standalone worker with quick commits.
func standaloneProps(t *testing.T, c *kafkatest.Cluster) map[string]string {
	return c.Props(
		"listeners", "http://127.0.0.1:0",
		"key.converter", "org.apache.kafka.connect.storage.StringConverter",
		"value.converter", "org.apache.kafka.connect.storage.StringConverter",
		"offset.storage.file.filename", t.TempDir()+"/offsets",
		"offset.flush.interval.ms", "100",
		"consumer.auto.offset.reset", "earliest",
		"consumer.fetch.max.wait.ms", "50",
	)
}

// distributedProps are those of a distributed worker that does not wait for workers to return.
func distributedProps(c *kafkatest.Cluster) map[string]string {
	return c.Props(
		"group.id", "workers", "listeners", "http://127.0.0.1:0",
		"key.converter", "org.apache.kafka.connect.storage.StringConverter",
		"value.converter", "org.apache.kafka.connect.storage.StringConverter",
		"config.storage.topic", "connect-configs", "config.storage.replication.factor", "1",
		"offset.storage.topic", "connect-offsets", "offset.storage.replication.factor", "1", "offset.storage.partitions", "1",
		"status.storage.topic", "connect-status", "status.storage.replication.factor", "1", "status.storage.partitions", "1",
		"offset.flush.interval.ms", "100", "heartbeat.interval.ms", "100",
		"scheduled.rebalance.max.delay.ms", "0",
	)
}

// sinkConfig writes text lines to the local disk, in files of at most ten.
func sinkConfig(dir, topic string, tasks int) map[string]string {
	return map[string]string{
		"connector.class": "HdfsSink", "tasks.max": fmt.Sprint(tasks), "topics": topic,
		"store.url": "file://" + dir, "flush.size": "10", "flush.interval.ms": "200",
		"format.class":    "io.confluent.connect.hdfs.string.StringFormat",
		"value.converter": "org.apache.kafka.connect.storage.StringConverter",
	}
}

var errNotYet = errors.New("not yet")
