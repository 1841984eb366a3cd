package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/rest/api"
)

// server answers one request and checks it.
func server(t *testing.T, method, uri, answer string, status int, body func(b map[string]string)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method || r.RequestURI != uri || r.Header.Get(SignatureHeader) != "" {
			t.Errorf("got %s %s, want %s %s", r.Method, r.RequestURI, method, uri)
		}
		if body != nil {
			var b map[string]string
			if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
				t.Error(err)
			}
			body(b)
		}
		w.WriteHeader(status)
		w.Write([]byte(answer)) //nolint:errcheck // a test
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func TestConnectorPlugins(t *testing.T) {
	// As a JVM worker answers.
	base := server(t, http.MethodGet, "/connector-plugins?connectorsOnly=true",
		`[{"class":"a.BSink","type":"sink","version":"1"},{"class":"a.BSink","type":"sink","version":"2"},{"class":"a.CSource","type":"source","version":"undefined"}]`, 200, nil)
	got, err := New(nil).ConnectorPlugins(t.Context(), base)
	want := []api.PluginInfo{{Class: "a.BSink", Type: "sink", Version: "1"}, {Class: "a.BSink", Type: "sink", Version: "2"},
		{Class: "a.CSource", Type: "source", Version: api.UndefinedVersion}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	// A worker that is just starting.
	base = server(t, http.MethodGet, "/connector-plugins?connectorsOnly=true", `{"error_code":404,"message":"not yet"}`, 404, nil)
	var e *api.Error
	if _, err := New(nil).ConnectorPlugins(t.Context(), base); !errors.As(err, &e) || e.Status != 404 {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(nil).ConnectorPlugins(ended, base); err == nil {
		t.Error("an answer without time")
	}
}

func TestValidateConnector(t *testing.T) {
	config := map[string]string{"connector.class": "a.B Sink", "x": "y"}
	base := server(t, http.MethodPut, "/connector-plugins/a.B%20Sink/config/validate",
		`{"name":"a.B Sink","error_count":1,"groups":["Common"],"configs":[{"definition":{"name":"x","type":"INT","required":true,"default_value":null,"importance":"HIGH",`+
			`"documentation":"","group":null,"width":"NONE","display_name":"x","dependents":[],"order":-1},`+
			`"value":{"name":"x","value":"y","recommended_values":[],"errors":["Invalid value y for configuration x: Not a number of type INT"],"visible":true}}]}`,
		200, func(b map[string]string) {
			if d := cmp.Diff(config, b); d != "" {
				t.Error(d)
			}
		})
	infos, err := New(nil).ValidateConnector(t.Context(), base, config)
	if err != nil || infos.ErrorCount != 1 {
		t.Fatalf("%+v, %v", infos, err)
	}
	want := "Connector configuration is invalid and contains the following 1 error(s):\nInvalid value y for configuration x: Not a number of type INT\n" +
		"You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
	if got := infos.Err(); got == nil || got.Error() != want {
		t.Errorf("got %v", got)
	}
}
