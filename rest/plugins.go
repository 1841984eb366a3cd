package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/api"
)

// listPlugins answers GET /connector-plugins.
func (s *Server) listPlugins(r *http.Request) (result, error) {
	return ok(s.herder.PluginInfos(queryBool(r, "connectorsOnly", true))), nil
}

// pluginConfig answers GET /connector-plugins/{p}/config.
func (s *Server) pluginConfig(r *http.Request) (result, error) {
	version := "latest"
	if values := query(r); values.Has("version") {
		version = values.Get("version")
	}
	defs, err := s.herder.PluginConfig(param(r, "plugin"), version)
	return ok(defs), err
}

// validate answers PUT /connector-plugins/{p}/config/validate.
func (s *Server) validate(r *http.Request) (result, error) {
	var raw texts
	if err := readJSON(r, &raw); err != nil {
		return result{}, err
	}
	values, err := readConfig(raw)
	if err != nil {
		return result{}, err
	}
	config, nulls := splitNulls(values)
	if err := s.permitValidation(r, config); err != nil {
		return result{}, err
	}
	plugin := param(r, "plugin")
	if class, given := config["connector.class"]; given &&
		!strings.HasSuffix(withoutSuffix(class), withoutSuffix(plugin)) {
		return result{}, api.Errorf(http.StatusBadRequest, "Included connector type %s does not match request type %s", class, plugin)
	}
	infos, err := s.herder.Validate(r.Context(), config, nulls...)
	var coded *api.Error
	if errors.As(err, &coded) && coded.Status == http.StatusBadRequest {
		// Here, unlike in a PUT of the connector, nobody unwraps the JVM's future.
		return result{}, api.Errorf(http.StatusInternalServerError,
			"org.apache.kafka.connect.runtime.rest.errors.BadRequestException: %s", coded.Message)
	}
	const configException = "org.apache.kafka.common.config.ConfigException"
	if err != nil && coded == nil && connect.JavaClass(err) == configException { // of a config provider
		return result{}, fmt.Errorf("%s: %w", configException, err)
	}
	if err != nil {
		return result{}, err
	}
	return ok(infos), nil
}

// withoutSuffix makes a class and its alias end alike.
func withoutSuffix(class string) string {
	if short := strings.TrimSuffix(class, "Connector"); short != "" {
		return short
	}
	return class
}
