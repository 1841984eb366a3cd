package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/rest/api"
)

// scaleResult is what was measured of one cluster; times in seconds.
type scaleResult struct {
	title            string
	one, many        creation
	deleteMany       string
	usages           []usage
	rest, busy       latencies
	restart          moves // of some connectors with their tasks
	join, stop, kill moves
	restarts         int    // of what stayed FAILED, by hand
	delayed          string // the same as stop with scheduled.rebalance.max.delay.ms=300000
}

// creation is how all connectors were created.
type creation struct {
	took    float64         // until the last was created
	settled float64         // until all ran, from then
	started []time.Duration // until all tasks of a connector ran, from its request
}

func (c *creation) spread() string {
	n := len(c.started)
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f / %.2f / %.2f", c.started[n/2].Seconds(), c.started[n*95/100].Seconds(), c.started[n-1].Seconds())
}

// usage is what one worker uses at rest.
type usage struct {
	rss        float64 // MB
	cpu        float64 // % of one core
	threads    int
	files      int
	goroutines int
}

// moves are the rebalances of one kind.
type moves struct {
	took []float64 // until all runs, s
	// median and longest are how long items did not run that moved, s.
	median, longest []float64
}

func (m *moves) add(took float64, stopped []time.Duration) {
	m.took = append(m.took, took)
	if len(stopped) == 0 {
		return
	}
	m.median = append(m.median, stopped[len(stopped)/2].Seconds())
	m.longest = append(m.longest, stopped[len(stopped)-1].Seconds())
}

func (m *moves) last() string {
	n := len(m.median) - 1
	if n < 0 {
		return "nobody said what stood still"
	}
	return fmt.Sprintf("what moved stood still for %.2f s (median), %.2f s (longest)", m.median[n], m.longest[n])
}

// latencies are those of GET /connectors?expand=status&expand=info.
type latencies struct {
	took    []time.Duration
	refused int // 409, or no answer
}

// sampler asks one member after the other until it is stopped.
type sampler struct {
	quit chan struct{}
	done sync.WaitGroup
	latencies
	err error
}

// samplePause is between two requests, so that asking is not what is measured.
const samplePause = 50 * time.Millisecond

func (r *scaleRun) sample(ctx context.Context) *sampler {
	s := &sampler{quit: make(chan struct{})}
	bases := make([]string, len(r.members))
	for i, m := range r.members {
		bases[i] = m.base
	}
	s.done.Go(func() {
		for i := 0; ; i++ {
			began := time.Now()
			_, err := get(ctx, bases[i%len(bases)]+"/connectors?expand=status&expand=info")
			if err != nil {
				s.refused++
				s.err = err
			} else {
				s.took = append(s.took, time.Since(began))
			}
			select {
			case <-s.quit:
				return
			case <-time.After(samplePause):
			}
		}
	})
	return s
}

// stop ends the sampler and adds what it found to into, unless that is nil.
func (s *sampler) stop(into *latencies) error {
	close(s.quit)
	s.done.Wait()
	if into == nil {
		return nil
	}
	if s.err != nil {
		fmt.Printf("%d GETs were refused, the last with: %.200s\n", s.refused, s.err.Error())
	}
	into.took = append(into.took, s.took...)
	into.refused += s.refused
	return nil
}

func isConflict(err error) bool {
	var e *api.Error
	return errors.As(err, &e) && (e.Status == http.StatusConflict || e.Status == http.StatusInternalServerError)
}

func (l *latencies) String() string {
	if len(l.took) == 0 {
		return "-"
	}
	t := slices.Clone(l.took)
	slices.Sort(t)
	ms := func(q int) float64 { return t[min(len(t)*q/100, len(t)-1)].Seconds() * 1000 }
	text := fmt.Sprintf("%.0f / %.0f / %.0f", ms(50), ms(95), ms(100))
	if l.refused > 0 {
		text += fmt.Sprintf(" (%d refused)", l.refused)
	}
	return text
}

// what says what the connectors are.
func (o *scaleOptions) what() string {
	if o.sinks {
		return "VerifiableSink with an empty topic"
	}
	return fmt.Sprintf("VerifiableSource, %d records/s each", o.throughput)
}

// scaleTable prints the results side by side.
func scaleTable(results []scaleResult, o options) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Cluster of %s (commit %s), %s

