// Package proxy stands between a program and a server and does what networks do: it holds
// bytes back, loses answers, resets connections and refuses new ones.
package proxy

import (
	"net"
	"sync"
	"time"
)

// Mode is what the network does.
type Mode string

// The modes.
const (
	// Pass forwards everything.
	Pass Mode = "pass"
	// Stall forwards nothing and tells nobody, like a cable that was pulled. Connections are
	// accepted. What was held goes on when the mode changes to Pass.
	Stall Mode = "stall"
	// StallReplies forwards requests but holds the answers: the server does what the client
	// believes not to have happened.
	StallReplies Mode = "stall replies"
	// Refuse resets all connections and those that are made.
	Refuse Mode = "refuse"
	// Slow forwards everything with a delay.
	Slow Mode = "slow"
)

// delay is for each piece in mode Slow, dialTimeout for a connection to the target.
const (
	delay       = 150 * time.Millisecond
	dialTimeout = 5 * time.Second
)

// Proxy forwards TCP connections from one port to another. Its methods may be called from
// many goroutines.
type Proxy struct {
	target   string
	listener net.Listener
	done     sync.WaitGroup
	closing  chan struct{}

	mu      sync.Mutex
	mode    Mode
	changed chan struct{} // closed when the mode changes
	conns   map[net.Conn]struct{}
}

// Listen begins to forward connections made to address to target, both host:port. The
// target need not be there yet.
func Listen(address, target string) (*Proxy, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: l, closing: make(chan struct{}), mode: Pass, changed: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	p.done.Go(p.accept)
	return p, nil
}

// Addr returns host:port of the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set changes the mode at once, for connections that are open too.
func (p *Proxy) Set(m Mode) {
	p.mu.Lock()
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	if m == Refuse {
		p.Reset()
	}
}

// Reset resets all connections that are open.
func (p *Proxy) Reset() {
	p.mu.Lock()
	conns := p.conns
	p.conns = map[net.Conn]struct{}{}
	p.mu.Unlock()
	for c := range conns {
		reset(c)
	}
}

// Close ends the proxy and its connections and waits for its goroutines.
func (p *Proxy) Close() {
	close(p.closing)
	p.listener.Close()
	p.Reset()
	p.done.Wait()
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.serve(c) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer reset(client)
	defer p.forget(client)
	if !p.track(client) || !p.passes(false) {
		return
	}
	server, err := net.DialTimeout("tcp", p.target, dialTimeout)
	if err != nil {
		return // the client sees a reset
	}
	defer reset(server)
	if !p.track(server) {
		return
	}
	defer p.forget(server)
	var both sync.WaitGroup
	both.Go(func() { p.pump(server, client, false) })
	both.Go(func() { p.pump(client, server, true) })
	both.Wait()
}

// track remembers a connection so that Reset finds it, unless there is no place for it.
func (p *Proxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
		return false
	default:
	}
	if p.mode == Refuse {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// pump copies one direction until an end is closed, and then closes both.
func (p *Proxy) pump(to, from net.Conn, replies bool) {
	defer reset(to)
	defer reset(from)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !p.passes(replies) {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// passes waits until bytes may go on; false means that they never will.
func (p *Proxy) passes(replies bool) bool {
	for {
		p.mu.Lock()
		mode, changed := p.mode, p.changed
		p.mu.Unlock()
		var after <-chan time.Time
		switch {
		case mode == Refuse:
			return false
		case mode == Pass, mode == StallReplies && !replies:
			return true
		case mode == Slow:
			after = time.After(delay)
		}
		select {
		case <-after:
			return true
		case <-changed:
		case <-p.closing:
			return false
		}
	}
}

// reset closes a connection so that the other end sees an error and not an end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0) //nolint:errcheck // it may be closed already
	}
	c.Close()
}
