package sasl

import "context"

// Plain is the mechanism PLAIN (RFC 4616): the password goes over the wire, so it wants TLS.
type Plain struct{ User, Password string }

// Name implements Mechanism.
func (Plain) Name() string { return "PLAIN" }

// Principal implements Mechanism.
func (p Plain) Principal() string { return "User:" + p.User }

// Close implements Mechanism.
func (Plain) Close() {}

// Start implements Mechanism.
func (p Plain) Start(context.Context, string) (Exchange, error) { return p, nil }

// Step implements Exchange.
func (p Plain) Step([]byte) (answer []byte, done bool, err error) {
	return []byte("\x00" + p.User + "\x00" + p.Password), true, nil
}
