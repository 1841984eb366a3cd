//go:build integration

package differential

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

var (
	// A number and no time: a faster machine must not be the first to send a request.
	fuzzCount = flag.Int("differential.requests", 5_000, "how many random requests to send")
	fuzzSeed  = flag.Uint64("differential.seed", 1, "seed of the random requests")
	fuzzOnly  = flag.Int("differential.request", -1, "send only this one of the seed's requests")
)

// hung is how long a random request may take.
const hung = 10 * time.Second

// TestWildRequests sends random requests to both: they must answer, soon, and with the same
// class of status. Every request has a generator of its own, so that one can be repeated
// alone. Its file is the last that compares lists of connectors: some that are created here
// cannot be deleted from the JVM's worker, see "Paths that Jetty refuses".
func TestWildRequests(t *testing.T) {
	needWorkers(t)
	t.Logf("seed %d: repeat with -differential.seed=%d, one request with -differential.request=<n>", *fuzzSeed, *fuzzSeed)
	setUp := []step{
		{name: "running", req: "PUT /connectors/fuzz-1/config", body: `{` + quiet + `}`, until: state("fuzz-1", "RUNNING [RUNNING]")},
		{name: "stopped", req: "POST /connectors", body: post("fuzz-2", `,"initial_state":"STOPPED"`), until: state("fuzz-2", "STOPPED []")},
	}
	compare(t, setUp)
	classes := map[string]int{}
	from, to := 0, *fuzzCount
	if *fuzzOnly >= 0 {
		from, to = *fuzzOnly, *fuzzOnly+1
	}
	for n := from; n < to; n++ {
		r := randomRequest(rand.New(rand.NewPCG(*fuzzSeed, uint64(n))))
		class, err := judge(r)
		classes[class]++
		if err != nil {
			t.Errorf("request %d of seed %d: %v\n%s", n, *fuzzSeed, err, r)
		}
		if n%100 == 0 || err != nil {
			mustAnswer(t, n)
		}
	}
	mustAnswer(t, to)
	t.Logf("%d requests: %v", to-from, classes)
	mu.Lock()
	random += to - from
	mu.Unlock()
}

// judge sends a request to both and returns the class of their answers.
func judge(r request) (class string, err error) {
	// What was just changed may be visible on one of them only: a difference must last.
	for attempt := range 4 {
		if attempt > 0 {
			settle()
		}
		want, got := jvm.send(r), ours.send(r)
		for w, a := range map[*worker]answer{&jvm: want, &ours: got} {
			if a.err != nil && a.status != http.StatusBadRequest { // a server may close when it cannot read a request
				return "none", fmt.Errorf("%s: %w", w.name, a.err)
			}
			if a.took > hung {
				return "none", fmt.Errorf("%s took %v", w.name, a.took)
			}
		}
		class = fmt.Sprintf("%dxx", want.status/100)
		if want.status/100 == got.status/100 || allowed(r, want, got) {
			return class, nil
		}
		err = fmt.Errorf("the JVM answers %d %.500s\nours %d %.500s", want.status, want.body, got.status, got.body)
	}
	return class, err
}

// settle waits until both workers show the connectors of this test alike.
func settle() {
	deadline := time.Now().Add(5 * time.Second)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 3 {
		<-tick.C
	}
	r := request{method: "GET", target: "/connectors?expand=status&expand=info"}
	for time.Now().Before(deadline) && jvm.text(r, jvm.send(r)) != ours.text(r, ours.send(r)) {
		<-tick.C
	}
}

// allowed are the differences of the list that change a status class.
func allowed(r request, want, got answer) bool {
	_, malformed := url.ParseRequestURI(r.target)
	switch {
	case malformed != nil && got.status == http.StatusBadRequest:
		return true // wrong escapes, also in parameters
	case want.status == http.StatusBadRequest && !strings.HasPrefix(want.body, `{"error_code"`):
		// Jetty's refusals. What gets behind it at ours must be no trouble there; only a body of
		// another shape is a 500, as it is of the JVM's where Jetty lets it pass.
		takesBody := r.method == http.MethodPost || r.method == http.MethodPut || r.method == http.MethodPatch
		return got.status < http.StatusInternalServerError ||
			takesBody && got.status == http.StatusInternalServerError && strings.HasPrefix(got.body, `{"error_code":500`)
	case want.status == http.StatusInternalServerError && (strings.Contains(want.body, "The template variable") || strings.Contains(want.body, "Invalid syntax in the template")):
		return true // created, a name with braces
	}
	return false
}

func mustAnswer(t *testing.T, n int) {
	t.Helper()
	for _, w := range []*worker{&jvm, &ours} {
		if a := w.get("/"); a.err != nil || a.status != http.StatusOK {
			t.Fatalf("after request %d of seed %d %s does not answer: %d %v", n, *fuzzSeed, w.name, a.status, a.err)
		}
	}
}

// String shows all of a request, for repeating it by hand.
func (r request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q\n", r.method, r.target)
	for _, h := range r.header {
		fmt.Fprintf(&b, "%s: %q\n", h[0], h[1])
	}
	const most = 8000
	if len(r.body) > most {
		return fmt.Sprintf("%sbody of %d bytes: %.*q…%q", b.String(), len(r.body), most, r.body[:most], r.body[len(r.body)-200:])
	}
	return fmt.Sprintf("%sbody of %d bytes: %q", b.String(), len(r.body), r.body)
}
