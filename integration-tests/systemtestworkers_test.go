//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/rest/client"
)

// systemWorker is a worker against which Kafka's own assertions and other people's clients
// are run, by the same code for ours and the JVM's: an expectation that is wrong fails on
// both. It is started by the first test that needs it, bounced by some, and lives as long
// as the tests of this package.
type systemWorker struct {
	name, group string
	jvm         bool
	protocol    string // connect.protocol

	once sync.Once
	m    *member
	err  error
}

var (
	sessionedWorker  = &systemWorker{name: "ours", group: "system", protocol: "sessioned"}
	compatibleWorker = &systemWorker{name: "ours_compatible", group: "system-compatible", protocol: "compatible"}
	eagerWorker      = &systemWorker{name: "ours_eager", group: "system-eager", protocol: "eager"}
	jvmWorker        = &systemWorker{name: "JVM", group: "system-jvm", protocol: "sessioned", jvm: true}

	// bothWorkers are one of each kind; everyProtocol is what Kafka's tests run through.
	bothWorkers   = []*systemWorker{sessionedWorker, jvmWorker}
	everyProtocol = []*systemWorker{sessionedWorker, compatibleWorker, eagerWorker, jvmWorker}
)

// launch starts the worker; it must not depend on the test that happens to be the first.
func (s *systemWorker) launch() {
	dir, err := os.MkdirTemp("", "penstock-"+s.group+"-")
	if err != nil {
		s.err = err
		return
	}
	w, props, err := prepareWorker(dir, s.group, quick("connect.protocol", s.protocol, "task.shutdown.graceful.timeout.ms", "30000",
		"value.converter", "org.apache.kafka.connect.json.JsonConverter", "key.converter", "org.apache.kafka.connect.json.JsonConverter"))
	if err != nil {
		s.err = err
		return
	}
	s.m = &member{name: s.name, rest: w, up: true}
	if !s.jvm {
		return // the test that asked starts it
	}
	delete(props, "listeners")
	if s.m.jvm, s.err = stack.StartJVMWorker(context.Background(), dir, props); s.err == nil {
		s.m.rest = &workerProcess{base: s.m.jvm.URL, logPath: s.m.jvm.LogPath, client: client.New(nil)}
	}
}

// on returns the running worker, which fails t from now on.
func (s *systemWorker) on(t *testing.T) *member {
	t.Helper()
	s.once.Do(s.launch)
	if s.err != nil {
		t.Fatalf("start the worker %s: %v", s.name, s.err)
	}
	s.m.rest.t = t
	if s.m.jvm == nil && s.m.rest.cmd == nil {
		s.m.rest.start()
	}
	if !s.m.up { // the test before died between its end and its new start
		s.m.start()
	}
	if s.m.loggers == nil {
		s.m.loggers = s.m.rest.loggers()
	}
	return s.m
}

// stopSystemWorkers ends those that were started and deletes their files.
func stopSystemWorkers() {
	for _, s := range everyProtocol {
		switch {
		case s.m == nil:
			continue
		case s.m.jvm != nil:
			_ = s.m.jvm.Kill()
		default:
			s.m.rest.kill()
		}
		os.RemoveAll(filepath.Dir(s.m.rest.logPath))
	}
}

// onEach runs a test on several workers at the same time, since it mostly waits, and leaves
// them without connectors.
func onEach(t *testing.T, workers []*systemWorker, test func(t *testing.T, m *member)) {
	t.Helper()
	for _, s := range workers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			m := s.on(t)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("the end of the log of %s:\n%s", m.name, m.rest.logTail(40))
				}
				if err := m.clear(); err != nil {
					t.Errorf("delete the connectors: %v", err)
				}
			})
			test(t, m)
		})
	}
}

// clear deletes all connectors; as a clean-up it needs a context of its own.
func (m *member) clear() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var names []string
		err := m.rest.client.JSON(ctx, http.MethodGet, m.rest.base+"/connectors", nil, &names)
		if err == nil && len(names) == 0 {
			return nil
		}
		for _, name := range names {
			// A rebalance refuses some of them: the next turn takes those.
			err = errors.Join(err, m.rest.client.JSON(ctx, http.MethodDelete, client.ConnectorURL(m.rest.base, name), nil, nil))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; connectors %v, last error: %w", ctx.Err(), names, err)
		case <-tick.C:
		}
	}
}

// unique is a name for topics and connectors of one worker.
func (m *member) unique(name string) string { return name + "-" + m.name }
