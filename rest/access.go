package rest

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/rest/access"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/extension"
)

// need is what a route demands of the user, and whether the audit log has it.
type need struct {
	role access.Role // on the connector of the path; None: any user who is let in
	// byHandler: the handler asks, since the connector is named in the body.
	byHandler bool
	admin     bool // the role admin
	internal  bool // signed by workers, which the herder checks; nobody logs in
	open      bool // nobody has to log in: the JVM's admin listeners
	workers   bool // workers ask for themselves, too
	change    bool // it changes something
	nobody    bool // not in the table: refused
}

// needs has every route. One that is missing is refused when access is restricted.
var needs = map[string]need{
	"GET /":                                             {},
	"GET /health":                                       {},
	"GET /connectors":                                   {}, // shows what the user may view
	"POST /connectors":                                  {byHandler: true, change: true},
	"GET /connectors/{connector}":                       {role: access.View},
	"DELETE /connectors/{connector}":                    {role: access.Edit, change: true},
	"GET /connectors/{connector}/config":                {role: access.View},
	"PUT /connectors/{connector}/config":                {role: access.Edit, change: true},
	"PATCH /connectors/{connector}/config":              {role: access.Edit, change: true},
	"GET /connectors/{connector}/status":                {role: access.View},
	"POST /connectors/{connector}/restart":              {role: access.Operate, change: true},
	"PUT /connectors/{connector}/pause":                 {role: access.Operate, change: true},
	"PUT /connectors/{connector}/resume":                {role: access.Operate, change: true},
	"PUT /connectors/{connector}/stop":                  {role: access.Operate, change: true},
	"GET /connectors/{connector}/tasks":                 {role: access.View},
	"POST /connectors/{connector}/tasks":                {internal: true},
	"PUT /connectors/{connector}/fence":                 {internal: true},
	"GET /connectors/{connector}/tasks/{task}/status":   {role: access.View},
	"POST /connectors/{connector}/tasks/{task}/restart": {role: access.Operate, change: true},
	"GET /connectors/{connector}/offsets":               {role: access.View},
	"PATCH /connectors/{connector}/offsets":             {role: access.Edit, change: true},
	"DELETE /connectors/{connector}/offsets":            {role: access.Edit, change: true},
	"GET /connectors/{connector}/topics":                {role: access.View},
	"PUT /connectors/{connector}/topics/reset":          {role: access.Operate, change: true},
	"GET /connector-plugins":                            {workers: true},
	"GET /connector-plugins/{plugin}/config":            {},
	"PUT /connector-plugins/{plugin}/config/validate":   {byHandler: true, workers: true},
	"GET /admin/loggers":                                {admin: true},
	"GET /admin/loggers/{logger}":                       {admin: true},
	"PUT /admin/loggers/{logger}":                       {admin: true, change: true},
}

// need finds that of a route.
func (t table) need(method, path string) need {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	n, known := needs[method+" "+path]
	n.nobody, n.open = !known, t.open
	return n
}

func (s *Server) roles() *access.Roles {
	if s.access == nil || s.access.Roles == nil {
		return nil
	}
	return s.access.Roles()
}

// admit lets a request in, or answers it.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, contentType string, n need) bool {
	v := visitOf(r)
	if n.open || n.internal {
		return true
	}
	if s.access == nil {
		if s.allowed(r) {
			if u, ok := extension.UserOf(r.Context()); ok {
				v.user = access.User{Name: u.Name, Groups: u.Groups, Method: access.Extension}
			}
			return true
		}
		v.denied = "user and password are not accepted"
		writeUnauthorized(w, contentType)
		return false
	}
	user, err := s.identify(r)
	if err == nil {
		v.user = user
		v.introduce(r)
		err = s.authorize(r, n)
	}
	if err == nil {
		return true
	}
	s.deny(w, r, contentType, err)
	return false
}

// authorize decides about a route and the connector in its path.
func (s *Server) authorize(r *http.Request, n need) error {
	user := visitOf(r).user
	if user.Method == access.Worker {
		if n.workers {
			return nil
		}
		return api.Errorf(http.StatusForbidden, "A worker may not ask this for itself.")
	}
	roles := s.roles()
	switch {
	case roles == nil:
		return nil
	case n.nobody:
		return api.Errorf(http.StatusForbidden, "No role allows this request.")
	case n.admin && !roles.Admin(user):
		return s.lacks(r, "the role admin")
	case n.role > access.None:
		return s.permit(r, n.role, param(r, "connector"))
	}
	return nil
}

