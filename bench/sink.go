package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/rest/client"
)

// runSink measures one worker process that runs the same sink several times, each run a
// connector of its own from the start of the topic.
func runSink(ctx context.Context, k *stack.KafkaCluster, h *stack.HDFSCluster, dir string, p route, o options) ([]figures, error) {
	w, err := startWorker(ctx, k, filepath.Join(dir, "worker-"+p.id), o.worker, p.id)
	if err != nil {
		return nil, err
	}
	defer w.stop()
	files, err := hdfs.NewClient(hdfs.ClientOptions{Addresses: []string{strings.TrimPrefix(h.URL, "hdfs://")}, User: "bench"})
	if err != nil {
		return nil, err
	}
	defer files.Close()
	var all []figures
	for i := range o.runs + 1 {
		f, err := w.measure(ctx, h, files, p, o, i)
		if err != nil {
			return nil, err
		}
		fmt.Printf("path %s run %d: %.0f records/s, %.2f µs CPU per record, %.0f MB\n", p.id, i, f.perSecond, f.cpuMicros, f.rssMB)
		if i > 0 {
			all = append(all, f)
		}
	}
	return all, nil
}

type worker struct {
	cmd  *exec.Cmd
	base string
	rest *client.Client
}

func startWorker(ctx context.Context, k *stack.KafkaCluster, dir, binary, id string, more ...string) (*worker, error) {
	ports, err := stack.FreePorts(1)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	props := fmt.Sprintf(`bootstrap.servers=%s
group.id=bench-%s
listeners=http://127.0.0.1:%d
key.converter=%s
value.converter=%s
config.storage.topic=bench-%s-configs
offset.storage.topic=bench-%s-offsets
status.storage.topic=bench-%s-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
`, k.Bootstrap, id, ports[0], stringConverter, stringConverter, id, id, id)
	props += strings.Join(more, "\n") + "\n"
	file := filepath.Join(dir, "worker.properties")
	if err := os.WriteFile(file, []byte(props), 0o644); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "worker.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	w := &worker{cmd: exec.Command(binary, "distributed", file), base: fmt.Sprintf("http://127.0.0.1:%d", ports[0]), rest: client.New(nil)}
	w.cmd.Stdout, w.cmd.Stderr = log, log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := w.rest.JSON(ctx, http.MethodGet, w.base+"/health", nil, nil)
		if err == nil {
			return w, nil
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			return nil, errors.Join(fmt.Errorf("the worker does not start: %w\n%s", err, text), w.stop())
		}
	}
}

func (w *worker) stop() error {
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return w.cmd.Wait()
}

// measure creates a connector, waits until all records are in committed files, and
// deletes it and its files again.
func (w *worker) measure(ctx context.Context, h *stack.HDFSCluster, files *hdfs.Client, p route, o options, run int) (figures, error) {
	name := fmt.Sprintf("bench-%s-%d", p.id, run)
	config := map[string]string{
		"connector.class": "io.confluent.connect.hdfs.HdfsSinkConnector", "topics": "bench-" + p.id,
		"tasks.max": strconv.Itoa(o.tasks), "hdfs.url": h.URL, "flush.size": strconv.Itoa(o.flushSize),
		"topics.dir": "/" + name + "/data", "logs.dir": "/" + name + "/logs", "flush.interval.ms": "5000",
	}
	for key, v := range p.config {
		config[key] = v
	}
	cpu, err := cpuTime(w.cmd.Process.Pid)
	if err != nil {
		return figures{}, err
	}
	start := time.Now()
	if err := w.rest.JSON(ctx, http.MethodPut, client.ConnectorURL(w.base, name, "config"), config, nil); err != nil {
		return figures{}, err
	}
	stopProfile := w.profile(ctx, o, p.id, run)
	if err := awaitFiles(ctx, files, path.Join("/", name, "data", "bench-"+p.id), o); err != nil {
		return figures{}, err
	}
	wall := time.Since(start)
	after, err := cpuTime(w.cmd.Process.Pid)
	if err != nil {
		return figures{}, err
	}
	stopProfile()
	rss, err := peakRSS(w.cmd.Process.Pid)
	if err != nil {
		return figures{}, err
	}
	if err := w.rest.JSON(ctx, http.MethodDelete, client.ConnectorURL(w.base, name), nil, nil); err != nil {
		return figures{}, err
	}
	return figures{
		perSecond: float64(o.records) / wall.Seconds(),
		cpuMicros: float64((after - cpu).Microseconds()) / float64(o.records), rssMB: rss,
	}, errors.Join(awaitGone(ctx, w, name), files.RemoveAll("/"+name))
}

var fileName = regexp.MustCompile(`\+(\d+)\+(\d+)\+(\d+)\.\w+$`)

// awaitFiles waits until the committed files hold all records, by their offsets.
func awaitFiles(ctx context.Context, c *hdfs.Client, dir string, o options) error {
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		sum := 0
		err := c.Walk(dir, func(p string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			if m := fileName.FindStringSubmatch(p); m != nil {
				first, _ := strconv.Atoi(m[2])
				last, _ := strconv.Atoi(m[3])
				sum += last - first + 1
			}
			return nil
		})
		switch {
		case err != nil && !os.IsNotExist(err):
			return err
		case sum == o.records:
			return nil
		case sum > o.records:
			return fmt.Errorf("%s holds %d records of %d: some are there twice", dir, sum, o.records)
		case time.Now().After(deadline) || ctx.Err() != nil:
			return fmt.Errorf("only %d of %d records were committed below %s", sum, o.records, dir)
		}
	}
}

func awaitGone(ctx context.Context, w *worker, name string) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err := w.rest.JSON(ctx, http.MethodGet, client.ConnectorURL(w.base, name, "status"), nil, nil); err != nil {
			return nil //nolint:nilerr // 404 is what we wait for
		}
	}
	return fmt.Errorf("connector %s does not go away", name)
}

// profile fetches a CPU profile of the worker during the last run, if asked to; the
// worker offers one when PENSTOCK_PPROF is set.
func (w *worker) profile(ctx context.Context, o options, id string, run int) (stop func()) {
	if o.profile == "" || run != o.runs {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err := http.Get("http://" + os.Getenv("PENSTOCK_PPROF") + "/debug/pprof/profile?seconds=5") //nolint:noctx // ends after 5 s
		if err != nil {
			fmt.Fprintln(os.Stderr, "no profile:", err)
			return
		}
		defer resp.Body.Close()
		f, err := os.Create(filepath.Join(o.profile, id+".pprof"))
		if err != nil {
			fmt.Fprintln(os.Stderr, "no profile:", err)
			return
		}
		defer f.Close()
		_, _ = io.Copy(f, resp.Body)
	}()
	return func() { <-done }
}
