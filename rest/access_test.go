package rest

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/penstock-io/penstock/rest/access"
	"github.com/penstock-io/penstock/rest/api"
)

// teams is a herder with connectors of two teams; their configs have a password.
type teams struct {
	fakeHerder
	mu        sync.Mutex
	validated []string
}

var teamConnectors = []string{"a1", "a2", "b1", "b2"}

func (h *teams) Connectors() []string { return slices.Clone(teamConnectors) }
func (h *teams) ConnectorInfo(_ context.Context, name string) (api.ConnectorInfo, error) {
	if !slices.Contains(teamConnectors, name) {
		return api.ConnectorInfo{}, api.Errorf(404, "Connector %s not found", name)
	}
	return api.ConnectorInfo{Name: name, Config: map[string]string{"name": name, "password": "secret of " + name, "old": "x"}, Tasks: []api.TaskRef{}, Type: "sink"}, nil
}
func (h *teams) TaskInfos(_ context.Context, name string) ([]api.TaskInfo, error) {
	return []api.TaskInfo{{ID: api.TaskRef{Connector: name}, Config: map[string]string{"password": "secret of " + name, "file": "f"}}}, nil
}
func (h *teams) Validate(_ context.Context, config map[string]string, _ ...string) (api.ConfigInfos, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.validated = append(h.validated, config["name"])
	return api.ConfigInfos{Name: "C", Groups: []string{}, Configs: []api.ConfigInfo{}}, nil
}
func (h *teams) ActiveTopics(name string) []string { return []string{"topic of " + name} }
func (h *teams) ConnectorOffsets(_ context.Context, name string) (api.ConnectorOffsets, error) {
	return api.ConnectorOffsets{}, nil
}
func (h *teams) AlterConnectorOffsets(_ context.Context, name string, _ api.ConnectorOffsets) (api.Message, error) {
	return api.Message{}, h.result("alter " + name)
}
func (h *teams) ResetConnectorOffsets(_ context.Context, name string) (api.Message, error) {
	return api.Message{}, h.result("reset " + name)
}
func (h *teams) SetClusterLogLevel(_ context.Context, namespace, _ string) error {
	return h.result("log " + namespace)
}

// sessionKey is that of all workers of a test.
var sessionKey = access.Key{Secret: []byte(strings.Repeat("k", 32)), Created: time.Unix(1, 0)}

// mask hides passwords, as the worker's own does.
func mask(_, config map[string]string) map[string]string {
	shown := maps.Clone(config)
	for k := range shown {
		if k == "password" {
			shown[k] = "[hidden]"
		}
	}
	return shown
}

// restricted are options with basic authentication, where the password is the name, and roles.
func restricted(t *testing.T, assignments ...string) Options {
	t.Helper()
	all := map[string]string{}
	for i := 0; i < len(assignments); i += 2 {
		all[assignments[i]] = assignments[i+1]
	}
	roles, err := access.Parse(all)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Listen: anyPort, TrackTopics: true, ResetAllowed: true, Login: func(user, password string) bool { return user != "" && user == password },
		Access: &Access{Roles: func() *access.Roles { return roles }, SessionKey: func() (access.Key, bool) { return sessionKey, true }, Mask: mask}}
}

// as returns the Authorization header of a user.
func as(user string) []string {
	if user == "" {
		return nil
	}
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+user))}
}

