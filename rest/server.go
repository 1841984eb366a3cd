package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/audit"
	"github.com/penstock-io/penstock/rest/client"
)

// Listener is an address to listen on, host:port; port 0 is any free one. With TLS it
// serves HTTPS.
type Listener struct {
	Address string
	TLS     *tls.Config
}

// Options are what a Server is made of.
type Options struct {
	Listen []Listener
	// Admin serve /admin, and Listen then do not.
	Admin  []Listener
	Info   api.ServerInfo
	Client *client.Client // for forwarding
	// TrackTopics and ResetAllowed are topic.tracking.enable and topic.tracking.allow.reset.
	TrackTopics, ResetAllowed bool
	// Loggers serves /admin/loggers; nil turns /admin off, as an empty admin.listeners does.
	Loggers Loggers
	// CORS and Headers are for the answers of Listen; nil for none.
	CORS    *CORS
	Headers []Header
	// Login decides on user and password of every request at Listen but those between
	// workers; both are empty when none were sent. It is safe for concurrent use; nil lets
	// everybody in.
	Login func(user, password string) bool
	// Access recognises users by more than Login, and gives them roles; nil leaves it to Login.
	Access *Access
	// Audit gets a line for each change and each request that is denied; nil writes none.
	Audit *audit.Log
	// Extensions add middleware and routes, in their order. They are configured already, and not
	// closed here.
	Extensions []Extension
	// Resolve replaces placeholders of a connector's config, and ClusterTimeout bounds questions
	// about the cluster; both are for extensions.
	Resolve        func(map[string]string) (map[string]string, error)
	ClusterTimeout time.Duration
	// Hide takes secrets out of error messages; nil leaves them.
	Hide func(text string) string
	// Log is that of the server; the requests have the logger "requests" below it.
	Log *zap.Logger
}

// Loggers changes log levels at run time, for /admin/loggers.
type Loggers interface {
	// Levels returns the effective level of every logger by name, in a map of the caller's;
	// root is "root".
	Levels() map[string]LoggerLevel
	// Set changes a namespace and returns the loggers whose level changed. The
	// level is one of log4j's, in any case.
	Set(namespace, level string) (changed []string)
}

// LoggerLevel is one logger's level.
type LoggerLevel struct {
	Level        string `json:"level"`
	LastModified *int64 `json:"last_modified"` // ms since the epoch
}

// Server serves the REST interface. Its life: Listen, which binds and answers 404; Mount,
// when the herder runs; Shutdown.
type Server struct {
	herder                    Herder
	client                    *client.Client
	info                      api.ServerInfo
	advertised                string
	trackTopics, resetAllowed bool
	loggers                   Loggers
	ownAdmin                  bool
	cors                      *CORS
	headers                   []Header
	login                     func(user, password string) bool
	access                    *Access
	audit                     *audit.Log
	extensions                extensions
	hide                      func(text string) string
	log                       *zap.Logger

	handler, adminHandler  atomic.Pointer[http.Handler]
	listeners, adminListen []net.Listener
	servers                []*http.Server
	failed                 chan error

	bodies bodies
	ended  context.Context // of all requests; ends with Shutdown
	end    context.CancelFunc
}

// Listen binds all listeners and starts to answer 404.
func Listen(o Options) (*Server, error) {
	s := newServer(o)
	var err error
	if s.listeners, err = bind("listeners", o.Listen); err != nil {
		return nil, err
	}
	if s.adminListen, err = bind("admin.listeners", o.Admin); err != nil {
		closeAll(s.listeners)
		return nil, err
	}
	for i, l := range s.listeners {
		s.start(l, o.Listen[i].TLS, http.HandlerFunc(s.serve))
	}
	for i, l := range s.adminListen {
		s.start(l, o.Admin[i].TLS, http.HandlerFunc(s.serveAdmin))
	}
	return s, nil
}

// newServer makes one that does not listen yet.
func newServer(o Options) *Server {
	s := &Server{client: o.Client, info: o.Info, trackTopics: o.TrackTopics, resetAllowed: o.ResetAllowed, loggers: o.Loggers,
		ownAdmin: len(o.Admin) > 0, cors: o.CORS, headers: o.Headers, login: o.Login, access: o.Access, audit: o.Audit, extensions: extensions{all: o.Extensions, resolve: o.Resolve, timeout: o.ClusterTimeout}, hide: o.Hide, log: o.Log, failed: make(chan error, len(o.Listen)+len(o.Admin))}
	s.ended, s.end = context.WithCancel(context.Background())
	return s
}

// bind opens all or none.
func bind(key string, addresses []Listener) ([]net.Listener, error) {
	var bound []net.Listener
	for _, a := range addresses {
		l, err := net.Listen("tcp", a.Address)
		if err != nil {
			closeAll(bound)
			return nil, fmt.Errorf("listen on %s (%s): %w", a.Address, key, err)
		}
		bound = append(bound, l)
	}
	return bound, nil
}

// start serves a listener; HTTPS is HTTP/1.1 as in the JVM.
func (s *Server) start(l net.Listener, secure *tls.Config, h http.Handler) {
	server := &http.Server{
		Handler: logged(s.log.Named("requests"), h), ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: requestTimeout, MaxHeaderBytes: maxHeader, ErrorLog: zap.NewStdLog(s.log), ConnContext: withConnection, ConnState: countIdle,
		DisableGeneralOptionsHandler: true, // OPTIONS * is for serveLoaded
	}
	s.servers = append(s.servers, server)
	l = newConnections(l, maxConnections, s.log)
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	go func() {
		// Ends with Shutdown, which waits for it.
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
}

// Ports returns the port of each listener, in the order of Options.Listen.
func (s *Server) Ports() []int { return portsOf(s.listeners) }

// AdminPorts returns those of Options.Admin.
func (s *Server) AdminPorts() []int { return portsOf(s.adminListen) }

func portsOf(listeners []net.Listener) []int {
	ports := make([]int, len(listeners))
	for i, l := range listeners {
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// Mount starts to answer for the herder; advertised is the worker's own URL. The error is that
// of an extension, and then nothing is answered.
func (s *Server) Mount(h Herder, advertised string) error {
	s.herder, s.advertised = h, advertised
	if err := s.registerExtensions(); err != nil {
		return err
	}
	router := addHeaders(s.headers, s.routes())
	if s.cors != nil {
		router = s.cors.filter(router)
	}
	s.handler.Store(&router)
	admin := s.adminRoutes()
	s.adminHandler.Store(&admin)
	return nil
}

// Failed delivers the error of a listener that broke.
func (s *Server) Failed() <-chan error { return s.failed }

// Shutdown stops listening and waits for requests under way until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	var errs []error
	for _, server := range s.servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, err, server.Close())
		}
	}
	s.end()
	return errors.Join(errs...)
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) { serveLoaded(&s.handler, w, r) }
func (s *Server) serveAdmin(w http.ResponseWriter, r *http.Request) {
	serveLoaded(&s.adminHandler, w, r)
}

func serveLoaded(handler *atomic.Pointer[http.Handler], w http.ResponseWriter, r *http.Request) {
	if h := handler.Load(); h != nil && r.RequestURI != "*" {
		(*h).ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}
