package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/rest/api"
)

// What clients can hold of a worker is bounded, in time and in memory: see "Limits" in
// docs/reference/rest-server.md.
const (
	// maxHeader bounds a request's header, in bytes; net/http adds 4 KiB.
	maxHeader = 64 << 10
	// headerTimeout is for sending it.
	headerTimeout = 10 * time.Second
	// maxBody bounds a request's body, in bytes. The JVM has no such bound; its JSON reader
	// stops at strings of 20,000,000 characters, of which this holds most.
	maxBody = 64 << 20
	// maxBodies bounds the bodies of all requests under way, in bytes. The first smallBody bytes
	// of each are not counted, so that large requests cannot keep out those that people make.
	maxBodies = 128 << 20
	smallBody = 64 << 10
	// maxConnections bounds the open connections of a listener.
	maxConnections = 1000
	// writeTimeout is how long an answer may take from the end of the request's header; who
	// reads too slowly is cut off. It is above requestTimeout, after which handlers end.
	writeTimeout = 2 * requestTimeout
)

// connections is a listener whose open connections are bounded. One too many replaces the
// one that has waited longest for its client: to begin a request, to send the rest of it, or
// to take the answer. So who dribbles, or opens connections and lets them lie, only loses
// his own, and a request that is being worked on is never cut off. If all are, the new
// connection is closed. It is safe for concurrent use.
type connections struct {
	net.Listener
	limit int
	log   *zap.Logger

	mu     sync.Mutex
	open   map[*connection]bool
	warned time.Time
}

// connection is one of them.
type connection struct {
	net.Conn
	of *connections

	// Below of.mu.
	working bool
	since   time.Time // when the wait for the client began
}

func newConnections(l net.Listener, limit int, log *zap.Logger) *connections {
	return &connections{Listener: l, limit: limit, log: log, open: map[*connection]bool{}}
}

// Accept implements net.Listener.
func (cs *connections) Accept() (net.Conn, error) {
	for {
		raw, err := cs.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &connection{Conn: raw, of: cs, since: time.Now()}
		victim := cs.add(c)
		if victim != nil {
			victim.Conn.Close()
		}
		if victim != c {
			return c, nil
		}
	}
}

// add takes a connection in and returns the one to be closed for it, maybe itself.
func (cs *connections) add(c *connection) (victim *connection) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.open) >= cs.limit {
		for other := range cs.open {
			if !other.working && (victim == nil || other.since.Before(victim.since)) {
				victim = other
			}
		}
		if victim == nil {
			victim = c
		}
		if now := time.Now(); now.Sub(cs.warned) > time.Minute {
			cs.warned = now
			cs.log.Warn("too many connections: the one that has waited longest for its client is closed for each new one",
				zap.Int("limit", cs.limit), zap.Stringer("listener", cs.Addr()))
		}
	}
	cs.open[c] = true
	delete(cs.open, victim)
	return victim
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite is what net/http ends an answer with to a client that is still sending: a plain
// Close would make the client's system forget the answer.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// set tells whether the worker is working for the connection, or waits for its client.
func (c *connection) set(working bool) {
	if c == nil {
		return // a test without a listener
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.working = working
	if !working {
		c.since = time.Now()
	}
}

type connectionKey struct{}

// withConnection is http.Server.ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, below(c))
}

// countIdle is http.Server.ConnState: after an answer the wait begins anew.
func countIdle(c net.Conn, state http.ConnState) {
	if state == http.StateIdle {
		below(c).set(false)
	}
}

// below returns the connection of connections below TLS.
func below(c net.Conn) *connection {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	raw, _ := c.(*connection)
	return raw
}

// connectionOf returns the connection of a request, or nil.
func connectionOf(r *http.Request) *connection {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	return c
}

// heldBody is a body that was read to its end.
type heldBody struct {
	*bytes.Reader
	all []byte
}

// Close implements io.Closer.
func (heldBody) Close() error { return nil }

// readAll returns the whole body; its bytes are shared.
func readAll(r *http.Request) ([]byte, error) {
	if held, ok := r.Body.(heldBody); ok {
		return held.all, nil
	}
	return io.ReadAll(r.Body)
}

// bodies counts the bytes of the bodies of all requests under way, beyond what is free.
type bodies struct{ atomic.Int64 }

// hold reads the body of a request into memory, in place of its Body; release gives the
// memory back. Bodies of GETs are ignored, as in the JVM.
func (b *bodies) hold(w http.ResponseWriter, r *http.Request) (release func(), err error) {
	counted := &countedBody{r: http.MaxBytesReader(w, r.Body, maxBody), all: b}
	release = func() { b.Add(-counted.taken) }
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Body == http.NoBody {
		return release, nil
	}
	if r.ContentLength > maxBody {
		return release, errBodyTooLarge()
	}
	all, err := io.ReadAll(counted)
	var tooLarge *http.MaxBytesError
	var coded *api.Error
	switch {
	case err == nil:
		r.Body = heldBody{bytes.NewReader(all), all}
		return release, nil
	case errors.As(err, &coded):
		return release, err
	case errors.As(err, &tooLarge):
		return release, errBodyTooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return release, api.Errorf(http.StatusRequestTimeout, "The request's body did not arrive within %v.", requestTimeout)
	}
	return release, api.Errorf(http.StatusBadRequest, "The request's body could not be read: %v", err)
}

func errBodyTooLarge() error {
	return api.Errorf(http.StatusRequestEntityTooLarge, "The request's body is larger than %d MiB, the most that is accepted.", maxBody>>20)
}

// countedBody takes the memory of a body from what all may use.
type countedBody struct {
	r           io.Reader
	all         *bodies
	read, taken int64
}

// Read implements io.Reader.
func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read += int64(n)
	if more := c.read - smallBody - c.taken; more > 0 {
		c.taken += more
		if c.all.Add(more) > maxBodies {
			return n, api.Errorf(http.StatusServiceUnavailable,
				"The requests under way have bodies of more than %d MiB in all: try again later, or send less at a time.", maxBodies>>20)
		}
	}
	return n, err
}
