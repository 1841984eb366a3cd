package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// fakeHerder knows the connector "c", is the leader unless forward is set, and fails with
// err when that is set.
type fakeHerder struct {
	forward *api.ForwardError
	err     error
	calls   []string
}

func (h *fakeHerder) result(call string) error {
	h.calls = append(h.calls, call)
	if h.forward != nil {
		return h.forward
	}
	return h.err
}

func (h *fakeHerder) Ready(context.Context) error { return h.err }
func (h *fakeHerder) Started() bool               { return true }
func (h *fakeHerder) Stage() string               { return "The worker is currently testing." }
func (h *fakeHerder) Connectors() []string        { return []string{"c"} }
func (h *fakeHerder) ConnectorInfo(_ context.Context, name string) (api.ConnectorInfo, error) {
	if name != "c" {
		return api.ConnectorInfo{}, api.Errorf(404, "Connector %s not found", name)
	}
	return api.ConnectorInfo{Name: name, Config: map[string]string{"name": name, "a": "<b>"}, Tasks: []api.TaskRef{{Connector: name}}, Type: "sink"}, nil
}
func (h *fakeHerder) PutConnector(_ context.Context, name string, config map[string]string, initial connect.TargetState, replace bool) (api.ConnectorInfo, bool, error) {
	err := h.result("put " + name + " " + string(initial))
	return api.ConnectorInfo{Name: name, Config: config, Tasks: []api.TaskRef{}, Type: "sink"}, !replace || name != "c", err
}
func (h *fakeHerder) PatchConnector(_ context.Context, name string, patch map[string]*string) (api.ConnectorInfo, error) {
	if patch["gone"] != nil {
		return api.ConnectorInfo{}, errors.New("null must arrive as nil")
	}
	return api.ConnectorInfo{Name: name}, h.result("patch " + name)
}
func (h *fakeHerder) DeleteConnector(_ context.Context, name string) error {
	return h.result("delete " + name)
}
func (h *fakeHerder) TaskInfos(_ context.Context, name string) ([]api.TaskInfo, error) {
	return []api.TaskInfo{{ID: api.TaskRef{Connector: name}, Config: map[string]string{}}}, nil
}
func (h *fakeHerder) Pause(_ context.Context, name string) error  { return h.result("pause " + name) }
func (h *fakeHerder) Resume(_ context.Context, name string) error { return h.result("resume " + name) }
func (h *fakeHerder) Stop(_ context.Context, name string) error   { return h.result("stop " + name) }
func (h *fakeHerder) RestartConnector(_ context.Context, name string) error {
	return h.result("restart " + name)
}
func (h *fakeHerder) RestartTask(_ context.Context, id connect.TaskID) error {
	return h.result("restart " + id.String())
}
func (h *fakeHerder) RestartConnectorAndTasks(_ context.Context, name string, _, _ bool) (api.ConnectorStatus, error) {
	return h.status(name), h.result("restart all of " + name)
}
func (h *fakeHerder) PutTaskConfigs(_ context.Context, name string, _ []map[string]string, sig api.Signature) error {
	return h.result("tasks " + name + " signed " + sig.MAC + " by " + sig.Algorithm)
}
func (h *fakeHerder) FenceZombies(_ context.Context, name string, sig api.Signature) error {
	return h.result("fence " + name + " signed " + sig.MAC + " by " + sig.Algorithm)
}
func (h *fakeHerder) status(name string) api.ConnectorStatus {
	v, undefined := "1.0", api.UndefinedVersion
	return api.ConnectorStatus{Name: name, Type: "sink",
		Connector: api.InstanceStatus{State: "RUNNING", WorkerID: "w:1", Version: &v},
		Tasks: []api.TaskStatus{{ID: 0, InstanceStatus: api.InstanceStatus{State: "FAILED", WorkerID: "w:1", Trace: "x\n"}},
			{ID: 1, InstanceStatus: api.InstanceStatus{State: "RUNNING", WorkerID: "w:1", Version: &undefined}}}}
}
func (h *fakeHerder) ConnectorStatus(name string) (api.ConnectorStatus, error) {
	return h.status(name), h.err
}
func (h *fakeHerder) TaskStatus(id connect.TaskID) (api.TaskStatus, error) {
	return api.TaskStatus{}, api.Errorf(404, "No status found for task %s", id)
}
func (h *fakeHerder) ActiveTopics(string) []string { return []string{"t"} }
func (h *fakeHerder) ResetActiveTopics(string)     {}
func (h *fakeHerder) PluginInfos(bool) []api.PluginInfo {
	return []api.PluginInfo{{Class: "C", Type: "sink", Version: "1"}}
}
func (h *fakeHerder) PluginConfig(string, string) ([]api.ConfigDefinition, error) { return nil, h.err }
func (h *fakeHerder) SetClusterLogLevel(context.Context, string, string) error {
	return h.err
}
func (h *fakeHerder) Validate(_ context.Context, _ map[string]string, nulls ...string) (api.ConfigInfos, error) {
	infos := api.ConfigInfos{Name: "C", Groups: []string{}, ErrorCount: len(nulls), Configs: []api.ConfigInfo{}}
	for _, k := range nulls {
		infos.Configs = append(infos.Configs, api.ConfigInfo{Value: api.ConfigValue{Name: k, Recommended: []string{}, Errors: []string{"Null value can not be supplied as the configuration value."}, Visible: true}})
	}
	return infos, h.err
}

