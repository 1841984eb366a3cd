package namenode

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Options configure a Client.
type Options struct {
	// Addresses of the NameNodes, host:port; with several the active one is found by
	// trying (StandbyException).
	Addresses []string
	// User is the effective user of every call.
	User string
	// Dial connects to a NameNode; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// AttemptTimeout bounds one attempt of a call: connect, send, wait for the reply.
	// 0 is 15 s.
	AttemptTimeout time.Duration
	// MaxBackoff bounds the pause between attempts, which starts at 50 ms and doubles.
	// 0 is 2 s.
	MaxBackoff time.Duration
	// Logger gets a line when the NameNode cannot be reached, and when it is back; nil is none.
	Logger *zap.Logger
}

// Client makes calls to the active NameNode over one connection, one at a time. It
// reconnects, fails over and repeats a call until it has an answer or the call's
// context ends. Safe for concurrent use; waiting for the connection ends with the
// context too. It starts no goroutine.
type Client struct {
	opts     Options
	clientID []byte
	callID   atomic.Int32
	closed   context.Context
	close    func() // once

	turn chan struct{} // holds one token; its taker owns the fields below
	conn *conn
	next int  // index of the address to try
	down bool // an attempt failed and none succeeded since
}

// New returns a client. It does not connect: the first call does.
func New(o Options) (*Client, error) {
	if len(o.Addresses) == 0 {
		return nil, errors.New("no NameNode address")
	}
	if o.User == "" {
		return nil, errors.New("no user for the NameNode")
	}
	o.Addresses = slices.Clone(o.Addresses)
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.AttemptTimeout <= 0 {
		o.AttemptTimeout = 15 * time.Second
	}
	if o.MaxBackoff <= 0 {
		o.MaxBackoff = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	c := &Client{opts: o, clientID: make([]byte, 16), turn: make(chan struct{}, 1)}
	if _, err := rand.Read(c.clientID); err != nil {
		return nil, err
	}
	closed, end := context.WithCancelCause(context.Background())
	c.closed = closed
	c.close = sync.OnceFunc(func() {
		end(ErrClosed)
		<-c.turn // a running call gives it back at once; it stays taken
		c.drop()
	})
	c.turn <- struct{}{}
	return c, nil
}

// Name is a client name for lease calls, unique to this Client.
func (c *Client) Name() string { return "penstock-" + hex.EncodeToString(c.clientID) }

// Close ends running calls with ErrClosed and closes the connection.
func (c *Client) Close() error {
	c.close()
	return nil
}

// outcome tells a caller what its call went through before the final answer.
type outcome struct {
	// lost: an attempt was sent and its reply did not arrive, so the call may have
	// been executed although a later attempt says otherwise.
	lost bool
}

// call makes one logical call. The error is a *RemoteError, or says why ctx or the
// client ended it together with the last failure.
func (c *Client) call(ctx context.Context, method string, params message) ([]byte, outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.closed, func() { cancel(ErrClosed) })()

	var out outcome
	var last error
	select {
	case <-ctx.Done():
		return nil, out, fmt.Errorf("%s: wait for the NameNode connection: %w", method, context.Cause(ctx))
	case <-c.turn:
	}
	defer func() { c.turn <- struct{}{} }()

	id := c.callID.Add(1) & 0x7fffffff
	backoff := min(50*time.Millisecond, c.opts.MaxBackoff)
	for retry := int32(0); ; retry++ {
		if ctx.Err() != nil {
			return nil, out, endError(ctx, method, last)
		}
		r, sent, err := c.attempt(ctx, id, retry, method, params)
		if err == nil && r.status == 0 {
			c.noteUp()
			return r.body, out, nil
		}
		if err == nil {
			remote := &RemoteError{Call: method, Class: r.class, Text: r.text, Fatal: r.status == 2}
			if !IsTemporary(remote.Class) {
				c.noteUp()
				return nil, out, remote
			}
			err = remote
			if isElsewhere(remote.Class) {
				c.failOver()
			}
		} else {
			out.lost = out.lost || sent
			c.failOver()
		}
		if ctx.Err() == nil {
			last = err
			c.noteDown(method, retry, err)
		} else if last == nil {
			last = err
		}
		// The other addresses are tried at once; then there is a pause.
		if (int(retry)+1)%len(c.opts.Addresses) == 0 {
			if !pause(ctx, backoff) {
				return nil, out, endError(ctx, method, last)
			}
			backoff = min(2*backoff, c.opts.MaxBackoff)
		}
	}
}

func endError(ctx context.Context, method string, last error) error {
	if last == nil {
		return fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w; last failure: %w", method, context.Cause(ctx), last)
}

// attempt sends the call once. sent tells whether the server may have seen it.
func (c *Client) attempt(ctx context.Context, id, retry int32, method string, params message) (r response, sent bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.AttemptTimeout,
		fmt.Errorf("no answer from NameNode %s within %s", c.opts.Addresses[c.next], c.opts.AttemptTimeout))
	defer cancel()
	if c.conn == nil {
		if c.conn, err = connect(ctx, c.opts, c.opts.Addresses[c.next], c.clientID); err != nil {
			return r, false, err
		}
	}
	r, err = c.conn.roundTrip(ctx, callFrame(id, c.clientID, retry, method, params), id)
	if err == nil && r.status == 2 {
		c.drop() // the server closes it
	}
	return r, true, err
}

// drop closes the connection: after a failed attempt a late reply could follow.
func (c *Client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *Client) failOver() {
	c.drop()
	c.next = (c.next + 1) % len(c.opts.Addresses)
}

func (c *Client) noteDown(method string, retry int32, err error) {
	if !c.down && int(retry)+1 >= len(c.opts.Addresses) {
		c.down = true
		c.opts.Logger.Warn("NameNode call failed, repeating it", zap.String("call", method),
			zap.Strings("addresses", c.opts.Addresses), zap.Error(err))
	}
}

func (c *Client) noteUp() {
	if c.down {
		c.down = false
		c.opts.Logger.Info("NameNode answers again", zap.Strings("addresses", c.opts.Addresses))
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
