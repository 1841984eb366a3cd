package tlsstore

import (
	"crypto/tls"
	"os"
	"sync"

	"go.uber.org/zap"
)

// Source holds ssl.* properties whose files may change while the worker runs: each new
// connection looks whether they did, and established ones go on. It is safe for concurrent use.
type Source struct {
	props   map[string]string
	options Options
	log     *zap.Logger

	mu      sync.Mutex
	current *Config
	files   map[string]os.FileInfo
}

// NewSource reads nothing yet: Config does.
func NewSource(props map[string]string, o Options, log *zap.Logger) *Source {
	return &Source{props: props, options: o, log: log}
}

// Config returns the settings as the files are now. If they changed and cannot be read, the
// last good ones remain and the log tells why: a certificate that is being replaced must not
// close the worker. Errors are thus those of the first reading only; see Read.
func (s *Source) Config() (*Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && !s.changed() {
		return s.current, nil
	}
	// The marks are taken before reading: what is written meanwhile counts as a change.
	fresh := map[string]os.FileInfo{}
	for _, file := range s.paths() {
		fresh[file], _ = os.Stat(file) // a missing file is one more state
	}
	c, err := Read(s.props, s.options)
	switch {
	case err == nil:
		if s.current != nil {
			s.log.Info("Key and trust stores have changed and were read again", zap.Strings("files", s.paths()))
		}
		s.current = c
	case s.current == nil:
		return nil, err
	default:
		s.log.Error("Key and trust stores have changed and cannot be used; those read before remain in use", zap.Error(err))
	}
	s.files = fresh
	return s.current, nil
}

// paths are the files that the properties name.
func (s *Source) paths() []string {
	r := reader{props: s.props}
	var paths []string
	for _, key := range []string{"ssl.keystore.location", "ssl.truststore.location"} {
		if path := r.str(key, ""); path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

func (s *Source) changed() bool {
	for path, old := range s.files {
		now, err := os.Stat(path)
		switch {
		case err != nil || old == nil:
			if (err == nil) != (old != nil) {
				return true
			}
		case !now.ModTime().Equal(old.ModTime()) || now.Size() != old.Size() || !os.SameFile(now, old):
			return true
		}
	}
	return false
}

// Server returns the settings of a listener, which asks for each connection. The first
// reading must have succeeded.
func (s *Source) Server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c, err := s.Config()
			if err != nil {
				return nil, err
			}
			return c.Server(), nil
		},
	}
}

// Client returns the settings of a new connection to a server.
func (s *Source) Client() (*tls.Config, error) {
	c, err := s.Config()
	if err != nil {
		return nil, err
	}
	return c.Client(), nil
}
