package rest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/penstock-io/penstock/rest/access"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/audit"
	"github.com/penstock-io/penstock/rest/client"
	"github.com/penstock-io/penstock/rest/extension"
)

// visit is what is known of a request besides HTTP. It belongs to the request's goroutine.
type visit struct {
	user   access.User
	remote string // address of the client, at the first worker
	from   string // URL of the worker that forwarded it
	id     string
	pass   *access.Pass // of the worker that forwarded it

	connector string
	keys      []string // names of the config keys that are changed
	denied    string   // why it was not let in
}

type visitKey struct{}

// visitOf returns that of a request; a new one, which nobody sees, if nothing is restricted.
func visitOf(r *http.Request) *visit {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{}
}

// introduce tells handlers of extensions who the user is.
func (v *visit) introduce(r *http.Request) {
	if v.user.Name == "" {
		return
	}
	u := extension.User{Name: v.user.Name, Groups: v.user.Groups}
	*r = *r.WithContext(extension.WithUser(r.Context(), u))
}

// audited gives requests a visit, and writes what came of them into the audit log.
func (s *Server) audited(n need, next http.HandlerFunc) http.HandlerFunc {
	if s.access == nil && s.audit == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{remote: r.RemoteAddr, connector: param(r, "connector")}
		r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
		if s.audit == nil {
			next(w, r)
			return
		}
		random := make([]byte, 8)
		rand.Read(random) //nolint:errcheck // never fails
		v.id = hex.EncodeToString(random)
		start := time.Now()
		counted := &countingWriter{ResponseWriter: w, status: http.StatusOK}
		status := http.StatusInternalServerError // of a handler that panics
		defer func() { s.writeAudit(n, r, v, status, start) }()
		next(counted, r)
		status = counted.status
	}
}

// writeAudit writes a line for what changed something, or was meant to, and for what was denied.
// Of requests between workers only those that were refused matter.
func (s *Server) writeAudit(n need, r *http.Request, v *visit, status int, start time.Time) {
	refused := n.internal && (status == http.StatusForbidden || status == http.StatusBadRequest && r.Header.Get(client.SignatureHeader) == "")
	if refused && v.denied == "" {
		v.denied = "the signature of another worker is missing or wrong"
	}
	if !n.change && v.denied == "" {
		return
	}
	s.audit.Write(audit.Entry{
		Time: start.UTC(), RequestID: v.id, User: v.user.Name, Groups: v.user.Groups, Auth: string(v.user.Method), Remote: v.remote,
		Method: r.Method, Path: r.URL.EscapedPath(), Connector: v.connector, Status: status, DurationMS: time.Since(start).Milliseconds(),
		ForwardedFrom: v.from, ConfigKeys: v.keys, Denied: v.denied,
	})
}

// trusted checks a request whose body is there, before anything is done: it must be the one that
// a worker has signed, and a change must be possible to write down.
func (s *Server) trusted(r *http.Request, n need) error {
	if err := checkBody(r); err != nil {
		return err
	}
	if s.audit == nil || !n.change {
		return nil
	}
	if err := s.audit.Ready(); err != nil {
		return api.Errorf(http.StatusServiceUnavailable, "Changes are refused while the audit log cannot be written: %v", err)
	}
	return nil
}

// noteConfig remembers the names of the keys that a new config changes. replace tells that there
// may be an old one.
func (s *Server) noteConfig(r *http.Request, name string, config map[string]string, replace bool) {
	v := visitOf(r)
	if v.connector = name; s.audit == nil {
		return
	}
	var old map[string]string
	if replace {
		if info, err := s.herder.ConnectorInfo(r.Context(), name); err == nil {
			old = info.Config
		}
	}
	changed := map[string]bool{}
	for k, value := range config {
		if before, had := old[k]; !had || before != value {
			changed[k] = true
		}
	}
	for k := range old {
		if _, has := config[k]; !has {
			changed[k] = true
		}
	}
	v.keys = slices.Sorted(maps.Keys(changed))
}

// notePatch does it for a patch, in which nil removes a key.
func (s *Server) notePatch(r *http.Request, patch map[string]*string) {
	if s.audit == nil {
		return
	}
	var old map[string]string
	if info, err := s.herder.ConnectorInfo(r.Context(), param(r, "connector")); err == nil {
		old = info.Config
	}
	var changed []string
	for k, value := range patch {
		if before, had := old[k]; (value != nil) != had || had && before != *value {
			changed = append(changed, k)
		}
	}
	slices.Sort(changed)
	visitOf(r).keys = changed
}
