package rest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/penstock-io/penstock/rest/api"
)

// routes is the table of all endpoints.
func (s *Server) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(pathQuirks)
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) { writeRouterError(w, http.StatusNotFound) })
	r.MethodNotAllowed(s.methodNotAllowed(r))

	get := func(path string, h handler) { r.Get(path, s.handle(h)); r.Head(path, s.handle(h)) }
	local := func(method, path string, h handler) { r.Method(method, path, s.handle(h)) }
	forwarded := func(method, path string, h func(*http.Request, []byte) (result, error)) {
		r.Method(method, path, s.handle(s.forwarded(h)))
	}

	get("/", func(*http.Request) (result, error) { return ok(s.info), nil })
	get("/health", s.health)

	get("/connectors", s.listConnectors)
	forwarded(http.MethodPost, "/connectors", s.createConnector)
	get("/connectors/{connector}", s.getConnector)
	forwarded(http.MethodDelete, "/connectors/{connector}", s.deleteConnector)
	get("/connectors/{connector}/config", s.getConfig)
	forwarded(http.MethodPut, "/connectors/{connector}/config", s.putConfig)
	forwarded(http.MethodPatch, "/connectors/{connector}/config", s.patchConfig)
	get("/connectors/{connector}/status", s.getStatus)
	forwarded(http.MethodPost, "/connectors/{connector}/restart", s.restart)
	local(http.MethodPut, "/connectors/{connector}/pause", s.pause)
	local(http.MethodPut, "/connectors/{connector}/resume", s.resume)
	forwarded(http.MethodPut, "/connectors/{connector}/stop", s.stop)
	get("/connectors/{connector}/tasks", s.getTasks)
	forwarded(http.MethodPost, "/connectors/{connector}/tasks", s.putTasks)
	forwarded(http.MethodPut, "/connectors/{connector}/fence", s.fence)
	get("/connectors/{connector}/tasks/{task}/status", s.getTaskStatus)
	forwarded(http.MethodPost, "/connectors/{connector}/tasks/{task}/restart", s.restartTask)
	get("/connectors/{connector}/offsets", s.getOffsets)
	forwarded(http.MethodPatch, "/connectors/{connector}/offsets", s.alterOffsets)
	forwarded(http.MethodDelete, "/connectors/{connector}/offsets", s.resetOffsets)
	get("/connectors/{connector}/topics", s.getTopics)
	local(http.MethodPut, "/connectors/{connector}/topics/reset", s.resetTopics)

	get("/connector-plugins", s.listPlugins)
	get("/connector-plugins/{plugin}/config", s.pluginConfig)
	local(http.MethodPut, "/connector-plugins/{plugin}/config/validate", s.validate)

	if s.loggers != nil {
		get("/admin/loggers", s.listLoggers)
		get("/admin/loggers/{logger}", s.getLogger)
		local(http.MethodPut, "/admin/loggers/{logger}", s.putLogger)
	}
	return r
}

// pathQuirks does what the JVM's router does to paths: a trailing slash is dropped, and
// so are matrix parameters (";…") of a segment.
func pathQuirks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		segments := strings.Split(r.URL.EscapedPath(), "/")
		for i, seg := range segments {
			segments[i], _, _ = strings.Cut(seg, ";")
		}
		path := strings.Join(segments, "/")
		if len(path) > 1 {
			path = strings.TrimSuffix(path, "/")
		}
		// chi matches RawPath when it is set: names with %2F stay one segment.
		if plain, err := url.PathUnescape(path); err == nil {
			r.URL.Path, r.URL.RawPath = plain, path
		}
		next.ServeHTTP(w, r)
	})
}

// param returns a path parameter; chi leaves it escaped.
func param(r *http.Request, name string) string {
	raw := chi.URLParam(r, name)
	if plain, err := url.PathUnescape(raw); err == nil {
		return plain
	}
	return raw
}

var allMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// methodNotAllowed answers OPTIONS with the path's methods, and 405 otherwise.
func (s *Server) methodNotAllowed(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		methods := []string{http.MethodOptions}
		for _, m := range allMethods {
			if routes.Match(chi.NewRouteContext(), m, r.URL.RawPath) {
				methods = append(methods, m)
			}
		}
		switch {
		case len(methods) == 1: // chi asks here for every method that it does not know
			writeRouterError(w, http.StatusNotFound)
			return
		case r.Method != http.MethodOptions:
			writeRouterError(w, http.StatusMethodNotAllowed)
			return
		}
		slices.Sort(methods)
		allow := strings.Join(methods, ",")
		w.Header().Set("Allow", allow)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(allow)) // the client may be gone
	}
}

// healthTimeout bounds the question to the herder's loop.
const healthTimeout = 10 * time.Second

// health answers GET /health (KIP-1017).
func (s *Server) health(r *http.Request) (result, error) {
	type health struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	err := s.herder.Ready(ctx)
	var coded *api.Error
	switch {
	case err == nil:
		return ok(health{"healthy", "Worker has completed startup and is ready to handle requests."}), nil
	case errors.As(err, &coded):
		return result{}, err
	case !s.herder.Started():
		return result{http.StatusServiceUnavailable, health{"starting", join("Worker is still starting up.", s.herder.Stage())}, ""}, nil
	}
	return result{http.StatusInternalServerError, health{"unhealthy",
		join("Worker was unable to handle this request and may be unable to handle other requests.", s.herder.Stage())}, ""}, nil
}

func join(sentences ...string) string {
	return strings.TrimSpace(strings.Join(sentences, " "))
}
