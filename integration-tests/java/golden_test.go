//go:build integration

package java

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/integration-tests/stack"
)

// A failure names the seed; another one, and more cases, look for new differences:
// REQUIRE_STACK=1 go test -tags integration ./integration-tests/java -args -seed 7 -cases 20000
var (
	seed  = flag.Uint64("seed", 1, "seed of the generated cases")
	cases = flag.Int("cases", 1000, "generated cases of each test")
	shown = flag.Int("shown", 10, "differences to print of each test")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("REQUIRE_STACK") != "1" {
		fmt.Println("SKIP: these tests start a JVM with Kafka's jars; run them with: make integration")
		return
	}
	os.Exit(m.Run())
}

// jvm is a running Golden.
type jvm struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	err bytes.Buffer
}

// startJVM compiles and starts Golden; it ends with the test.
func startJVM(t *testing.T) *jvm {
	t.Helper()
	lib, err := stack.Jars(t.Context(), stack.Connect)
	if err != nil {
		t.Fatal(err)
	}
	if err := stack.RequireTools(t.Context()); err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*.java")
	if err != nil {
		t.Fatal(err)
	}
	classes, jars := t.TempDir(), filepath.Join(lib, "*")
	javac := exec.CommandContext(t.Context(), "javac", append([]string{"--release", "17", "-d", classes, "-cp", jars}, sources...)...)
	if out, err := javac.CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	// Times, names of months and the order of messages depend on where the JVM believes to be.
	j := &jvm{cmd: exec.Command("java", "-Xmx256m", "-Xss4m", "-XX:+UseSerialGC", "-Duser.timezone=UTC", "-Duser.language=en",
		"-Duser.country=US", "-Dfile.encoding=UTF-8", "-cp", classes+":"+jars, "Golden")}
	j.cmd.Stderr, j.cmd.SysProcAttr = &j.err, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if j.in, err = j.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := j.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	j.out = bufio.NewReaderSize(out, 1<<20)
	if err := j.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		j.in.Close()
		if err := j.cmd.Wait(); err != nil {
			t.Errorf("Golden: %v\n%s", err, j.err.String())
		}
	})
	return j
}

// ask sends all questions while it reads the answers, which are decoded one for each.
func ask[Q, A any](t *testing.T, j *jvm, questions []Q) []A {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		w := bufio.NewWriter(j.in)
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		var err error
		for _, q := range questions {
			err = errors.Join(err, enc.Encode(q))
		}
		sent <- errors.Join(err, w.Flush())
	}()
	answers := make([]A, len(questions))
	for i := range answers {
		line, err := j.out.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &answers[i])
		}
		if err != nil {
			t.Fatalf("answer %d: %v\n%s\nquestion %s\n%s", i, err, line, text(questions[i]), j.err.String())
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return answers
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// failure is an exception.
type failure struct{ Class, Message string }

// differs tells how our error differs from the JVM's, "" if it does not. Ours may go on
// with advice after the JVM's words. Exceptions that no code throws on purpose only need to
// be errors here, too.
func differs(want *failure, err error) string {
	if want == nil && err == nil {
		return ""
	}
	if want == nil || err == nil {
		return fmt.Sprintf("JVM: %+v\nours: %v", want, err)
	}
	switch want.Class {
	case "java.lang.NullPointerException", "java.lang.ClassCastException", "java.lang.StackOverflowError":
		return ""
	}
	want.Message = strings.ReplaceAll(want.Message, "java.util.Collections$SingletonMap", "java.util.HashMap") // of HoistField
	if got := (failure{connect.JavaClass(err), err.Error()}); got.Class != want.Class || !strings.HasPrefix(got.Message, want.Message) {
		return cmp.Diff(*want, got)
	}
	return ""
}

// faults counts differences and prints the first ones.
type faults struct {
	t     *testing.T
	count int
}

func (f *faults) add(format string, args ...any) {
	f.t.Helper()
	if f.count++; f.count <= *shown {
		f.t.Errorf(format, args...)
	}
}

func (f *faults) report(compared int) {
	f.t.Helper()
	if f.count > *shown {
		f.t.Errorf("%d differences in all", f.count)
	}
	f.t.Logf("%d cases agree, seed %d", compared-f.count, *seed)
}

func newGen(salt uint64) *gen { return &gen{rand.New(rand.NewPCG(*seed, salt))} }

// TestAgainstTheJVM uses one JVM for everything.
func TestAgainstTheJVM(t *testing.T) {
	j := startJVM(t)
	t.Run("transforms", func(t *testing.T) { testTransforms(t, j) })
	t.Run("converters", func(t *testing.T) { testConverters(t, j) })
	t.Run("header converters", func(t *testing.T) { testHeaders(t, j) })
	t.Run("header inference", func(t *testing.T) { testValues(t, j) })
	t.Run("regular expressions", func(t *testing.T) { testRegex(t, j) })
	t.Run("date patterns", func(t *testing.T) { testDates(t, j) })
	t.Run("config providers", func(t *testing.T) { testProviders(t, j) })
	t.Run("version ranges", func(t *testing.T) { testVersions(t, j) })
}
