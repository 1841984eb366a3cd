package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/audit"
	"github.com/penstock-io/penstock/rest/client"
	"github.com/penstock-io/penstock/rest/extension"
)

// added is an extension whose Register is a function.
type added func(r extension.Router, c extension.Cluster) error

func (a added) Configure(map[string]string) error                      { return nil }
func (a added) Register(r extension.Router, c extension.Cluster) error { return a(r, c) }
func (a added) Version() string                                        { return "1" }
func (a added) Close() error                                           { return nil }
func extended(o Options, all ...added) Options {
	for i, a := range all {
		o.Extensions = append(o.Extensions, Extension{Class: fmt.Sprintf("com.example.E%d", i), Extension: a})
	}
	return o
}

// mark is middleware that names itself in the answer.
func mark(name string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("X-Seen", name+" "+r.URL.Path)
			next.ServeHTTP(w, r)
		})
	}
}

func TestExtensionsAddMiddlewareAndRoutes(t *testing.T) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", chi.URLParam(r, "name"))
	})
	h := &teams{}
	s := listen(t, h, extended(Options{Listen: anyPort, Admin: anyPort},
		func(r extension.Router, _ extension.Cluster) error {
			r.Use(mark("first"))
			r.Handle("GET", "/team/{name}", hello)
			return nil
		},
		func(r extension.Router, _ extension.Cluster) error {
			r.Use(mark("second"))
			r.Handle("POST", "/team/{name}", hello)
			return nil
		}))
	base := local("http", s.Ports()[0])
	for _, test := range []struct {
		target string
		status int
		body   string
		seen   []string
	}{
		{"GET /team/a/", 200, "hello a", []string{"first /team/a", "second /team/a"}},
		{"POST /team/b;x=1", 200, "hello b", []string{"first /team/b", "second /team/b"}},
		{"PUT /team/a", 405, "", []string{"first /team/a", "second /team/a"}},
		{"GET /connectors", 200, `["a1","a2","b1","b2"]`, []string{"first /connectors", "second /connectors"}},
		{"GET /nothing", 404, "", []string{"first /nothing", "second /nothing"}},
		{"POST /connectors/a1/tasks", 204, "", nil},
		{"PUT /connectors/a%2Fb/fence/", 204, "", nil},
		{"GET /connectors/a1/tasks", 200, "", []string{"first /connectors/a1/tasks", "second /connectors/a1/tasks"}},
		{"PUT /connectors/fence/pause", 202, "", []string{"first /connectors/fence/pause", "second /connectors/fence/pause"}},
	} {
		method, path, _ := strings.Cut(test.target, " ")
		body := ""
		if method == "POST" {
			body = "[]"
		}
		resp, text := request(t, method, base+path, body)
		if resp.StatusCode != test.status || test.body != "" && text != test.body {
			t.Errorf("%s: %d %s", test.target, resp.StatusCode, text)
		}
		if d := cmp.Diff(test.seen, resp.Header.Values("X-Seen")); d != "" {
			t.Errorf("%s:\n%s", test.target, d)
		}
	}
	if resp, _ := request(t, "GET", local("http", s.AdminPorts()[0])+"/admin/loggers", ""); resp.StatusCode != 200 || resp.Header.Get("X-Seen") != "" {
		t.Errorf("admin: %d %v", resp.StatusCode, resp.Header)
	}
}

// byHeader recognises users by a header, as an extension of one's own may.
func byHeader(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := r.Header.Get("X-User"); user != "" {
			r = r.WithContext(extension.WithUser(r.Context(), extension.User{Name: user, Groups: []string{"team"}}))
		}
		next.ServeHTTP(w, r)
	})
}

func TestExtensionsRecogniseUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	o := extended(restricted(t, "group.team", "view:a*"), func(r extension.Router, _ extension.Cluster) error {
		r.Use(byHeader)
		who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			u, ok := extension.UserOf(r.Context())
			fmt.Fprint(w, u, ok)
		})
		r.Handle("GET", "/whoami", who)
		r.Handle("POST", "/whoami", who)
		return nil
	})
	o.Audit = auditLog(t, audit.Options{Path: path})
	s := listen(t, &teams{}, o)
	base := local("http", s.Ports()[0])
	for _, test := range []struct {
		target string
		header []string
		status int
		want   string
	}{
		{"GET /connectors", []string{"X-User", "ada"}, 200, `["a1","a2"]`},
		{"DELETE /connectors/a1", []string{"X-User", "ada"}, 403, "User ada lacks the role edit"},
		{"GET /connectors", nil, 401, "Log in"},
		{"GET /whoami", nil, 401, "Log in"},
		{"POST /whoami", nil, 401, "Log in"},
		{"GET /whoami", []string{"X-User", "ada"}, 200, "{ada [team]} true"},
		{"POST /whoami", as("grace"), 200, "{grace []} true"},
	} {
		method, path, _ := strings.Cut(test.target, " ")
		if resp, text := request(t, method, base+path, "", test.header...); resp.StatusCode != test.status || !strings.Contains(text, test.want) {
			t.Errorf("%s %v: %d %s", test.target, test.header, resp.StatusCode, text)
		}
	}
	lines := auditLines(t, path)
	if len(lines) != 5 || lines[0].User != "ada" || lines[0].Auth != "extension" || lines[4].User != "grace" || lines[4].Path != "/whoami" || lines[4].Status != 200 {
		t.Errorf("%+v", lines)
	}
	// The leader is told who it is.
	h := &teams{}
	leader := listen(t, h, restricted(t, "user.ada", "edit:a*"))
	o = extended(restricted(t, "group.team", "edit:a*"), func(r extension.Router, _ extension.Cluster) error { r.Use(byHeader); return nil })
	follower := listen(t, &teams{fakeHerder: fakeHerder{forward: &api.ForwardError{URL: local("http", leader.Ports()[0])}}}, o)
	if resp, text := request(t, "DELETE", local("http", follower.Ports()[0])+"/connectors/a1", "", "X-User", "ada"); resp.StatusCode != 204 || len(h.calls) != 1 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

