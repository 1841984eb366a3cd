package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/penstock-io/penstock/rest/api"
)

// ConnectorPlugins returns the full class names of the connectors that the worker at base
// has, in its order; a class that it has in several versions may come several times.
func (c *Client) ConnectorPlugins(ctx context.Context, base string) ([]string, error) {
	var infos []api.PluginInfo
	if err := c.JSON(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/connector-plugins?connectorsOnly=true", nil, &infos); err != nil {
		return nil, err
	}
	classes := make([]string, len(infos))
	for i, info := range infos {
		classes[i] = info.Class
	}
	return classes, nil
}

// ValidateConnector has the worker at base check a connector config, by its
// connector.class.
func (c *Client) ValidateConnector(ctx context.Context, base string, config map[string]string) (api.ConfigInfos, error) {
	var infos api.ConfigInfos
	target := strings.TrimSuffix(base, "/") + "/connector-plugins/" + url.PathEscape(config["connector.class"]) + "/config/validate"
	err := c.JSON(ctx, http.MethodPut, target, config, &infos)
	return infos, err
}
