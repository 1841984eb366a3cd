package namenode

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"time"
)

// conn is one connection to one NameNode. After an error it must be closed.
type conn struct {
	net.Conn
	r *bufio.Reader
}

// connect dials and opens an IPC connection with simple authentication. SASL would
// negotiate between the preamble and the connection context.
func connect(ctx context.Context, o Options, address string, clientID []byte) (*conn, error) {
	nc, err := o.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to NameNode %s: %w", address, because(ctx, err))
	}
	c := &conn{Conn: nc, r: bufio.NewReader(nc)}
	stop := c.bound(ctx)
	defer stop()
	if _, err := nc.Write(append(preamble(), contextFrame(clientID, o.User)...)); err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect to NameNode %s: %w", address, because(ctx, err))
	}
	return c, nil
}

// bound makes I/O fail when ctx ends, until the returned function is called. That one
// waits for a deadline that is just being set, which would hit the next call's I/O.
func (c *conn) bound(ctx context.Context) (release func()) {
	c.SetDeadline(time.Time{}) //nolint:errcheck // a closed connection fails at the next I/O
	set := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(set)
		c.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // as above
	})
	return func() {
		if !stop() {
			<-set
		}
	}
}

// roundTrip sends a frame and reads the reply to call id. An error leaves the
// connection in the middle of something: close it.
func (c *conn) roundTrip(ctx context.Context, frame []byte, id int32) (response, error) {
	stop := c.bound(ctx)
	defer stop()
	if _, err := c.Write(frame); err != nil {
		return response{}, fmt.Errorf("send to NameNode %s: %w", c.RemoteAddr(), because(ctx, err))
	}
	b, err := readFrame(c.r)
	if err != nil {
		return response{}, fmt.Errorf("reply of NameNode %s: %w", c.RemoteAddr(), because(ctx, err))
	}
	r, err := parseResponse(b)
	if err != nil {
		return r, fmt.Errorf("reply of NameNode %s: %w", c.RemoteAddr(), err)
	}
	// A refused connection is answered with a negative id and a fatal status.
	if r.callID != id && r.status != 2 {
		return r, fmt.Errorf("reply of NameNode %s: answers call %d, not %d", c.RemoteAddr(), r.callID, id)
	}
	return r, nil
}

// because names the reason for which ctx ended, in place of "i/o timeout". A dial that
// runs into ctx's deadline fails a moment before ctx ends.
func because(ctx context.Context, err error) error {
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
