package rest

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/access"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// listConnectors answers GET /connectors, with ?expand=status and ?expand=info.
func (s *Server) listConnectors(r *http.Request) (result, error) {
	names := s.visible(r, s.herder.Connectors())
	values := query(r)
	if !values.Has("expand") {
		return ok(names), nil
	}
	all := map[string]rawJSON{}
	for _, name := range names {
		parts, err := s.expand(r, name, values["expand"])
		if err != nil {
			continue // deleted in between, or no status yet
		}
		all[name] = parts
	}
	return ok(all), nil
}

// expand returns what is asked for about a connector, as an object whose fields have the
// order of the request. Other expansions are ignored.
func (s *Server) expand(r *http.Request, name string, expansions []string) (rawJSON, error) {
	parts, seen := rawJSON("{"), map[string]bool{}
	for _, expansion := range expansions {
		var part any
		var err error
		switch expansion {
		case "info":
			part, err = s.connectorInfo(r, name)
		case "status":
			part, err = s.herder.ConnectorStatus(name)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		text, err := api.Marshal(part)
		if err != nil {
			return nil, err
		}
		if seen[expansion] {
			continue
		}
		seen[expansion] = true
		if len(parts) > 1 {
			parts = append(parts, ',')
		}
		parts = append(append(parts, `"`+expansion+`":`...), text...)
	}
	return append(parts, '}'), nil
}

// createConnector answers POST /connectors.
func (s *Server) createConnector(r *http.Request, body []byte) (result, error) {
	req, err := readCreateRequest(withBody(r, body))
	if err != nil {
		return result{}, err
	}
	name := req.name
	visitOf(r).connector = name
	if err := s.permit(r, access.Edit, name); err != nil {
		return result{}, err
	}
	initial, err := initialState(req.initial)
	if err != nil {
		return result{}, err
	}
	config, err := s.namedConfig(r, name, req.config)
	if err != nil {
		return result{}, err
	}
	s.noteConfig(r, name, config, false)
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
func (s *Server) namedConfig(r *http.Request, name string, raw texts) (map[string]string, error) {
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
	infos, err := s.herder.Validate(r.Context(), config, nulls...)
	if err != nil {
		return nil, err
	}
	return nil, infos.Err()
}

func withBody(r *http.Request, body []byte) *http.Request {
	c := r.Clone(r.Context())
	c.Body = heldBody{bytes.NewReader(body), body}
	return c
}

// connectorInfo returns a connector as the user may see it.
func (s *Server) connectorInfo(r *http.Request, name string) (api.ConnectorInfo, error) {
	info, err := s.herder.ConnectorInfo(r.Context(), name)
	return s.shown(r, info), err
}

// getConnector answers GET /connectors/{c}.
func (s *Server) getConnector(r *http.Request) (result, error) {
	info, err := s.connectorInfo(r, param(r, "connector"))
	return ok(info), err
}

// getConfig answers GET /connectors/{c}/config.
func (s *Server) getConfig(r *http.Request) (result, error) {
	info, err := s.connectorInfo(r, param(r, "connector"))
	return ok(info.Config), err
}

// putConfig answers PUT /connectors/{c}/config.
func (s *Server) putConfig(r *http.Request, body []byte) (result, error) {
	var raw texts
	if err := readJSON(withBody(r, body), &raw); err != nil {
		return result{}, err
	}
	name := param(r, "connector")
	config, err := s.namedConfig(r, name, raw)
	if err != nil {
		return result{}, err
	}
	s.noteConfig(r, name, config, true)
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
	var raw texts
	err := readJSON(withBody(r, body), &raw)
	if errors.Is(err, errNoBody) || errors.Is(err, errNull) {
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
	if name := patch["name"]; name != nil {
		// As in the JVM the name may be any text; it must not be one of somebody else's connector.
		if err := s.permit(r, access.Edit, *name); err != nil {
			return result{}, err
		}
	}
	s.notePatch(r, patch)
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
	name := param(r, "connector")
	infos, err := s.herder.TaskInfos(r.Context(), name)
	if err == nil {
		infos, err = s.shownTasks(r, name, infos)
	}
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
	var raw []*texts
	if err := readJSON(withBody(r, body), &raw); err != nil && !errors.Is(err, errNull) {
		return result{}, err // null is an empty list, if it bears a signature
	}
	configs := make([]map[string]string, len(raw))
	for i, task := range raw {
		if task == nil {
			continue
		}
		values, err := readConfig(*task)
		if err != nil {
			return result{}, err
		}
		var nulls []string
		configs[i], nulls = splitNulls(values)
		for _, key := range nulls {
			configs[i][key] = ""
		}
	}
	sig := signature(r, body)
	return result{status: http.StatusNoContent}, s.herder.PutTaskConfigs(r.Context(), param(r, "connector"), configs, sig)
}

func signature(r *http.Request, body []byte) api.Signature {
	return api.Signature{
		Body: body, MAC: r.Header.Get(client.SignatureHeader), Algorithm: r.Header.Get(client.AlgorithmHeader),
		Given: len(r.Header.Values(client.SignatureHeader)) > 0 && len(r.Header.Values(client.AlgorithmHeader)) > 0,
	}
}

// fence answers the internal PUT /connectors/{c}/fence.
func (s *Server) fence(r *http.Request, body []byte) (result, error) {
	sig := signature(r, body)
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
