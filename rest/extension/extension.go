// Package extension is what a program implements to add to the REST interface of its worker:
// middleware and routes (Java: ConnectRestExtension, KIP-285). A worker's properties choose
// extensions by class name with rest.extension.classes; cli.Program has those that there are.
package extension

import (
	"context"
	"net/http"
)

// Extension is one extension. The worker calls Configure, Register and at the end Close, one
// after the other; an error of the first two stops the start. Extensions are configured and
// registered in the order of rest.extension.classes, and closed in the reverse order.
type Extension interface {
	// Configure gets the worker's properties, placeholders resolved: secrets among them.
	Configure(props map[string]string) error
	// Register adds middleware and routes, before the first request is answered. It may keep
	// cluster and use it until Close.
	Register(r Router, cluster Cluster) error
	// Version is shown in the log.
	Version() string
	// Close is called once, after the last request, also if Register was not or failed.
	Close() error
}

// Router takes what an extension adds. It is not used after Register.
type Router interface {
	// Use puts middleware around all requests at the listeners of the REST interface, those for
	// paths that do not exist among them, but not around requests that workers sign for one another
	// (POST /connectors/{c}/tasks, PUT /connectors/{c}/fence), nor around those at admin.listeners.
	// The path it sees is the one that is served: without matrix parameters and trailing slash. Of
	// several the first is the outermost. Of the headers of a request that another worker forwards
	// only Authorization comes along: leave it to the worker to refuse whoever is not known.
	Use(middleware func(http.Handler) http.Handler)
	// Handle serves a path, e.g. GET /team/{name}; a parameter is read with
	// chi.URLParam. What the worker itself serves cannot be replaced: that is an error of Register.
	// Users have to log in as everywhere else, and need no role.
	Handle(method, path string, h http.Handler)
}

// Cluster is what the worker knows of the cluster; safe for concurrent use. It answers from what
// the worker has read, and each call ends after 90 s or rebalance.timeout.ms at the latest. An
// unknown connector is an *api.Error with status 404.
type Cluster interface {
	// KafkaClusterID is the id of the Kafka cluster.
	KafkaClusterID() string
	// Connectors returns the names of all connectors.
	Connectors(ctx context.Context) ([]string, error)
	// ConnectorConfig returns a connector's config, placeholders resolved: secrets among it.
	ConnectorConfig(ctx context.Context, name string) (map[string]string, error)
	// ConnectorHealth returns the last status of a connector and its tasks.
	ConnectorHealth(ctx context.Context, name string) (Health, error)
}

// Health is the status of a connector.
type Health struct {
	Name      string
	Type      string // source, sink, unknown
	Connector State
	Tasks     map[int]State // by their number
}

// State is that of a connector or task.
type State struct {
	State    string // RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED, RESTARTING
	WorkerID string
	Trace    string // "" unless it failed
}

// User is who sent a request.
type User struct {
	Name   string
	Groups []string
}

type userKey struct{}

// WithUser tells the worker who sent a request: middleware that has recognised a user passes the
// request on with this context. The user's roles, if roles are on, then decide; other credentials
// of the request are not looked at. An empty name is nobody.
func WithUser(ctx context.Context, u User) context.Context {
	return context.WithValue(ctx, userKey{}, u)
}

// UserOf returns the user whom middleware has recognised or, in a handler of the extension's own,
// whom the worker has.
func UserOf(ctx context.Context) (u User, ok bool) {
	u, _ = ctx.Value(userKey{}).(User)
	return u, u.Name != ""
}
