package kafka

import (
	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/internal/tlsstore"
)

// readTLS fills in ssl.*. ssl.client.auth is a server's and may stand among the properties
// of a worker.
func readTLS(r *propReader, c *sarama.Config) {
	cfg, err := tlsstore.Read(r.props, tlsstore.Options{})
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	c.Net.TLS.Enable = true
	c.Net.TLS.Config = cfg.Client()
}