func TestWhatExtensionsMayNotAdd(t *testing.T) {
	none := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	handle := func(method, path string, h http.Handler) added {
		return func(r extension.Router, _ extension.Cluster) error { r.Handle(method, path, h); return nil }
	}
	for name, test := range map[string]struct {
		add  []added
		want string
	}{
		"an error":            {[]added{func(extension.Router, extension.Cluster) error { return errors.New("boom") }}, "com.example.E0: boom"},
		"a route of ours":     {[]added{handle("GET", "/connectors", none)}, "the worker serves this path itself"},
		"with a name":         {[]added{handle("GET", "/connectors/summary", none)}, "the worker serves this path itself"},
		"with a parameter":    {[]added{handle("GET", "/connectors/{c}/config", none)}, "the worker serves this path itself"},
		"with another method": {[]added{handle("POST", "/connectors/{c}/config", none)}, "the worker serves this path itself"},
		"with a slash":        {[]added{handle("GET", "/health/", none)}, "the worker serves this path itself"},
		"the root":            {[]added{handle("GET", "/", none)}, "the worker serves this path itself"},
		"no path":             {[]added{handle("GET", "x", none)}, "begins with /"},
		"no handler":          {[]added{handle("GET", "/x", nil)}, "a handler"},
		"no method":           {[]added{handle("EAT", "/x", none)}, "it is no route"},
		"a bad pattern":       {[]added{handle("GET", "/{x", none)}, "it is no route"},
		"somebody else's":     {[]added{handle("GET", "/x", none), handle("GET", "/x", none)}, "com.example.E1: GET /x is served by com.example.E0 already"},
	} {
		s := newServer(extended(Options{Log: zap.NewNop(), Loggers: fakeLoggers{}}, test.add...))
		if err := s.Mount(&teams{}, "http://me/"); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// slow is a herder that answers when the question ends.
type slow struct{ teams }

func (*slow) ConnectorInfo(ctx context.Context, _ string) (api.ConnectorInfo, error) {
	<-ctx.Done()
	return api.ConnectorInfo{}, context.Cause(ctx)
}

func TestExtensionsSeeTheCluster(t *testing.T) {
	var c extension.Cluster
	o := extended(Options{Listen: anyPort, Info: api.ServerInfo{KafkaClusterID: "k"}, ClusterTimeout: time.Minute, Resolve: func(config map[string]string) (map[string]string, error) {
		return map[string]string{"resolved": config["password"]}, nil
	}}, func(_ extension.Router, cluster extension.Cluster) error { c = cluster; return nil })
	listen(t, &teams{}, o)
	names, err := c.Connectors(t.Context())
	if d := cmp.Diff(teamConnectors, names); d != "" || err != nil || c.KafkaClusterID() != "k" {
		t.Errorf("%v, %s\n%s", err, c.KafkaClusterID(), d)
	}
	config, err := c.ConnectorConfig(t.Context(), "a1")
	if err != nil || config["resolved"] != "secret of a1" {
		t.Errorf("%v, %v", config, err)
	}
	var unknown *api.Error
	if _, err := c.ConnectorConfig(t.Context(), "zz"); !errors.As(err, &unknown) || unknown.Status != 404 {
		t.Errorf("%v", err)
	}
	health, err := c.ConnectorHealth(t.Context(), "a1")
	want := extension.Health{Name: "a1", Type: "sink", Connector: extension.State{State: "RUNNING", WorkerID: "w:1"},
		Tasks: map[int]extension.State{0: {State: "FAILED", WorkerID: "w:1", Trace: "x\n"}, 1: {State: "RUNNING", WorkerID: "w:1"}}}
	if d := cmp.Diff(want, health); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Connectors(ended); err == nil {
		t.Error("an answer without time")
	}

	// A question takes no longer than it may, and ends with the server.
	o = extended(Options{Log: zap.NewNop(), Client: client.New(nil), ClusterTimeout: 10 * time.Millisecond},
		func(_ extension.Router, cluster extension.Cluster) error { c = cluster; return nil })
	s := newServer(o)
	if err := s.Mount(&slow{}, "http://me/"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ConnectorConfig(t.Context(), "a1"); !errors.Is(err, errTimeout) {
		t.Errorf("%v", err)
	}
	s.extensions.timeout = time.Hour
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ConnectorConfig(t.Context(), "a1"); err == nil {
		t.Error("the server has ended")
	}
}

// A handler that panics ends its connection, and its line tells that it failed.
func TestAPanicIsAudited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	o := extended(Options{Listen: anyPort, Audit: auditLog(t, audit.Options{Path: path})}, func(r extension.Router, _ extension.Cluster) error {
		r.Handle("POST", "/boom", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
		return nil
	})
	s := listen(t, &teams{}, o)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, local("http", s.Ports()[0])+"/boom", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("%d", resp.StatusCode)
	}
	if lines := auditLines(t, path); lines[0].Status != 500 || lines[0].Path != "/boom" {
		t.Errorf("%+v", lines)
	}
}