// A route that nobody has thought of must not be open, and the table must not have others.
func TestEveryRouteHasItsNeed(t *testing.T) {
	s := newServer(Options{Loggers: fakeLoggers{}})
	main := s.table(false)
	s.mainRoutes(main)
	seen := map[string]bool{}
	err := chi.Walk(main.Mux, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		n := main.need(method, route)
		if n.nobody {
			t.Errorf("%s %s has no need", method, route)
		}
		change := method != http.MethodGet && method != http.MethodHead
		if n.change != change && !n.internal && !strings.HasSuffix(route, "/validate") {
			t.Errorf("%s %s: the audit log has it: %v", method, route, n.change)
		}
		if n.internal != internalPath.MatchString(method+" "+strings.ReplaceAll(route, "{connector}", "a%2Fb")) {
			t.Errorf("%s %s: between workers %v, and middleware of extensions sees it otherwise", method, route, n.internal)
		}
		if strings.Contains(route, "{connector}") && n.role == access.None && !n.internal {
			t.Errorf("%s %s needs no role", method, route)
		}
		seen[method+" "+route] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range needs {
		if !seen[key] {
			t.Errorf("%s is no route", key)
		}
	}
}

func TestEveryRouteAsksForItsRole(t *testing.T) {
	h := &teams{}
	s := listen(t, h, restricted(t, "user.viewer", "view:a*", "user.operator", "operate:a*", "user.editor", "edit:a*", "user.root", "admin"))
	base := local("http", s.Ports()[0])
	bodies := map[string]string{"POST /connectors": `{"name":"%s","config":{}}`, "PATCH /connectors/{connector}/offsets": `{"offsets":[{"partition":{},"offset":{}}]}`,
		"PUT /admin/loggers/{logger}": `{"level":"INFO"}`}
	roles := map[string]access.Role{"viewer": access.View, "operator": access.Operate, "editor": access.Edit, "root": access.None, "stranger": access.None}
	for key, n := range needs {
		if n.internal {
			continue
		}
		method, path, _ := strings.Cut(key, " ")
		for user, role := range roles {
			for _, connector := range []string{"a1", "b1"} {
				body := "{}"
				if b, ok := bodies[key]; ok {
					body = strings.ReplaceAll(b, "%s", connector)
				}
				if strings.HasSuffix(path, "/validate") {
					body = `{"name":"` + connector + `"}`
				}
				url := base + strings.NewReplacer("{connector}", connector, "{task}", "0", "{logger}", "root", "{plugin}", "C").Replace(path)
				h.calls, h.validated = nil, nil
				resp, text := request(t, method, url, body, as(user)...)
				need := n.role
				if n.byHandler {
					need = access.Edit
				}
				may := need == access.None || connector == "a1" && role >= need
				if n.admin {
					may = user == "root"
				}
				if may == (resp.StatusCode == 403) {
					t.Errorf("%s as %s on %s: %d %s", key, user, connector, resp.StatusCode, text)
				}
				if may {
					continue
				}
				want := fmt.Sprintf(`{"error_code":403,"message":"User %s lacks the role %s for connector %s."}`, user, need, connector)
				if n.admin {
					want = fmt.Sprintf(`{"error_code":403,"message":"User %s lacks the role admin."}`, user)
				}
				if text != want || resp.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s as %s on %s: %s", key, user, connector, text)
				}
				if len(h.calls)+len(h.validated) > 0 {
					t.Errorf("%s as %s on %s: the herder saw %v", key, user, connector, h.calls)
				}
			}
		}
	}
}

// headers writes pairs as lines.
func headers(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString(pairs[i] + ": " + pairs[i+1] + "\r\n")
	}
	return b.String()
}

