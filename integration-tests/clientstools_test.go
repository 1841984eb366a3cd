//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the tools of other projects call, by their source: kcctl, Kafbat UI, Redpanda
// Console, Strimzi's operator, the Terraform provider (ricardo-ch/go-kafka-connect), Lenses'
// and Debezium's UI. AKHQ's client is run as it is. Answers must have exactly the fields that
// these parse, of the types that they parse them to: some are strict, some are generated.

// shape is a type of JSON: one of the below.
type shape any

type (
	scalar   string           // string, number or boolean
	optional struct{ shape }  // or null
	listOf   struct{ shape }  // of any length
	mapOf    struct{ shape }  // by any keys
	object   map[string]shape // exactly these keys; those that end with ? may be missing
	nothing  struct{}         // no body at all
	anything struct{}         // not looked at
)

const (
	text   = scalar("string")
	number = scalar("number")
	truth  = scalar("boolean")
)

// scalarOf is by the Go type that JSON is decoded to.
var scalarOf = map[string]scalar{"string": text, "float64": number, "bool": truth}

// misfit tells where a decoded value is not of a shape, "" if it is.
func misfit(at string, want shape, got any) string {
	switch want := want.(type) {
	case anything:
		return ""
	case optional:
		if got == nil {
			return ""
		}
		return misfit(at, want.shape, got)
	case scalar:
		if want == scalarOf[fmt.Sprintf("%T", got)] {
			return ""
		}
		return fmt.Sprintf("%s is %v, want a %s", at, got, want)
	case listOf:
		all, ok := got.([]any)
		if !ok {
			return fmt.Sprintf("%s is %v, want a list", at, got)
		}
		for i, one := range all {
			if m := misfit(fmt.Sprintf("%s[%d]", at, i), want.shape, one); m != "" {
				return m
			}
		}
		return ""
	case mapOf:
		all, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v, want a map", at, got)
		}
		for k, one := range all {
			if m := misfit(at+"."+k, want.shape, one); m != "" {
				return m
			}
		}
		return ""
	case object:
		return misfitOfObject(at, want, got)
	}
	return fmt.Sprintf("%s: no shape %T", at, want)
}

func misfitOfObject(at string, want object, got any) string {
	all, ok := got.(map[string]any)
	if !ok {
		return fmt.Sprintf("%s is %v, want an object", at, got)
	}
	all = maps.Clone(all)
	for key, inner := range want {
		name, may := strings.CutSuffix(key, "?")
		one, there := all[name]
		if !there && !may {
			return fmt.Sprintf("%s has no %s: %v", at, name, got)
		}
		delete(all, name)
		if there {
			if m := misfit(at+"."+name, inner, one); m != "" {
				return m
			}
		}
	}
	if len(all) > 0 {
		return fmt.Sprintf("%s has fields that clients do not know: %v", at, all)
	}
	return ""
}

// The answers.
var (
	rootShape   = object{"version": text, "commit": text, "kafka_cluster_id": text}
	healthShape = object{"status": text, "message": text}
	infoShape   = object{"name": text, "config": mapOf{text}, "tasks": listOf{object{"connector": text, "task": number}}, "type": text}
	stateShape  = object{"state": text, "worker_id": text, "trace?": text, "version?": text}
	taskShape   = object{"id": number, "state": text, "worker_id": text, "trace?": text, "version?": text}
	statusShape = object{"name": text, "connector": stateShape, "tasks": listOf{taskShape}, "type": text}
	tasksShape  = listOf{object{"id": object{"connector": text, "task": number}, "config": mapOf{text}}}
	topicsShape = mapOf{object{"topics": listOf{text}}}
	pluginShape = listOf{object{"class": text, "type": text, "version?": text}}
	keyShape    = object{"name": text, "type": text, "required": truth, "default_value": optional{text}, "importance": text, "documentation": optional{text},
		"group": optional{text}, "width": text, "display_name": text, "dependents": listOf{text}, "order_in_group": number}
	valueShape = object{"name": text, "value": optional{text}, "recommended_values": listOf{text}, "errors": listOf{text}, "visible": truth}
	validShape = object{"name": text, "error_count": number, "groups": listOf{text},
		"configs": listOf{object{"definition": optional{keyShape}, "value": valueShape}}}
	offsetsShape  = object{"offsets": listOf{object{"partition": mapOf{anything{}}, "offset": optional{mapOf{anything{}}}}}}
	messageShape  = object{"message": text}
	loggerShape   = object{"level": text, "last_modified": optional{number}}
	errorShape    = object{"error_code": number, "message": text}
	expandedShape = mapOf{object{"info": infoShape, "status": statusShape}}
)

