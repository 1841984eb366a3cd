package hdfsfs

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// role says what is at the other end of a connection.
type role string

const (
	nameNode role = "NameNode"
	dataNode role = "DataNode"
)

// connError is a network error, with the peer that it concerns.
type connError struct {
	role    role
	address string
	err     error
}

func (e *connError) Error() string { return fmt.Sprintf("%s %s: %v", e.role, e.address, e.err) }
func (e *connError) Unwrap() error { return e.err }

// dialer makes the connections of one colinmarc client, and can cut them all.
type dialer struct {
	ioTimeout time.Duration
	ctx       context.Context // ends all dials
	cancel    context.CancelFunc

	mu     sync.Mutex
	conns  map[*guardedConn]struct{}
	broken bool // the NameNode failed: the client shuns it for five seconds
}

func newDialer(ioTimeout time.Duration) *dialer {
	ctx, cancel := context.WithCancel(context.Background())
	return &dialer{ioTimeout: ioTimeout, ctx: ctx, cancel: cancel, conns: map[*guardedConn]struct{}{}}
}

// dial is the dial function for one role; the client passes context.Background().
func (d *dialer) dial(r role) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(d.ctx, d.ioTimeout)
		defer cancel()
		nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			d.failed(r)
			return nil, &connError{r, address, err}
		}
		c := &guardedConn{Conn: nc, dialer: d, role: r, address: address}
		d.mu.Lock()
		d.conns[c] = struct{}{}
		d.mu.Unlock()
		if d.ctx.Err() != nil { // cut between the dial and the entry above
			_ = c.Close() // nothing was sent
			return nil, &connError{r, address, net.ErrClosed}
		}
		return c, nil
	}
}

func (d *dialer) failed(r role) {
	if r == nameNode {
		d.mu.Lock()
		d.broken = true
		d.mu.Unlock()
	}
}

func (d *dialer) isBroken() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken
}

// cut ends all connections and dials, for good.
func (d *dialer) cut() {
	d.cancel()
	d.mu.Lock()
	conns := d.conns
	d.conns = map[*guardedConn]struct{}{}
	d.mu.Unlock()
	for c := range conns {
		c.Conn.Close()
	}
}

// guardedConn bounds each read and write by the dialer's timeout and by the deadline
// that was set, whichever is earlier. After an error it is closed: a late reply must
// not be taken for the next one, and the client notices a dead socket only when
// writing fails.
type guardedConn struct {
	net.Conn
	dialer  *dialer
	role    role
	address string

	mu       sync.Mutex
	deadline time.Time
}

// limit is the deadline of an I/O that starts now.
func (c *guardedConn) limit() time.Time {
	t := time.Now().Add(c.dialer.ioTimeout)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.deadline.IsZero() && c.deadline.Before(t) {
		return c.deadline
	}
	return t
}

func (c *guardedConn) Read(b []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(c.limit()); err != nil {
		return 0, c.fail(err)
	}
	n, err := c.Conn.Read(b)
	if err != nil {
		err = c.fail(err)
	}
	return n, err
}

func (c *guardedConn) Write(b []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(c.limit()); err != nil {
		return 0, c.fail(err)
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		err = c.fail(err)
	}
	return n, err
}

// SetDeadline also reaches an I/O under way.
func (c *guardedConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetDeadline(c.limit())
}

func (c *guardedConn) fail(err error) error {
	c.dialer.failed(c.role)
	_ = c.Close()                            // err says it all
	if c.role == dataNode && err == io.EOF { //nolint:errorlint // block readers compare just this
		return err // block readers compare it
	}
	return &connError{c.role, c.address, err}
}

func (c *guardedConn) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.conns, c)
	c.dialer.mu.Unlock()
	return c.Conn.Close()
}
