//go:build integration

package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// shellBlock is a block of a document that its reader runs.
var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// script puts the blocks of a document together; each says where in the document it is.
func script(t *testing.T, document string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("set -eu\n")
	for _, at := range shellBlock.FindAllSubmatchIndex(text, -1) {
		fmt.Fprintf(&b, "echo '--- line %d'\n%s", bytes.Count(text[:at[2]], []byte{'\n'})+1, text[at[2]:at[3]])
	}
	return b.String()
}

// The how-to is run as it stands. Modules come from the local cache.
func TestHowToWriteAConnector(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	ports, err := stack.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script(t, filepath.Join(root, "docs", "how-to", "write-a-connector.md")))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PENSTOCK="+root, "KAFKA="+kafkaCluster.Bootstrap, fmt.Sprintf("PORT=%d", ports[0]), "GOFLAGS=-mod=mod")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// The script leaves a worker behind when it fails: both are in a process group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "counter", "worker.log"))
		t.Fatalf("%v\n%s\nthe worker's log:\n%s", err, out.String(), log)
	}
	// Both runs of the worker counted on: nothing is missing, nothing is repeated.
	for i, line := range fileLines(t, filepath.Join(dir, "counter", "numbers.txt")) {
		if line != fmt.Sprint(i+1) {
			t.Fatalf("number %d is %s\n%s", i+1, line, out.String())
		}
	}
}
