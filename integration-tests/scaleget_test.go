//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// restingConnectors are there, with those that run, for GETs to be answered with 1,000
// connectors; they are stopped, so that they cost little else.
const restingConnectors = 1000 - scaleConnectors

// createResting creates one in the state STOPPED; it goes on while there is no leader to ask.
func createResting(ctx context.Context, base string, n int) error {
	body := map[string]any{"name": fmt.Sprintf("resting-%03d", n), "initial_state": "STOPPED", "config": map[string]string{
		"connector.class": "org.apache.kafka.connect.tools.VerifiableSourceConnector", "topic": "scale", "throughput": "0"}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for first, deadline := true, time.Now().Add(scaleLimit); ; first = false {
		err := client.New(nil).JSON(ctx, http.MethodPost, base+"/connectors", body, nil)
		var e *api.Error
		switch {
		case err == nil, !errors.As(err, &e), e.Status != http.StatusConflict, time.Now().After(deadline):
			return err
		case !first && e.Message == fmt.Sprintf("Connector resting-%03d already exists", n):
			return nil // the answer before was too early
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sampledGETs are asked in turn. Who shows connectors or watches workers asks these.
var sampledGETs = []string{largestGET, "/connectors/scale-007/status", "/connectors/scale-100", "/connectors/scale-100/tasks",
	"/connectors/scale-007/offsets", "/connectors", "/connector-plugins", "/admin/loggers", "/health", "/"}

const largestGET = "/connectors?expand=info&expand=status"

// getSampler asks workers for these until it is stopped.
type getSampler struct {
	t    *testing.T
	quit func()
	done sync.WaitGroup
	took map[string][]time.Duration

	answered atomic.Int64
}

func sampleGETs(t *testing.T, workers []*workerProcess) *getSampler {
	ctx, cancel := context.WithCancel(t.Context())
	s := &getSampler{t: t, quit: cancel, took: map[string][]time.Duration{}}
	t.Cleanup(s.done.Wait)
	s.done.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		c := client.New(nil)
		for i := 0; ; i++ {
			path, worker := sampledGETs[i%len(sampledGETs)], workers[i%len(workers)]
			began := time.Now()
			err := c.JSON(ctx, http.MethodGet, worker.base+path, nil, nil)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				t.Errorf("GET %s: %v", path, err)
			}
			s.took[path] = append(s.took[path], time.Since(began))
			s.answered.Add(1)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return s
}

// await waits until there are enough answers to leave out one of twenty.
func (s *getSampler) await() {
	s.t.Helper()
	eventually(s.t, scaleLimit, "GETs are answered", func() error {
		if n := s.answered.Load(); n < int64(40*len(sampledGETs)) {
			return fmt.Errorf("%d were", n)
		}
		return nil
	})
}

// stop checks how long the answers took. The goal is 100 ms for each. Tests share their machine
// with what they test, Kafka included, so 95 of 100 have to keep it, and none may look as if
// it waited for something. Of the largest, of 1,000 connectors, 90 have to: in the benchmark
// 95 took up to 56 ms while workers came and went, and nothing else ran then.
func (s *getSampler) stop(when string) {
	s.t.Helper()
	s.quit()
	s.done.Wait()
	const goal, most = 100 * time.Millisecond, 2 * time.Second
	for _, path := range sampledGETs {
		took := s.took[path]
		slices.Sort(took)
		percent := 95
		if path == largestGET {
			percent = 90
		}
		half, nearly, worst := took[len(took)/2], took[len(took)*percent/100], took[len(took)-1]
		s.t.Logf("%s, GET %s: %d answers, half within %v, %d of 100 within %v, all within %v", when, path, len(took), half, percent, nearly, worst)
		if nearly > goal || worst > most {
			s.t.Errorf("%s, GET %s took too long: %d of 100 within %v (at most %v), all within %v (at most %v)", when, path, percent, nearly, goal, worst, most)
		}
	}
}
