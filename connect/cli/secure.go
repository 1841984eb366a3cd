package cli

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/basicauth"
	"github.com/penstock-io/penstock/internal/tlsstore"
	"github.com/penstock-io/penstock/rest"
	"github.com/penstock-io/penstock/rest/client"
)

// access is who may reach the REST interface, and how: what properties say about TLS and
// logins, with the files they name.
type access struct {
	main, admin *tlsstore.Source // of https listeners, and main of the client between workers
	users       *basicauth.Users // nil: nobody has to log in
}

// newAccess reads keys and users. All problems are returned together.
func newAccess(s *settings.Worker, log *zap.Logger) (*access, error) {
	a := &access{}
	var mainErr, adminErr, usersErr error
	a.main, mainErr = tlsSource(s, false, s.REST.Listeners, log)
	a.admin, adminErr = tlsSource(s, true, s.REST.AdminListeners, log)
	a.users, usersErr = openUsers(s, log)
	return a, errors.Join(mainErr, adminErr, usersErr)
}

// tlsSource reads the TLS settings if there is an https listener. Otherwise only the client
// may need them, when another worker is reached by https, and it will report what is wrong:
// ssl.* may have been meant for other things.
func tlsSource(s *settings.Worker, admin bool, listeners []settings.Listener, log *zap.Logger) (*tlsstore.Source, error) {
	props, prefix := s.HTTPS(admin)
	source := tlsstore.NewSource(props, tlsstore.Options{Prefix: prefix, TrustOwnStore: true}, log.Named("rest"))
	for _, l := range listeners {
		if l.Scheme != "https" {
			continue
		}
		c, err := source.Config()
		if err == nil && !c.HasKey() {
			key := prefix + "ssl.keystore.location"
			err = &config.Error{Key: key, Msg: fmt.Sprintf("Missing required configuration %q: the listener %s needs a key and its certificate.", key, l)}
		}
		return source, err
	}
	return source, nil
}

// openUsers reads the logins if the extension for them is chosen, the only one there is.
func openUsers(s *settings.Worker, log *zap.Logger) (*basicauth.Users, error) {
	const key = "rest.extension.classes"
	var users *basicauth.Users
	var problems []error
	for _, class := range s.REST.Extensions {
		if class != basicauth.ExtensionClass && class != "BasicAuthSecurityRestExtension" {
			problems = append(problems, &config.Error{Key: key, Msg: fmt.Sprintf("Invalid value %s for configuration %s: Class %s could not be found. "+
				"Java classes cannot be loaded; the only extension that is built in is %s.", class, key, class, basicauth.ExtensionClass)})
			continue
		}
		file := s.REST.JAASFile
		if file == "" {
			file = basicauth.JAASFile(os.Getenv("KAFKA_OPTS"))
		}
		if file == "" {
			problems = append(problems, &config.Error{Key: key, Msg: "Failed to retrieve JAAS configuration, which " + class + " needs. " +
				"Set penstock.rest.jaas.config.file, or -Djava.security.auth.login.config=… in the environment variable KAFKA_OPTS."})
			continue
		}
		var err error
		if users, err = basicauth.Open(file, log.Named("rest")); err != nil {
			problems = append(problems, &config.Error{Key: key, Msg: err.Error()})
		}
	}
	return users, errors.Join(problems...)
}

// client makes the client between workers. Questions of its own it asks as one of the users;
// what it forwards bears the login of who sent it.
func (a *access) client() *client.Client {
	c := client.New(client.Transport(a.main.Client))
	if a.users != nil {
		c.Login = a.users.Any
	}
	return c
}

// listeners are what REST listens on.
func listeners(from []settings.Listener, source *tlsstore.Source) []rest.Listener {
	all := make([]rest.Listener, len(from))
	for i, l := range from {
		var https *tls.Config
		if l.Scheme == "https" {
			https = source.Server()
		}
		all[i] = rest.Listener{Address: l.Address(), TLS: https}
	}
	return all
}

// secure adds access, CORS and headers to the options of REST.
func (w *Worker) secure(o *rest.Options) {
	r := &w.settings.REST
	o.Listen, o.Admin = listeners(r.Listeners, w.access.main), listeners(r.AdminListeners, w.access.admin)
	if w.access.users != nil {
		o.Login = w.access.users.Allow
	}
	if r.Origins != nil {
		o.CORS = &rest.CORS{Allowed: r.Origins.Allow, Methods: r.CORSMethods()}
	}
	for _, rule := range r.HeaderRules {
		h := rest.Header{Name: rule.Name, Value: rule.Value, Add: rule.Action == "add" || rule.Action == "addDate"}
		if rule.Action == "setDate" || rule.Action == "addDate" {
			h.Date, h.Offset = true, rule.Offset()
		}
		o.Headers = append(o.Headers, h)
	}
}
