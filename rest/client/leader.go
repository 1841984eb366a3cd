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

// Leader sends internal requests to the leader of the group, signed. It is the herder's
// LeaderClient.
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
	return l.send(ctx, http.MethodPost, ConnectorURL(leaderURL, connector, "tasks"), body, key)
}

// FenceZombies has the leader shut out the former tasks of a source connector (KIP-618),
// and returns when it has. What it answers instead is an *api.Error; a key is used as
// with PutTaskConfigs.
func (l *Leader) FenceZombies(ctx context.Context, leaderURL, connector string, key *storage.SessionKey) error {
	return l.send(ctx, http.MethodPut, ConnectorURL(leaderURL, connector, "fence"), nil, key)
}

// send makes a request; without a body the signature is one of no bytes.
func (l *Leader) send(ctx context.Context, method, target string, body []byte, key *storage.SessionKey) error {
	header := http.Header{}
	if key != nil {
		header.Set(SignatureHeader, l.Sign(l.Algorithm, key.Key, body))
		header.Set(AlgorithmHeader, l.Algorithm)
	}
	resp, err := l.Client.Do(ctx, method, target, header, body)
	if err != nil {
		return err
	}
	return resp.Err()
}
