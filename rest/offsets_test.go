package rest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
	"github.com/penstock-io/penstock/storage"
)

func (h *fakeHerder) ConnectorOffsets(_ context.Context, name string) (api.ConnectorOffsets, error) {
	if name == "none" {
		return api.ConnectorOffsets{Offsets: []api.ConnectorOffset{}}, nil
	}
	return api.ConnectorOffsets{Offsets: []api.ConnectorOffset{
		{Partition: json.RawMessage(`{"kafka_partition":0,"kafka_topic":"<t>"}`), Offset: json.RawMessage(`{"kafka_offset":5}`)},
		{Partition: json.RawMessage(`{"f":"x"}`)},
	}}, h.result("offsets " + name)
}

func (h *fakeHerder) AlterConnectorOffsets(_ context.Context, name string, offsets api.ConnectorOffsets) (api.Message, error) {
	text, err := api.Marshal(offsets)
	if err != nil {
		return api.Message{}, err
	}
	return api.Message{Message: "altered"}, h.result("alter " + name + " " + string(text))
}

func (h *fakeHerder) ResetConnectorOffsets(_ context.Context, name string) (api.Message, error) {
	return api.Message{Message: "reset"}, h.result("reset " + name)
}

func TestOffsets(t *testing.T) {
	const noOffsets = `{"error_code":400,"message":"Partitions / offsets need to be provided for an alter offsets request"}`
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		want, call               string
	}{
		{"list", "GET", "/connectors/c/offsets", "", 200,
			`{"offsets":[{"partition":{"kafka_partition":0,"kafka_topic":"<t>"},"offset":{"kafka_offset":5}},{"partition":{"f":"x"},"offset":null}]}`, "offsets c"},
		{"list of nothing", "GET", "/connectors/none/offsets", "", 200, `{"offsets":[]}`, ""},
		{"reset", "DELETE", "/connectors/c/offsets", "", 200, `{"message":"reset"}`, "reset c"},
		{"alter", "PATCH", "/connectors/c/offsets", `{"offsets":[{"partition":{"b":1,"a":1.0},"offset":{"p":"x"}},{"offset":null,"partition":null},{}]}`, 200,
			`{"message":"altered"}`, `alter c {"offsets":[{"partition":{"b":1,"a":1.0},"offset":{"p":"x"}},{"partition":null,"offset":null},{"partition":null,"offset":null}]}`},
		{"alter without offsets", "PATCH", "/connectors/c/offsets", `{}`, 400, noOffsets, ""},
		{"alter with null", "PATCH", "/connectors/c/offsets", `{"offsets":null}`, 400, noOffsets, ""},
		{"alter with none", "PATCH", "/connectors/c/offsets", `{"offsets":[]}`, 400, noOffsets, ""},
		{"put", "PUT", "/connectors/c/offsets", `{}`, 405, `{"error_code":405,"message":"HTTP 405 Method Not Allowed"}`, ""},
		{"post", "POST", "/connectors/c/offsets", `{}`, 405, `{"error_code":405,"message":"HTTP 405 Method Not Allowed"}`, ""},
		{"below", "GET", "/connectors/c/offsets/x", "", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`, ""},
		{"methods", "OPTIONS", "/connectors/c/offsets", "", 200, "DELETE,GET,HEAD,OPTIONS,PATCH", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := &fakeHerder{}
			resp, body := request(t, tc.method, serve(t, h)+tc.path, tc.body)
			if got := strings.Join(h.calls, ";"); resp.StatusCode != tc.status || body != tc.want || got != tc.call {
				t.Errorf("%d %s, call %q\nwant %d %s, call %q", resp.StatusCode, body, got, tc.status, tc.want, tc.call)
			}
		})
	}
}

func TestOffsetsOfAnotherShapeAre500AsInTheJVM(t *testing.T) {
	h := &fakeHerder{}
	base := serve(t, h)
	for _, body := range []string{"", "null", "[]", "{", `{"offsets":{}}`, `{"offsets":[null]}`, `{"offsets":[1]}`, `{"offset":[]}`, `{"offsets":[{}],"x":1}`,
		`{"offsets":[{"partition":[],"offset":{}}]}`, `{"offsets":[{"partition":{},"offset":5}]}`, `{"offsets":[{"partition":"a"}]}`, `{"offsets":[{"Partition":{}}]}`} {
		resp, text := request(t, "PATCH", base+"/connectors/c/offsets", body)
		if resp.StatusCode != 500 || !strings.Contains(text, `"error_code":500`) {
			t.Errorf("%s: %d %s", body, resp.StatusCode, text)
		}
	}
	if len(h.calls) > 0 {
		t.Errorf("the herder was asked: %v", h.calls)
	}
}

func TestErrorsOfTheHerderKeepStatusAndText(t *testing.T) {
	const stopFirst = "Connectors must be in the STOPPED state before their offsets can be modified."
	for _, tc := range []struct {
		err    error
		status int
		text   string
	}{
		{api.Errorf(404, "Connector c not found"), 404, "Connector c not found"},
		{api.Errorf(400, stopFirst), 400, stopFirst},
		{api.Errorf(409, "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)"), 409, "stale configuration"},
		{api.Errorf(500, "Failed to write to config topic; this may be due to a transient error and the request can be safely retried"), 500, "safely retried"},
		{errors.New("Failed to retrieve offsets for source connector c: no broker"), 500, "Failed to retrieve offsets for source connector c"},
		{errTimeout, 500, "Request timed out. The worker is currently testing."},
		{&api.ForwardError{}, 409, "no known leader URL"},
	} {
		base := serve(t, &fakeHerder{err: tc.err})
		for method, path := range map[string]string{"DELETE": "/connectors/c/offsets", "PUT": "/connectors/c/fence"} {
			resp, body := request(t, method, base+path, "")
			if resp.StatusCode != tc.status || !strings.Contains(body, tc.text) {
				t.Errorf("%s %s: %d %s, want %d %s", method, path, resp.StatusCode, body, tc.status, tc.text)
			}
		}
	}
}

func TestChangesOfOffsetsAndFencingsAreForwarded(t *testing.T) {
	leader := &fakeHerder{}
	base := serve(t, &fakeHerder{forward: &api.ForwardError{URL: serve(t, leader) + "/"}})
	resp, body := request(t, "PATCH", base+"/connectors/c/offsets", `{"offsets":[{"partition":{"a":1},"offset":{"b":2}}]}`)
	if resp.StatusCode != 200 || body != `{"message":"altered"}` {
		t.Errorf("PATCH: %d %s", resp.StatusCode, body)
	}
	if resp, body = request(t, "DELETE", base+"/connectors/c/offsets", ""); resp.StatusCode != 200 || body != `{"message":"reset"}` {
		t.Errorf("DELETE: %d %s", resp.StatusCode, body)
	}
	if resp, body = request(t, "PUT", base+"/connectors/c/fence?forward=true", ""); resp.StatusCode != 204 || body != "" {
		t.Errorf("PUT: %d %s", resp.StatusCode, body)
	}
	if resp, body = request(t, "PUT", base+"/connectors/c/fence?forward=false", ""); resp.StatusCode != 409 {
		t.Errorf("a third hop is made: %d %s", resp.StatusCode, body)
	}
	want := `alter c {"offsets":[{"partition":{"a":1},"offset":{"b":2}}]};reset c;fence c signed  by `
	if got := strings.Join(leader.calls, ";"); got != want {
		t.Errorf("the leader saw %s\nwant %s", got, want)
	}
}

// The client's fence request is what the leader's REST layer understands.
func TestTheLeaderClientFences(t *testing.T) {
	h := &fakeHerder{}
	leader := client.Leader{Client: client.New(nil), Algorithm: "HmacSHA256", Sign: func(algorithm string, key, body []byte) string {
		return algorithm + "/" + string(key) + "/" + string(body)
	}}
	base := serve(t, h) + "/"
	for _, key := range []*storage.SessionKey{{Key: []byte("k")}, nil} {
		if err := leader.FenceZombies(t.Context(), base, "a/b", key); err != nil {
			t.Error(err)
		}
	}
	if got, want := strings.Join(h.calls, ";"), "fence a/b signed HmacSHA256/k/ by HmacSHA256;fence a/b signed  by "; got != want {
		t.Errorf("the leader saw %s\nwant %s", got, want)
	}
	h.err = api.Errorf(409, "Fencing failed because new task configurations were generated for the connector")
	var coded *api.Error
	if err := leader.FenceZombies(t.Context(), base, "c", nil); !errors.As(err, &coded) || coded.Status != 409 || coded.Message != h.err.Error() {
		t.Errorf("the refusal is not handed on: %v", err)
	}
}
