//go:build capture

package capture

import (
	"net/http"
	"testing"
	"time"
)

const calm = 1500 * time.Millisecond

// TestCapture plays all scenarios on one broker.
func TestCapture(t *testing.T) {
	t.Setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC") // they start often and live short
	k := startKafka(t)
	for _, s := range []struct {
		name  string
		props map[string]string
		play  func(*cluster)
	}{
		{"growing", nil, growing},
		{"delay", map[string]string{"scheduled.rebalance.max.delay.ms": "20000"}, delay},
		{"nodelay", map[string]string{"scheduled.rebalance.max.delay.ms": "0"}, rush},
		{"rush", map[string]string{"scheduled.rebalance.max.delay.ms": "2000"}, rush},
		{"compatible", map[string]string{"connect.protocol": "compatible"}, small},
		{"eager", map[string]string{"connect.protocol": "eager"}, small},
		{"rolling", nil, rolling},
		{"orphan", nil, orphan},
		{"exactlyonce", map[string]string{"exactly.once.source.support": "enabled"}, exactlyOnce},
	} {
		t.Run(s.name, func(t *testing.T) {
			c := newCluster(t, k, s.name, s.props)
			s.play(c)
			c.save()
		})
	}
}

// growing: workers come, configs change, workers go.
func growing(c *cluster) {
	c.start("w1")
	c.sink("a", 5)
	c.source("b", 3)
	c.quiet(calm)
	c.round(func() { c.start("w2") })
	c.quiet(calm)
	c.round(func() { c.start("w3") })
	c.quiet(calm)
	c.sink("c", 4)
	c.sink("d-1", 1)
	c.quiet(calm)
	c.sink("a", 2)
	c.quiet(calm)
	c.source("b", 5)
	c.quiet(calm)
	for _, r := range []string{"b/pause", "b/resume", "c/stop", "c/resume"} {
		c.call(http.MethodPut, "/connectors/"+r, nil)
		c.quiet(calm)
	}
	c.call(http.MethodPost, "/connectors/b/restart?includeTasks=true&onlyFailed=false", nil)
	c.call(http.MethodPost, "/connectors/c/restart?includeTasks=false&onlyFailed=true", nil)
	c.call(http.MethodPut, "/admin/loggers/org.example.capture?scope=cluster", map[string]string{"level": "DEBUG"})
	c.call(http.MethodPut, "/connectors/b/topics/reset", nil)
	// A task that fails, with its trace in the status topic.
	c.call(http.MethodPut, "/connectors/broken/config", map[string]string{"connector.class": "FileStreamSink", "topics": "capture-none",
		"file": "/nonexistent/ü \"q\"", "tasks.max": "2", "a.null": "", "ünïcode": "ä€😀\"\\\t\u0001/"})
	c.quiet(calm)
	c.remove("d-1")
	c.quiet(calm)
	c.round(func() { c.kill("w3") })
	c.quiet(session + 3*time.Second)
	c.start("w4", "w5")
	c.quiet(3 * time.Second)
	c.round(func() { c.stop("w2") })
	c.quiet(5 * time.Second)
	c.round(func() { c.kill("w4") })
	c.remove("a") // while the delay runs
	c.sink("e", 4)
	c.quiet(5 * time.Second)
	c.round(func() { c.stop("w1") }) // the leader
	c.quiet(5 * time.Second)
	for _, name := range []string{"b", "c", "e", "broken"} {
		c.remove(name)
	}
	c.quiet(calm)
	c.sink("f", 5)
	c.quiet(calm)
}

// delay: workers that return within the delay, and ones that do not.
func delay(c *cluster) {
	c.start("w1")
	c.prepare("w2", "w3", "w3-again", "w2-again", "w3-third", "w4")
	c.admit("w2", "w3")
	c.sink("a", 5)
	c.sink("b", 6)
	c.sink("c", 2)
	c.settle(2 * time.Second)
	c.round(func() { c.kill("w3") })
	c.admit("w3-again")
	c.sink("d", 3)
	c.settle(2 * time.Second)
	c.round(func() { c.stop("w2", "w3-again") })
	c.admit("w2-again", "w3-third")
	c.remove("c")
	c.settle(2 * time.Second)
	// Nobody returns; a candidate that leaves again; the leader dies.
	c.round(func() { c.kill("w3-third") })
	c.admit("w4")
	c.round(func() { c.stop("w4") })
	c.settle(2 * time.Second)
	c.round(func() { c.kill("w1") })
	c.settle(session + time.Second)
}

// rush: workers that come nearly at once, so that one revocation follows another.
func rush(c *cluster) {
	c.start("w1")
	for _, name := range []string{"a", "b", "c"} {
		c.sink(name, 5)
	}
	c.prepare("w2", "w3", "w4", "w5")
	for _, name := range []string{"w2", "w3", "w4"} {
		c.round(func() { c.admit(name) })
	}
	c.settle(3 * time.Second)
	c.round(func() { c.stop("w3") })
	c.admit("w5")
	c.remove("b")
	c.sink("a", 3)
	c.settle(3 * time.Second)
	c.round(func() { c.kill("w4", "w5") })
	c.settle(session + 3*time.Second)
}

// small: a bit of everything.
func small(c *cluster) {
	c.start("w1")
	c.sink("a", 4)
	c.sink("b", 3)
	c.quiet(calm)
	c.round(func() { c.start("w2") })
	c.quiet(calm)
	c.round(func() { c.start("w3") })
	c.quiet(calm)
	c.sink("a", 1)
	c.sink("c", 5)
	c.quiet(calm)
	c.call(http.MethodPut, "/connectors/a/stop", nil)
	c.quiet(calm)
	c.round(func() { c.kill("w3") })
	c.quiet(5 * time.Second)
	c.round(func() { c.stop("w1") })
	c.quiet(5 * time.Second)
	c.remove("b")
	c.quiet(calm)
}

// rolling: the protocol goes up, down and up again with the workers.
func rolling(c *cluster) {
	eager, compatible := map[string]string{"connect.protocol": "eager"}, map[string]string{"connect.protocol": "compatible"}
	c.startWith(eager, "w1")
	c.sink("a", 4)
	c.sink("b", 3)
	c.quiet(calm)
	c.round(func() { c.startWith(compatible, "w2") })
	c.quiet(calm)
	c.round(func() { c.start("w3") })
	c.quiet(calm)
	c.round(func() { c.stop("w1") })
	c.quiet(5 * time.Second)
	c.round(func() { c.start("w4") })
	c.quiet(calm)
	c.round(func() { c.stop("w2") })
	c.quiet(5 * time.Second)
	c.sink("c", 2)
	c.quiet(calm)
	c.round(func() { c.startWith(eager, "w5") })
	c.quiet(calm)
	c.sink("d", 2)
	c.quiet(calm)
	c.round(func() { c.stop("w5") })
	c.quiet(5 * time.Second)
}

// orphan: the leader dies right after it deleted a connector, so that a new leader, which
// has no history, finds work running that is not configured.
func orphan(c *cluster) {
	c.start("w1")
	c.quiet(calm)
	c.round(func() { c.start("w2") })
	c.sink("a", 3)
	c.sink("b", 2)
	c.sink("c", 2)
	c.settle(2 * time.Second)
	c.via = "w1"
	c.round(func() {
		c.remove("a")
		c.kill("w1")
	})
	c.via = ""
	c.settle(session + 2*time.Second)
	c.round(func() { c.start("w3") })
	c.settle(2 * time.Second)
	c.sink("d", 1)
	c.settle(2 * time.Second)
}
