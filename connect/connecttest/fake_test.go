package connecttest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// late is held for reading by calls that take longer than the suite waits for them. They
// may begin when the tests are over, which a WaitGroup does not allow.
var late sync.RWMutex

// untilLate runs the tests and waits for what they have left behind on purpose.
type untilLate struct{ m *testing.M }

func (u untilLate) Run() int {
	code := u.m.Run()
	late.Lock()
	defer late.Unlock()
	return code
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(untilLate{m}) }

// takeLong returns too late for the suite.
func takeLong() {
	late.RLock()
	defer late.RUnlock()
	<-time.After(2 * promptly)
}

// recorder is a testing.TB that remembers failures instead of failing.
type recorder struct {
	testing.TB
	ctx    context.Context //nolint:containedctx // what Context returns
	cancel context.CancelFunc

	mu       sync.Mutex
	failures []string
	cleanups []func()
}

// record runs a case with a recorder and returns what failed.
func record(t *testing.T, c testCase) string {
	t.Helper()
	r := &recorder{TB: t}
	r.ctx, r.cancel = context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { // Fatal ends it
		defer close(done)
		defer r.cleanUp()
		c.run(r)
	}()
	<-done
	return strings.Join(r.failures, "\n")
}

func (r *recorder) cleanUp() {
	r.cancel()
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func (r *recorder) fail(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, text)
}

func (r *recorder) Helper()                      {}
func (r *recorder) Context() context.Context     { return r.ctx }
func (r *recorder) Cleanup(f func())             { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Error(args ...any)            { r.fail(fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, a ...any)    { r.fail(fmt.Sprintf(f, a...)) }
func (r *recorder) Fatal(args ...any)            { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, a ...any)    { r.Errorf(f, a...); runtime.Goexit() }
func (r *recorder) Skip(...any)                  { runtime.Goexit() }
func (r *recorder) Failed() bool                 { return len(r.failures) > 0 }
func (r *recorder) Logf(format string, a ...any) {}

// wantFailures runs cases and wants exactly those to fail whose failures are given.
func wantFailures(t *testing.T, fault string, cases []testCase, want map[string]string) {
	t.Helper()
	for _, c := range cases {
		got := record(t, c)
		switch text, ok := want[c.name]; {
		case !ok && got != "":
			t.Errorf("%s: the case %q fails: %s", fault, c.name, got)
		case ok && (got == "" || !strings.Contains(got, text)):
			t.Errorf("%s: the case %q gives %q, want something with %q", fault, c.name, got, text)
		}
		delete(want, c.name)
	}
	for name := range want {
		t.Errorf("%s: there is no case %q", fault, name)
	}
}
