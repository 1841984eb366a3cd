//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/integration-tests/proxy"
	"github.com/penstock-io/penstock/integration-tests/stack"
)

// The links of a chaosWorker; rest is the way of other workers to it.
const (
	linkKafka = "kafka"
	linkHDFS  = "hdfs"
	linkREST  = "rest"
)

// hdfsVariable names the variable with the address at which a worker reaches the NameNode;
// the connector's config refers to it, because each worker has a proxy of its own.
const hdfsVariable = "CHAOS_HDFS"

// chaosWorker is a worker whose links lead through proxies. Like a service manager, its
// handle starts it again when it ends by itself, and calls that a problem.
type chaosWorker struct {
	c          *chaos
	name       string
	base       string // REST, past the proxy
	dir        string
	links      map[string]*proxy.Proxy
	kafkaPorts stack.ProxiedListener
	busy       sync.Mutex // held by the fault that it suffers

	mu      sync.Mutex
	process *chaosProcess
}

// chaosProcess is one life of a worker.
type chaosProcess struct {
	cmd    *exec.Cmd
	exited chan struct{}
	// ended tells that its end is somebody's business: of a fault, or of the service manager.
	ended atomic.Bool
}

// newChaosWorker makes the proxies; the broker must learn of kafkaPorts before it starts.
func newChaosWorker(c *chaos, name string) *chaosWorker {
	ports, err := stack.FreePorts(5)
	if err != nil {
		c.t.Fatal(err)
	}
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	w := &chaosWorker{c: c, name: name, base: "http://" + at(0), dir: filepath.Join(c.dir, name), links: map[string]*proxy.Proxy{},
		kafkaPorts: stack.ProxiedListener{Port: ports[1], AdvertisedPort: ports[3]}}
	for link, l := range map[string][2]string{linkREST: {at(2), at(0)}, linkKafka: {at(3), at(1)},
		linkHDFS: {at(4), strings.TrimPrefix(hdfsCluster.URL, "hdfs://")}} {
		if w.links[link], err = proxy.Listen(l[0], l[1]); err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(w.links[link].Close)
	}
	return w
}

// configure writes the properties of a worker of a group.
func (w *chaosWorker) configure(group string, more map[string]string) {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		w.c.t.Fatal(err)
	}
	host, port, _ := strings.Cut(w.links[linkREST].Addr(), ":")
	props := map[string]string{
		"bootstrap.servers": w.links[linkKafka].Addr(), "group.id": group, "client.id": w.name,
		"listeners": w.base, "rest.advertised.host.name": host, "rest.advertised.port": port,
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
		"config.storage.topic": group + "-configs", "offset.storage.topic": group + "-offsets", "status.storage.topic": group + "-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.flush.interval.ms": "1000", "session.timeout.ms": "6000", "heartbeat.interval.ms": "1500",
		"scheduled.rebalance.max.delay.ms": "2000", "consumer.session.timeout.ms": "6000", "consumer.heartbeat.interval.ms": "1500",
		"config.providers": "env", "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
	}
	writeProperties(w.c.t, filepath.Join(w.dir, "worker.properties"), with(props, flatten(more)...))
}

func flatten(m map[string]string) (kv []string) {
	for k, v := range m {
		kv = append(kv, k, v)
	}
	return kv
}

func (w *chaosWorker) logPath() string { return filepath.Join(w.dir, "worker.log") }

// launch starts the worker and watches over it.
func (w *chaosWorker) launch() {
	log, err := os.OpenFile(w.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.c.problem("%s: %v", w.name, err)
		return
	}
	defer log.Close()
	cmd := exec.Command(workerBinary, "distributed", filepath.Join(w.dir, "worker.properties"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), hdfsVariable+"=hdfs://"+w.links[linkHDFS].Addr())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		w.c.problem("%s: %v", w.name, err)
		return
	}
	p := &chaosProcess{cmd: cmd, exited: make(chan struct{})}
	w.mu.Lock()
	w.process = p
	w.mu.Unlock()
	w.c.log("%s: starts, pid %d", w.name, cmd.Process.Pid)
	go func() {
		cmd.Wait() //nolint:errcheck // the state tells
		close(p.exited)
		if p.ended.CompareAndSwap(false, true) {
			w.c.problem("%s: ended by itself: %v", w.name, cmd.ProcessState)
			w.c.wait(time.Second)
			w.launch()
		}
	}()
}

func (w *chaosWorker) current() *chaosProcess {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.process
}

// kill ends the worker as a crash does; false means that it is being started again already.
func (w *chaosWorker) kill() bool {
	p := w.current()
	if p == nil || !p.ended.CompareAndSwap(false, true) {
		return false
	}
	p.cmd.Process.Kill() //nolint:errcheck // it may just have ended
	<-p.exited
	return true
}

// stop ends the worker with SIGTERM. With all that is broken around it, it may take its
// time-outs, but not for ever.
func (w *chaosWorker) stop() bool {
	const patience = 60 * time.Second
	p := w.current()
	if p == nil || !p.ended.CompareAndSwap(false, true) {
		return false
	}
	start := time.Now()
	p.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may just have ended
	select {
	case <-p.exited:
		w.c.log("%s: stopped after %.1f s, %v", w.name, time.Since(start).Seconds(), p.cmd.ProcessState)
	case <-time.After(patience):
		p.cmd.Process.Signal(syscall.SIGQUIT) //nolint:errcheck // for the stacks in the log
		<-p.exited
		w.c.problem("%s: had not stopped %v after SIGTERM", w.name, patience)
	}
	return true
}

// end is the end of the test; after a failure the log will have the stacks.
func (w *chaosWorker) end() {
	p := w.current()
	if p == nil || !p.ended.CompareAndSwap(false, true) {
		return
	}
	last := syscall.SIGKILL
	if w.c.t.Failed() {
		last = syscall.SIGQUIT
	}
	for _, s := range []syscall.Signal{syscall.SIGCONT, last} {
		p.cmd.Process.Signal(s) //nolint:errcheck // it may just have ended
	}
	<-p.exited
}

func (w *chaosWorker) signal(s syscall.Signal) {
	if p := w.current(); p != nil {
		p.cmd.Process.Signal(s) //nolint:errcheck // it may just have ended
	}
}

// footprint returns the open files and the resident memory of the worker.
func (w *chaosWorker) footprint() (fds, residentMB int) {
	pid := w.current().cmd.Process.Pid
	if entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
		fds = len(entries)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return fds, 0
	}
	if _, rest, found := strings.Cut(string(status), "VmRSS:"); found {
		fmt.Sscan(rest, &residentMB) //nolint:errcheck // 0 is seen
	}
	return fds, residentMB >> 10
}

// mentions returns the last lines of the worker's log that have a text in them.
func (w *chaosWorker) mentions(text string, limit int) (lines []string) {
	b, err := os.ReadFile(w.logPath())
	if err != nil {
		return []string{err.Error()}
	}
	for l := range strings.SplitSeq(string(b), "\n") {
		if strings.Contains(l, text) {
			lines = append(lines, w.name+": "+l)
		}
	}
	return lines[max(0, len(lines)-limit):]
}
