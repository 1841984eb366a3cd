package client

import (
	"context"
	"net/http"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// Headers of signed internal requests (KIP-507).
const (
	SignatureHeader = "X-Connect-Authorization"
	AlgorithmHeader = "X-Connect-Request-Signature-Algorithm"
)

// Leader sends task configs to the leader of the group, signed. It is the herder's LeaderClient.
type Leader struct {
	Client *Client
	// Algorithm is inter.worker.signature.algorithm; Sign makes the base64 MAC.
	Algorithm string
	Sign      func(algorithm string, key, body []byte) string
}

// PutTaskConfigs posts the task configs of a connector; without a key the request goes
// out unsigned, as a group without sessions demands.
func (l *Leader) PutTaskConfigs(ctx context.Context, leaderURL, connector string, configs []map[string]string, key *storage.SessionKey) error {
	if configs == nil {
		configs = []map[string]string{}
	}
	body, err := api.Marshal(configs)
	if err != nil {
		return err
	}
	header := http.Header{}
	if key != nil {
		header.Set(SignatureHeader, l.Sign(l.Algorithm, key.Key, body))
		header.Set(AlgorithmHeader, l.Algorithm)
	}
	resp, err := l.Client.Do(ctx, http.MethodPost, ConnectorURL(leaderURL, connector, "tasks"), header, body)
	if err != nil {
		return err
	}
	return resp.Err()
}
