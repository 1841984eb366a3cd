package kafkatest

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Cluster is a fake Kafka cluster of a test. The methods of kfake.Cluster
// (ControlKey, Fault, MoveTopicPartition, DeleteRecords, Compact …) are available.
type Cluster struct {
	*kfake.Cluster
	t testing.TB

	mu        sync.Mutex
	listeners []*listener // by node id
}

// New starts a cluster of three brokers, unless the options say otherwise, that is
// stopped with the test.
func New(t testing.TB, opts ...kfake.Opt) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	all := append([]kfake.Opt{kfake.NumBrokers(3), kfake.SleepOutOfOrder(), kfake.ListenFn(c.listen)}, opts...)
	cluster, err := kfake.NewCluster(all...)
	if err != nil {
		t.Fatalf("start kfake: %v", err)
	}
	c.Cluster = cluster
	t.Cleanup(func() {
		for id := range c.listeners {
			c.Cut(int32(id))
		}
		cluster.Close()
	})
	return c
}

// Bootstrap returns the value for bootstrap.servers.
func (c *Cluster) Bootstrap() string { return strings.Join(c.ListenAddrs(), ",") }

// Props returns client properties for the cluster, with short pauses and time-outs
// for tests, and pairs of key and value on top.
func (c *Cluster) Props(pairs ...string) map[string]string {
	c.t.Helper()
	m := map[string]string{
		"bootstrap.servers":        c.Bootstrap(),
		"client.id":                "test",
		"retry.backoff.ms":         "5",
		"retry.backoff.max.ms":     "20",
		"reconnect.backoff.ms":     "5",
		"reconnect.backoff.max.ms": "20",
		"fetch.max.wait.ms":        "50",
		"request.timeout.ms":       "5000",
		"auto.offset.reset":        "earliest",
	}
	if len(pairs)%2 != 0 {
		c.t.Fatal("Props wants pairs of key and value")
	}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// Topic creates a topic; pairs are its settings.
func (c *Cluster) Topic(name string, partitions int32, pairs ...string) {
	c.t.Helper()
	configs := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		configs[pairs[i]] = pairs[i+1]
	}
	if err := c.CreateTopic(name, partitions, configs); err != nil {
		c.t.Fatalf("create topic %s: %v", name, err)
	}
}

// FailOnce makes the next request of a kind fail with an error code. The returned
// handle tells whether it happened.
func (c *Cluster) FailOnce(key kmsg.Key, code *kerr.Error) *kfake.FaultHandle {
	return c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: code})
}

// Await waits until a fault has hit n requests.
func (c *Cluster) Await(h *kfake.FaultHandle, n int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	if err := h.Wait(ctx, n); err != nil {
		c.t.Fatalf("the fault was not met: %v", err)
	}
}

// Cut closes all connections to a broker; new ones are accepted.
func (c *Cluster) Cut(node int32) {
	if l := c.listener(node); l != nil {
		l.cut()
	}
}

// Down makes a broker unreachable, with its connections cut, until Up. The cluster
// does not notice: leaders stay, as for a broker behind a dead network link.
func (c *Cluster) Down(node int32) {
	c.listener(node).setDown(true)
	c.Cut(node)
}

// Up ends Down.
func (c *Cluster) Up(node int32) { c.listener(node).setDown(false) }

// Mute makes a broker take connections and answer nothing, until Unmute: nobody sees that
// the link to it is cut, since nothing is refused.
func (c *Cluster) Mute(node int32) { c.listener(node).setMuted(true) }

// Unmute ends Mute. The connections opened meanwhile are cut.
func (c *Cluster) Unmute(node int32) {
	c.listener(node).setMuted(false)
	c.Cut(node)
}

// LoseAnswer makes a broker close its connection instead of answering the next
// request that it has dealt with. It may be called from a control function.
func (c *Cluster) LoseAnswer(node int32) { c.listener(node).setLose() }

// Connections returns the number of open connections to all brokers.
func (c *Cluster) Connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, l := range c.listeners {
		n += l.open()
	}
	return n
}

func (c *Cluster) listener(node int32) *listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	if int(node) >= len(c.listeners) {
		return nil
	}
	return c.listeners[node]
}

func (c *Cluster) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	wrapped := &listener{Listener: l, conns: map[*conn]struct{}{}}
	c.mu.Lock()
	c.listeners = append(c.listeners, wrapped)
	c.mu.Unlock()
	return wrapped, nil
}

type listener struct {
	net.Listener
	mu    sync.Mutex
	conns map[*conn]struct{}
	down  bool
	lose  bool
	muted bool
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		if l.down {
			l.mu.Unlock()
			_ = c.Close()
			continue
		}
		wrapped := &conn{Conn: c, l: l}
		l.conns[wrapped] = struct{}{}
		l.mu.Unlock()
		return wrapped, nil
	}
}

func (l *listener) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

func (l *listener) setMuted(muted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.muted = muted
}

func (l *listener) isMuted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.muted
}

func (l *listener) setLose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = true
}

// losing tells, once, that an answer is to be lost.
func (l *listener) losing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lose := l.lose
	l.lose = false
	return lose
}

func (l *listener) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

func (l *listener) cut() {
	l.mu.Lock()
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

type conn struct {
	net.Conn
	l *listener
}

func (c *conn) Close() error {
	c.l.mu.Lock()
	delete(c.l.conns, c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}

func (c *conn) Write(b []byte) (int, error) {
	if c.l.isMuted() {
		return len(b), nil
	}
	if c.l.losing() {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}
