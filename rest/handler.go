package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
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

// handle wraps a handler: content negotiation, time-out, forwarding, errors.
func (s *Server) handle(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !acceptsJSON(r) {
			writeRouterError(w, http.StatusNotAcceptable)
			return
		}
		if hasBody(r) && !isJSON(r) {
			writeRouterError(w, http.StatusUnsupportedMediaType)
			return
		}
		ctx, cancel := context.WithTimeoutCause(r.Context(), requestTimeout, errTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		res, err := h(r.WithContext(ctx))
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		if res.location != "" {
			w.Header().Set("Location", res.location)
		}
		s.writeJSON(w, res.status, res.body)
	}
}

var errTimeout = errors.New("Request timed out") //nolint:revive,staticcheck // the JVM's wording

// writeError maps an error to its status and the error JSON.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
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
	s.writeJSON(w, status, errorBody{status, message})
}

// errorBody is the error JSON.
type errorBody struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (s *Server) writeJSON(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	b, err := api.Marshal(body)
	if err != nil {
		s.log.Error("could not write an answer as JSON", zap.Error(err))
		status, b = http.StatusInternalServerError, []byte(`{"error_code":500,"message":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
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

func hasBody(r *http.Request) bool { return r.ContentLength != 0 }

func isJSON(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "application/json"
}

func acceptsJSON(r *http.Request) bool {
	values := r.Header.Values("Accept")
	if len(values) == 0 {
		return true
	}
	for _, item := range strings.Split(strings.Join(values, ","), ",") {
		t, params, err := mime.ParseMediaType(strings.TrimSpace(item))
		if err != nil || params["q"] == "0" {
			continue
		}
		if t == "application/json" || t == "application/*" || t == "*/*" {
			return true
		}
	}
	return false
}

// readJSON decodes a body strictly: unknown fields, a missing body and trailing text are
// errors (500, as in the JVM).
func readJSON(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the request has no body: send a JSON object")
		}
		return fmt.Errorf("the request's body is not the JSON that is expected here: %w", err)
	}
	return nil
}

// readConfig decodes a map of strings; numbers and booleans are taken as their text, null
// as nil.
func readConfig(raw map[string]json.RawMessage) (map[string]*string, error) {
	config := make(map[string]*string, len(raw))
	for k, v := range raw {
		text := string(v)
		switch {
		case text == "null":
			config[k] = nil
		case strings.HasPrefix(text, `"`):
			var s string
			if err := json.Unmarshal(v, &s); err != nil {
				return nil, err
			}
			config[k] = &s
		case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
			return nil, fmt.Errorf("the value of %q must be a string, not an object or array", k)
		default:
			config[k] = &text
		}
	}
	return config, nil
}

// plainConfig refuses nulls, which only a PATCH may hold.
func plainConfig(config map[string]*string) (map[string]string, error) {
	plain := make(map[string]string, len(config))
	for k, v := range config {
		if v == nil {
			return nil, api.Errorf(http.StatusBadRequest, "Connector configuration is invalid and contains the following 1 error(s):\n"+
				"Null value can not be supplied as the configuration value. (%s)\n"+
				"You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`", k)
		}
		plain[k] = *v
	}
	return plain, nil
}

// queryBool is true only for the text true, in any case.
func queryBool(r *http.Request, name string, byDefault bool) bool {
	if !r.URL.Query().Has(name) {
		return byDefault
	}
	return strings.EqualFold(r.URL.Query().Get(name), "true")
}

func pathTask(r *http.Request) (int, error) {
	n, err := strconv.Atoi(param(r, "task"))
	if err != nil {
		return 0, api.Errorf(http.StatusNotFound, "HTTP 404 Not Found")
	}
	return n, nil
}
