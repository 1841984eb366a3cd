package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

func readAll(r *http.Request) ([]byte, error) { return io.ReadAll(r.Body) }

// listConnectors answers GET /connectors, with ?expand=status and ?expand=info.
func (s *Server) listConnectors(r *http.Request) (result, error) {
	names := s.herder.Connectors()
	if !r.URL.Query().Has("expand") {
		return ok(names), nil
	}
	want := map[string]bool{}
	for _, e := range r.URL.Query()["expand"] {
		want[e] = true
	}
	type parts struct {
		Status *api.ConnectorStatus `json:"status,omitempty"`
		Info   *api.ConnectorInfo   `json:"info,omitempty"`
	}
	all := map[string]parts{}
	for _, name := range names {
		var p parts
		if want["info"] {
			info, err := s.herder.ConnectorInfo(r.Context(), name)
			if err != nil {
				continue // deleted in between
			}
			p.Info = &info
		}
		if want["status"] {
			st, err := s.herder.ConnectorStatus(name)
			if err != nil {
				continue // no status yet
			}
			p.Status = &st
		}
		all[name] = p
	}
	return ok(all), nil
}

// createConnector answers POST /connectors.
func (s *Server) createConnector(r *http.Request, body []byte) (result, error) {
	req, err := readCreateRequest(withBody(r, body))
	if err != nil {
		return result{}, err
	}
	name := req.name
	initial, err := initialState(req.initial)
	if err != nil {
		return result{}, err
	}
	config, err := s.namedConfig(r, name, req.config)
	if err != nil {
		return result{}, err
	}
	info, _, err := s.herder.PutConnector(r.Context(), name, config, initial, false)
	if err != nil {
		return result{}, err
	}
	return result{status: http.StatusCreated, body: info, location: s.location(name)}, nil
}

func initialState(text *string) (connect.TargetState, error) {
	if text == nil {
		return "", nil
	}
	switch strings.ToUpper(*text) {
	case "RUNNING":
		return connect.TargetStarted, nil
	case "PAUSED":
		return connect.TargetPaused, nil
	case "STOPPED":
		return connect.TargetStopped, nil
	}
	return "", api.Errorf(http.StatusInternalServerError, "%q is no initial_state: use RUNNING, PAUSED or STOPPED", *text)
}

