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
	// Log is that of the server; the requests have the logger "requests" below it.
	Log *zap.Logger
}

// Loggers changes log levels at run time, for /admin/loggers.
type Loggers interface {
	// Levels returns the effective level of every logger by name; root is "root".
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
	log                       *zap.Logger

	handler, adminHandler  atomic.Pointer[http.Handler]
	listeners, adminListen []net.Listener
	servers                []*http.Server
	failed                 chan error
}

// writeTimeout is how long an answer may take from the end of the request's header; who
// reads too slowly is cut off. It is above requestTimeout, after which handlers end.
const writeTimeout = 2 * requestTimeout

// Listen binds all listeners and starts to answer 404.
func Listen(o Options) (*Server, error) {
	s := &Server{client: o.Client, info: o.Info, trackTopics: o.TrackTopics, resetAllowed: o.ResetAllowed, loggers: o.Loggers,
		ownAdmin: len(o.Admin) > 0, cors: o.CORS, headers: o.Headers, login: o.Login, log: o.Log, failed: make(chan error, len(o.Listen)+len(o.Admin))}
	var err error
	if s.listeners, err = bind("listeners", o.Listen); err != nil {
		return nil, err
	}
	if s.adminListen, err = bind("admin.listeners", o.Admin); err != nil {
		closeAll(s.listeners)
		return nil, err
	}
	requests := o.Log.Named("requests")
	for _, l := range s.listeners {
		s.start(l, logged(requests, http.HandlerFunc(s.serve)))
	}
	for _, l := range s.adminListen {
		s.start(l, logged(requests, http.HandlerFunc(s.serveAdmin)))
	}
	return s, nil
}

// bind opens all or none. HTTPS is HTTP/1.1 as in the JVM.
func bind(key string, addresses []Listener) ([]net.Listener, error) {
	var bound []net.Listener
	for _, a := range addresses {
		l, err := net.Listen("tcp", a.Address)
		if err != nil {
			closeAll(bound)
			return nil, fmt.Errorf("listen on %s (%s): %w", a.Address, key, err)
		}
		if a.TLS != nil {
			l = tls.NewListener(l, a.TLS)
		}
		bound = append(bound, l)
	}
	return bound, nil
}

func (s *Server) start(l net.Listener, h http.Handler) {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: requestTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: requestTimeout, MaxHeaderBytes: 64 << 10, ErrorLog: zap.NewStdLog(s.log),
	}
	s.servers = append(s.servers, server)
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

// Mount starts to answer for the herder; advertised is the worker's own URL.
func (s *Server) Mount(h Herder, advertised string) {
	s.herder, s.advertised = h, advertised
	router := addHeaders(s.headers, s.routes())
	if s.cors != nil {
		router = s.cors.filter(router)
	}
	s.handler.Store(&router)
	admin := s.adminRoutes()
	s.adminHandler.Store(&admin)
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
	if h := handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}
