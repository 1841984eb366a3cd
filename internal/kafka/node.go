package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// node is one broker address with at most one connection, opened when needed and
// used by one request at a time. sarama's own brokers would do, but they hold a lock
// while they wait, know no context, and share it with whoever asks for metadata.
type node struct {
	id       int32 // -1: an address of bootstrap.servers
	addr     string
	settings *clientSettings
	group    *callGroup

	turn chan struct{} // held by the request under way; guards the fields below

	broker   *sarama.Broker
	dialer   *dialer
	lastUsed time.Time
	answered bool // a request on the connection

	reconnects *reconnects
}

// reconnects is how connecting to a broker went, see reconnect.backoff.ms. Nodes of the
// same broker may share it. Safe for concurrent use.
type reconnects struct {
	mu       sync.Mutex
	failures int       // in a row
	retryAt  time.Time // zero: now
}

func newNode(id int32, addr string, s *clientSettings, g *callGroup) *node {
	return &node{id: id, addr: addr, settings: s, group: g, turn: make(chan struct{}, 1), reconnects: &reconnects{}}
}

// sharing makes the node, which was not used yet, go on with the pauses of another one, if
// that is the same broker.
func (n *node) sharing(other *node) *node {
	if other != nil && other.id == n.id && other.addr == n.addr {
		n.reconnects = other.reconnects
	}
	return n
}

func (n *node) String() string {
	if n.id < 0 {
		return n.addr
	}
	return fmt.Sprintf("%s (broker %d)", n.addr, n.id)
}

// callGroup counts the requests of one client, so that Close can end them and wait.
type callGroup struct {
	ctx    context.Context //nolint:containedctx // the life of the client, not of a call
	cancel context.CancelCauseFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func newCallGroup() *callGroup {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &callGroup{ctx: ctx, cancel: cancel}
}

// enter registers a goroutine; false after close. The caller owes a wg.Done.
func (g *callGroup) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.wg.Add(1)
	return true
}

// close cuts what is under way and waits for it.
func (g *callGroup) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel(ErrClosed)
	g.wg.Wait()
}

// ask sends one request through a node's connection. When ctx ends it returns at
// once: the connection is cut and the goroutine that waited for the answer ends by
// itself. Errors are those of this package; a lost connection is reported as it is.
func ask[T any](ctx context.Context, n *node, fn func(*sarama.Broker) (T, error)) (T, error) {
	var zero T
	select {
	case n.turn <- struct{}{}:
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	case <-n.group.ctx.Done():
		return zero, ErrClosed
	}
	if !n.group.enter() {
		<-n.turn
		return zero, ErrClosed
	}
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		defer n.group.wg.Done()
		defer func() { <-n.turn }()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(n.group.ctx, func() { cancel(ErrClosed) })()
		var a answer
		a.err = n.use(ctx, func(b *sarama.Broker) (err error) {
			a.value, err = fn(b)
			return err
		})
		done <- a
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	case <-n.group.ctx.Done():
		return zero, ErrClosed
	}
}

// use runs fn with an open connection. The caller has the turn.
func (n *node) use(ctx context.Context, fn func(*sarama.Broker) error) error {
	if err := n.connect(ctx); err != nil {
		return err
	}
	d := n.dialer
	stop := context.AfterFunc(ctx, d.abort)
	err := fn(n.broker)
	stop()
	if ctx.Err() != nil {
		n.disconnect()
		return context.Cause(ctx)
	}
	switch {
	case err == nil, isAnswer(err):
		n.lastUsed, n.answered = time.Now(), true
		return wireError(err)
	case connectionLost(err):
		answered := n.answered
		n.disconnect()
		if err = wireError(err); !answered {
			err = hungUp(err)
		}
		return &connectionError{n.String(), err}
	}
	n.disconnect() // the stream may be out of step
	return &undecodableError{n.String(), err}
}

// connectionError is the failure of a connection, as opposed to an answer.
type connectionError struct {
	what string
	err  error
}

func (e *connectionError) Error() string { return e.what + ": " + e.err.Error() }

