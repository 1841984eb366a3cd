package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/penstock-io/penstock/rest/api"
)

// listPlugins answers GET /connector-plugins.
func (s *Server) listPlugins(r *http.Request) (result, error) {
	return ok(s.herder.PluginInfos(queryBool(r, "connectorsOnly", true))), nil
}

// pluginConfig answers GET /connector-plugins/{p}/config.
func (s *Server) pluginConfig(r *http.Request) (result, error) {
	defs, err := s.herder.PluginConfig(param(r, "plugin"))
	return ok(defs), err
}

// validate answers PUT /connector-plugins/{p}/config/validate.
func (s *Server) validate(r *http.Request) (result, error) {
	var raw map[string]json.RawMessage
	if err := readJSON(r, &raw); err != nil {
		return result{}, err
	}
	values, err := readConfig(raw)
	if err != nil {
		return result{}, err
	}
	config, nulls := splitNulls(values)
	plugin := param(r, "plugin")
	if class, given := config["connector.class"]; given &&
		!strings.HasSuffix(strings.TrimSuffix(class, "Connector"), strings.TrimSuffix(plugin, "Connector")) {
		return result{}, api.Errorf(http.StatusBadRequest, "Included connector type %s does not match request type %s", class, plugin)
	}
	infos, err := s.herder.Validate(r.Context(), config)
	var coded *api.Error
	if errors.As(err, &coded) && coded.Status == http.StatusBadRequest {
		// Here, unlike in a PUT of the connector, nobody unwraps the JVM's future.
		return result{}, api.Errorf(http.StatusInternalServerError,
			"org.apache.kafka.connect.runtime.rest.errors.BadRequestException: %s", coded.Message)
	}
	if err != nil {
		return result{}, err
	}
	failNulls(&infos, nulls)
	return ok(infos), nil
}
