package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/rest/client"
)

// scaleOptions are the flags of path C: a cluster of three workers with many connectors.
type scaleOptions struct {
	connectors int
	jvm        int
	rounds     int
	throughput int
	clients    int
	sinks      bool
}

func (o *scaleOptions) flags() {
	flag.IntVar(&o.connectors, "cluster-connectors", 1000, "path C: connectors, each with two tasks")
	flag.IntVar(&o.jvm, "cluster-jvm", 200, "path C: connectors of the run that JVM workers make, too; 0 = only ours")
	flag.IntVar(&o.rounds, "cluster-rounds", 2, "path C: how often a worker joins, stops and is killed")
	flag.IntVar(&o.throughput, "cluster-throughput", 1, "path C: records a second of each task; with 0 the JVM's tasks do not stop in order")
	flag.BoolVar(&o.sinks, "cluster-sinks", false, "path C: sinks of an empty topic instead of sources")
	flag.IntVar(&o.clients, "cluster-clients", 16, "path C: clients that create connectors at the same time")
}

const (
	scaleWorkers = 3
	scaleTasks   = 2
	// scaleLimit bounds each wait of a run.
	scaleLimit = 3 * time.Minute
	// leftLimit is how long nothing may change before what still runs after its deletion is
	// taken for left behind.
	leftLimit = 20 * time.Second
	// stuckLimit is how long nothing may change before the hand of an operator restarts what
	// is FAILED on JVM workers.
	stuckLimit = 5 * time.Second
	// delayLimit is how long it is waited for a rebalance that the default of
	// scheduled.rebalance.max.delay.ms, five minutes, may put off; with few connectors.
	delayLimit      = 30 * time.Second
	delayConnectors = 30
	// restarted is how many connectors are restarted at the same time.
	restarted = 50
	idleTime  = 10 * time.Second
	restTime  = 5 * time.Second
)

// scaleRun is one cluster with its load and what was measured of it.
type scaleRun struct {
	who        string
	connectors int
	o          options
	*cluster
	watch   *statusWatch
	members []*member
	result  scaleResult
}

// runScale measures path C and returns its table.
func runScale(ctx context.Context, k *stack.KafkaCluster, dir string, o options) (string, error) {
	type kind struct {
		who, group, binary string
		connectors         int
	}
	kinds := []kind{{"Penstock", "scale", o.worker, o.scale.connectors}}
	if o.scale.jvm > 0 {
		kinds = []kind{{"JVM worker", "scale-jvm", "", o.scale.jvm}, {"Penstock", "scale-few", o.worker, o.scale.jvm}, kinds[0]}
	}
	if err := createSinkTopic(ctx, k); err != nil {
		return "", err
	}
	var results []scaleResult
	var failed []error
	for _, kind := range kinds {
		r := &scaleRun{who: kind.who, connectors: kind.connectors, o: o, cluster: newCluster(k, dir, kind.group, kind.binary, nil)}
		delayed := &scaleRun{who: kind.who, connectors: delayConnectors, o: o,
			cluster: newCluster(k, dir, kind.group+"-delayed", kind.binary, map[string]string{"scheduled.rebalance.max.delay.ms": "300000"})}
		began := time.Now()
		err := r.run(ctx)
		if err == nil && kind.group != "scale-few" { // it is the same with few or many
			err = delayed.runDelayed(ctx)
			r.result.delayed = delayed.result.delayed
		}
		r.result.title = fmt.Sprintf("%s, %d/%d", r.who, r.connectors, r.connectors*scaleTasks)
		results = append(results, r.result)
		fmt.Printf("%s: done after %.0f s\n", r.result.title, time.Since(began).Seconds())
		if err != nil { // what the others do is worth knowing all the same
			failed = append(failed, fmt.Errorf("%s: %w", r.result.title, err))
		}
	}
	return scaleTable(results, o), errors.Join(failed...)
}

