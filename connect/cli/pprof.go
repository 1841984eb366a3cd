package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"go.uber.org/zap"
)

// pprofVariable names the environment variable with the host:port where profiles are
// offered, for developers; without it nothing listens.
const pprofVariable = "PENSTOCK_PPROF"

// serveProfiles offers CPU and heap profiles where the environment says; stop ends it.
func serveProfiles(log *zap.Logger) (stop func(), err error) {
	address := os.Getenv(pprofVariable)
	if address == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s (environment variable %s): %w", address, pprofVariable, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	log.Info("offering profiles at http://" + l.Addr().String() + "/debug/pprof/")
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), restStop)
		defer cancel()
		if err := errors.Join(server.Shutdown(ctx), <-ended); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Warn("could not end the offer of profiles", zap.Error(err))
		}
	}, nil
}
