//go:build integration

package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/integration-tests/proxy"
	"github.com/penstock-io/penstock/integration-tests/stack"
)

// between returns a random time; the bounds are in seconds.
func between(r *rand.Rand, low, high float64) time.Duration {
	return time.Duration((low + r.Float64()*(high-low)) * float64(time.Second))
}

// fault breaks something of a worker and heals it before it returns.
type fault struct {
	weight int
	name   string
	run    func(c *chaos, w *chaosWorker, r *rand.Rand)
}

var workerFaults = []fault{
	{4, "kill", func(c *chaos, w *chaosWorker, r *rand.Rand) {
		away := between(r, 0, 8)
		if w.kill() {
			c.log("%s: killed, for %.1f s", w.name, away.Seconds())
			c.wait(away)
			w.launch()
		}
	}},
	// A crash loop.
	{1, "kill again and again", func(c *chaos, w *chaosWorker, r *rand.Rand) {
		for n := 3 + r.IntN(5); n > 0; n-- {
			alive := between(r, 0, 2.5)
			if w.kill() {
				c.log("%s: killed, %d more times, next after %.1f s", w.name, n-1, alive.Seconds())
				w.launch()
				c.wait(alive)
			}
		}
	}},
	{2, "terminate", func(c *chaos, w *chaosWorker, r *rand.Rand) {
		away := between(r, 0, 5)
		c.log("%s: SIGTERM", w.name)
		if w.stop() {
			c.wait(away)
			w.launch()
		}
	}},
	// A zombie: the group takes its work away while it sleeps, and then it goes on.
	{4, "freeze", func(c *chaos, w *chaosWorker, r *rand.Rand) { freeze(c, w, between(r, 7, 14)) }},
	{1, "blink", func(c *chaos, w *chaosWorker, r *rand.Rand) { freeze(c, w, between(r, 0.2, 4)) }},
	{5, "cut", func(c *chaos, w *chaosWorker, r *rand.Rand) {
		links := [][]string{{linkKafka}, {linkKafka}, {linkHDFS}, {linkHDFS}, {linkREST}, {linkKafka, linkHDFS, linkREST}}[r.IntN(6)]
		mode := []proxy.Mode{proxy.Stall, proxy.Stall, proxy.StallReplies, proxy.Refuse, proxy.Slow}[r.IntN(5)]
		d, lost := between(r, 0.5, 15), r.IntN(2) == 0
		c.log("%s: %s: %s for %.1f s, connections lost: %v", w.name, strings.Join(links, "+"), mode, d.Seconds(), lost)
		for _, l := range links {
			w.links[l].Set(mode)
		}
		c.wait(d)
		for _, l := range links {
			if lost {
				w.links[l].Reset()
			}
			w.links[l].Set(proxy.Pass)
		}
		c.log("%s: %s: whole again", w.name, strings.Join(links, "+"))
	}},
}

func freeze(c *chaos, w *chaosWorker, d time.Duration) {
	c.log("%s: SIGSTOP for %.1f s", w.name, d.Seconds())
	w.signal(syscall.SIGSTOP)
	c.wait(d)
	w.signal(syscall.SIGCONT)
	c.log("%s: SIGCONT", w.name)
}

// Faults of what all workers need. The broker has all of its data again afterwards.
var serverFaults = []fault{
	{3, "kill the broker", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		p := c.kafka.Brokers[0]
		c.server("broker", p.Kill, between(r, 0, 8), p.Start)
	}},
	{2, "stop the broker", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		p := c.kafka.Brokers[0]
		c.server("broker, graceful", p.Stop, between(r, 0, 8), p.Start)
	}},
	{2, "kill the NameNode", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		p := hdfsCluster.NameNode
		c.server("NameNode", p.Kill, between(r, 0, 5), p.Start)
	}},
	{1, "kill the DataNode", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		p := hdfsCluster.DataNodes[0]
		c.server("DataNode", p.Kill, between(r, 0, 5), p.Start)
	}},
	{2, "hang the broker", func(c *chaos, _ *chaosWorker, r *rand.Rand) { hang(c, "broker", c.kafka.Brokers[0], between(r, 1, 7)) }},
	{2, "hang the NameNode", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		hang(c, "NameNode", hdfsCluster.NameNode, between(r, 1, 15))
	}},
	{2, "hang the DataNode", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		hang(c, "DataNode", hdfsCluster.DataNodes[0], between(r, 1, 15))
	}},
	{1, "kill all workers", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		away := between(r, 0, 5)
		everywhere(c, func(w *chaosWorker) {
			if w.kill() {
				c.log("%s: killed like all, for %.1f s", w.name, away.Seconds())
				c.wait(away)
				w.launch()
			}
		})
	}},
	{1, "freeze all workers", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		d := between(r, 1, 12)
		everywhere(c, func(w *chaosWorker) { freeze(c, w, d) })
	}},
}

// hang stops a server for a time as a full disk or a long garbage collection does: its
// connections stay and nothing answers.
func hang(c *chaos, name string, p *stack.Process, d time.Duration) {
	c.log("%s: SIGSTOP for %.1f s", name, d.Seconds())
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		c.problem("%s: %v", name, err)
	}
	c.wait(d)
	if err := p.Signal(syscall.SIGCONT); err != nil {
		c.problem("%s: %v", name, err)
	}
	c.log("%s: SIGCONT", name)
}

// everywhere does something to all workers of the group with exactly-once sources at once.
func everywhere(c *chaos, do func(w *chaosWorker)) {
	var all sync.WaitGroup
	for _, w := range c.once {
		all.Go(func() {
			w.busy.Lock()
			defer w.busy.Unlock()
			do(w)
		})
	}
	all.Wait()
}

// lane is one sequence of random faults, until the time is up.
type lane struct {
	faults    []fault
	workers   []*chaosWorker // of which one suffers; none for servers
	low, high float64        // seconds of calm between faults
}

// run lets faults happen. What is chosen depends on the seed alone.
func (l lane) run(c *chaos, r *rand.Rand) {
	total := 0
	for _, f := range l.faults {
		total += f.weight
	}
	for c.wait(between(r, l.low, l.high)); !c.over(); c.wait(between(r, l.low, l.high)) {
		n, f := r.IntN(total), 0
		for ; n >= l.faults[f].weight; f++ {
			n -= l.faults[f].weight
		}
		if l.workers == nil {
			l.faults[f].run(c, nil, r)
			c.count(l.faults[f].name)
			continue
		}
		w := l.workers[r.IntN(len(l.workers))]
		own := rand.New(rand.NewPCG(r.Uint64(), 1))
		if w.busy.TryLock() {
			l.faults[f].run(c, w, own)
			c.count(l.faults[f].name)
			w.busy.Unlock()
		}
	}
}

// rage runs the lanes until the time is up and everything is healed.
func (c *chaos) rage(lanes []lane) {
	var all sync.WaitGroup
	for i, l := range lanes {
		all.Go(func() { l.run(c, rand.New(rand.NewPCG(c.seed, uint64(i+2)))) })
	}
	all.Wait()
	c.log("everything is healed after %d faults: %s", c.faults(), c.summary())
}

// restartDataNode ends what a DataNode that was frozen in the middle of a write may keep: a
// replica whose length it does not believe itself ("Block length mismatch, … RBW"), so that it
// refuses to recover the block, and with it the lease of the file, until it is started again.
// With more replicas another DataNode would do it.
func (c *chaos) restartDataNode() {
	p := hdfsCluster.DataNodes[0]
	c.server("DataNode, a last time", p.Stop, 0, p.Start)
}

func (c *chaos) summary() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.counts)
}