// TestNoWayRoundARole: whoever may edit the connectors a* tries to see and to change b1.
func TestNoWayRoundARole(t *testing.T) {
	h := &teams{}
	base := local("http", listen(t, h, restricted(t, "user.eve", "edit:a*")).Ports()[0])
	paths := []string{
		"/connectors/b1", "/connectors/b1/", "/connectors/b1//", "//connectors/b1", "/connectors//b1", "/connectors/./b1", "/connectors/a1/../b1", "/connectors/a1/..%2Fb1",
		"/connectors/a1/%2e%2e/b1", "/connectors/%62%31", "/connectors/%621", "/connectors/b%31;a1", "/connectors/b1;a1", "/connectors/b1;x=1", "/connectors/b1;/", "/connectors;a/b1",
		"/connectors/b1%3Ba1", "/connectors/;a1/b1", "/CONNECTORS/b1", "/Connectors/b1", "/connectors/B1", "/connectors/b1?forward=true", "/connectors/b1?forward=false",
		"/connectors/b1?connector=a1", "/connectors/b1?name=a1", "/connectors/b1#/connectors/a1", "/connectors/b1%23a1", "/connectors/b1%3Fx", "/connectors/b1%00", "/connectors/%00b1",
		"/connectors/b1%20", "/connectors/%20b1", "/connectors/b1%2F", "/connectors/%2Fb1", "/connectors/%2562%2531", "http://x/connectors/b1", "/connectors/b1%5C",
	}
	for _, path := range paths {
		before, query, hasQuery := strings.Cut(path, "?")
		for _, target := range []string{"GET ", "HEAD ", "DELETE ", "GET /config", "GET /tasks", "GET /status", "GET /topics", "GET /offsets", "PUT /config", "PATCH /config", "PUT /pause", "PUT /resume",
			"PUT /stop", "POST /restart", "POST /tasks/0/restart", "PATCH /offsets", "DELETE /offsets", "PUT /topics/reset", "GET /tasks/0/status"} {
			method, tail, _ := strings.Cut(target, " ")
			line := method + " " + strings.TrimSuffix(before, "/") + tail
			if strings.Contains(before, "#") {
				line = method + " " + strings.Replace(before, "#", tail+"#", 1)
			}
			if hasQuery {
				line += "?" + query
			}
			h.calls = nil
			resp, text := raw(t, base, line, headers(append(as("eve"), "X-HTTP-Method-Override", "GET", "X-Original-URL", "/connectors/a1", "X-Rewrite-URL", "/connectors/a1")...), "{}")
			if resp.StatusCode < 300 || strings.Contains(text, "secret of b1") || strings.Contains(text, "topic of b1") {
				t.Errorf("%s: %d %s", line, resp.StatusCode, text)
			}
			if len(h.calls) > 0 {
				t.Errorf("%s: the herder saw %v", line, h.calls)
			}
		}
	}
	for _, test := range []struct{ line, body string }{
		{"POST /connectors", `{"name":"b1","config":{}}`},
		{"POST /connectors", `{"name":"b1","config":{"name":"a1"}}`},
		{"POST /connectors", `{"name":"a1","config":{"name":"b1"}}`},
		{"POST /connectors", `{"name":"a1","name":"b1","config":{}}`},
		{"POST /connectors", `{"name":"\u00621","config":{}}`},
		{"POST /connectors", `{"name":" b1 ","config":{}}`},
		{"POST /connectors", `{"name":"b1","initial_state":"STOPPED","config":{}}`},
		{"POST /connectors", `{"Name":"a1","name":"b1","config":{}}`},
		{"POST /connectors", `{"name":null,"config":{"name":"b1"}}`},
		{"POST /connectors", `{"config":{"name":"b1"}}`},
		{"POST /connectors", `{"name":"b1","config":{"x":null}}`},
		{"POST /connectors", "\ufeff" + `{"name":"b1","config":{}}`},
		{"POST /connectors/", `{"name":"b1","config":{}}`},
		{"POST /connectors;a1", `{"name":"b1","config":{}}`},
		{"POST /connectors?forward=true", `{"name":"b1","config":{}}`},
		{"PUT /connectors/a1/config", `{"name":"b1"}`},
		{"PUT /connectors/a1/config", `{"name":"a1","name":"b1"}`},
		{"PATCH /connectors/a1/config", `{"name":"b1"}`},
		{"PATCH /connectors/a1/config", `{"name":"a1","name":"b1"}`},
		{"PUT /connector-plugins/C/config/validate", `{"name":"b1"}`},
		{"PUT /connector-plugins/C/config/validate", `{"name":"a1","name":"b1"}`},
		{"PUT /admin/loggers/root", `{"level":"DEBUG"}`},
		{"PUT /admin/loggers/root?scope=cluster", `{"level":"DEBUG"}`},
		{"PUT /admin;x/loggers/root/", `{"level":"DEBUG"}`},
	} {
		h.calls, h.validated = nil, nil
		resp, text := raw(t, base, test.line, headers(as("eve")...), test.body)
		if resp.StatusCode < 300 || len(h.calls)+len(h.validated) > 0 {
			t.Errorf("%s %s: %d %s; the herder saw %v, validated %v", test.line, test.body, resp.StatusCode, text, h.calls, h.validated)
		}
	}
	// What is hers is not in the way of that.
	for _, line := range []string{"GET /connectors/a1/config", "GET /connectors/%61%31;x=1/config/", "PATCH /connectors/a2/config", "PUT /connectors/a1/config", "PUT /connectors/a%2Fnew/config"} {
		if resp, text := raw(t, base, line, headers(as("eve")...), "{}"); resp.StatusCode >= 300 {
			t.Errorf("%s: %d %s", line, resp.StatusCode, text)
		}
	}
	// A name is a name, and no path.
	h.calls = nil
	raw(t, base, "PUT /connectors/a1%2F..%2Fb1/stop", headers(as("eve")...), "")
	if len(h.calls) != 1 || h.calls[0] != "stop a1/../b1" {
		t.Errorf("the herder saw %v", h.calls)
	}
}

