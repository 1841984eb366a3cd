package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/rest/api"
)

// requestTimeout bounds every request that goes through the herder
// (Java: ConnectResource.DEFAULT_REST_REQUEST_TIMEOUT_MS).
const requestTimeout = 90 * time.Second

// result is what a handler answers: a status and a body to be written as JSON; nil for none.
type result struct {
	status   int
	body     any
	location string
}

func ok(body any) result { return result{status: http.StatusOK, body: body} }

// handler answers one request; an error becomes the error JSON in one place.
type handler func(r *http.Request) (result, error)

// handle wraps a handler: content negotiation, what the route needs of the user, time-out,
// errors.
func (s *Server) handle(h handler, n need) http.HandlerFunc {
	return s.audited(n, func(w http.ResponseWriter, r *http.Request) {
		contentType, refused := produced(r)
		if status := consumable(r); status != 0 {
			refused = status
		}
		if refused != 0 {
			writeRouterError(w, refused)
			return
		}
		if !s.admit(w, r, contentType, n) {
			return
		}
		release, err := s.bodies.hold(w, r)
		defer release()
		if err == nil {
			err = s.trusted(r, n)
		}
		if err != nil {
			s.writeError(w, r, contentType, err)
			return
		}
		res, err := s.work(h, r)
		if visitOf(r).denied != "" {
			s.deny(w, r, contentType, err)
			return
		}
		if err != nil {
			s.writeError(w, r, contentType, err)
			return
		}
		if res.location != "" {
			w.Header().Set("Location", res.location)
		}
		s.writeJSON(w, contentType, res.status, res.body)
	})
}

// work runs a handler until it ends, or the time-out or the server do. As in the JVM the
// client's going away does not end it: many changes are of several steps, and a client may
// close its side of the connection when it has sent its request.
func (s *Server) work(h handler, r *http.Request) (result, error) {
	c := connectionOf(r)
	c.set(true)
	defer c.set(false)
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(r.Context()), requestTimeout, errTimeout)
	defer cancel()
	defer context.AfterFunc(s.ended, cancel)()
	return h(r.WithContext(ctx))
}

var errTimeout = errors.New("Request timed out") //nolint:revive,staticcheck // the JVM's wording

// writeError maps an error to its status and the error JSON.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, contentType string, err error) {
	status, message := http.StatusInternalServerError, err.Error()
	var coded *api.Error
	switch {
	case errors.As(err, &coded):
		status, message = coded.Status, coded.Message
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		message = errTimeout.Error()
		if stage := s.herder.Stage(); stage != "" {
			message += ". " + stage
		}
	}
	if status >= http.StatusInternalServerError {
		s.log.Error("Uncaught exception in REST call to "+r.URL.Path, zap.Error(err))
	}
	if s.hide != nil {
		message = s.hide(message)
	}
	s.writeJSON(w, contentType, status, errorBody{status, message})
}

// errorBody is the error JSON.
type errorBody struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (s *Server) writeJSON(w http.ResponseWriter, contentType string, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	b, err := api.Marshal(body)
	if err != nil {
		s.log.Error("could not write an answer as JSON", zap.Error(err))
		status, b = http.StatusInternalServerError, []byte(`{"error_code":500,"message":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		s.log.Debug("the client went away", zap.Error(err))
	}
}

// writeRouterError answers what the JVM's router answers itself: the error JSON without a
// Content-Type, and for a malformed request nothing.
func writeRouterError(w http.ResponseWriter, status int) {
	if status == http.StatusBadRequest {
		writeBare(w, status)
		return
	}
	w.Header()["Content-Type"] = nil
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error_code":%d,"message":"HTTP %d %s"}`, status, status, http.StatusText(status))
}

// writeBare answers without a body, as the JVM's HTTP server does itself.
func writeBare(w http.ResponseWriter, status int) {
	w.Header()["Content-Type"] = nil
	w.Header().Del("Vary")
	w.WriteHeader(status)
}

func pathTask(r *http.Request) (int, error) {
	// Java's int: a larger number is no task, as a text is none.
	n, err := strconv.ParseInt(param(r, "task"), 10, 32)
	if err != nil {
		return 0, api.Errorf(http.StatusNotFound, "HTTP 404 Not Found")
	}
	return int(n), nil
}
