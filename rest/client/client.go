// Package client talks to the REST interface of a worker: for forwarding between
// workers, for the quick start and for tests.
package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/penstock-io/penstock/rest/api"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// Client sends requests to workers. It is safe for concurrent use.
type Client struct {
	// Login returns user and password for the requests of JSON, for workers that ask for
	// them; an empty user sends none. It is set before the first request; nil is as none.
	Login func() (user, password string)
	// Sign returns headers more for the requests of JSON; target is path and query. It is set
	// before the first request; nil is none.
	Sign func(method, target string, body []byte) http.Header

	http *http.Client
}

// New returns a client; transport may be nil for plain HTTP. Redirects are not followed.
func New(transport http.RoundTripper) *Client {
	return &Client{http: &http.Client{
		Transport:     transport,
		Timeout:       2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Response is a worker's answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Err returns the answer's error as *api.Error, nil for a status below 400.
func (r *Response) Err() error {
	if r.Status < 400 {
		return nil
	}
	var e struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return &api.Error{Status: r.Status, Message: strings.TrimSpace(string(r.Body))}
	}
	return &api.Error{Status: r.Status, Message: e.Message}
}

// Do sends one request. header may be nil; a body is sent as application/json.
func (c *Client) Do(ctx context.Context, method, target string, header http.Header, body []byte) (*Response, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		return nil, err
	}
	for k, vs := range header {
		req.Header[k] = vs
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "kafka-connect")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s %s: %w", method, target, err)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: b}, nil
}

// JSON sends in (nil: no body) and decodes the answer into out (nil: not needed). An
// answer of 400 or above is returned as *api.Error.
func (c *Client) JSON(ctx context.Context, method, target string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = api.Marshal(in); err != nil {
			return err
		}
	}
	header := c.authorization()
	if c.Sign != nil {
		u, err := url.Parse(target)
		if err != nil {
			return err
		}
		maps.Copy(header, c.Sign(method, u.RequestURI(), body))
	}
	resp, err := c.Do(ctx, method, target, header, body)
	if err != nil {
		return err
	}
	if err := resp.Err(); err != nil {
		return err
	}
	if out == nil || len(resp.Body) == 0 {
		return nil
	}
	return json.Unmarshal(resp.Body, out)
}

func (c *Client) authorization() http.Header {
	if c.Login == nil {
		return http.Header{}
	}
	user, password := c.Login()
	if user == "" {
		return http.Header{}
	}
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}}
}

// ConnectorURL returns the address of a connector's resource, e.g. its "status".
func ConnectorURL(base, connector string, more ...string) string {
	u := strings.TrimSuffix(base, "/") + "/connectors/" + url.PathEscape(connector)
	for _, m := range more {
		u += "/" + m
	}
	return u
}