// permit decides about a connector: nil when the user of a request has at least the role on it.
func (s *Server) permit(r *http.Request, role access.Role, connector string) error {
	roles := s.roles()
	if roles == nil || roles.On(visitOf(r).user, connector) >= role {
		return nil
	}
	return s.lacks(r, "the role "+role.String()+" for connector "+connector)
}

// permitValidation decides about the check of a config: it may resolve secrets and connect to
// other systems, so that it takes the role to create the connector, or one of some name.
func (s *Server) permitValidation(r *http.Request, config map[string]string) error {
	roles, user := s.roles(), visitOf(r).user
	if roles == nil || user.Method == access.Worker {
		return nil
	}
	if name, named := config["name"]; named {
		return s.permit(r, access.Edit, name)
	}
	if roles.Anywhere(user) < access.Edit {
		return s.lacks(r, "the role edit for some connector")
	}
	return nil
}

// lacks is the error for a role that is missing. Who is anonymous may have it after logging in.
func (s *Server) lacks(r *http.Request, what string) error {
	v := visitOf(r)
	status, then := http.StatusForbidden, ""
	if v.user.Method == access.Anonymous && s.canLogIn() {
		status, then = http.StatusUnauthorized, " Log in "+s.ways()+"."
	}
	name := v.user.String()
	err := api.Errorf(status, "%s lacks %s.%s", strings.ToUpper(name[:1])+name[1:], what, then)
	v.denied = err.Message
	return err
}

// canLogIn tells whether there is a header by which users can make themselves known.
func (s *Server) canLogIn() bool { return s.login != nil || s.access.Bearer != nil }

// deny answers who is not let in.
func (s *Server) deny(w http.ResponseWriter, r *http.Request, contentType string, err error) {
	status := http.StatusForbidden
	var coded *api.Error
	if errors.As(err, &coded) {
		status = coded.Status
	}
	visitOf(r).denied = err.Error()
	switch status {
	case http.StatusUnauthorized:
		s.challenge(w, r)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	s.writeJSON(w, contentType, status, errorBody{status, err.Error()})
}

// challenge names the schemes by which users can log in.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request) {
	if s.login != nil {
		w.Header().Add("WWW-Authenticate", basicChallenge)
	}
	if s.access != nil && s.access.Bearer != nil {
		bearer := `Bearer realm="Kafka Connect"`
		if r.Header.Get("Authorization") != "" {
			bearer += `, error="invalid_token"`
		}
		w.Header().Add("WWW-Authenticate", bearer)
	}
}

// visible leaves the connectors that a user may view.
func (s *Server) visible(r *http.Request, names []string) []string {
	roles, user := s.roles(), visitOf(r).user
	if roles == nil {
		return names
	}
	shown := make([]string, 0, len(names))
	for _, name := range names {
		if roles.On(user, name) >= access.View {
			shown = append(shown, name)
		}
	}
	return slices.Clip(shown)
}

// shown is a connector as its user may see it: who may not change it does not see its secrets.
func (s *Server) shown(r *http.Request, info api.ConnectorInfo) api.ConnectorInfo {
	if s.masked(r, info.Name) {
		info.Config = s.access.Mask(info.Config, info.Config)
	}
	return info
}

func (s *Server) masked(r *http.Request, connector string) bool {
	roles := s.roles()
	return roles != nil && s.access.Mask != nil && roles.On(visitOf(r).user, connector) < access.Edit
}

// shownTasks does the same for the configs of tasks.
func (s *Server) shownTasks(r *http.Request, connector string, infos []api.TaskInfo) ([]api.TaskInfo, error) {
	if !s.masked(r, connector) {
		return infos, nil
	}
	info, err := s.herder.ConnectorInfo(r.Context(), connector)
	if err != nil {
		return nil, err
	}
	shown := slices.Clone(infos)
	for i := range shown {
		shown[i].Config = s.access.Mask(info.Config, shown[i].Config)
	}
	return shown, nil
}