func TestListsShowWhatMayBeViewed(t *testing.T) {
	h := &teams{}
	s := listen(t, h, restricted(t, "user.viewer", "view:a*, edit:b2", "user.root", "admin", "user.editor", "edit:*"))
	base := local("http", s.Ports()[0])
	for _, test := range []struct{ user, path, want string }{
		{"viewer", "/connectors", `["a1","a2","b2"]`},
		{"root", "/connectors", `[]`},
		{"stranger", "/connectors", `[]`},
		{"stranger", "/connectors?expand=info", `{}`},
		{"editor", "/connectors", `["a1","a2","b1","b2"]`},
		{"viewer", "/connectors/a1/config", `{"name":"a1","old":"x","password":"[hidden]"}`},
		{"viewer", "/connectors/b2/config", `{"name":"b2","old":"x","password":"secret of b2"}`},
		{"viewer", "/connectors/a1", `{"name":"a1","config":{"name":"a1","old":"x","password":"[hidden]"},"tasks":[],"type":"sink"}`},
		{"viewer", "/connectors/a1/tasks", `[{"id":{"connector":"a1","task":0},"config":{"file":"f","password":"[hidden]"}}]`},
		{"editor", "/connectors/a1/tasks", `[{"id":{"connector":"a1","task":0},"config":{"file":"f","password":"secret of a1"}}]`},
		{"viewer", "/connectors?expand=info", `{"a1":{"info":{"name":"a1","config":{"name":"a1","old":"x","password":"[hidden]"},"tasks":[],"type":"sink"}},` +
			`"a2":{"info":{"name":"a2","config":{"name":"a2","old":"x","password":"[hidden]"},"tasks":[],"type":"sink"}},` +
			`"b2":{"info":{"name":"b2","config":{"name":"b2","old":"x","password":"secret of b2"},"tasks":[],"type":"sink"}}}`},
	} {
		if resp, text := request(t, "GET", base+test.path, "", as(test.user)...); resp.StatusCode != 200 || text != test.want {
			t.Errorf("%s as %s: %d %s", test.path, test.user, resp.StatusCode, text)
		}
	}
	if _, text := request(t, "GET", base+"/connectors?expand=status&expand=info", "", as("viewer")...); strings.Contains(text, "b1") || strings.Contains(text, "secret of a") || !strings.Contains(text, `"status":`) {
		t.Error(text)
	}
}
