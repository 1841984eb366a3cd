package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// member is one worker of a cluster.
type member struct {
	id   string // host:port, as in statuses
	base string // URL
	pid  int
	// profiles is host:port of its profiles, "" if it has none.
	profiles string
	stop     func() error // SIGTERM, waits
	kill     func() error // SIGKILL, waits
}

// cluster starts workers of one kind and group.
type cluster struct {
	kafka *stack.KafkaCluster
	dir   string
	group string
	// binary is Penstock's; "" = JVM workers.
	binary string
	props  map[string]string
	n      int // started so far
}

func newCluster(k *stack.KafkaCluster, dir, group, binary string, more map[string]string) *cluster {
	props := map[string]string{
		"bootstrap.servers": k.Bootstrap, "group.id": group, "key.converter": stringConverter, "value.converter": stringConverter,
		"config.storage.topic": group + "-configs", "offset.storage.topic": group + "-offsets", "status.storage.topic": group + "-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"session.timeout.ms": "10000", "scheduled.rebalance.max.delay.ms": "0",
	}
	maps.Copy(props, more)
	return &cluster{kafka: k, dir: filepath.Join(dir, group), group: group, binary: binary, props: props}
}

// start starts one more worker and returns when it has joined the group.
func (c *cluster) start(ctx context.Context) (*member, error) {
	c.n++
	dir := filepath.Join(c.dir, fmt.Sprint(c.n))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if c.binary == "" {
		return c.startJVM(ctx, dir)
	}
	return c.startOurs(ctx, dir)
}

func (c *cluster) startJVM(ctx context.Context, dir string) (*member, error) {
	j, err := stack.StartJVMWorker(ctx, dir, c.props)
	if j == nil {
		return nil, err
	}
	if err != nil { // not ready yet; that a slow machine takes long shall not end all
		if late := awaitHealthy(ctx, j.URL, scaleLimit); late != nil {
			return nil, errors.Join(err, late, j.Kill())
		}
	}
	return newMember(j.URL, j.PID(), "", j.Stop, j.Kill)
}

func newMember(base string, pid int, profiles string, stop, kill func() error) (*member, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	return &member{id: u.Host, base: base, pid: pid, profiles: profiles, stop: stop, kill: kill}, nil
}

func (c *cluster) startOurs(ctx context.Context, dir string) (*member, error) {
	ports, err := stack.FreePorts(2)
	if err != nil {
		return nil, err
	}
	base, profiles := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1])
	var b strings.Builder
	fmt.Fprintf(&b, "listeners=%s\n", base)
	for k, v := range c.props {
		fmt.Fprintf(&b, "%s=%s\n", k, v)
	}
	file := filepath.Join(dir, "worker.properties")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "worker.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(c.binary, "distributed", file)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "PENSTOCK_PPROF="+profiles)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end := func(s syscall.Signal) func() error {
		return func() error {
			if err := cmd.Process.Signal(s); err != nil {
				return err
			}
			cmd.Wait() //nolint:errcheck // it was told to end
			return nil
		}
	}
	m, err := newMember(base, cmd.Process.Pid, profiles, end(syscall.SIGTERM), end(syscall.SIGKILL))
	if err == nil {
		err = awaitHealthy(ctx, base, scaleLimit)
	}
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("a worker does not start: %w\n%s", err, text), end(syscall.SIGKILL)())
	}
	return m, nil
}

func awaitHealthy(ctx context.Context, base string, limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		_, err := get(ctx, base+"/health")
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}

// get returns the body of an answer with status 200.
func get(ctx context.Context, target string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", target, resp.Status, body)
	}
	return body, err
}

// goroutines returns how many goroutines a worker of ours has, 0 for one without profiles.
func (m *member) goroutines(ctx context.Context) (int, error) {
	if m.profiles == "" {
		return 0, nil
	}
	body, err := get(ctx, "http://"+m.profiles+"/debug/pprof/goroutine?debug=1")
	if err != nil {
		return 0, err
	}
	var n int
	_, err = fmt.Sscanf(string(body), "goroutine profile: total %d", &n)
	return n, err
}

// profile writes a CPU profile of a worker of ours, if a folder for profiles was given.
func (m *member) profile(ctx context.Context, folder, name string, d time.Duration) (stop func()) {
	if folder == "" || m.profiles == "" {
		return func() {}
	}
	done := make(chan struct{})
	save := func(name, path string) {
		body, err := get(ctx, "http://"+m.profiles+"/debug/pprof/"+path)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), body, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "no profile:", err)
		}
	}
	go func() {
		defer close(done)
		save(name+".pprof", fmt.Sprintf("profile?seconds=%d", int(d.Seconds())))
		save(name+".heap.pprof", "heap")
	}()
	return func() { <-done }
}
