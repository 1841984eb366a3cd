//go:build integration

package differential

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/rest/api"
)

// step is one request to both workers, see the package's comment.
type step struct {
	name    string
	req     string // "METHOD /path?query"
	header  string // lines "Name: value"
	body    string
	until   condition
	differs string
	alone   string // what differs between standalone workers, see there
	// restarts are the topics that tell when what the answer says has been restarted, which
	// is waited for before until.
	restarts map[*worker]*statusTopic
}

// compared counts the steps, random the random requests, and shown the uses of each difference.
var (
	mu               sync.Mutex
	compared, random int
	shown            = map[string]int{}
)

// isWhole tells whether all tests have run.
func isWhole() bool {
	return !slices.ContainsFunc(os.Args, func(arg string) bool {
		return strings.HasPrefix(arg, "-test.run") || strings.HasPrefix(arg, "-test.skip")
	})
}

// listIsUsed finds entries of the list that no step has shown.
func listIsUsed() bool {
	ok := true
	for _, d := range differences {
		if shown[d.name] == 0 {
			fmt.Printf("FAIL: no answer differs any more as the list says: %s\n", d.name)
			ok = false
		}
	}
	return ok
}

// enoughIsCompared finds out when tests no longer ask what they did.
func enoughIsCompared() bool {
	const fewest = 300
	if compared < fewest {
		fmt.Printf("FAIL: only %d requests of the tables were compared, at least %d must be\n", compared, fewest)
	}
	return compared >= fewest
}

// needWorkers skips the test where there are none.
func needWorkers(t *testing.T) {
	t.Helper()
	if jvm.addr == "" {
		t.Skip("needs the two workers; run: make integration")
	}
}

// compare sends the steps to both workers, the JVM's first, and compares the answers.
func compare(t *testing.T, steps []step) {
	t.Helper()
	needWorkers(t)
	for _, s := range steps {
		if standalone && s.alone == notAsked {
			continue
		} else if standalone && s.alone != "" {
			s.differs = s.alone
		}
		if ok := t.Run(s.name, func(t *testing.T) { s.compare(t) }); !ok && s.until != nil && !s.until.met() {
			t.Fatalf("step %q: the steps after it need what did not come about", s.name)
		}
	}
}

func (s *step) compare(t *testing.T) {
	mu.Lock()
	compared++
	path, _, _ := strings.Cut(s.req, "?")
	asked[path] = true
	mu.Unlock()
	theirs := time.Now()
	want, wantHeaders := s.ask(&jvm)
	own := time.Now()
	got, gotHeaders := s.ask(&ours)
	s.judge(t, want, got, wantHeaders, gotHeaders)
	if s.restarts != nil {
		s.awaitRestart(t, &jvm, theirs, want)
		s.awaitRestart(t, &ours, own, got)
	}
	if s.until != nil {
		s.until.await(t)
	}
}

func (s *step) judge(t *testing.T, want, got, wantHeaders, gotHeaders string) {
	t.Helper()
	d := differenceByName(s.differs)
	switch {
	case s.differs != "" && d == nil:
		t.Fatalf("%q is not in the list of differences", s.differs)
	case d == nil:
		if want != got || wantHeaders != gotHeaders {
			from := firstDifference(want, got)
			t.Errorf("%s\n%s\n%s\nthe JVM: %s\n%s\nours:    %s\n%s", s.req, s.header, shorten(s.body), shorten(want[from:]), wantHeaders, shorten(got[from:]), gotHeaders)
		}
	case want == got && (!d.headers || wantHeaders == gotHeaders):
		t.Errorf("%s: the answers no longer differ (%s): %s", s.req, s.differs, shorten(want))
	default:
		if err := d.matches(want, got); err != nil {
			from := firstDifference(want, got)
			t.Errorf("%s, difference %q: %v\n%s\nthe JVM: %s\nours:    %s", s.req, s.differs, err, shorten(s.body), shorten(want[from:]), shorten(got[from:]))
		}
		if !d.headers && wantHeaders != gotHeaders {
			t.Errorf("%s: headers\nthe JVM: %s\nours:    %s", s.req, wantHeaders, gotHeaders)
		}
		mu.Lock()
		shown[d.name]++
		mu.Unlock()
	}
}

// firstDifference returns where to show two texts from: 0, unless they are long.
func firstDifference(a, b string) int {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	if i < 1000 {
		return 0
	}
	return i - 200
}

