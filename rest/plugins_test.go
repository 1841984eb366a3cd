package rest

import (
	"context"
	"testing"

	"github.com/penstock-io/penstock/rest/api"
)

// askedHerder keeps what was asked about plugins.
type askedHerder struct {
	fakeHerder
	connectorsOnly bool
	version        string
	nulls          []string
}

func (h *askedHerder) PluginInfos(connectorsOnly bool) []api.PluginInfo {
	h.connectorsOnly = connectorsOnly
	return []api.PluginInfo{}
}

func (h *askedHerder) PluginConfig(_, version string) ([]api.ConfigDefinition, error) {
	h.version = version
	return []api.ConfigDefinition{}, nil
}

func (h *askedHerder) Validate(ctx context.Context, config map[string]string, nulls ...string) (api.ConfigInfos, error) {
	h.nulls = nulls
	return h.fakeHerder.Validate(ctx, config)
}

func TestParametersOfPlugins(t *testing.T) {
	h := &askedHerder{}
	base := serve(t, h)
	for query, want := range map[string]bool{"": true, "?connectorsOnly": true, "?connectorsOnly=": true, "?connectorsOnly=TRUE": true, "?connectorsOnly=false": false, "?connectorsOnly=1": false} {
		h.connectorsOnly = !want
		if request(t, "GET", base+"/connector-plugins"+query, ""); h.connectorsOnly != want {
			t.Errorf("%q: %t", query, h.connectorsOnly)
		}
	}
	for query, want := range map[string]string{"": "latest", "?version": "", "?version=": "", "?version=%5B1%2C2%29": "[1,2)", "?Version=1": "latest"} {
		h.version = "not asked"
		if request(t, "GET", base+"/connector-plugins/C/config"+query, ""); h.version != want {
			t.Errorf("%q: %q", query, h.version)
		}
	}
	request(t, "PUT", base+"/connector-plugins/C/config/validate", `{"b":null,"connector.class":"x.C","a":null}`)
	if len(h.nulls) != 2 || h.nulls[0] != "a" || h.nulls[1] != "b" {
		t.Errorf("nulls %q", h.nulls)
	}
}

func TestTheClassMustBeThePathsPlugin(t *testing.T) {
	base := serve(t, &askedHerder{})
	for _, tc := range []struct {
		plugin, class string
		status        int
	}{
		{"C", "x.C", 200}, {"CConnector", "x.C", 200}, {"C", "x.CConnector", 200}, {"Connector", "x.CConnector", 400}, {"Connector", "x.Connector", 400}, {"Connector", "Connector", 200}, {"D", "x.C", 400},
	} {
		resp, _ := request(t, "PUT", base+"/connector-plugins/"+tc.plugin+"/config/validate", `{"connector.class":"`+tc.class+`"}`)
		if resp.StatusCode != tc.status {
			t.Errorf("%s as %s: %d", tc.class, tc.plugin, resp.StatusCode)
		}
	}
}