%s. %d workers and one Kafka 4.3.1 broker on the same machine; connectors/tasks of %s;
session.timeout.ms=10000, scheduled.rebalance.max.delay.ms=0; JVM workers with a heap of 512 MB. Minimum / median / maximum of %d rebalances of a kind;
what moved stood still from UNASSIGNED, or the kill, to RUNNING on another worker.

`, version, commit, time.Now().UTC().Format("2006-01-02"), machine(), scaleWorkers, o.scale.what(), o.scale.rounds)
	line := func(what string, of func(r *scaleResult) string) {
		b.WriteString("| " + what)
		for i := range results {
			b.WriteString(" | " + of(&results[i]))
		}
		b.WriteString(" |\n")
	}
	line("", func(r *scaleResult) string { return r.title })
	line("---", func(*scaleResult) string { return "---" })
	seconds := func(c *creation, v float64) string {
		if c.took == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f", v)
	}
	for _, c := range []struct {
		how string
		of  func(r *scaleResult) *creation
	}{
		{"one after the other", func(r *scaleResult) *creation { return &r.one }},
		{fmt.Sprintf("%d clients", o.scale.clients), func(r *scaleResult) *creation { return &r.many }},
	} {
		line("create all, "+c.how+", s", func(r *scaleResult) string { return seconds(c.of(r), c.of(r).took) })
		line("… until all runs, s", func(r *scaleResult) string { return seconds(c.of(r), c.of(r).settled) })
		line("… from the request until the tasks of a connector run, p50 / p95 / max, s", func(r *scaleResult) string { return c.of(r).spread() })
	}
	line(fmt.Sprintf("delete all, %d clients, until nothing runs, s", o.scale.clients), func(r *scaleResult) string { return cmp.Or(r.deleteMany, "-") })
	for _, m := range []struct {
		what string
		of   func(r *scaleResult) *moves
	}{
		{fmt.Sprintf("restart %d with their tasks, %d clients, until all runs", restarted, o.scale.clients), func(r *scaleResult) *moves { return &r.restart }},
		{"a 4th worker starts, until all is even", func(r *scaleResult) *moves { return &r.join }},
		{"a worker is stopped (SIGTERM), until all runs", func(r *scaleResult) *moves { return &r.stop }},
		{"a worker is killed (SIGKILL), until all runs", func(r *scaleResult) *moves { return &r.kill }},
	} {
		line(m.what+", s", func(r *scaleResult) string { return span(m.of(r).took, "%.2f") })
		line("… what moved or restarted stood still, median, s", func(r *scaleResult) string { return span(m.of(r).median, "%.2f") })
		line("… the longest, s", func(r *scaleResult) string { return span(m.of(r).longest, "%.2f") })
	}
	line(fmt.Sprintf("a worker is stopped, default scheduled.rebalance.max.delay.ms, %d connectors, until all runs, s", delayConnectors),
		func(r *scaleResult) string { return cmp.Or(r.delayed, "-") })
	line("restarts by hand of what stayed FAILED", func(r *scaleResult) string { return strconv.Itoa(r.restarts) })
	line("GET /connectors?expand=status&expand=info at rest, p50 / p95 / max, ms", func(r *scaleResult) string { return r.rest.String() })
	line("the same during creations and rebalances, ms", func(r *scaleResult) string { return r.busy.String() })
	for _, u := range []struct {
		what, format string
		of           func(u usage) float64
	}{
		{"memory of a worker at rest (RSS), MB", "%.0f", func(u usage) float64 { return u.rss }},
		{"CPU of a worker at rest, % of a core", "%.1f", func(u usage) float64 { return u.cpu }},
		{"threads of a worker", "%.0f", func(u usage) float64 { return float64(u.threads) }},
		{"goroutines of a worker", "%.0f", func(u usage) float64 { return float64(u.goroutines) }},
		{"open files of a worker", "%.0f", func(u usage) float64 { return float64(u.files) }},
	} {
		line(u.what, func(r *scaleResult) string {
			var v []float64
			for _, one := range r.usages {
				v = append(v, u.of(one))
			}
			return span(v, u.format)
		})
	}
	return b.String()
}

// span prints minimum, median and maximum.
func span(values []float64, format string) string {
	if len(values) == 0 {
		return "-"
	}
	v := slices.Sorted(slices.Values(values))
	return fmt.Sprintf(format+" / "+format+" / "+format, v[0], v[len(v)/2], v[len(v)-1])
}