// up starts the workers; down ends them.
func (r *scaleRun) up(ctx context.Context) (err error) {
	for range scaleWorkers {
		m, err := r.start(ctx)
		if err != nil {
			return err
		}
		r.members = append(r.members, m)
	}
	r.watch, err = watchStatuses(r.kafka, r.group+"-status", r.binary != "")
	return err
}

func (r *scaleRun) down() error {
	if r.watch != nil {
		r.watch.close()
	}
	var errs []error
	for _, m := range r.members {
		errs = append(errs, m.kill())
	}
	return errors.Join(errs...)
}

// runDelayed has a worker stop in a group with the default of scheduled.rebalance.max.delay.ms.
func (r *scaleRun) runDelayed(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, r.down()) }()
	if err := r.up(ctx); err != nil {
		return err
	}
	if err := r.createAll(ctx, r.o.scale.clients); err != nil {
		return err
	}
	last := len(r.members) - 1
	leaving := r.members[last]
	r.members = r.members[:last]
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- leaving.stop() }()
	r.result.delayed = fmt.Sprintf("> %.0f", delayLimit.Seconds())
	if at, late := r.watch.await(ctx, delayLimit, r.live(), r.connectors, scaleTasks, r.stuck(ctx)); late == nil {
		r.result.delayed = fmt.Sprintf("%.2f", at.Sub(began).Seconds())
	}
	r.log("a worker left (stop), default delay: all runs after %s s", r.result.delayed)
	return <-ended
}

func (r *scaleRun) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, r.down()) }()
	if err := r.up(ctx); err != nil {
		return err
	}
	if err := r.createAll(ctx, 1); err != nil {
		return err
	}
	if err := r.deleteAll(ctx); err != nil {
		return err
	}
	if err := r.createAll(ctx, r.o.scale.clients); err != nil {
		return err
	}
	if err := r.atRest(ctx); err != nil {
		return err
	}
	if err := r.restartSome(ctx); err != nil {
		return err
	}
	for i := range r.o.scale.rounds {
		if err := r.round(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// createSinkTopic makes the topic that sinks read.
func createSinkTopic(ctx context.Context, k *stack.KafkaCluster) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(k.Bootstrap))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = kadm.NewClient(c).CreateTopic(ctx, scaleTasks, 1, nil, "scale-sinks")
	return err
}

func (r *scaleRun) log(format string, args ...any) {
	fmt.Printf("%s %s, %d connectors: %s\n", time.Now().Format("15:04:05"), r.who, r.connectors, fmt.Sprintf(format, args...))
}

// live returns the ids of the members.
func (r *scaleRun) live() []string {
	ids := make([]string, len(r.members))
	for i, m := range r.members {
		ids[i] = m.id
	}
	return ids
}

// await waits until all runs on the members, and returns how long that was after began.
func (r *scaleRun) await(ctx context.Context, began time.Time) (float64, error) {
	at, err := r.watch.await(ctx, scaleLimit, r.live(), r.connectors, scaleTasks, r.stuck(ctx))
	return max(at.Sub(began).Seconds(), 0), err
}

// stuck restarts, by hand so to say, what stays FAILED on JVM workers and says why it failed;
// that must not happen with ours.
func (r *scaleRun) stuck(ctx context.Context) func(names []string) {
	if r.binary != "" {
		return nil
	}
	return func(names []string) {
		c := client.New(nil)
		for _, name := range names {
			status, _ := get(ctx, client.ConnectorURL(r.members[0].base, name, "status"))
			r.log("restarted by hand: %.600s", status)
			r.result.restarts++
			restart := client.ConnectorURL(r.members[0].base, name, "restart") + "?includeTasks=true&onlyFailed=true"
			if err := c.JSON(ctx, http.MethodPost, restart, nil, nil); err != nil {
				r.log("%s is not restarted: %v", name, err)
			}
		}
		r.watch.touch()
	}
}