// toolHeaders are what the tools' HTTP clients send.
var toolHeaders = map[string]http.Header{
	// Quarkus' client names its content type with requests that have none, too.
	"kcctl":  {"Accept": {"application/json"}, "Content-Type": {"application/json"}, "User-Agent": {"Resteasy Reactive Client"}},
	"Kafbat": {"Accept": {"application/json"}, "User-Agent": {"ReactorNetty/1.2.0"}},
	// Redpanda Console sends an empty login when none is configured.
	"Console":    {"Accept": {"application/json"}, "Content-Type": {"application/json"}, "Authorization": {"Basic Og=="}, "User-Agent": {"CloudHut-Connect-Client"}},
	"Strimzi":    {"Accept": {"application/json"}, "Content-Type": {"application/json"}},
	"Terraform":  {"Accept": {"application/json"}, "User-Agent": {"go-resty v1.12.0 - https://github.com/go-resty/resty"}},
	"Lenses":     {"Accept": {"application/json, text/plain, */*"}, "Content-Type": {"application/json"}, "Origin": {"http://ui:3030"}},
	"Kubernetes": {"Accept": {"*/*"}, "User-Agent": {"kube-probe/1.30"}},
}

// toolCall is a request of a tool; # in path and body stands for the connector, $ for its
// config.
type toolCall struct {
	tool, method, path, body string
	status                   int
	answer                   shape
}

// toolCalls is the life of a connector, in the hands of all tools in turn.
var toolCalls = []toolCall{
	{"kcctl", "GET", "/", "", 200, rootShape},
	{"Console", "GET", "/", "", 200, rootShape},
	{"Kubernetes", "GET", "/health", "", 200, healthShape},
	{"kcctl", "GET", "/connector-plugins?connectorsOnly=false", "", 200, pluginShape},
	{"Kafbat", "GET", "/connector-plugins", "", 200, pluginShape},
	{"kcctl", "GET", "/connector-plugins/VerifiableSourceConnector/config", "", 200, listOf{keyShape}},
	{"kcctl", "PUT", "/connector-plugins/VerifiableSourceConnector/config/validate", "$", 200, validShape},
	{"Kafbat", "PUT", "/connector-plugins/VerifiableSourceConnector/config/validate", `{"connector.class":"VerifiableSourceConnector","tasks.max":"x"}`, 200, validShape},
	{"Console", "PUT", "/connector-plugins/org.apache.kafka.connect.tools.VerifiableSourceConnector/config/validate",
		`{"connector.class":"org.apache.kafka.connect.tools.VerifiableSourceConnector","tasks.max":2,"throughput":null,"topic":true}`, 200, validShape},
	{"kcctl", "GET", "/connectors/", "", 200, listOf{text}},
	{"Terraform", "GET", "/connectors/#", "", 404, errorShape},
	{"Strimzi", "PUT", "/connectors/#/config", "$", 201, infoShape},
	{"Kafbat", "POST", "/connectors", `{"name":"#","config":$}`, 409, errorShape},
	{"Console", "POST", "/connectors", `{"name":"#-bad","config":{"connector.class":"VerifiableSourceConnector","tasks.max":0}}`, 400, errorShape},
	{"Strimzi", "GET", "/connectors/#/status", "", 200, statusShape},
	{"Terraform", "GET", "/connectors/#/status", "", 200, object{"name": text, "connector": mapOf{text}, "tasks": listOf{taskShape}, "type": text}},
	{"kcctl", "GET", "/connectors?expand=info&expand=status", "", 200, expandedShape},
	{"Console", "GET", "/connectors?expand=status&expand=info", "", 200, expandedShape},
	{"Lenses", "GET", "/connectors", "", 200, listOf{text}},
	{"Lenses", "GET", "/connectors/#", "", 200, infoShape},
	{"Kafbat", "GET", "/connectors/#/config", "", 200, mapOf{text}},
	{"Terraform", "PUT", "/connectors/#/config", "$", 200, infoShape},
	{"kcctl", "GET", "/connectors/#/tasks", "", 200, tasksShape},
	{"Kafbat", "GET", "/connectors/#/tasks/0/status", "", 200, taskShape},
	{"Strimzi", "GET", "/connectors/#/topics", "", 200, topicsShape},
	{"Console", "PUT", "/connectors/#/topics/reset", "", 202, nothing{}},
	{"kcctl", "PUT", "/connectors/#/pause", "", 202, nothing{}},
	{"Strimzi", "PUT", "/connectors/#/resume", "", 202, nothing{}},
	{"Console", "PUT", "/connectors/#/pause", "", 202, nothing{}},
	{"Kafbat", "PUT", "/connectors/#/resume", "", 202, nothing{}},
	{"kcctl", "POST", "/connectors/#/restart", "", 204, nothing{}},
	{"Strimzi", "POST", "/connectors/#/restart?includeTasks=false&onlyFailed=false", "", 204, nothing{}},
	{"Console", "POST", "/connectors/#/restart?includeTasks=true&onlyFailed=false", "", 202, statusShape},
	{"Kafbat", "POST", "/connectors/#/restart?includeTasks=true&onlyFailed=true", "", 202, statusShape},
	{"Kafbat", "POST", "/connectors/#/tasks/0/restart", "", 204, nothing{}},
	{"kcctl", "GET", "/connectors/#/offsets", "", 200, offsetsShape},
	{"kcctl", "DELETE", "/connectors/#/offsets", "", 400, errorShape}, // it is not stopped
	{"Strimzi", "PUT", "/connectors/#/stop", "", 204, nothing{}},
	{"kcctl", "PATCH", "/connectors/#/offsets", `{"offsets":[{"partition":{"id":0},"offset":{"seqno":7}}]}`, 200, messageShape},
	{"Kafbat", "GET", "/connectors/#/offsets", "", 200, offsetsShape},
	{"Strimzi", "DELETE", "/connectors/#/offsets", "", 200, messageShape},
	{"kcctl", "GET", "/admin/loggers", "", 200, mapOf{loggerShape}},
	{"Strimzi", "GET", "/admin/loggers", "", 200, mapOf{loggerShape}},
	{"Strimzi", "PUT", "/admin/loggers/root?scope=cluster", `{"level":"INFO"}`, 204, nothing{}},
	{"kcctl", "PUT", "/admin/loggers/org.apache.kafka.connect", `{"level": "INFO"}`, 200, listOf{text}},
	{"kcctl", "GET", "/admin/loggers/org.apache.kafka.connect", "", 200, loggerShape},
	{"Kafbat", "DELETE", "/connectors/#", "", 204, nothing{}},
	{"Console", "DELETE", "/connectors/#", "", 404, errorShape},
	{"Strimzi", "PUT", "/connectors/#/pause", "", 404, errorShape},
	{"kcctl", "POST", "/connectors/#/restart", "", 404, errorShape},
}

