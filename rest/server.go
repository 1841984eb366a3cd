package rest

import (
	"context"
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

// Options are what a Server is made of.
type Options struct {
	// Listen holds the addresses to listen on, host:port; port 0 is any free one.
	Listen []string
	Info   api.ServerInfo
	Client *client.Client // for forwarding
	// TrackTopics and ResetAllowed are topic.tracking.enable and topic.tracking.allow.reset.
	TrackTopics, ResetAllowed bool
	// Loggers serves /admin/loggers; nil turns /admin off, as an empty admin.listeners does.
	Loggers Loggers
	Log     *zap.Logger
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
	log                       *zap.Logger

	handler   atomic.Pointer[http.Handler]
	listeners []net.Listener
	servers   []*http.Server
	failed    chan error
}

// Listen binds all listeners and starts to answer 404.
func Listen(o Options) (*Server, error) {
	s := &Server{client: o.Client, info: o.Info, trackTopics: o.TrackTopics, resetAllowed: o.ResetAllowed,
		loggers: o.Loggers, log: o.Log, failed: make(chan error, len(o.Listen))}
	for _, address := range o.Listen {
		l, err := net.Listen("tcp", address)
		if err != nil {
			s.closeListeners()
			return nil, fmt.Errorf("listen on %s (listeners): %w", address, err)
		}
		s.listeners = append(s.listeners, l)
	}
	for _, l := range s.listeners {
		server := &http.Server{
			Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout: requestTimeout, IdleTimeout: requestTimeout, MaxHeaderBytes: 64 << 10,
			ErrorLog: zap.NewStdLog(o.Log),
		}
		s.servers = append(s.servers, server)
		go func() {
			// Ends with Shutdown, which waits for it.
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				s.failed <- err
			}
		}()
	}
	return s, nil
}

// Ports returns the port of each listener, in the order of Options.Listen.
func (s *Server) Ports() []int {
	ports := make([]int, len(s.listeners))
	for i, l := range s.listeners {
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// Mount starts to answer for the herder; advertised is the worker's own URL.
func (s *Server) Mount(h Herder, advertised string) {
	s.herder, s.advertised = h, advertised
	router := s.routes()
	s.handler.Store(&router)
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

func (s *Server) closeListeners() {
	for _, l := range s.listeners {
		l.Close()
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if h := s.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}
