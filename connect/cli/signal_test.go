package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/penstock-io/penstock/internal/kafkatest"
)

// childVariable makes a copy of the test binary behave as the worker ("worker"), or as a
// worker whose stop takes forever ("stuck").
const childVariable = "PENSTOCK_TEST_CHILD"

func child(role string) bool {
	switch role {
	case "worker":
		Main(testProgram())
	case "stuck":
		ctx, _ := signalContext()
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("stopping")
		select {}
	}
	return false
}

// process is such a copy, whose output is read line by line.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	out *bufio.Reader
	err *logBuffer
}

func spawn(t *testing.T, role string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), self, args...), err: &logBuffer{}}
	p.cmd.Env = append(os.Environ(), childVariable+"="+role)
	p.cmd.Stderr = p.err
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// await reads until a line contains the text.
func (p *process) await(text string) {
	p.t.Helper()
	var seen strings.Builder
	for {
		line, err := p.out.ReadString('\n')
		seen.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			p.t.Fatalf("no %q (%v) in\n%s\n%s", text, err, seen.String(), p.err)
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) exitCode() int {
	p.t.Helper()
	if _, err := io.Copy(io.Discard, p.out); err != nil {
		p.t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func TestASignalEndsTheWorkerInOrder(t *testing.T) {
	c := kafkatest.New(t)
	file := writeProperties(t, "worker.properties", distributedProps(c))
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			p := spawn(t, "worker", "distributed", file)
			p.await("Kafka Connect started")
			p.signal(s)
			p.await("Kafka Connect stopping")
			p.await("Kafka Connect stopped")
			if code := p.exitCode(); code != exitStopped {
				t.Errorf("exit code %d, want %d; stderr: %s", code, exitStopped, p.err)
			}
		})
	}
}

func TestASecondSignalEndsAWorkerThatDoesNotStop(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			p := spawn(t, "stuck")
			p.await("ready")
			p.signal(syscall.SIGTERM)
			p.await("stopping")
			p.signal(s)
			if code, want := p.exitCode(), exitSignal+int(s); code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
			if !strings.Contains(p.err.String(), "second signal") {
				t.Errorf("stderr does not say why: %s", p.err)
			}
		})
	}
}

func TestTheReasonOfAnExitIsOnStderr(t *testing.T) {
	p := spawn(t, "worker", "distributed", "nowhere.properties")
	if code := p.exitCode(); code != exitConfig || !strings.Contains(p.err.String(), "nowhere.properties") {
		t.Errorf("exit code %d, stderr: %s", code, p.err)
	}
}

func writeProperties(t *testing.T, name string, props map[string]string) (path string) {
	t.Helper()
	var b strings.Builder
	for k, v := range props {
		b.WriteString(k + "=" + v + "\n")
	}
	return writeText(t, name, b.String())
}

func writeText(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