type fakeLoggers struct{}

func (fakeLoggers) Levels() map[string]LoggerLevel {
	return map[string]LoggerLevel{"root": {Level: "INFO"}}
}
func (fakeLoggers) Set(namespace, _ string) []string { return []string{namespace} }

func serve(t *testing.T, h Herder) string {
	t.Helper()
	return serveWith(t, h, fakeLoggers{})
}

func serveWith(t *testing.T, h Herder, loggers Loggers) string {
	t.Helper()
	s := newServer(Options{Client: client.New(nil), Info: api.ServerInfo{Version: "4.3.1", Commit: "c", KafkaClusterID: "k"},
		TrackTopics: true, ResetAllowed: true, Loggers: loggers, Log: zap.NewNop()})
	s.Mount(h, "http://me:8083/")
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	server.Config.DisableGeneralOptionsHandler = true // as Server.start does
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func request(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestAnswers(t *testing.T) {
	const statusJSON = `{"name":"c","connector":{"state":"RUNNING","worker_id":"w:1","version":"1.0"},"tasks":[` +
		`{"id":0,"state":"FAILED","worker_id":"w:1","version":null,"trace":"x\n"},{"id":1,"state":"RUNNING","worker_id":"w:1"}],"type":"sink"}`
	const infoJSON = `{"name":"c","config":{"a":"<b>","name":"c"},"tasks":[{"connector":"c","task":0}],"type":"sink"}`
	const nullMessage = `{"error_code":400,"message":"Connector configuration is invalid and contains the following 1 error(s):\nNull value can not be supplied ` +
		"as the configuration value.\\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`\"}"
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"server info", "GET", "/", "", 200, `{"version":"4.3.1","commit":"c","kafka_cluster_id":"k"}`},
		{"list", "GET", "/connectors", "", 200, `["c"]`},
		{"list with a trailing slash", "GET", "/connectors/", "", 200, `["c"]`},
		{"list expanded", "GET", "/connectors?expand=info&expand=status", "", 200, `{"c":{"info":` + infoJSON + `,"status":` + statusJSON + `}}`},
		{"list with an unknown expansion", "GET", "/connectors?expand=x", "", 200, `{"c":{}}`},
		{"info, with matrix parameters", "GET", "/connectors/c;x=1", "", 200, infoJSON},
		{"unknown connector", "GET", "/connectors/zz", "", 404, `{"error_code":404,"message":"Connector zz not found"}`},
		{"a name with a slash", "GET", "/connectors/a%2Fb", "", 404, `{"error_code":404,"message":"Connector a/b not found"}`},
		{"config", "GET", "/connectors/c/config", "", 200, `{"a":"<b>","name":"c"}`},
		{"status", "GET", "/connectors/c/status", "", 200, statusJSON},
		{"create", "POST", "/connectors", `{"name":" n ","config":{"k":5}}`, 201, `{"name":"n","config":{"k":"5","name":"n"},"tasks":[],"type":"sink"}`},
		{"create with a number as name", "POST", "/connectors", "\ufeff" + `{"name":5,"config":{"b":true}}`, 201, `{"name":"5","config":{"b":"true","name":"5"},"tasks":[],"type":"sink"}`},
		{"create with null", "POST", "/connectors", `{"name":"n","config":{"name":null,"k":null}}`, 400, nullMessage},
		{"create with another name inside", "POST", "/connectors", `{"name":"a","config":{"name":"b"}}`, 400,
			`{"error_code":400,"message":"Connector name configuration (b) doesn't match connector name in the URL (a)"}`},
		{"replace", "PUT", "/connectors/c/config", `{"k":"v"}`, 200, `{"name":"c","config":{"k":"v","name":"c"},"tasks":[],"type":"sink"}`},
		{"put a new one", "PUT", "/connectors/n/config", `{"k":"v"}`, 201, `{"name":"n","config":{"k":"v","name":"n"},"tasks":[],"type":"sink"}`},
		{"put null", "PUT", "/connectors/c/config", `{"k":null}`, 400, nullMessage},
		{"patch of an unknown one without a body", "PATCH", "/connectors/zz/config", "", 404, `{"error_code":404,"message":"Connector zz not found"}`},
		{"patch with null", "PATCH", "/connectors/c/config", `{"gone":null}`, 200, `{"name":"c","config":null,"tasks":null,"type":""}`},
		{"delete", "DELETE", "/connectors/c", "", 204, ""},
		{"pause", "PUT", "/connectors/c/pause", "", 202, ""},
		{"resume", "PUT", "/connectors/c/resume", "", 202, ""},
		{"stop", "PUT", "/connectors/c/stop", "", 204, ""},
		{"restart", "POST", "/connectors/c/restart", "", 204, ""},
		{"restart with tasks", "POST", "/connectors/c/restart?includeTasks=true", "", 202, statusJSON},
		{"restart task", "POST", "/connectors/c/tasks/0/restart", "", 204, ""},
		{"tasks", "GET", "/connectors/c/tasks", "", 200, `[{"id":{"connector":"c","task":0},"config":{}}]`},
		{"status of an unknown task", "GET", "/connectors/c/tasks/7/status", "", 404, `{"error_code":404,"message":"No status found for task c-7"}`},
		{"a task beyond Java's int", "GET", "/connectors/c/tasks/99999999999/status", "", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"a task that is no number", "GET", "/connectors/c/tasks/x/status", "", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"topics", "GET", "/connectors/c/topics", "", 200, `{"c":{"topics":["t"]}}`},
		{"plugins", "GET", "/connector-plugins", "", 200, `[{"class":"C","type":"sink","version":"1"}]`},
		{"validate", "PUT", "/connector-plugins/C/config/validate", `{"connector.class":"x.C"}`, 200, `{"name":"C","error_count":0,"groups":[],"configs":[]}`},
		{"validate null", "PUT", "/connector-plugins/C/config/validate", `{"k":null}`, 200, `{"name":"C","error_count":1,"groups":[],"configs":[{"definition":null,` +
			`"value":{"name":"k","value":null,"recommended_values":[],"errors":["Null value can not be supplied as the configuration value."],"visible":true}}]}`},
		{"validate of another class", "PUT", "/connector-plugins/D/config/validate", `{"connector.class":"x.C"}`, 400,
			`{"error_code":400,"message":"Included connector type x.C does not match request type D"}`},
		{"health", "GET", "/health", "", 200, `{"status":"healthy","message":"Worker has completed startup and is ready to handle requests."}`},
		{"loggers", "GET", "/admin/loggers", "", 200, `{"root":{"level":"INFO","last_modified":null}}`},
		{"a level that does not exist", "PUT", "/admin/loggers/root", `{"level":"LOUD"}`, 404, `{"error_code":404,"message":"invalid log level 'LOUD'."}`},
		{"a level that is null", "PUT", "/admin/loggers/root", `{"level":null}`, 400, `{"error_code":400,"message":"Desired 'level' parameter was not specified in request."}`},
		{"a level that is empty", "PUT", "/admin/loggers/root", `{"level":""}`, 500, `{"error_code":500,"message":"Illegal null or empty Level name."}`},
		{"a level that is a number", "PUT", "/admin/loggers/root", `{"level":5,"x":true}`, 404, `{"error_code":404,"message":"invalid log level '5'."}`},
		{"unknown path, unknown method", "FOO", "/nothing", "", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"unknown method", "FOO", "/connectors", "", 405, `{"error_code":405,"message":"HTTP 405 Method Not Allowed"}`},
		{"unknown path", "GET", "/nothing", "", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"wrong method", "DELETE", "/connectors", "", 405, `{"error_code":405,"message":"HTTP 405 Method Not Allowed"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := request(t, tc.method, serve(t, &fakeHerder{})+tc.path, tc.body)
			if resp.StatusCode != tc.status || body != tc.want {
				t.Errorf("%d %s\nwant %d %s", resp.StatusCode, body, tc.status, tc.want)
			}
		})
	}
}

func TestLocationNamesTheAdvertisedURL(t *testing.T) {
	resp, _ := request(t, "POST", serve(t, &fakeHerder{})+"/connectors", `{"name":"a b","config":{}}`)
	if got := resp.Header.Get("Location"); got != "http://me:8083/connectors/a%20b" {
		t.Error(got)
	}
}

func TestMalformedBodiesAre500AsInTheJVM(t *testing.T) {
	base := serve(t, &fakeHerder{})
	for _, body := range []string{"{", "[]", `{"name":"x","unknown":1,"config":{}}`, `{"name":"x"}`, `{"name":"x","config":{"a":{}}}`,
		"null", `{"name":"x","config":{}} trailing`, `{"Name":"x","config":{}}`, `{"name":"x","CONFIG":{}}`, `{"name":{},"config":{}}`, "{\"name\":\"\xff\",\"config\":{}}"} {
		if resp, text := request(t, "POST", base+"/connectors", body); resp.StatusCode != 500 || !strings.Contains(text, `"error_code":500`) {
			t.Errorf("%s: %d %s", body, resp.StatusCode, text)
		}
	}
}

func TestAValidateThatCannotStartIs500WithTheExceptionsName(t *testing.T) {
	h := &fakeHerder{err: api.Errorf(400, "Connector config {} contains no connector type")}
	resp, body := request(t, "PUT", serve(t, h)+"/connector-plugins/C/config/validate", "{}")
	const want = `{"error_code":500,"message":"org.apache.kafka.connect.runtime.rest.errors.BadRequestException: Connector config {} contains no connector type"}`
	if resp.StatusCode != 500 || body != want {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestContentNegotiation(t *testing.T) {
	base := serve(t, &fakeHerder{})
	for _, tc := range []struct {
		accept string
		status int
		want   string // Content-Type
	}{
		{"text/html", 406, ""},
		{"text/*", 406, ""},
		{"*", 200, "application/json"},
		{"application/json;q=0", 200, "application/json"},
		{"text/plain, */*", 200, "application/json"},
		{"application/json; charset=UTF-8", 200, "application/json;charset=utf-8"},
		{"application/json;b=2;a=\"x y\"", 200, `application/json;a="x y";b=2`},
		{"*/*;q=0.1, application/json;v=1;q=0.1", 200, "application/json;v=1"},
		{"application/json;v=1;q=0.5, application/*;q=0.9", 200, "application/json"},
	} {
		resp, _ := request(t, "GET", base+"/connectors", "", "Accept", tc.accept)
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != tc.status || got != tc.want {
			t.Errorf("Accept %s: %d %q, want %d %q", tc.accept, resp.StatusCode, got, tc.status, tc.want)
		}
	}
	for _, tc := range []struct {
		method, path, body, contentType string
		status                          int
		want                            string // Content-Type
	}{
		{"GET", "/connectors", "", "text/plain", 415, ""}, // the router judges the header alone
		{"GET", "/connectors", "{}", "*/*", 200, "application/json"},
		{"PUT", "/connectors/c/pause", "{}", "application/*", 202, ""},
		{"POST", "/connectors", "{}", "text/plain", 415, ""},
		{"POST", "/connectors", "{}", "*/*", 415, "application/json"}, // who reads it refuses it
		{"POST", "/connectors", "", "application/*", 415, "application/json"},
		{"POST", "/connectors", `{"name":"n","config":{}}`, "application/json; charset=utf-8", 201, "application/json"},
	} {
		resp, body := request(t, tc.method, base+tc.path, tc.body, "Content-Type", tc.contentType)
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != tc.status || got != tc.want {
			t.Errorf("%s %s as %s: %d %q %s, want %d %q", tc.method, tc.path, tc.contentType, resp.StatusCode, got, body, tc.status, tc.want)
		}
	}
	if resp, _ := request(t, "DELETE", base+"/connectors", ""); resp.Header.Get("Allow") != "" {
		t.Error("405 with an Allow header, which the JVM does not send")
	}
	resp, body := request(t, "OPTIONS", base+"/connectors/c", "")
	if resp.StatusCode != 200 || body != "DELETE,GET,HEAD,OPTIONS" || resp.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("OPTIONS: %d %s", resp.StatusCode, body)
	}
}

func TestRequestsForTheLeaderAreForwardedTwiceAtMost(t *testing.T) {
	leader := &fakeHerder{}
	base := serve(t, &fakeHerder{forward: &api.ForwardError{URL: serve(t, leader) + "/"}})
	resp, body := request(t, "POST", base+"/connectors", `{"name":"n","config":{}}`)
	if resp.StatusCode != 201 || !strings.Contains(body, `"name":"n"`) || len(leader.calls) != 1 {
		t.Errorf("%d %s, the leader saw %v", resp.StatusCode, body, leader.calls)
	}
	if resp, _ := request(t, "DELETE", base+"/connectors/c?forward=true", ""); resp.StatusCode != 204 {
		t.Errorf("the second hop is refused: %d", resp.StatusCode)
	}
	resp, body = request(t, "DELETE", base+"/connectors/c?forward=false", "")
	if resp.StatusCode != 409 || !strings.Contains(body, "conflicting operation") {
		t.Errorf("a third hop is made: %d %s", resp.StatusCode, body)
	}
	leader.err = api.Errorf(404, "Connector c not found")
	if resp, body = request(t, "DELETE", base+"/connectors/c", ""); resp.StatusCode != 404 || !strings.Contains(body, "Connector c not found") {
		t.Errorf("the leader's error is not handed on: %d %s", resp.StatusCode, body)
	}
}

func TestWithoutAKnownLeaderTheAnswerIs409(t *testing.T) {
	resp, body := request(t, "DELETE", serve(t, &fakeHerder{forward: &api.ForwardError{}})+"/connectors/c", "")
	if resp.StatusCode != 409 || !strings.Contains(body, "no known leader URL") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestATimeOutTellsTheStage(t *testing.T) {
	resp, body := request(t, "DELETE", serve(t, &fakeHerder{err: errTimeout})+"/connectors/c", "")
	if resp.StatusCode != 500 || !strings.Contains(body, "Request timed out. The worker is currently testing.") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestInternalRequestsCarryTheirSignature(t *testing.T) {
	h := &fakeHerder{}
	resp, body := request(t, "POST", serve(t, h)+"/connectors/c/tasks", `[{"a":"b"}]`,
		client.SignatureHeader, "bWFj", client.AlgorithmHeader, "HmacSHA256")
	if resp.StatusCode != 204 || len(h.calls) != 1 || h.calls[0] != "tasks c signed bWFj by HmacSHA256" {
		t.Errorf("%d %s %v", resp.StatusCode, body, h.calls)
	}
	resp, body = request(t, "PUT", serve(t, h)+"/connectors/c/fence", "", client.SignatureHeader, "bWFj", client.AlgorithmHeader, "HmacSHA256")
	if resp.StatusCode != 204 || len(h.calls) != 2 || h.calls[1] != "fence c signed bWFj by HmacSHA256" {
		t.Errorf("%d %s %v", resp.StatusCode, body, h.calls)
	}
}

func TestAdminIsNotServedWhenItIsTurnedOff(t *testing.T) {
	s := newServer(Options{Client: client.New(nil), Log: zap.NewNop()})
	s.Mount(&fakeHerder{}, "http://me:8083/")
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	defer server.Close()
	for _, path := range []string{"/admin/loggers", "/admin/loggers/root"} {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %d", path, resp.StatusCode)
		}
	}
}