// Unwrap returns the cause.
func (e *connectionError) Unwrap() error { return e.err }

// undecodableError is an answer that came but makes no sense, e.g. a wrong CRC.
type undecodableError struct {
	from string
	err  error
}

func (e *undecodableError) Error() string { return "answer of " + e.from + ": " + e.err.Error() }

// Unwrap returns the cause.
func (e *undecodableError) Unwrap() error { return e.err }

// isAnswer tells errors that a broker sent, or that kept a request from being sent.
func isAnswer(err error) bool {
	var code sarama.KError
	var encode sarama.PacketEncodingError
	return errors.As(err, &code) || errors.As(err, &encode) || errors.Is(err, sarama.ErrUnsupportedVersion)
}

// connectionLost tells errors of the connection from those of decoding.
func connectionLost(err error) bool {
	var network net.Error
	return errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, sarama.ErrNotConnected)
}

// connect makes sure there is an open connection, waiting out reconnect.backoff.ms
// after failures.
func (n *node) connect(ctx context.Context) error {
	if n.broker != nil {
		idle := n.settings.maxIdle
		if (idle < 0 || time.Since(n.lastUsed) < idle) && !n.dialer.expired(time.Now()) {
			return nil
		}
		n.disconnect()
	}
	if err := sleep(ctx, time.Until(n.nextTry())); err != nil {
		return err
	}
	d := n.settings.dialer.fresh()
	b := sarama.NewBroker(n.addr)
	stop := context.AfterFunc(ctx, d.abort)
	defer stop()
	err := b.Open(n.settings.withDialer(d))
	if err == nil {
		var open bool
		if open, err = b.Connected(); !open && err == nil { // waits for dial, login and ApiVersions
			err = sarama.ErrNotConnected
		}
	}
	if err == nil && ctx.Err() != nil {
		_ = b.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		d.abort()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n.failed()
		return &connectionError{"connect to " + n.String(), hungUp(wireError(err))}
	}
	n.broker, n.dialer, n.lastUsed = b, d, time.Now()
	n.answered = false
	n.reconnects.succeeded()
	return nil
}

// hungUp explains the end of a connection on which no request was answered yet: so brokers
// treat those who speak something else than the port does.
func hungUp(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the broker hung up. Unless it is just stopping, check that security.protocol is that of this port", err)
	}
	return err
}

func (n *node) disconnect() {
	if n.broker == nil {
		return
	}
	n.dialer.abort()     // first: Close of sarama waits for a reader
	_ = n.broker.Close() // "not connected" when sarama noticed already
	n.broker, n.dialer = nil, nil
}

// failed sets the time of the next try: reconnect.backoff.ms doubling up to
// reconnect.backoff.max.ms, 20 % jitter as in Java.
func (n *node) failed() {
	r := n.reconnects
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retryAt = time.Now().Add(backoff(n.settings.reconnect, n.settings.reconnectMax, r.failures))
	r.failures++
}

func (r *reconnects) succeeded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = 0
}

// nextTry returns when the node may be connected to again; zero when it may now.
func (n *node) nextTry() time.Time {
	n.reconnects.mu.Lock()
	defer n.reconnects.mu.Unlock()
	return n.reconnects.retryAt
}

// open makes sure there is an open connection.
func (n *node) open(ctx context.Context) error {
	_, err := ask(ctx, n, func(*sarama.Broker) (struct{}, error) { return struct{}{}, nil })
	return err
}

// close drops the connection after the request under way, if there is one: it is
// bounded by the read time-out, and cut when the group was closed.
func (n *node) close() {
	n.turn <- struct{}{}
	n.disconnect()
	<-n.turn
}

// backoff returns the pause after attempt failures in a row (0 = the first).
func backoff(base, limit time.Duration, attempt int) time.Duration {
	d := base
	for range min(attempt, 30) {
		if d *= 2; d >= limit {
			break
		}
	}
	d = min(d, max(limit, base))
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// sleep waits for d or for ctx, whose cause it returns.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
