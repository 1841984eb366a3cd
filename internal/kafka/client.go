package kafka

import (
	"context"
	"sync"

	"go.uber.org/zap"
)

// Client holds the connections made with one set of Java client properties
// (bootstrap.servers, security.protocol, sasl.*, ssl.*, client.id …) and offers
// the admin calls. It is safe for concurrent use.
//
// Every call is repeated after retriable errors until default.api.timeout.ms or its
// context is over, and returns as soon as its context ends.
type Client struct {
	cluster *cluster
	closing sync.Once
}

// NewClient checks the properties and connects to the first broker that answers.
// Properties that Kafka clients do not have are ignored, wrong values are reported
// all at once as *config.Error.
func NewClient(ctx context.Context, props map[string]string, log *zap.Logger) (*Client, error) {
	r := newPropReader(props)
	s := readClientSettings(r, consumerReceiveBuffer)
	if err := r.err(); err != nil {
		return nil, err
	}
	c, err := newCluster(ctx, s, log)
	if err != nil {
		return nil, err
	}
	err = c.retry(ctx, "connect to Kafka", func(ctx context.Context) error {
		_, err := c.describe(ctx)
		if final(err) && !isFatalForConnecting(err) {
			return nil // an old or a guarded cluster: the calls will tell
		}
		return err
	})
	if err != nil {
		c.close()
		return nil, err
	}
	return &Client{cluster: c}, nil
}

// Close releases the connections. Calls under way fail with ErrClosed.
func (c *Client) Close() error {
	c.closing.Do(c.cluster.close)
	return nil
}
