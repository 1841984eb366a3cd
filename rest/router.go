package rest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/penstock-io/penstock/rest/api"
)

// table collects routes. open are those of listeners where nobody has to log in.
type table struct {
	*chi.Mux
	s    *Server
	open bool
}

func (s *Server) table(open bool) table {
	t := table{chi.NewRouter(), s, open}
	t.Use(pathQuirks)
	t.NotFound(func(w http.ResponseWriter, _ *http.Request) { writeRouterError(w, http.StatusNotFound) })
	t.MethodNotAllowed(s.methodNotAllowed(t.Mux, open))
	return t
}

func (t table) get(path string, h handler) {
	t.Get(path, t.s.handle(h, t.need(http.MethodGet, path)))
	t.Head(path, t.s.handle(h, t.need(http.MethodHead, path)))
}

// getOfAnyType is get for requests that, as in the JVM, may have any Content-Type.
func (t table) getOfAnyType(path string, h handler) {
	t.Get(path, ofAnyType(t.s.handle(h, t.need(http.MethodGet, path))))
	t.Head(path, ofAnyType(t.s.handle(h, t.need(http.MethodHead, path))))
}

// local answers on this worker, forwarded on the one that is in charge.
func (t table) local(method, path string, h handler) {
	t.Method(method, path, t.s.handle(h, t.need(method, path)))
}

func (t table) forwarded(method, path string, h func(*http.Request, []byte) (result, error)) {
	t.Method(method, path, t.s.handle(t.s.forwarded(h), t.need(method, path)))
}

// internal is forwarded for requests between workers, which bear a signature instead of
// user and password. As in the JVM their body may be of any type.
func (t table) internal(method, path string, h func(*http.Request, []byte) (result, error)) {
	t.Method(method, path, ofAnyType(t.s.handle(t.s.forwarded(h), t.need(method, path))))
}

// ofAnyType lets requests pass whatever their Content-Type is, if it is one.
func ofAnyType(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, valid := parseMedia(r.Header.Get("Content-Type"), false); valid {
			r.Header.Set("Content-Type", jsonType)
		}
		handle(w, r)
	}
}

// routes is the table of all endpoints, those of extensions among them.
func (s *Server) routes() http.Handler {
	t := s.table(false)
	t.useExtensions()
	s.mainRoutes(t)
	t.handleExtensions()
	return t
}

// mainRoutes are those of the worker itself.
func (s *Server) mainRoutes(t table) {
	t.getOfAnyType("/", func(*http.Request) (result, error) { return ok(s.info), nil })
	t.getOfAnyType("/health", s.health)

	t.get("/connectors", s.listConnectors)
	t.forwarded(http.MethodPost, "/connectors", s.createConnector)
	t.get("/connectors/{connector}", s.getConnector)
	t.forwarded(http.MethodDelete, "/connectors/{connector}", s.deleteConnector)
	t.get("/connectors/{connector}/config", s.getConfig)
	t.forwarded(http.MethodPut, "/connectors/{connector}/config", s.putConfig)
	t.forwarded(http.MethodPatch, "/connectors/{connector}/config", s.patchConfig)
	t.get("/connectors/{connector}/status", s.getStatus)
	t.forwarded(http.MethodPost, "/connectors/{connector}/restart", s.restart)
	t.local(http.MethodPut, "/connectors/{connector}/pause", s.pause)
	t.local(http.MethodPut, "/connectors/{connector}/resume", s.resume)
	t.forwarded(http.MethodPut, "/connectors/{connector}/stop", s.stop)
	t.get("/connectors/{connector}/tasks", s.getTasks)
	t.internal(http.MethodPost, "/connectors/{connector}/tasks", s.putTasks)
	t.internal(http.MethodPut, "/connectors/{connector}/fence", s.fence)
	t.get("/connectors/{connector}/tasks/{task}/status", s.getTaskStatus)
	t.forwarded(http.MethodPost, "/connectors/{connector}/tasks/{task}/restart", s.restartTask)
	t.get("/connectors/{connector}/offsets", s.getOffsets)
	t.forwarded(http.MethodPatch, "/connectors/{connector}/offsets", s.alterOffsets)
	t.forwarded(http.MethodDelete, "/connectors/{connector}/offsets", s.resetOffsets)
	t.get("/connectors/{connector}/topics", s.getTopics)
	t.local(http.MethodPut, "/connectors/{connector}/topics/reset", s.resetTopics)

	t.get("/connector-plugins", s.listPlugins)
	t.get("/connector-plugins/{plugin}/config", s.pluginConfig)
	t.local(http.MethodPut, "/connector-plugins/{plugin}/config/validate", s.validate)

	if s.loggers != nil && !s.ownAdmin {
		t.admin()
	}
}

// admin are the endpoints that admin.listeners moves.
func (t table) admin() {
	t.get("/admin/loggers", t.s.listLoggers)
	t.get("/admin/loggers/{logger}", t.s.getLogger)
	t.local(http.MethodPut, "/admin/loggers/{logger}", t.s.putLogger)
}

// adminRoutes are those of admin listeners of their own. As in the JVM, extensions such as
// the login, CORS and headers are not theirs; but a role that is needed is needed everywhere.
func (s *Server) adminRoutes() http.Handler {
	t := s.table(s.access == nil)
	if s.loggers != nil {
		t.admin()
	}
	return t
}

// pathQuirks does what the JVM's router does to paths: a trailing slash is dropped, and
// so are matrix parameters (";…") of a segment.
func pathQuirks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		withoutFragment(r)
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
func (s *Server) methodNotAllowed(routes chi.Routes, open bool) http.HandlerFunc {
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
		case !s.admit(w, r, "text/plain", need{open: open}):
			return
		}
		writeOptions(w, r, methods)
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
