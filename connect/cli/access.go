package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/bearer"
	"github.com/penstock-io/penstock/internal/livefile"
	"github.com/penstock-io/penstock/internal/logging"
	"github.com/penstock-io/penstock/internal/redact"
	"github.com/penstock-io/penstock/internal/tlsstore"
	"github.com/penstock-io/penstock/rest"
	"github.com/penstock-io/penstock/rest/access"
	"github.com/penstock-io/penstock/rest/audit"
	"github.com/penstock-io/penstock/storage"
)

// users is what the worker's properties say of users beyond the JVM's: how they are recognised,
// their roles, and where their changes are written down. The zero value is nothing of it.
type users struct {
	on           bool
	certificates *access.Certificates
	issuer       *bearer.Issuer
	roles        func() *access.Roles // nil: users may do everything

	// configs has the session key. It is set before the first request.
	configs storage.ConfigStore
}

// newUsers reads keys and files. All problems are returned together.
func newUsers(s *settings.Worker, log *zap.Logger) (*users, error) {
	a := &s.REST.Access
	u := &users{on: a.On()}
	var problems []error
	fail := func(key string, err error) {
		problems = append(problems, &config.Error{Key: key, Msg: fmt.Sprintf("Invalid value for configuration %s: %v", key, err)})
	}
	if a.Certificates {
		var err error
		if u.certificates, err = access.NewCertificates(a.CertificateSource, a.CertificateRules); err != nil {
			fail("penstock.rest.certificate.rules", err)
		}
	}
	if a.Bearer {
		source := tlsstore.NewSource(a.TLS, tlsstore.Options{Prefix: "penstock.rest.bearer."}, log)
		if _, err := source.Config(); err != nil {
			problems = append(problems, err)
		}
		u.issuer = bearer.New(bearer.Options{Issuer: a.Issuer, Audiences: a.Audience, KeysURL: a.JWKS, UserClaim: a.UserClaim, GroupsClaim: a.GroupsClaim,
			Skew: a.Skew, Timeout: a.Timeout, Refresh: a.Refresh, TLS: source.Client, Log: log})
	}
	if a.RolesOn {
		var err error
		if u.roles, err = openRoles(a, log); err != nil {
			fail("penstock.rest.roles", err)
		}
	}
	return u, errors.Join(problems...)
}

// openRoles reads the assignments of the properties and of the file, whose later changes count
// at once. A file that is empty then is one without roles: that shuts out and never opens.
func openRoles(a *settings.Access, log *zap.Logger) (func() *access.Roles, error) {
	fixed, err := access.Parse(a.Roles)
	if err != nil {
		return nil, err
	}
	if a.RolesFile == "" {
		return func() *access.Roles { return fixed }, nil
	}
	file, err := livefile.Open(a.RolesFile, "The roles file of the REST interface", func(path string) (*access.Roles, error) {
		all, err := config.LoadProperties(path)
		if err != nil {
			return nil, err
		}
		for key, grants := range a.Roles {
			if more := all[key]; more != "" {
				grants += "," + more
			}
			all[key] = grants
		}
		return access.Parse(all)
	}, log)
	if err != nil {
		return nil, fmt.Errorf("the file that penstock.rest.roles.file names: %w", err)
	}
	return file.Content, nil
}

// access is what REST is to know, nil for nothing.
func (u *users) access(mask func(connector, config map[string]string) map[string]string) *rest.Access {
	if !u.on {
		return nil
	}
	a := &rest.Access{Roles: u.roles, SessionKey: u.sessionKey, Mask: mask}
	if u.certificates != nil {
		a.Certificate = u.certificates.User
	}
	if u.issuer != nil {
		a.Bearer = u.issuer.User
	}
	return a
}

func (u *users) sessionKey() (access.Key, bool) {
	key := u.configs.Snapshot().SessionKey
	if key == nil {
		return access.Key{}, false
	}
	return access.Key{Secret: key.Key, Created: key.Created}, true
}

// vouch signs the worker's own questions to others, which are no user's. Without a session key,
// or where users need not be known, they go out as they are.
func (u *users) vouch(url string) func(method, target string, body []byte) http.Header {
	return func(method, target string, body []byte) http.Header {
		key, ok := u.sessionKey()
		if !ok {
			return nil
		}
		pass, err := access.Pass{User: access.User{Method: access.Worker}, From: url}.Sign(key, method, target, body, time.Now())
		if err != nil {
			return nil
		}
		return http.Header{access.PassHeader: {pass}}
	}
}

// run keeps the issuer's keys fresh until the returned function is called, which waits for it.
func (u *users) run(ctx context.Context) (stop func()) {
	if u.issuer == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); u.issuer.Run(ctx) }()
	return func() { cancel(); <-ended }
}

// openAudit opens the audit log; nil for none.
func (w *Worker) openAudit() (*audit.Log, error) {
	a := &w.settings.REST.Access
	o := audit.Options{Log: w.log.Named(logging.AuditLogger)}
	switch a.Audit {
	case "file":
		o.Path, o.MaxBytes, o.MaxFiles, o.Refuse = a.AuditFile, a.AuditMaxBytes, a.AuditMaxFiles, a.AuditRefuse
	case "log":
	default:
		return nil, nil //nolint:nilnil // off
	}
	log, err := audit.Open(o)
	if err != nil {
		return nil, &config.Error{Key: "penstock.rest.audit.file", Msg: fmt.Sprintf("Invalid value %s for configuration penstock.rest.audit.file: %v", a.AuditFile, err)}
	}
	return log, nil
}

// configureExtensions makes the extensions that the properties choose. close closes them in the
// reverse order, also those that were made before an error.
func (w *Worker) configureExtensions() (all []rest.Extension, closeAll func() error, err error) {
	closeAll = func() error {
		var errs []error
		for _, e := range slices.Backward(all) {
			if err := e.Close(); err != nil {
				errs = append(errs, fmt.Errorf("close the REST extension %s: %w", e.Class, err))
			}
		}
		return errors.Join(errs...)
	}
	for _, chosen := range w.access.extensions {
		e := rest.Extension{Class: chosen.Class, Extension: chosen.newExtension()}
		all = append(all, e)
		if err := e.Configure(maps.Clone(w.settings.Props)); err != nil {
			const key = "rest.extension.classes"
			return all, closeAll, &config.Error{Key: key, Msg: fmt.Sprintf("The REST extension %s of %s cannot be configured: %v", e.Class, key, err)}
		}
	}
	return all, closeAll, nil
}

// onlyReferences are placeholders and nothing else: they say where a secret is, not what it is.
var onlyReferences = regexp.MustCompile(`^(\$\{[^{}]*:[^{}]*\})+$`)

// passwordInURL finds what userInfo does, with what stands around it.
var passwordInURL = regexp.MustCompile(`(://[^/@:\s]*:)[^/@\s]+@`)

// mask returns a config without its secrets, for users who may see it and not change it.
// connector is the config that says which plugins the keys are of.
func (s *secrets) mask(connector, props map[string]string) map[string]string {
	secret := s.decider(connector, props)
	shown := make(map[string]string, len(props))
	for k, v := range props {
		switch {
		case strings.TrimSpace(v) == "" || onlyReferences.MatchString(v):
		case secret(k):
			v = redact.Hidden
		default:
			v = s.Hide(passwordInURL.ReplaceAllString(v, "${1}"+redact.Hidden+"@"))
		}
		shown[k] = v
	}
	return shown
}
