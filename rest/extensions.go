package rest

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/penstock-io/penstock/rest/extension"
)

// Extension is one with the class name by which it was chosen.
type Extension struct {
	Class string
	extension.Extension
}

// extensions are those of a server, with what they have registered.
type extensions struct {
	all     []Extension
	resolve func(map[string]string) (map[string]string, error)
	timeout time.Duration

	middleware []func(http.Handler) http.Handler
	routes     []extensionRoute
}

type extensionRoute struct {
	class, method, path string
	handler             http.Handler
}

// registrar is the router of one extension.
type registrar struct {
	class string
	to    *extensions
}

// Use implements extension.Router.
func (r registrar) Use(middleware func(http.Handler) http.Handler) {
	r.to.middleware = append(r.to.middleware, middleware)
}

// Handle implements extension.Router.
func (r registrar) Handle(method, path string, h http.Handler) {
	r.to.routes = append(r.to.routes, extensionRoute{r.class, method, path, h})
}

// registerExtensions asks the extensions what they add, and checks it.
func (s *Server) registerExtensions() error {
	x := &s.extensions
	for _, e := range x.all {
		if err := e.Register(registrar{e.Class, x}, cluster{s}); err != nil {
			return fmt.Errorf("register the REST extension %s: %w", e.Class, err)
		}
		s.log.Info("REST extension " + e.Class + " " + e.Version() + " is registered")
	}
	builtin := s.table(false)
	s.mainRoutes(builtin)
	for i, route := range x.routes {
		if err := checkRoute(builtin, route); err != nil {
			return fmt.Errorf("register the REST extension %s: %s %s: %w", route.class, route.method, route.path, err)
		}
		for _, other := range x.routes[:i] {
			if other.method == route.method && other.path == route.path {
				return fmt.Errorf("register the REST extension %s: %s %s is served by %s already", route.class, route.method, route.path, other.class)
			}
		}
	}
	return nil
}

// checkRoute refuses what the worker serves itself, and what is no route; chi panics for that.
func checkRoute(builtin table, route extensionRoute) (err error) {
	if !strings.HasPrefix(route.path, "/") || route.handler == nil {
		return fmt.Errorf("a route needs a path that begins with /, and a handler")
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it is no route: %v", p)
		}
	}()
	chi.NewRouter().Method(route.method, route.path, route.handler)
	for _, method := range allMethods {
		if builtin.Match(chi.NewRouteContext(), method, strings.TrimSuffix(route.path, "/")) || route.path == "/" {
			return fmt.Errorf("the worker serves this path itself")
		}
	}
	return nil
}

// useExtensions mounts the middleware of extensions, which must come before all routes.
func (t table) useExtensions() {
	for _, m := range t.s.extensions.middleware {
		t.Use(unlessInternal(m))
	}
}

// handleExtensions mounts their routes.
func (t table) handleExtensions() {
	for _, route := range t.s.extensions.routes {
		change := route.method != http.MethodGet && route.method != http.MethodHead && route.method != http.MethodOptions
		t.Method(route.method, route.path, t.s.served(route.handler, need{change: change}))
	}
}

// served lets only users in to a handler of an extension.
func (s *Server) served(h http.Handler, n need) http.HandlerFunc {
	return s.audited(n, func(w http.ResponseWriter, r *http.Request) {
		if !s.admit(w, r, jsonType, n) {
			return
		}
		release, err := s.bodies.hold(w, r)
		defer release()
		if err == nil {
			err = s.trusted(r, n)
		}
		if err != nil {
			s.writeError(w, r, jsonType, err)
			return
		}
		c := connectionOf(r)
		c.set(true)
		defer c.set(false)
		h.ServeHTTP(w, r)
	})
}

// internalPath are the requests between workers, see table.internal.
var internalPath = regexp.MustCompile(`^(POST /connectors/[^/]+/tasks|PUT /connectors/[^/]+/fence)$`)

// unlessInternal keeps middleware away from requests between workers: one that asks for a user
// would stop the cluster.
func unlessInternal(m func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		wrapped := m(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if internalPath.MatchString(r.Method + " " + r.URL.EscapedPath()) {
				next.ServeHTTP(w, r)
				return
			}
			wrapped.ServeHTTP(w, r)
		})
	}
}

// cluster is what extensions see.
type cluster struct{ s *Server }

// KafkaClusterID implements extension.Cluster.
func (c cluster) KafkaClusterID() string { return c.s.info.KafkaClusterID }

// bounded is the context of a question, which also ends with the server.
func (c cluster) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := c.s.extensions.timeout
	if timeout <= 0 {
		timeout = requestTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	stop := context.AfterFunc(c.s.ended, cancel)
	return ctx, func() { stop(); cancel() }
}

// Connectors implements extension.Cluster.
func (c cluster) Connectors(ctx context.Context) ([]string, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return c.s.herder.Connectors(), nil
}

// ConnectorConfig implements extension.Cluster.
func (c cluster) ConnectorConfig(ctx context.Context, name string) (map[string]string, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	info, err := c.s.herder.ConnectorInfo(ctx, name)
	if err != nil || c.s.extensions.resolve == nil {
		return info.Config, err
	}
	return c.s.extensions.resolve(info.Config)
}

// ConnectorHealth implements extension.Cluster.
func (c cluster) ConnectorHealth(ctx context.Context, name string) (extension.Health, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if ctx.Err() != nil {
		return extension.Health{}, context.Cause(ctx)
	}
	st, err := c.s.herder.ConnectorStatus(name)
	if err != nil {
		return extension.Health{}, err
	}
	health := extension.Health{Name: st.Name, Type: st.Type, Tasks: map[int]extension.State{}, Connector: extension.State{
		State: st.Connector.State, WorkerID: st.Connector.WorkerID, Trace: st.Connector.Trace}}
	for _, t := range st.Tasks {
		health.Tasks[t.ID] = extension.State{State: t.State, WorkerID: t.WorkerID, Trace: t.Trace}
	}
	return health, nil
}
