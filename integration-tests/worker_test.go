//go:build integration

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// workerProcess is the worker's binary under test; it can be killed and started again.
type workerProcess struct {
	t       *testing.T
	mode    string   // distributed or standalone
	props   string   // file
	files   []string // of connectors, standalone
	base    string   // REST, http://127.0.0.1:port
	logPath string
	cmd     *exec.Cmd
	exited  chan struct{}
	client  *client.Client
}

// newWorker writes the properties of a distributed worker in a group of its own; more
// properties win.
func newWorker(t *testing.T, group string, more map[string]string) *workerProcess {
	t.Helper()
	w, _, err := prepareWorker(t.TempDir(), group, more)
	if err != nil {
		t.Fatal(err)
	}
	w.t = t
	t.Cleanup(func() {
		w.kill()
		if t.Failed() {
			t.Logf("the end of the worker's log:\n%s", w.logTail(60))
		}
	})
	return w
}

// prepareWorker is newWorker for a worker that outlives a test.
func prepareWorker(dir, group string, more map[string]string) (*workerProcess, map[string]string, error) {
	ports, err := stack.FreePorts(1)
	if err != nil {
		return nil, nil, err
	}
	props := map[string]string{
		"bootstrap.servers": kafkaCluster.Bootstrap, "group.id": group,
		"listeners":     fmt.Sprintf("http://127.0.0.1:%d", ports[0]),
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
		"config.storage.topic": group + "-configs", "offset.storage.topic": group + "-offsets", "status.storage.topic": group + "-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.flush.interval.ms": "1000",
	}
	for k, v := range more {
		props[k] = v
	}
	w := &workerProcess{mode: "distributed", props: filepath.Join(dir, "worker.properties"), logPath: filepath.Join(dir, "worker.log"),
		base: fmt.Sprintf("http://127.0.0.1:%d", ports[0]), client: client.New(nil)}
	return w, props, saveProperties(w.props, props)
}

func writeProperties(t *testing.T, path string, props map[string]string) {
	t.Helper()
	if err := saveProperties(path, props); err != nil {
		t.Fatal(err)
	}
}

func saveProperties(path string, props map[string]string) error {
	var b strings.Builder
	for k, v := range props {
		fmt.Fprintf(&b, "%s=%s\n", k, v)
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// readProperties reads a file that newWorker wrote.
func readProperties(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	props := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		k, v, _ := strings.Cut(line, "=")
		props[k] = v
	}
	return props, nil
}

// start starts the binary and waits until REST answers that the worker is healthy.
func (w *workerProcess) start() {
	w.t.Helper()
	w.launch()
	w.eventually(60*time.Second, "the worker is healthy", func() error {
		select {
		case <-w.exited:
			w.t.Fatalf("the worker ended:\n%s", w.logTail(40))
		default:
		}
		return w.client.JSON(w.t.Context(), http.MethodGet, w.base+"/health", nil, nil)
	})
}

func (w *workerProcess) launch() {
	w.t.Helper()
	log, err := os.OpenFile(w.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	w.cmd = exec.Command(workerBinary, append([]string{w.mode, w.props}, w.files...)...)
	w.cmd.Stdout, w.cmd.Stderr = log, log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		cmd.Wait()
		close(exited)
	}(w.cmd, w.exited)
}

// kill ends the worker as a crash does.
func (w *workerProcess) kill() {
	if w.cmd == nil {
		return
	}
	w.cmd.Process.Kill()
	<-w.exited
}

// stop ends the worker gracefully and returns its exit code.
func (w *workerProcess) stop() int {
	w.t.Helper()
	w.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-w.exited:
	case <-time.After(40 * time.Second):
		w.t.Fatalf("the worker did not stop within 40 s of SIGTERM:\n%s", w.logTail(40))
	}
	return w.cmd.ProcessState.ExitCode()
}

func (w *workerProcess) log() string {
	b, err := os.ReadFile(w.logPath)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (w *workerProcess) logTail(lines int) string {
	all := bytes.Split(bytes.TrimSpace([]byte(w.log())), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// create creates a connector and waits until it and all its tasks run.
func (w *workerProcess) create(name string, config map[string]string) {
	w.t.Helper()
	w.put(name, config)
	w.awaitRunning(name, 60*time.Second)
}

func (w *workerProcess) put(name string, config map[string]string) {
	w.t.Helper()
	w.eventually(30*time.Second, "the connector is accepted", func() error {
		err := w.client.JSON(w.t.Context(), http.MethodPut, client.ConnectorURL(w.base, name, "config"), config, nil)
		var e *api.Error
		if errors.As(err, &e) && e.Status == http.StatusBadRequest {
			w.t.Fatal(e.Message)
		}
		return err
	})
}

func (w *workerProcess) delete(name string) {
	w.t.Helper()
	if err := w.client.JSON(w.t.Context(), http.MethodDelete, client.ConnectorURL(w.base, name), nil, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workerProcess) status(name string) (api.ConnectorStatus, error) {
	var st api.ConnectorStatus
	err := w.client.JSON(w.t.Context(), http.MethodGet, client.ConnectorURL(w.base, name, "status"), nil, &st)
	return st, err
}

func (w *workerProcess) awaitRunning(name string, timeout time.Duration) {
	w.t.Helper()
	w.eventually(timeout, "connector "+name+" and its tasks run", func() error {
		st, err := w.status(name)
		if err != nil {
			return err
		}
		if st.Connector.State != "RUNNING" || len(st.Tasks) == 0 {
			return fmt.Errorf("status %+v", st)
		}
		for _, task := range st.Tasks {
			if task.State != "RUNNING" {
				return fmt.Errorf("task %d is %s: %s", task.ID, task.State, task.Trace)
			}
		}
		return nil
	})
}

// eventually waits until check succeeds.
func (w *workerProcess) eventually(timeout time.Duration, what string, check func() error) {
	w.t.Helper()
	eventually(w.t, timeout, what, check)
}

func eventually(t *testing.T, timeout time.Duration, what string, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %v it is not true that %s: %v", timeout, what, err)
		case <-tick.C:
		}
	}
}
