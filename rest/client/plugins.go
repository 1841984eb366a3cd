package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/penstock-io/penstock/rest/api"
)

// ConnectorPlugins returns the connectors that the worker at base has, in its order; a class
// that it has in several versions comes several times.
func (c *Client) ConnectorPlugins(ctx context.Context, base string) ([]api.PluginInfo, error) {
	var infos []api.PluginInfo
	err := c.JSON(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/connector-plugins?connectorsOnly=true", nil, &infos)
	return infos, err
}

// ValidateConnector has the worker at base check a connector config, by its
// connector.class.
func (c *Client) ValidateConnector(ctx context.Context, base string, config map[string]string) (api.ConfigInfos, error) {
	var infos api.ConfigInfos
	target := strings.TrimSuffix(base, "/") + "/connector-plugins/" + url.PathEscape(config["connector.class"]) + "/config/validate"
	err := c.JSON(ctx, http.MethodPut, target, config, &infos)
	return infos, err
}
