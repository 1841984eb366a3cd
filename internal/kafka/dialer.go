package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/internal/kafka/sasl"
)

// dialer opens the TCP connections of one client and can cut them all at once.
// sarama holds a lock per connection while it waits for an answer, so closing one
// through sarama waits for the answer too; cutting the socket below does not.
type dialer struct {
	timeout               time.Duration // socket.connection.setup.timeout.ms
	sendBuffer, rcvBuffer int           // send.buffer.bytes, receive.buffer.bytes; -1 = the system's

	tls       func() (*tls.Config, error) // nil: no TLS
	login     sasl.Mechanism              // nil: no SASL
	handshake time.Duration               // bounds TLS, and each answer of a login
	clientID  string

	ctx    context.Context //nolint:containedctx // ends dials that are under way, see abort
	cancel context.CancelFunc

	mu     sync.Mutex
	conns  map[*trackedConn]struct{}
	dead   bool
	reauth time.Time // when the last connection must log in again; zero: never
}

func newDialer(timeout time.Duration, sendBuffer, rcvBuffer int) *dialer {
	ctx, cancel := context.WithCancel(context.Background())
	return &dialer{
		timeout: timeout, sendBuffer: sendBuffer, rcvBuffer: rcvBuffer,
		ctx: ctx, cancel: cancel, conns: map[*trackedConn]struct{}{},
	}
}

// fresh returns a dialer with the same settings and no connections.
func (d *dialer) fresh() *dialer {
	f := newDialer(d.timeout, d.sendBuffer, d.rcvBuffer)
	f.tls, f.login, f.handshake, f.clientID = d.tls, d.login, d.handshake, d.clientID
	return f
}

// Dial implements proxy.Dialer, the hook that sarama offers. It tries all addresses
// of the host in turn (client.dns.lookup=use_all_dns_ips), opens TLS and logs in.
func (d *dialer) Dial(network, addr string) (net.Conn, error) {
	c, err := d.open(network, addr)
	if err != nil {
		return nil, err
	}
	secured, reauth, err := d.secure(c, addr)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reauth = reauth
	return secured, nil
}

// expired tells that the broker wants a new login. It closes the connection soon: another one
// is opened, which is simpler than to log in again in between requests and as good.
func (d *dialer) expired(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.reauth.IsZero() && now.After(d.reauth)
}

// open opens a TCP connection.
func (d *dialer) open(network, addr string) (net.Conn, error) {
	nd := net.Dialer{Timeout: d.timeout, Control: d.setBuffers}
	c, err := nd.DialContext(d.ctx, network, addr)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	t := &trackedConn{Conn: c, owner: d}
	d.conns[t] = struct{}{}
	return t, nil
}

func (d *dialer) setBuffers(_, _ string, c syscall.RawConn) error {
	var err error
	ctlErr := c.Control(func(fd uintptr) {
		if d.sendBuffer > 0 {
			err = errors.Join(err, syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, d.sendBuffer))
		}
		if d.rcvBuffer > 0 {
			err = errors.Join(err, syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, d.rcvBuffer))
		}
	})
	return errors.Join(ctlErr, err)
}

// cut closes every open connection: calls that wait for an answer return with an
// error. New connections can be made afterwards.
func (d *dialer) cut() {
	d.mu.Lock()
	conns := make([]*trackedConn, 0, len(d.conns))
	for c := range d.conns {
		conns = append(conns, c)
	}
	d.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// abort is cut for good: dials under way fail and so do later ones.
func (d *dialer) abort() {
	d.mu.Lock()
	d.dead = true
	d.mu.Unlock()
	d.cancel()
	d.cut()
}

// trackedConn tells its dialer when it is closed.
type trackedConn struct {
	net.Conn
	owner *dialer
}

// Close closes the socket; a second Close is an error as for any net.Conn.
func (c *trackedConn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.conns, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}
