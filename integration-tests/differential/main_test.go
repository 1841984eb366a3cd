//go:build integration

package differential

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// The two workers. Both have the same properties but for group and topics, which have the
// worker's side in their names.
var (
	jvm, ours worker
	sharedDir string // {{dir}}
	kafka     *stack.KafkaCluster
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv("REQUIRE_STACK") != "1" {
		fmt.Println("SKIP: these tests start a real Kafka and a JVM worker; run them with: make integration")
		return m.Run()
	}
	binary := os.Getenv("PENSTOCK_WORKER")
	if binary == "" {
		fmt.Println("PENSTOCK_WORKER must name the worker; run: make integration")
		return 1
	}
	dir, err := os.MkdirTemp("", "penstock-differential-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	stop, err := startWorkers(ctx, dir, binary)
	defer stop()
	if err != nil {
		fmt.Println("start the workers:", err)
		return 1
	}
	code := m.Run()
	fmt.Printf("%d requests were compared, %d of them random\n", compared+random, random)
	if code == 0 && isWhole() && !(listIsUsed() && everyEndpointIsCompared() && enoughIsCompared()) {
		code = 1
	}
	if code == 0 {
		os.RemoveAll(dir)
	} else {
		fmt.Println("logs and data are kept in", dir)
	}
	return code
}

// properties of a worker of one side.
func properties(side string) map[string]string {
	return map[string]string{
		"bootstrap.servers": kafka.Bootstrap, "group.id": side,
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
		"config.storage.topic": side + "-configs", "offset.storage.topic": side + "-offsets", "status.storage.topic": side + "-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.storage.partitions": "2", "status.storage.partitions": "1",
		"offset.flush.interval.ms":                  "500",
		"access.control.allow.origin":               "http://ui.example, http://other.example:[0-9]+",
		"access.control.allow.methods":              "GET,PUT",
		"response.http.headers.config":              `set X-Set: one,"add X-Add: two, three"`,
		"config.providers":                          "file,dir,env",
		"config.providers.file.class":               "org.apache.kafka.common.config.provider.FileConfigProvider",
		"config.providers.dir.class":                "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
		"config.providers.env.class":                "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
		"config.providers.file.param.allowed.paths": sharedDir,
	}
}

// startWorkers starts the broker, then both workers; stop ends whatever was started.
func startWorkers(ctx context.Context, dir, binary string) (stop func(), err error) {
	var stops []func() error
	stop = func() {
		for _, s := range stops {
			s() //nolint:errcheck // the tests are over
		}
	}
	sharedDir = filepath.Join(dir, "files")
	if err := os.Mkdir(sharedDir, 0o755); err != nil {
		return stop, err
	}
	begin := time.Now()
	if kafka, err = stack.StartKafka(ctx, stack.KafkaOptions{Dir: filepath.Join(dir, "kafka")}); err != nil {
		return stop, err
	}
	stops = append(stops, kafka.Stop)
	var starting sync.WaitGroup
	starting.Go(func() {
		w, jvmErr := stack.StartJVMWorker(ctx, filepath.Join(dir, "jvm"), properties("sidejvm"))
		if jvmErr != nil {
			err = jvmErr
			return
		}
		jvm = worker{name: "JVM", side: "sidejvm", addr: strings.TrimPrefix(w.URL, "http://"), logPath: w.LogPath}
		stops = append(stops, w.Kill)
	})
	end, oursErr := startOurs(dir, binary)
	starting.Wait()
	if end != nil {
		stops = append([]func() error{end}, stops...)
	}
	if oursErr != nil {
		return stop, oursErr
	}
	if err != nil {
		return stop, err
	}
	fmt.Printf("Kafka and both workers run after %.1f s\n", time.Since(begin).Seconds())
	return stop, nil
}

// startOurs starts our distributed worker and waits until it is healthy.
func startOurs(dir, binary string) (kill func() error, err error) {
	ours = worker{name: "Penstock", side: "sideour", logPath: filepath.Join(dir, "ours.log")}
	return ours.launch(dir, binary, "distributed", properties(ours.side))
}

// launch starts a worker of ours on a free port, in a mode, with connector files if any, and
// waits until it is healthy.
func (w *worker) launch(dir, binary, mode string, props map[string]string, connectors ...string) (kill func() error, err error) {
	ports, err := stack.FreePorts(1)
	if err != nil {
		return nil, err
	}
	w.addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	props["listeners"] = "http://" + w.addr
	var b strings.Builder
	for k, v := range props {
		fmt.Fprintf(&b, "%s=%s\n", k, v)
	}
	file := filepath.Join(dir, mode+".properties")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(w.logPath)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(binary, append([]string{mode, file}, connectors...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait() //nolint:errcheck // the log tells
		close(exited)
	}()
	kill = func() error {
		err := cmd.Process.Kill()
		<-exited
		return err
	}
	healthy := func() bool {
		a := w.send(request{method: "GET", target: "/health"})
		return a.err == nil && a.status == 200
	}
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !healthy() {
		select {
		case <-exited:
			return nil, fmt.Errorf("our worker ended, see %s", w.logPath)
		case <-deadline:
			return kill, fmt.Errorf("our worker is not healthy, see %s", w.logPath)
		case <-tick.C:
		}
	}
	return kill, nil
}
