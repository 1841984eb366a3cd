package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/rest/api"
)

// requestTimeout bounds every request that goes through the herder
// (Java: ConnectResource.DEFAULT_REST_REQUEST_TIMEOUT_MS).
const requestTimeout = 90 * time.Second

// maxBody bounds a request's body, in bytes. The JVM's JSON reader stops at strings of
// 20,000,000 characters.
const maxBody = 20 << 20

// result is what a handler answers: a status and a body to be written as JSON; nil for none.
type result struct {
	status   int
	body     any
	location string
}

func ok(body any) result { return result{status: http.StatusOK, body: body} }

// handler answers one request; an error becomes the error JSON in one place.
type handler func(r *http.Request) (result, error)

// handle wraps a handler: content negotiation, login unless it is open to all, time-out,
// errors.
func (s *Server) handle(h handler, open bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !consumable(r) {
			writeRouterError(w, http.StatusUnsupportedMediaType)
			return
		}
		contentType, accepted := produced(r)
		if !accepted {
			writeRouterError(w, http.StatusNotAcceptable)
			return
		}
		if !open && !s.allowed(r) {
			writeUnauthorized(w, contentType)
			return
		}
		ctx, cancel := context.WithTimeoutCause(r.Context(), requestTimeout, errTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		res, err := h(r.WithContext(ctx))
		if err != nil {
			s.writeError(w, r, contentType, err)
			return
		}
		if res.location != "" {
			w.Header().Set("Location", res.location)
		}
		s.writeJSON(w, contentType, res.status, res.body)
	}
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
// Content-Type.
func writeRouterError(w http.ResponseWriter, status int) {
	w.Header()["Content-Type"] = nil
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error_code":%d,"message":"HTTP %d %s"}`, status, status, http.StatusText(status))
}

// queryBool is true only for the text true, in any case.
func queryBool(r *http.Request, name string, byDefault bool) bool {
	if !r.URL.Query().Has(name) {
		return byDefault
	}
	return strings.EqualFold(r.URL.Query().Get(name), "true")
}

func pathTask(r *http.Request) (int, error) {
	// Java's int: a larger number is no task, as a text is none.
	n, err := strconv.ParseInt(param(r, "task"), 10, 32)
	if err != nil {
		return 0, api.Errorf(http.StatusNotFound, "HTTP 404 Not Found")
	}
	return int(n), nil
}