func shorten(text string) string {
	const most = 4000
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// ask returns the masked answer of a worker: status and body, and the headers.
func (s *step) ask(w *worker) (text, headers string) {
	r := s.request(w)
	a := w.patient(r)
	return w.text(r, a), w.headers(a)
}

func (s *step) request(w *worker) request {
	method, target, _ := strings.Cut(w.expand(s.req), " ")
	r := request{method: method, target: target, body: []byte(w.expand(s.body))}
	for line := range strings.Lines(w.expand(s.header)) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ":")
		r.header = append(r.header, [2]string{name, strings.TrimPrefix(value, " ")})
	}
	typed := strings.Contains(strings.ToLower(s.header), "content-type:")
	r.hasBody = s.body != "" || typed || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
	if s.body != "" && !typed {
		r.header = append(r.header, [2]string{"Content-Type", "application/json"})
	}
	return r
}

// patient repeats a request that a rebalance kept from being served.
func (w *worker) patient(r request) answer {
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		a := w.send(r)
		if a.status != http.StatusConflict || !strings.Contains(a.body, "rebalance") && !strings.Contains(a.body, "stale configuration") || time.Now().After(deadline) {
			return a
		}
		<-tick.C
	}
}

// condition is what must be true on each worker.
type condition func(w *worker) error

func (c condition) met() bool { return c(&jvm) == nil && c(&ours) == nil }

// await waits for both workers.
func (c condition) await(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(30 * time.Second)
	for {
		theirs, own := c(&jvm), c(&ours)
		if theirs == nil && own == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s: %s: %v; %s: %v", jvm.name, theirs, ours.name, own)
		}
		<-tick.C
	}
}

// settled is true when the condition has been for a moment: what a restart changes may still
// show how it was before it.
func settled(c condition) condition {
	const moment = 250 * time.Millisecond
	since := map[*worker]time.Time{}
	return func(w *worker) error {
		if err := c(w); err != nil {
			delete(since, w)
			return err
		}
		if since[w].IsZero() {
			since[w] = time.Now()
		}
		if time.Since(since[w]) < moment {
			return errors.New("it has only just become true")
		}
		return nil
	}
}

// all is true when every one is.
func all(conditions ...condition) condition {
	return func(w *worker) error {
		for _, c := range conditions {
			if err := c(w); err != nil {
				return err
			}
		}
		return nil
	}
}

// state is a connector's status, such as "RUNNING [RUNNING FAILED]", by its name as it is in
// a path.
func state(connector, want string) condition {
	return func(w *worker) error {
		var st api.ConnectorStatus
		a := w.get("/connectors/" + connector + "/status")
		if a.err != nil || a.status != http.StatusOK {
			return fmt.Errorf("status of %s: %d %s %v", connector, a.status, a.body, a.err)
		}
		if err := json.Unmarshal([]byte(a.body), &st); err != nil {
			return err
		}
		states := []string{}
		for _, task := range st.Tasks {
			states = append(states, task.State)
		}
		if got := fmt.Sprintf("%s %v", st.Connector.State, states); got != want {
			return fmt.Errorf("%s is %s, want %s: %s", connector, got, want, a.body)
		}
		// The tasks that are known are those of the config, too.
		a = w.get("/connectors/" + connector)
		if n := strings.Count(a.body, `"task":`); a.status != http.StatusOK || n != len(states) {
			return fmt.Errorf("%s has %d tasks and the statuses %v: %s", connector, n, states, a.body)
		}
		return nil
	}
}

// gone is true when nothing is left of a connector.
func gone(connector string) condition {
	return func(w *worker) error {
		for _, path := range []string{"", "/status", "/tasks/0/status"} {
			if a := w.get("/connectors/" + connector + path); a.status != http.StatusNotFound {
				return fmt.Errorf("%s%s is still there: %d %s", connector, path, a.status, a.body)
			}
		}
		return nil
	}
}

// shows is true when the body of a GET holds a text.
func shows(path, want string) condition {
	return func(w *worker) error {
		if a := w.get(path); !strings.Contains(w.masked(a.body), want) {
			return fmt.Errorf("GET %s does not show %s: %d %s %v", path, want, a.status, w.masked(a.body), a.err)
		}
		return nil
	}
}

// get asks with {{side}} replaced.
func (w *worker) get(path string) answer {
	return w.send(request{method: http.MethodGet, target: w.expand(path)})
}