// namedConfig decodes a config, makes sure that its name is the connector's, and refuses
// nulls; what else is wrong comes first or along with them.
func (s *Server) namedConfig(r *http.Request, name string, raw map[string]json.RawMessage) (map[string]string, error) {
	values, err := readConfig(raw)
	if err != nil {
		return nil, err
	}
	if in := values["name"]; in == nil {
		values["name"] = &name
	} else if *in != name {
		return nil, api.Errorf(http.StatusBadRequest, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", *in, name)
	}
	config, nulls := splitNulls(values)
	if len(nulls) == 0 {
		return config, nil
	}
	infos, err := s.herder.Validate(r.Context(), config)
	if err != nil {
		return nil, err
	}
	failNulls(&infos, nulls)
	return nil, infos.Err()
}

// location is the address of a connector, encoded as one path.
func (s *Server) location(name string) string {
	return strings.TrimSuffix(s.advertised, "/") + (&url.URL{Path: "/connectors/" + name}).EscapedPath()
}

func withBody(r *http.Request, body []byte) *http.Request {
	c := r.Clone(r.Context())
	c.Body = io.NopCloser(bytes.NewReader(body))
	return c
}

// getConnector answers GET /connectors/{c}.
func (s *Server) getConnector(r *http.Request) (result, error) {
	info, err := s.herder.ConnectorInfo(r.Context(), param(r, "connector"))
	return ok(info), err
}

// getConfig answers GET /connectors/{c}/config.
func (s *Server) getConfig(r *http.Request) (result, error) {
	info, err := s.herder.ConnectorInfo(r.Context(), param(r, "connector"))
	return ok(info.Config), err
}

// putConfig answers PUT /connectors/{c}/config.
func (s *Server) putConfig(r *http.Request, body []byte) (result, error) {
	var raw map[string]json.RawMessage
	if err := readJSON(withBody(r, body), &raw); err != nil {
		return result{}, err
	}
	name := param(r, "connector")
	config, err := s.namedConfig(r, name, raw)
	if err != nil {
		return result{}, err
	}
	info, created, err := s.herder.PutConnector(r.Context(), name, config, "", true)
	if err != nil {
		return result{}, err
	}
	if created {
		return result{status: http.StatusCreated, body: info, location: s.location(name)}, nil
	}
	return ok(info), nil
}

// patchConfig answers PATCH /connectors/{c}/config.
func (s *Server) patchConfig(r *http.Request, body []byte) (result, error) {
	var raw map[string]json.RawMessage
	err := readJSON(withBody(r, body), &raw)
	if errors.Is(err, errNoBody) {
		// The JVM looks for the connector first.
		if _, err := s.herder.ConnectorInfo(r.Context(), param(r, "connector")); err != nil {
			return result{}, err
		}
	}
	if err != nil {
		return result{}, err
	}
	patch, err := readConfig(raw)
	if err != nil {
		return result{}, err
	}
	info, err := s.herder.PatchConnector(r.Context(), param(r, "connector"), patch)
	return ok(info), err
}

// deleteConnector answers DELETE /connectors/{c}.
func (s *Server) deleteConnector(r *http.Request, _ []byte) (result, error) {
	return result{status: http.StatusNoContent}, s.herder.DeleteConnector(r.Context(), param(r, "connector"))
}

// getStatus answers GET /connectors/{c}/status.
func (s *Server) getStatus(r *http.Request) (result, error) {
	st, err := s.herder.ConnectorStatus(param(r, "connector"))
	return ok(st), err
}

// pause answers PUT /connectors/{c}/pause.
func (s *Server) pause(r *http.Request) (result, error) {
	return result{status: http.StatusAccepted}, s.herder.Pause(r.Context(), param(r, "connector"))
}

// resume answers PUT /connectors/{c}/resume.
func (s *Server) resume(r *http.Request) (result, error) {
	return result{status: http.StatusAccepted}, s.herder.Resume(r.Context(), param(r, "connector"))
}

// stop answers PUT /connectors/{c}/stop.
func (s *Server) stop(r *http.Request, _ []byte) (result, error) {
	return result{status: http.StatusNoContent}, s.herder.Stop(r.Context(), param(r, "connector"))
}

// restart answers POST /connectors/{c}/restart (KIP-745).
func (s *Server) restart(r *http.Request, _ []byte) (result, error) {
	name := param(r, "connector")
	includeTasks, onlyFailed := queryBool(r, "includeTasks", false), queryBool(r, "onlyFailed", false)
	if !includeTasks && !onlyFailed {
		return result{status: http.StatusNoContent}, s.herder.RestartConnector(r.Context(), name)
	}
	st, err := s.herder.RestartConnectorAndTasks(r.Context(), name, includeTasks, onlyFailed)
	return result{status: http.StatusAccepted, body: st}, err
}

// getTasks answers GET /connectors/{c}/tasks.
func (s *Server) getTasks(r *http.Request) (result, error) {
	infos, err := s.herder.TaskInfos(r.Context(), param(r, "connector"))
	return ok(infos), err
}

// getTaskStatus answers GET /connectors/{c}/tasks/{t}/status.
func (s *Server) getTaskStatus(r *http.Request) (result, error) {
	n, err := pathTask(r)
	if err != nil {
		return result{}, err
	}
	st, err := s.herder.TaskStatus(connect.TaskID{Connector: param(r, "connector"), Task: n})
	return ok(st), err
}

// restartTask answers POST /connectors/{c}/tasks/{t}/restart.
func (s *Server) restartTask(r *http.Request, _ []byte) (result, error) {
	n, err := pathTask(r)
	if err != nil {
		return result{}, err
	}
	return result{status: http.StatusNoContent}, s.herder.RestartTask(r.Context(), connect.TaskID{Connector: param(r, "connector"), Task: n})
}

// putTasks answers the internal POST /connectors/{c}/tasks.
func (s *Server) putTasks(r *http.Request, body []byte) (result, error) {
	var configs []map[string]string
	if err := readJSON(withBody(r, body), &configs); err != nil {
		return result{}, err
	}
	sig := api.Signature{Body: body, MAC: r.Header.Get(client.SignatureHeader), Algorithm: r.Header.Get(client.AlgorithmHeader)}
	return result{status: http.StatusNoContent}, s.herder.PutTaskConfigs(r.Context(), param(r, "connector"), configs, sig)
}

// fence answers the internal PUT /connectors/{c}/fence.
func (s *Server) fence(r *http.Request, body []byte) (result, error) {
	sig := api.Signature{Body: body, MAC: r.Header.Get(client.SignatureHeader), Algorithm: r.Header.Get(client.AlgorithmHeader)}
	return result{status: http.StatusNoContent}, s.herder.FenceZombies(r.Context(), param(r, "connector"), sig)
}

// getTopics answers GET /connectors/{c}/topics (KIP-558).
func (s *Server) getTopics(r *http.Request) (result, error) {
	if !s.trackTopics {
		return result{}, api.Errorf(http.StatusForbidden, "Topic tracking is disabled.")
	}
	name := param(r, "connector")
	return ok(map[string]any{name: map[string]any{"topics": s.herder.ActiveTopics(name)}}), nil
}

// resetTopics answers PUT /connectors/{c}/topics/reset.
func (s *Server) resetTopics(r *http.Request) (result, error) {
	switch {
	case !s.trackTopics:
		return result{}, api.Errorf(http.StatusForbidden, "Topic tracking is disabled.")
	case !s.resetAllowed:
		return result{}, api.Errorf(http.StatusForbidden, "Topic tracking reset is disabled.")
	}
	s.herder.ResetActiveTopics(param(r, "connector"))
	return result{status: http.StatusAccepted}, nil
}