func TestWhatOtherToolsCall(t *testing.T) {
	onEach(t, bothWorkers, func(t *testing.T, m *member) {
		name := m.unique("tools")
		config := verifiableSource(name)
		config["name"] = name
		encoded, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		fill := strings.NewReplacer("#", name, "$", string(encoded))
		for _, call := range toolCalls {
			call.path, call.body = fill.Replace(call.path), fill.Replace(call.body)
			eventually(t, 30*time.Second, fmt.Sprintf("%s can %s %s", call.tool, call.method, call.path), func() error {
				return call.make(t, m.rest.base)
			})
			if call.method == http.MethodPut && strings.HasSuffix(call.path, "/config") {
				// Terraform's plan shows any difference between what it put and what it gets.
				var got map[string]string
				m.rest.request(http.MethodGet, call.path, &got)
				if !maps.Equal(got, config) {
					t.Errorf("config %v was put, GET answers %v", config, got)
				}
			}
		}
	})
}

// make makes the call and looks at the answer.
func (c toolCall) make(t *testing.T, base string) error {
	req, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, strings.NewReader(c.body))
	if err != nil {
		return err
	}
	maps.Copy(req.Header, toolHeaders[c.tool])
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != c.status {
		return fmt.Errorf("status %d, want %d: %s", resp.StatusCode, c.status, body)
	}
	if _, none := c.answer.(nothing); none {
		if len(body) > 0 {
			return fmt.Errorf("the answer has a body: %s", body)
		}
		return nil
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("Content-Type %q", got)
	}
	var got any
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&got); err != nil {
		return err
	}
	if m := misfit("answer", c.answer, got); m != "" {
		return fmt.Errorf("%s", m)
	}
	return nil
}

// TestEveryToolIsKnown keeps the table honest: a call has headers, and a tool has calls.
func TestEveryToolIsKnown(t *testing.T) {
	var tools []string
	for _, call := range toolCalls {
		tools = append(tools, call.tool)
	}
	slices.Sort(tools)
	if want := slices.Sorted(maps.Keys(toolHeaders)); !slices.Equal(want, slices.Compact(tools)) {
		t.Errorf("tools with headers %v, tools with calls %v", want, slices.Compact(tools))
	}
}