func (r *scaleRun) config(name string) map[string]string {
	if r.o.scale.sinks {
		return map[string]string{
			"name": name, "connector.class": "org.apache.kafka.connect.tools.VerifiableSinkConnector", "tasks.max": strconv.Itoa(scaleTasks), "topics": "scale-sinks",
		}
	}
	return map[string]string{
		"name": name, "connector.class": "org.apache.kafka.connect.tools.VerifiableSourceConnector", "tasks.max": strconv.Itoa(scaleTasks),
		"topic": "scale", "throughput": strconv.Itoa(r.o.scale.throughput),
	}
}

// each calls f for all connectors from a number of clients, which ask the members in turn.
func (r *scaleRun) each(clients int, f func(c *client.Client, base, name string) error) error {
	return r.some(r.connectors, clients, f)
}

// some is each for the first connectors.
func (r *scaleRun) some(connectors, clients int, f func(c *client.Client, base, name string) error) error {
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		wg.Go(func() {
			c := client.New(nil)
			for n := i; n < connectors && errs[i] == nil; n += clients {
				errs[i] = f(c, r.members[n%len(r.members)].base, fmt.Sprintf("scale-%04d", n))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// patiently repeats a request while the worker says that it is rebalancing, as clients of
// the JVM worker have to.
func patiently(f func() error) error {
	for deadline := time.Now().Add(scaleLimit); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil || !isConflict(err) || time.Now().After(deadline) {
			return err
		}
	}
}

// createAll creates the connectors and waits until all runs.
func (r *scaleRun) createAll(ctx context.Context, clients int) error {
	stop := r.members[0].profile(ctx, r.o.profile, fmt.Sprintf("%s-create-%d", r.group, clients), 10*time.Second)
	defer stop()
	sampler := r.sample(ctx)
	var mu sync.Mutex
	asked := map[string]time.Time{}
	began := time.Now()
	err := r.each(clients, func(c *client.Client, base, name string) error {
		mu.Lock()
		asked[name] = time.Now()
		mu.Unlock()
		return patiently(func() error {
			return c.JSON(ctx, http.MethodPut, client.ConnectorURL(base, name, "config"), r.config(name), nil)
		})
	})
	if err != nil {
		return errors.Join(err, sampler.stop(nil))
	}
	created := time.Now()
	settled, err := r.await(ctx, created)
	err = errors.Join(err, sampler.stop(&r.result.busy))
	took := created.Sub(began).Seconds()
	c := creation{took: took, settled: settled, started: r.watch.started(asked, scaleTasks)}
	r.log("created by %d clients in %.2f s, all runs %.2f s later; a connector's tasks run after (p50 / p95 / max, s) %s", clients, took, settled, c.spread())
	if clients == 1 {
		r.result.one = c
	} else {
		r.result.many = c
	}
	return err
}

func (r *scaleRun) deleteAll(ctx context.Context) error {
	began := time.Now()
	err := r.each(r.o.scale.clients, func(c *client.Client, base, name string) error {
		return patiently(func() error { return c.JSON(ctx, http.MethodDelete, client.ConnectorURL(base, name), nil, nil) })
	})
	if err != nil {
		return err
	}
	for left := r.watch.left(); left != ""; left = r.watch.left() {
		// JVM workers leave some statuses behind: a tombstone and RUNNING overtake each other.
		if quiet := r.watch.quiet(); quiet > leftLimit {
			took := time.Since(began) - quiet
			r.result.deleteMany = fmt.Sprintf("%.2f, but %d stay RUNNING in the status topic", took.Seconds(), r.watch.forget())
			r.log("deleted: %s", r.result.deleteMany)
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.result.deleteMany = fmt.Sprintf("%.2f", time.Since(began).Seconds())
	r.log("deleted in %s s", r.result.deleteMany)
	return nil
}

// restartSome restarts connectors with their tasks and waits until all of that has started
// again.
func (r *scaleRun) restartSome(ctx context.Context) error {
	r.watch.reset()
	n := min(restarted, r.connectors)
	sampler := r.sample(ctx)
	began := time.Now()
	err := r.some(n, r.o.scale.clients, func(c *client.Client, base, name string) error {
		return patiently(func() error {
			return c.JSON(ctx, http.MethodPost, client.ConnectorURL(base, name, "restart")+"?includeTasks=true", nil, nil)
		})
	})
	for deadline := time.Now().Add(scaleLimit); err == nil && r.watch.startedCount() < n*(1+scaleTasks); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			err = fmt.Errorf("%d of %d items were restarted after %v", r.watch.startedCount(), n*(1+scaleTasks), scaleLimit)
		}
	}
	took := 0.0
	if err == nil {
		took, err = r.await(ctx, began)
	}
	if err := errors.Join(err, sampler.stop(&r.result.busy)); err != nil {
		return err
	}
	r.result.restart.add(took, r.watch.stopped())
	r.log("restarted %d: all runs after %.2f s, %s", n, took, r.result.restart.last())
	return nil
}

// atRest measures what it costs that all runs, and how fast GETs are then.
func (r *scaleRun) atRest(ctx context.Context) error {
	time.Sleep(restTime)
	before := make([]time.Duration, len(r.members))
	for i, m := range r.members {
		var err error
		if before[i], err = cpuTime(m.pid); err != nil {
			return err
		}
	}
	time.Sleep(idleTime)
	for i, m := range r.members {
		u, err := m.usage(ctx)
		if err != nil {
			return err
		}
		after, err := cpuTime(m.pid)
		if err != nil {
			return err
		}
		u.cpu = 100 * (after - before[i]).Seconds() / idleTime.Seconds()
		r.result.usages = append(r.result.usages, u)
		r.log("at rest: %+v", u)
	}
	sampler := r.sample(ctx)
	time.Sleep(restTime)
	return sampler.stop(&r.result.rest)
}

func (m *member) usage(ctx context.Context) (u usage, err error) {
	kb, err := statusField(m.pid, "VmRSS")
	if err != nil {
		return u, err
	}
	u.rss = float64(kb) / 1024
	if u.threads, err = statusField(m.pid, "Threads"); err != nil {
		return u, err
	}
	if u.files, err = openFiles(m.pid); err != nil {
		return u, err
	}
	u.goroutines, err = m.goroutines(ctx)
	return u, err
}

// round has a fourth worker join and stop, and another one join and be killed.
func (r *scaleRun) round(ctx context.Context, i int) error {
	for _, end := range []string{"stop", "kill"} {
		if err := r.join(ctx); err != nil {
			return err
		}
		if err := r.leave(ctx, end); err != nil {
			return err
		}
	}
	return nil
}

// join starts a worker and waits until all is spread evenly.
func (r *scaleRun) join(ctx context.Context) error {
	r.watch.reset()
	sampler := r.sample(ctx)
	began := time.Now()
	m, err := r.start(ctx)
	if err != nil {
		return errors.Join(err, sampler.stop(nil))
	}
	up := time.Since(began).Seconds()
	r.members = append(r.members, m)
	took, err := r.await(ctx, began)
	if err := errors.Join(err, sampler.stop(&r.result.busy)); err != nil {
		return err
	}
	r.result.join.add(took, r.watch.stopped())
	r.log("a worker joined: up after %.2f s, even after %.2f s, %s", up, took, r.result.join.last())
	return nil
}

// leave ends the last worker and waits until all runs again.
func (r *scaleRun) leave(ctx context.Context, how string) error {
	last := len(r.members) - 1
	m := r.members[last]
	r.members = slices.Delete(r.members, last, last+1)
	r.watch.reset()
	sampler := r.sample(ctx)
	began := time.Now()
	ended := make(chan error, 1)
	into := &r.result.stop
	if how == "kill" {
		into = &r.result.kill
		if err := m.kill(); err != nil {
			return err
		}
		r.watch.killed(m.id, began)
		ended <- nil
	} else {
		go func() { ended <- m.stop() }()
	}
	took, err := r.await(ctx, began)
	if err := errors.Join(err, sampler.stop(&r.result.busy), <-ended); err != nil {
		return err
	}
	into.add(took, r.watch.stopped())
	r.log("a worker left (%s): all runs after %.2f s, %s", how, took, into.last())
	return nil
}
