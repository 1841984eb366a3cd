//go:build capture

package capture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// session.timeout.ms of the workers: killed ones are missed after it.
const session = 3 * time.Second

// patience is for what must happen at last, on a busy machine.
const patience = 4 * time.Minute

// cluster is the group of workers of one scenario.
type cluster struct {
	t       *testing.T
	rec     *recorder
	name    string
	props   map[string]string
	workers map[string]*worker
	pending map[string]chan error
	via     string // the worker that is asked; "": any

	mu       sync.Mutex
	internal []exchange // requests between workers
}

type worker struct {
	jvm   *stack.JVMWorker
	front *httptest.Server // what it advertises
	url   string
}

// exchange is a signed request between two workers and its answer.
type exchange struct {
	Method    string  `json:"method"`
	Path      string  `json:"path"`
	Signature *string `json:"signature"` // X-Connect-Authorization
	Algorithm *string `json:"algorithm"` // X-Connect-Request-Signature-Algorithm
	Body      string  `json:"body"`
	Status    int     `json:"status"`
	Answer    string  `json:"answer"`
}

func newCluster(t *testing.T, k *kafka, name string, props map[string]string) *cluster {
	group := "capture-" + name
	p := map[string]string{
		"bootstrap.servers": k.rec.address(), "group.id": group,
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
		"config.storage.topic": group + "-config", "offset.storage.topic": group + "-offset", "status.storage.topic": group + "-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.storage.partitions": "2", "status.storage.partitions": "1", "offset.flush.interval.ms": "10000",
		"session.timeout.ms": fmt.Sprint(session.Milliseconds()), "heartbeat.interval.ms": "500", "rebalance.timeout.ms": "20000",
		"scheduled.rebalance.max.delay.ms": "3000",
	}
	maps.Copy(p, props)
	c := &cluster{t: t, rec: k.rec, name: name, props: p, workers: map[string]*worker{}, pending: map[string]chan error{}}
	c.rec.begin(group)
	c.note("properties %s", settings(props))
	t.Cleanup(c.end)
	return c
}

func settings(props map[string]string) string {
	b, _ := json.Marshal(props)
	return string(b)
}

func (c *cluster) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.t.Log(text)
	c.rec.add(event{Kind: "note", Note: text})
}

// end stops what still runs.
func (c *cluster) end() {
	for _, w := range c.workers {
		w.jvm.Kill()
		w.front.Close()
	}
}

// start starts workers at the same time. A name of a worker is used once: it is its
// client.id, by which a recording tells processes apart.
func (c *cluster) start(names ...string) {
	c.startWith(nil, names...)
}

func (c *cluster) startWith(props map[string]string, names ...string) {
	c.t.Helper()
	c.note("start %s %s", strings.Join(names, " "), settings(props))
	var all sync.WaitGroup
	errs := make([]error, len(names))
	started := make([]*worker, len(names))
	for i, name := range names {
		all.Go(func() { started[i], errs[i] = c.run(name, props) })
	}
	all.Wait()
	for i, name := range names {
		if errs[i] != nil {
			c.t.Fatal(errs[i])
		}
		c.workers[name] = started[i]
	}
}

// prepare starts workers that do not join before admit says so. Otherwise the time that
// a JVM takes to start would decide what is recorded.
func (c *cluster) prepare(names ...string) {
	c.t.Helper()
	c.note("prepare %s", strings.Join(names, " "))
	for _, name := range names {
		g := c.rec.gate(name, true)
		started := make(chan error, 1)
		c.pending[name] = started
		go func() {
			w, err := c.run(name, map[string]string{"request.timeout.ms": "900000"})
			if err == nil {
				c.mu.Lock()
				c.workers[name] = w
				c.mu.Unlock()
			}
			started <- err
		}()
		c.t.Cleanup(func() { c.admit(name) })
		defer func() {
			select {
			case <-g.arrived:
			case <-time.After(2 * patience):
				c.t.Errorf("%s does not start", name)
			}
		}()
	}
}

// admit lets prepared workers join, and waits until they answer.
func (c *cluster) admit(names ...string) {
	c.t.Helper()
	var started []chan error
	for _, name := range names {
		if p := c.pending[name]; p != nil {
			c.note("admit %s", name)
			close(c.rec.gate(name, false).open)
			started = append(started, p)
			delete(c.pending, name)
		}
	}
	for _, s := range started {
		if err := <-s; err != nil {
			c.t.Error(err)
		}
	}
}

