package rest

import (
	"maps"
	"net/http"
	"strings"

	"github.com/penstock-io/penstock/rest/api"
)

// listLoggers answers GET /admin/loggers, without loggers that are OFF.
func (s *Server) listLoggers(*http.Request) (result, error) {
	levels := s.loggers.Levels()
	maps.DeleteFunc(levels, func(_ string, l LoggerLevel) bool { return l.Level == "OFF" })
	return ok(levels), nil
}

// getLogger answers GET /admin/loggers/{logger}.
func (s *Server) getLogger(r *http.Request) (result, error) {
	name := param(r, "logger")
	if strings.EqualFold(name, "root") {
		name = "root"
	}
	l, found := s.loggers.Levels()[name]
	if !found {
		return result{}, api.Errorf(http.StatusNotFound, "Logger %s not found.", name)
	}
	return ok(l), nil
}

// putLogger answers PUT /admin/loggers/{logger} (KIP-495, KIP-976).
func (s *Server) putLogger(r *http.Request) (result, error) {
	var raw texts
	if err := readJSON(r, &raw); err != nil {
		return result{}, err
	}
	body, err := readConfig(raw)
	if err != nil {
		return result{}, err
	}
	if body["level"] == nil {
		return result{}, api.Errorf(http.StatusBadRequest, "Desired 'level' parameter was not specified in request.")
	}
	level := *body["level"]
	if level == "" {
		return result{}, api.Errorf(http.StatusInternalServerError, "Illegal null or empty Level name.")
	}
	name := param(r, "logger")
	if !validLevels[strings.ToUpper(strings.TrimSpace(level))] {
		return result{}, api.Errorf(http.StatusNotFound, "invalid log level '%s'.", level)
	}
	if strings.EqualFold(query(r).Get("scope"), "cluster") {
		return result{status: http.StatusNoContent}, s.herder.SetClusterLogLevel(r.Context(), name, level)
	}
	changed := s.loggers.Set(name, strings.TrimSpace(level))
	return ok(changed), nil
}

var validLevels = map[string]bool{"ALL": true, "TRACE": true, "DEBUG": true, "INFO": true,
	"WARN": true, "ERROR": true, "FATAL": true, "OFF": true}
