//go:build integration

package integration

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// clientLimit is for one walk through a client, on a busy machine.
const clientLimit = 3 * time.Minute

// TestOtherPeoplesClients drives unmodified clients through all that they offer, against
// our worker and the JVM's: what fails on both is the script's mistake or the client's. The
// scripts, in the folder clients, check the results.
func TestOtherPeoplesClients(t *testing.T) {
	for _, one := range []struct{ client, script string }{
		{"kafka-connect-py", "kafka_connect_py.py"},
		{"kafka-connect-healthcheck", "healthcheck.py"},
		{"kafka-connect-watcher", "watcher.py"},
		{"kafka-connect-api", "connect_api.py"},
		{"kafka-connect-manager", "manager.py"},
	} {
		t.Run(one.client, func(t *testing.T) {
			onEach(t, bothWorkers, func(t *testing.T, m *member) {
				walk(t, python, filepath.Join("clients", one.script), m.rest.base, m.unique(one.client))
			})
		})
	}
	t.Run("org.sourcelab:kafka-connect-client", func(t *testing.T) {
		lib, err := stack.Jars(t.Context(), stack.Client)
		if err != nil {
			t.Fatal(err)
		}
		onEach(t, bothWorkers, func(t *testing.T, m *member) {
			walk(t, "java", "-Xmx128m", "-cp", filepath.Join(lib, "*"), filepath.Join("clients", "Client.java"), m.rest.base, m.unique("java-client"))
		})
	})
}

// walk runs a script, which ends with 0 if the client did what it should.
func walk(t *testing.T, command string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, args...)
	// What the script has started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", args[len(args)-3], err, out.String())
	}
}