func (c *cluster) run(name string, props map[string]string) (*worker, error) {
	w := &worker{}
	var mu sync.Mutex
	w.front = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		to := w.url
		mu.Unlock()
		c.forward(rw, r, to)
	}))
	front, _ := url.Parse(w.front.URL)
	p := maps.Clone(c.props)
	p["client.id"], p["rest.advertised.host.name"], p["rest.advertised.port"] = name, front.Hostname(), front.Port()
	maps.Copy(p, props)
	jvm, err := stack.StartJVMWorker(context.Background(), filepath.Join(c.t.TempDir(), name), p)
	// A busy machine may need longer than the helper waits.
	for deadline := time.Now().Add(5 * patience); err != nil && jvm != nil && !jvm.Ready(); time.Sleep(time.Second) {
		select {
		case <-jvm.Exited():
			return nil, err
		default:
		}
		if time.Now().After(deadline) {
			return nil, err
		}
	}
	if jvm == nil {
		return nil, err
	}
	mu.Lock()
	w.jvm, w.url = jvm, jvm.URL
	mu.Unlock()
	return w, nil
}

// forward passes a request to the worker behind an advertised address, and records it
// when it is a matter between workers.
func (c *cluster) forward(rw http.ResponseWriter, r *http.Request, to string) {
	target, err := url.Parse(to)
	if err != nil || to == "" {
		rw.WriteHeader(http.StatusBadGateway)
		return
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	internal := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/tasks") || r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/fence")
	if !internal {
		proxy.ServeHTTP(rw, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	x := exchange{Method: r.Method, Path: r.URL.Path, Body: string(body), Signature: header(r, signatureHeader), Algorithm: header(r, algorithmHeader)}
	r.Body = io.NopCloser(bytes.NewReader(body))
	proxy.ModifyResponse = func(resp *http.Response) error {
		answer, err := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(answer))
		x.Status, x.Answer = resp.StatusCode, string(answer)
		return err
	}
	proxy.ServeHTTP(rw, r)
	c.mu.Lock()
	c.internal = append(c.internal, x)
	c.mu.Unlock()
}

const (
	signatureHeader = "X-Connect-Authorization"
	algorithmHeader = "X-Connect-Request-Signature-Algorithm"
)

func header(r *http.Request, name string) *string {
	if v := r.Header.Values(name); len(v) > 0 {
		return &v[0]
	}
	return nil
}

// stop ends a worker with SIGTERM.
func (c *cluster) stop(names ...string) {
	for _, name := range names {
		c.note("stop %s", name)
		c.workers[name].jvm.Stop()
		delete(c.workers, name)
	}
}

// kill ends workers with SIGKILL.
func (c *cluster) kill(names ...string) {
	for _, name := range names {
		c.note("kill %s", name)
		c.workers[name].jvm.Kill()
		delete(c.workers, name)
	}
}

// quiet waits until nobody has joined or left for d.
func (c *cluster) quiet(d time.Duration) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		_, quiet, _ := c.rec.state()
		if quiet >= d {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatal("the group does not come to rest")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// settle waits until nobody has joined or left for d and no delay runs.
func (c *cluster) settle(d time.Duration) {
	c.t.Helper()
	for {
		_, quiet, delay := c.rec.state()
		if quiet >= d && delay == 0 {
			return
		}
		if quiet > delay+patience {
			c.t.Fatal("the group does not come to rest")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// round waits for an assignment after what do does.
func (c *cluster) round(do func()) {
	c.t.Helper()
	before, _, _ := c.rec.state()
	do()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if now, _, _ := c.rec.state(); now > before {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatal("no rebalance")
		}
	}
}

// call makes a REST request to any worker; it retries while a rebalance is under way.
func (c *cluster) call(method, path string, body any) {
	c.t.Helper()
	c.note("%s %s", method, path)
	for deadline := time.Now().Add(patience); ; time.Sleep(300 * time.Millisecond) {
		status, answer, err := c.try(method, path, body)
		if err == nil && status < 300 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s %s: %d %s %v", method, path, status, answer, err)
		}
	}
}

func (c *cluster) try(method, path string, body any) (int, string, error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, "", err
		}
		in = bytes.NewReader(b)
	}
	var base string
	for name, w := range c.workers {
		if c.via == "" || c.via == name {
			base = w.url
		}
	}
	req, err := http.NewRequest(method, base+path, in)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer), err
}

// sink and source put a connector with that many tasks; it does nothing of interest.
func (c *cluster) sink(name string, tasks int) {
	c.call(http.MethodPut, "/connectors/"+name+"/config", map[string]string{"connector.class": "FileStreamSink", "topics": "capture-none",
		"file": "/dev/null", "tasks.max": fmt.Sprint(tasks)})
}

func (c *cluster) source(name string, tasks int) {
	c.call(http.MethodPut, "/connectors/"+name+"/config", map[string]string{"connector.class": "org.apache.kafka.connect.tools.VerifiableSourceConnector",
		"topic": "capture-lines", "throughput": "1", "name": name, "id": "1", "tasks.max": fmt.Sprint(tasks)})
}

func (c *cluster) remove(name string) { c.call(http.MethodDelete, "/connectors/"+name, nil) }
