//go:build integration

package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/fstest"
	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs"
)

// hdfsCalls bounds all calls of one test.
const hdfsCalls = 20 * time.Second

// newHDFS returns a client of the code under test that the test closes, or its end does.
// The suite cleans up with a new one, when the test's context has ended.
func newHDFS(t *testing.T) filesystem.FS {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), hdfsCalls)
	defer cancel()
	fs, err := hdfsfs.New(ctx, hdfsfs.Options{URL: hdfsCluster.URL, ConfDir: hdfsCluster.ConfDir, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
	return fs
}

// TestHDFSConformance runs the contract's suite: files, names, leases between two
// clients, fencing, and the end of a client.
func TestHDFSConformance(t *testing.T) {
	fstest.Run(t, newHDFS)
}

// TestHDFSRenameNeverOverwrites lets clients fight for names; what the bare library reads
// afterwards must be the one winner's content, and each loser's file must still be there.
func TestHDFSRenameNeverOverwrites(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), hdfsCalls)
	defer cancel()
	const names, rivals = 10, 3
	bare := hdfsClient(t)
	var clients []filesystem.FS
	for r := range rivals {
		clients = append(clients, newHDFS(t))
		for n := range names {
			put(ctx, t, clients[r], fmt.Sprintf("/rename/tmp/%d-%d", n, r), fmt.Sprint(n, " of ", r))
		}
	}
	if err := clients[0].MkdirAll(ctx, "/rename/to"); err != nil {
		t.Fatal(err)
	}
	var errs [names][rivals]error
	var wg sync.WaitGroup
	for r := range rivals {
		wg.Go(func() {
			for n := range names {
				errs[n][r] = clients[r].Rename(ctx, fmt.Sprintf("/rename/tmp/%d-%d", n, r), fmt.Sprintf("/rename/to/%d", n))
			}
		})
	}
	wg.Wait()
	for n := range names {
		wins := 0
		for r, err := range errs[n] {
			left, want := fmt.Sprintf("/rename/tmp/%d-%d", n, r), fmt.Sprint(n, " of ", r)
			switch {
			case err == nil:
				wins++
				left = fmt.Sprintf("/rename/to/%d", n)
			case !errors.Is(err, filesystem.ErrExist):
				t.Errorf("name %d, rival %d: %v", n, r, err)
			}
			if got, err := bare.ReadFile(left); string(got) != want || err != nil {
				t.Errorf("%s holds %q, want %q (%v)", left, got, want, err)
			}
		}
		if wins != 1 {
			t.Errorf("%d rivals got name %d", wins, n)
		}
	}
}

// TestHDFSRecoversTheFileOfAKilledWriter: a process that dies keeps its lease; another
// takes the file over within seconds, with all that was closed and nothing invented.
func TestHDFSRecoversTheFileOfAKilledWriter(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), hdfsCalls)
	defer cancel()
	const p = "/killed/log"
	fs := newHDFS(t)
	put(ctx, t, fs, p, "closed\n")
	w := startWriter(t, p, "gathered\n")
	if _, err := fs.Append(ctx, p); !errors.Is(err, filesystem.ErrLeased) {
		t.Fatalf("append while the writer lives: %v", err)
	}
	w.kill()
	if _, err := fs.Append(ctx, p); !errors.Is(err, filesystem.ErrLeased) {
		t.Fatalf("append before the recovery: %v", err)
	}
	start := time.Now()
	if err := fs.RecoverLease(ctx, p); err != nil {
		t.Fatal(err)
	}
	kept := read(ctx, t, fs, p)
	t.Logf("recovered after %.2f s, the file holds %q", time.Since(start).Seconds(), kept)
	if !strings.HasPrefix(kept, "closed\n") || !strings.HasPrefix("closed\ngathered\n", kept) {
		t.Errorf("the file holds %q", kept)
	}
	appendTo(ctx, t, fs, p, "mine\n")
	if got, err := hdfsClient(t).ReadFile(p); string(got) != kept+"mine\n" || err != nil {
		t.Errorf("the file holds %q, want %q (%v)", got, kept+"mine\n", err)
	}
}

