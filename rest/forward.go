package rest

import (
	"errors"
	"net/http"
	"strings"

	"github.com/penstock-io/penstock/rest/api"
)

// forwarded runs a handler that may have to be answered by another worker: the leader, or
// the owner of a connector or task. At most two hops are made, marked by ?forward=.
func (s *Server) forwarded(local func(r *http.Request, body []byte) (result, error)) handler {
	return func(r *http.Request) (result, error) {
		body, err := readAll(r)
		if err != nil {
			return result{}, err
		}
		res, err := local(r, body)
		var forward *api.ForwardError
		if !errors.As(err, &forward) {
			return res, err
		}
		return s.forward(r, body, forward)
	}
}

func (s *Server) forward(r *http.Request, body []byte, f *api.ForwardError) (result, error) {
	values := query(r)
	next := "true"
	switch {
	case !values.Has("forward"):
	case strings.EqualFold(values.Get("forward"), "true"):
		next = "false"
	default:
		return result{}, api.Errorf(http.StatusConflict, "Cannot complete request because of a conflicting operation (e.g. worker rebalance)")
	}
	if f.URL == "" {
		return result{}, api.Errorf(http.StatusConflict, "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.")
	}
	values.Set("forward", next)
	target := strings.TrimSuffix(f.URL, "/") + r.URL.EscapedPath() + "?" + values.Encode()
	header := http.Header{}
	if auth := r.Header.Values("Authorization"); len(auth) > 0 {
		header["Authorization"] = auth
	}
	if len(body) == 0 {
		body = nil
	}
	if s.access != nil {
		if err := s.vouch(r, header, target, body); err != nil {
			return result{}, err
		}
	}
	resp, err := s.client.Do(r.Context(), r.Method, target, header, body)
	if err != nil {
		return result{}, api.Errorf(http.StatusInternalServerError, "IO Error trying to forward REST request: %v", err)
	}
	if err := resp.Err(); err != nil {
		return result{}, err
	}
	switch {
	case resp.Status < 200 || resp.Status > 299:
		return result{}, api.Errorf(http.StatusInternalServerError, "Unexpected status code when handling forwarded request: %d", resp.Status)
	case len(resp.Body) == 0:
		return result{status: resp.Status}, nil
	}
	return result{status: resp.Status, body: rawJSON(resp.Body), location: resp.Header.Get("Location")}, nil
}

// rawJSON is written as it is.
type rawJSON []byte

// MarshalJSON returns the text itself.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }
