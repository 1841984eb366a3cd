//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
	"github.com/penstock-io/penstock/storage"
	"github.com/penstock-io/penstock/storage/records"
)

const (
	scaleConnectors = 150
	scaleTasks      = 2
	scaleLimit      = 60 * time.Second
)

// TestManyConnectorsOnThreeWorkers is the short form of the benchmark's path C: many
// connectors run, each task on exactly one worker and evenly spread, also after workers
// joined, stopped and were killed; and GETs are answered meanwhile.
func TestManyConnectorsOnThreeWorkers(t *testing.T) {
	const group = "scale"
	more := map[string]string{"scheduled.rebalance.max.delay.ms": "0", "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000"}
	workers := make([]*workerProcess, 4)
	for i := range workers {
		workers[i] = newWorker(t, group, more)
	}
	three := workers[:3]
	for _, w := range three {
		w.start()
	}
	began := time.Now()
	createMany(t, three, scaleConnectors, func(ctx context.Context, base string, n int) error {
		return createOne(ctx, base, fmt.Sprintf("scale-%03d", n))
	})
	t.Logf("%d connectors were created within %v", scaleConnectors, time.Since(began))
	awaitScale(t, three, "they run on three workers")
	createMany(t, three, restingConnectors, createResting)
	t.Logf("there are %d connectors after %v", scaleConnectors+restingConnectors, time.Since(began))
	awaitScale(t, three, "they still run when there are many more")
	rest := sampleGETs(t, three)
	rest.await()
	rest.stop("at rest")

	busy := sampleGETs(t, three)
	workers[3].start()
	awaitScale(t, workers, "they run on four workers")
	busy.await()
	busy.stop("while a worker joins")
	if code := workers[3].stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	awaitScale(t, three, "they run on three workers after the fourth was stopped")
	three[2].kill()
	awaitScale(t, three[:2], "they run on two workers after the third was killed")
}

// createMany creates connectors from several clients, which ask the workers in turn.
func createMany(t *testing.T, workers []*workerProcess, count int, create func(ctx context.Context, base string, n int) error) {
	t.Helper()
	const clients = 8
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		wg.Go(func() {
			for n := i; n < count && errs[i] == nil; n += clients {
				errs[i] = create(t.Context(), workers[n%len(workers)].base, n)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// createOne goes on while the worker has no leader to ask.
func createOne(ctx context.Context, base, name string) error {
	config := map[string]string{"connector.class": "org.apache.kafka.connect.tools.VerifiableSourceConnector",
		"tasks.max": strconv.Itoa(scaleTasks), "topic": "scale", "throughput": "0"}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(scaleLimit); ; {
		err := client.New(nil).JSON(ctx, http.MethodPut, client.ConnectorURL(base, name, "config"), config, nil)
		var e *api.Error
		if err == nil || !errors.As(err, &e) || e.Status != http.StatusConflict || time.Now().After(deadline) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitScale waits until everything runs, as REST and as the status topic have it.
func awaitScale(t *testing.T, workers []*workerProcess, what string) {
	t.Helper()
	began := time.Now()
	eventually(t, scaleLimit, what, func() error {
		if err := checkREST(t.Context(), workers); err != nil {
			return err
		}
		return checkOwners(t, workers)
	})
	t.Logf("%s: after %v", what, time.Since(began))
}

// checkREST asks a worker for all statuses: everything is RUNNING on one of the workers.
func checkREST(ctx context.Context, workers []*workerProcess) error {
	var all map[string]struct{ Status api.ConnectorStatus }
	if err := client.New(nil).JSON(ctx, http.MethodGet, workers[0].base+"/connectors?expand=status", nil, &all); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(name string, _ struct{ Status api.ConnectorStatus }) bool {
		return !strings.HasPrefix(name, "scale-")
	})
	if len(all) != scaleConnectors {
		return fmt.Errorf("%d connectors have a status", len(all))
	}
	for name, one := range all {
		if one.Status.Connector.State != "RUNNING" || len(one.Status.Tasks) != scaleTasks {
			return fmt.Errorf("connector %s: %+v", name, one.Status)
		}
		for _, task := range one.Status.Tasks {
			if task.State != "RUNNING" {
				return fmt.Errorf("task %s-%d: %+v", name, task.ID, task)
			}
		}
	}
	return nil
}

// checkOwners reads the status topic: everything has RUNNING, or STOPPED, as the last word of
// exactly one of the workers, and all have about the same number.
func checkOwners(t *testing.T, workers []*workerProcess) error {
	live := make([]string, len(workers))
	for i, w := range workers {
		live[i] = w.base[len("http://"):]
	}
	instances, tasks := map[string]int{}, map[string]int{}
	for id, words := range lastWords(t, "scale-status") {
		want := connect.StateRunning
		if !strings.HasPrefix(id.Connector, "scale-") {
			want = connect.StateStopped
		}
		var on []string
		for _, worker := range live {
			if words[worker] == want {
				on = append(on, worker)
			}
		}
		if len(on) != 1 {
			return fmt.Errorf("%v runs on %v", id, on)
		}
		if id.Task < 0 {
			instances[on[0]]++
		} else {
			tasks[on[0]]++
		}
	}
	for _, counts := range []map[string]int{instances, tasks} {
		var n []int
		for _, worker := range live {
			n = append(n, counts[worker])
		}
		if slices.Max(n)-slices.Min(n) > 1 {
			return fmt.Errorf("uneven: connectors %v, tasks %v", instances, tasks)
		}
	}
	return nil
}

// lastWords reads a status topic to its end: the last state that each worker gave for each
// task, and for each connector as the task -1.
func lastWords(t *testing.T, topic string) map[connect.TaskID]map[string]connect.State {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(kafkaCluster.Bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	words := map[connect.TaskID]map[string]connect.State{}
	say := func(id connect.TaskID, s *storage.Status) {
		switch {
		case s == nil:
			delete(words, id)
		case words[id] == nil:
			words[id] = map[string]connect.State{s.WorkerID: s.State}
		default:
			words[id][s.WorkerID] = s.State
		}
	}
	for len(left) > 0 {
		fetches := c.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			rec, _ := records.DecodeStatus(r.Key, r.Value)
			if id, status, ok := records.Instance(rec); ok {
				say(id, status)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return words
}