// TestHDFSSaysWhatAnUnrecoveredFileWaitsFor: without the DataNode nobody can tell what the
// dead writer wrote. The error says where to look, and when the DataNode is back all is well.
func TestHDFSSaysWhatAnUnrecoveredFileWaitsFor(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*hdfsCalls)
	defer cancel()
	const p = "/unrecovered/log"
	fs := newHDFS(t)
	put(ctx, t, fs, p, "closed\n")
	w := startWriter(t, p, "gathered\n")
	w.kill()
	frozen := hdfsCluster.DataNodes[0]
	noError(t, frozen.Signal(syscall.SIGSTOP))
	thaw := sync.OnceValue(func() error { return frozen.Signal(syscall.SIGCONT) })
	t.Cleanup(func() { noError(t, thaw()) })
	short, cancelShort := context.WithTimeout(ctx, 3*time.Second)
	defer cancelShort()
	err := fs.RecoverLease(short, p)
	if !errors.Is(err, filesystem.ErrLeased) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without the DataNode: %v", err)
	}
	for _, part := range []string{"hdfs: recover the lease of " + p, "DataNodes", "Block length mismatch", "hdfs debug recoverLease -path " + p} {
		if !strings.Contains(fmt.Sprint(err), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	noError(t, thaw())
	noError(t, fs.RecoverLease(ctx, p))
	if kept := read(ctx, t, fs, p); !strings.HasPrefix(kept, "closed\n") || !strings.HasPrefix("closed\ngathered\n", kept) {
		t.Errorf("the file holds %q", kept)
	}
}

// TestHDFSFencesAZombie: a process that is stopped loses its file, another works on, and
// when the first goes on it can neither write to the file nor rename over a committed one.
func TestHDFSFencesAZombie(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), hdfsCalls)
	defer cancel()
	const p, temp, committed = "/zombie/log", "/zombie/tmp", "/zombie/data"
	fs := newHDFS(t)
	put(ctx, t, fs, p, "closed\n")
	put(ctx, t, fs, temp, "zombie's data")
	w := startWriter(t, p, "gathered\n")
	w.signal(syscall.SIGSTOP)
	if err := fs.RecoverLease(ctx, p); err != nil {
		t.Fatal(err)
	}
	kept := read(ctx, t, fs, p)
	appendTo(ctx, t, fs, p, "new owner\n")
	put(ctx, t, fs, committed, "new owner's data")
	mine, err := fs.Append(ctx, p) // held while the zombie awakes
	if err != nil {
		t.Fatal(err)
	}
	w.signal(syscall.SIGCONT)
	if got := w.ask("write zombie"); !strings.HasPrefix(got, "fenced") {
		t.Errorf("the zombie's write and close: %s", got)
	}
	if got := w.ask("append"); !strings.HasPrefix(got, "leased") {
		t.Errorf("the zombie's append: %s", got)
	}
	if got := w.ask("rename " + temp + " " + committed); !strings.HasPrefix(got, "exists") {
		t.Errorf("the zombie's rename: %s", got)
	}
	if _, err := io.WriteString(mine, "still owner\n"); err != nil {
		t.Fatal(err)
	}
	if err := mine.Close(); err != nil {
		t.Fatal(err)
	}
	bare := hdfsClient(t)
	for name, want := range map[string]string{p: kept + "new owner\nstill owner\n", temp: "zombie's data", committed: "new owner's data"} {
		if got, err := bare.ReadFile(name); string(got) != want || err != nil {
			t.Errorf("%s holds %q, want %q (%v)", name, got, want, err)
		}
	}
}

func put(ctx context.Context, t *testing.T, fs filesystem.FS, p, content string) {
	t.Helper()
	w, err := fs.Create(ctx, p)
	finishFile(t, w, err, content)
}

func appendTo(ctx context.Context, t *testing.T, fs filesystem.FS, p, content string) {
	t.Helper()
	w, err := fs.Append(ctx, p)
	finishFile(t, w, err, content)
}

func finishFile(t *testing.T, w filesystem.File, err error, content string) {
	t.Helper()
	if err == nil {
		_, err = io.WriteString(w, content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func read(ctx context.Context, t *testing.T, fs filesystem.FS, p string) string {
	t.Helper()
	r, err := fs.Open(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The writer is this test program in another process, told by its environment what to
// append to. It answers each line of its input with one of its output.
const (
	writerURL  = "PENSTOCK_TEST_WRITER_URL"
	writerPath = "PENSTOCK_TEST_WRITER_PATH"
	writerText = "PENSTOCK_TEST_WRITER_TEXT"
)

type writerProcess struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

// startWriter returns when the process has the file open and has sent the text to the
// DataNodes. It ends with the test.
func startWriter(t *testing.T, p, text string) *writerProcess {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hdfsCalls) // also bounds ask
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), writerURL+"="+hdfsCluster.URL, writerPath+"="+p, writerText+"="+text)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait() //nolint:errcheck // killed, or waited for already
	})
	w := &writerProcess{t: t, cmd: cmd, in: in, out: bufio.NewReader(out)}
	if got := w.answer(); got != "ready" {
		t.Fatalf("the writer did not start: %s", got)
	}
	return w
}

func (w *writerProcess) signal(s syscall.Signal) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		w.t.Fatal(err)
	}
}

// kill ends the process as a crash does.
func (w *writerProcess) kill() {
	w.t.Helper()
	w.signal(syscall.SIGKILL)
	w.cmd.Wait() //nolint:errcheck // killed
}

func (w *writerProcess) ask(command string) string {
	w.t.Helper()
	if _, err := fmt.Fprintln(w.in, command); err != nil {
		w.t.Fatal(err)
	}
	return w.answer()
}

func (w *writerProcess) answer() string {
	w.t.Helper()
	line, err := w.out.ReadString('\n')
	if err != nil {
		w.t.Fatalf("the writer's answer: %v", err)
	}
	return strings.TrimSuffix(line, "\n")
}

// runWriter is the main function of the writer process.
func runWriter() int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p := path.Clean(os.Getenv(writerPath))
	fs, err := hdfsfs.New(ctx, hdfsfs.Options{URL: os.Getenv(writerURL)})
	if err != nil {
		fmt.Println(verdict(err))
		return 1
	}
	defer fs.Close()
	w, err := fs.Append(ctx, p)
	if err == nil {
		if _, err = io.WriteString(w, os.Getenv(writerText)); err == nil {
			err = w.Sync()
		}
	}
	if err != nil {
		fmt.Println(verdict(err))
		return 1
	}
	fmt.Println("ready")
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		switch words := strings.Fields(commands.Text()); words[0] {
		case "write":
			_, err = io.WriteString(w, words[1])
			if closeErr := w.Close(); err == nil {
				err = closeErr // a write may be gathered only
			}
		case "append":
			_, err = fs.Append(ctx, p)
		case "rename":
			err = fs.Rename(ctx, words[1], words[2])
		}
		fmt.Println(verdict(err))
	}
	return 0
}

// verdict is an error as one word of the contract, and its text.
func verdict(err error) string {
	word := "failed"
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, filesystem.ErrFenced):
		word = "fenced"
	case errors.Is(err, filesystem.ErrLeased):
		word = "leased"
	case errors.Is(err, filesystem.ErrExist):
		word = "exists"
	}
	return strings.ReplaceAll(word+": "+err.Error(), "\n", " ")
}
