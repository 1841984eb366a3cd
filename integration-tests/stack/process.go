package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is one started program. Its methods are for one goroutine.
type Process struct {
	Name    string
	LogPath string
	// Ready tells that the program answers; it is polled after every start.
	Ready func() bool

	args     []string
	dir      string
	env      []string
	detached bool
	cmd      *exec.Cmd
	exited   chan struct{}
}

// Start starts the program (again) and waits until it is ready.
func (p *Process) Start(ctx context.Context) error {
	log, err := os.OpenFile(p.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.Env = append(os.Environ(), p.env...)
	if p.detached {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	} else {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.cmd, p.exited = cmd, make(chan struct{})
	go func() {
		cmd.Wait() //nolint:errcheck // the log tells; waitReady reports an early end
		close(p.exited)
	}()
	return p.waitReady(ctx)
}

func (p *Process) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for p.Ready != nil && !p.Ready() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not become ready: %w\n%s", p.Name, ctx.Err(), p.logTail())
		case <-p.exited:
			return fmt.Errorf("%s ended while starting\n%s", p.Name, p.logTail())
		case <-tick.C:
		}
	}
	return nil
}

// PID returns the process id of the running program.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the running program has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ExitCode returns the exit code after Exited, -1 for a signal.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Kill ends the program at once (SIGKILL) and waits for its end.
func (p *Process) Kill() error { return p.end(syscall.SIGKILL, 0) }

// Stop ends the program with SIGTERM, or SIGKILL after 30 s, and waits for its end.
func (p *Process) Stop() error { return p.end(syscall.SIGTERM, 30*time.Second) }

func (p *Process) end(sig syscall.Signal, patience time.Duration) error {
	if p.cmd == nil {
		return nil
	}
	select {
	case <-p.exited:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	if patience > 0 {
		select {
		case <-p.exited:
			return nil
		case <-time.After(patience):
			p.cmd.Process.Kill() //nolint:errcheck // it may just have ended
		}
	}
	<-p.exited
	return nil
}

func (p *Process) logTail() string {
	b, err := os.ReadFile(p.LogPath)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// FreePorts returns n ports of 127.0.0.1 that were free a moment ago. They lie below the
// ports that the system gives to outgoing connections: a client that tries again and again
// to reach a server that is down would else, one day, be given the server's port for its
// own end, connect to itself and keep the server from starting.
func FreePorts(n int) ([]int, error) {
	const lowest, below, attempts = 15000, 32000, 200
	var ports []int
	for range attempts * n {
		if len(ports) == n {
			return ports, nil
		}
		l, err := net.Listen("tcp", hostPort(lowest+rand.IntN(below-lowest)))
		if err != nil {
			continue // taken
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return nil, fmt.Errorf("found %d free ports of 127.0.0.1 between %d and %d, %d are needed", len(ports), lowest, below, n)
}

func accepts(port int) bool {
	c, err := net.DialTimeout("tcp", hostPort(port), time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func hostPort(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// java returns the arguments of a JVM with the jars of lib and the folders before them.
func java(lib string, heapMB int, classPath []string, more ...string) []string {
	args := []string{"java", "-Xmx" + strconv.Itoa(heapMB) + "m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4",
		"-cp", strings.Join(append(classPath, filepath.Join(lib, "*")), ":")}
	return append(args, more...)
}

func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
