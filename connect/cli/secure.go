package cli

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/basicauth"
	"github.com/penstock-io/penstock/internal/tlsstore"
	"github.com/penstock-io/penstock/rest"
	"github.com/penstock-io/penstock/rest/client"
	"github.com/penstock-io/penstock/rest/extension"
)

// entrance is who may reach the REST interface, and how: what properties say about TLS, logins
// and extensions, with the files they name.
type entrance struct {
	main, admin *tlsstore.Source // of https listeners, and main of the client between workers
	logins      *basicauth.Users // nil: nobody has to log in with user and password
	users       *users
	extensions  []chosenExtension
}

// chosenExtension is an extension of the program that rest.extension.classes names.
type chosenExtension struct {
	Class        string
	newExtension func() extension.Extension
}

// newEntrance reads keys and users. All problems are returned together.
func (p Program) newEntrance(s *settings.Worker, log *zap.Logger) (*entrance, error) {
	e := &entrance{}
	log = log.Named("rest")
	var mainErr, adminErr, extensionsErr, usersErr error
	e.main, mainErr = tlsSource(s, false, s.REST.Listeners, log)
	e.admin, adminErr = tlsSource(s, true, s.REST.AdminListeners, log)
	extensionsErr = e.chooseExtensions(p, s, log)
	e.users, usersErr = newUsers(s, log)
	if e.users.on && e.logins != nil && e.logins.Open() {
		usersErr = errors.Join(usersErr, &config.Error{Key: "rest.extension.classes", Msg: "The users file of the REST interface is empty: everybody would be let in " +
			"under any name, which penstock.rest.authentication and roles rule out. Write users into it, or remove the extension."})
	}
	if plain := e.plain(s); len(plain) > 0 {
		log.Warn("Passwords and tokens of the REST interface can be read on their way to "+strings.Join(plain, ", ")+
			": use https, or listen on a loopback address behind something that does", zap.Strings("listeners", plain))
	}
	return e, errors.Join(mainErr, adminErr, extensionsErr, usersErr)
}

// plain are the listeners that take passwords or tokens and are reached by http from elsewhere.
func (e *entrance) plain(s *settings.Worker) (listeners []string) {
	asks := func(all []settings.Listener) {
		for _, l := range all {
			if ip := net.ParseIP(l.Host); l.Scheme == "http" && !ip.IsLoopback() && !strings.EqualFold(l.Host, "localhost") {
				listeners = append(listeners, l.String())
			}
		}
	}
	if e.logins != nil || s.REST.Access.Bearer {
		asks(s.REST.Listeners)
	}
	if s.REST.Access.On() { // otherwise the administration asks for no login
		asks(s.REST.AdminListeners)
	}
	return listeners
}

// tlsSource reads the TLS settings if there is an https listener. Otherwise only the client
// may need them, when another worker is reached by https, and it will report what is wrong:
// ssl.* may have been meant for other things.
func tlsSource(s *settings.Worker, admin bool, listeners []settings.Listener, log *zap.Logger) (*tlsstore.Source, error) {
	props, prefix := s.HTTPS(admin)
	source := tlsstore.NewSource(props, tlsstore.Options{Prefix: prefix, TrustOwnStore: true}, log)
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

// chooseExtensions finds the extensions, of which the basic authentication is built in.
func (e *entrance) chooseExtensions(p Program, s *settings.Worker, log *zap.Logger) error {
	const key = "rest.extension.classes"
	var problems []error
	for _, class := range s.REST.Extensions {
		if full, ok := p.restExtension(class); ok {
			e.extensions = append(e.extensions, chosenExtension{full, p.RESTExtensions[full]})
			continue
		}
		if class != basicauth.ExtensionClass && class != "BasicAuthSecurityRestExtension" {
			known := append(slices.Sorted(maps.Keys(p.RESTExtensions)), basicauth.ExtensionClass)
			problems = append(problems, &config.Error{Key: key, Msg: fmt.Sprintf("Invalid value %s for configuration %s: Class %s could not be found. "+
				"Java classes cannot be loaded; the extensions that are built in are: %s.", class, key, class, strings.Join(known, ", "))})
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
		if e.logins, err = basicauth.Open(file, log); err != nil {
			problems = append(problems, &config.Error{Key: key, Msg: err.Error()})
		}
	}
	return errors.Join(problems...)
}

// restExtension finds an extension of the program by its class name, full or simple.
func (p Program) restExtension(class string) (full string, ok bool) {
	for full := range p.RESTExtensions {
		if class == full || class == full[strings.LastIndexByte(full, '.')+1:] {
			return full, true
		}
	}
	return "", false
}

// client makes the client between workers. Questions of its own it asks as one of the users;
// what it forwards bears the login of who sent it.
func (e *entrance) client() *client.Client {
	c := client.New(client.Transport(e.main.Client))
	if e.logins != nil {
		c.Login = e.logins.Any
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

// secure adds users, CORS and headers to the options of REST.
func (w *Worker) secure(o *rest.Options) {
	r := &w.settings.REST
	o.Listen, o.Admin = listeners(r.Listeners, w.access.main), listeners(r.AdminListeners, w.access.admin)
	if w.access.logins != nil {
		o.Login = w.access.logins.Allow
	}
	o.Access = w.access.users.access(w.secrets.mask)
	o.Resolve, o.ClusterTimeout = w.resolve, w.settings.RequestTimeout()
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
