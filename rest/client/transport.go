package client

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// Transport returns a transport for requests between workers. For each new HTTPS
// connection it asks tlsConfig, so that certificates may change; nil is the system's
// authorities and no certificate of one's own. Proxies of the environment are not used:
// workers reach each other by the advertised addresses.
func Transport(tlsConfig func() (*tls.Config, error)) *http.Transport {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		// Less than the 90 s after which workers close idle connections: a request that is
		// sent just then would fail.
		IdleConnTimeout:     30 * time.Second,
		MaxIdleConnsPerHost: 4,
	}
	if tlsConfig == nil {
		return t
	}
	t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		cfg, err := tlsConfig()
		if err != nil {
			return nil, err
		}
		cfg = cfg.Clone()
		if cfg.ServerName == "" {
			if cfg.ServerName, _, err = net.SplitHostPort(address); err != nil {
				return nil, err
			}
		}
		// The transport bounds no handshake of a dialer that is not its own.
		ctx, cancel := context.WithTimeout(ctx, dialer.Timeout+t.TLSHandshakeTimeout)
		defer cancel()
		return (&tls.Dialer{NetDialer: dialer, Config: cfg}).DialContext(ctx, network, address)
	}
	return t
}

// Close closes connections that wait for the next request; those in use go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }
