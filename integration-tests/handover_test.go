//go:build integration

package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/rest/api"
)

// handoverTime is how long the work of a stopped worker may rest: the leader hears of the
// leave with its next heartbeat, after 3 s at most by default. On a machine that does nothing
// else it is less than 5 s.
const handoverTime = 10 * time.Second

// TestAStoppedWorkerHandsOverAtOnce stops one of ours and a JVM worker with the default
// delay for lost work, five minutes: under a leader of ours it runs elsewhere within seconds.
func TestAStoppedWorkerHandsOverAtOnce(t *testing.T) {
	const group, connectors = "handover", 6
	leader, second := newWorker(t, group, nil), newWorker(t, group, nil)
	leader.start()
	second.start()
	props, err := readProperties(leader.props)
	if err != nil {
		t.Fatal(err)
	}
	delete(props, "listeners")
	jvm := startJVM(t, props)
	for n := range connectors {
		leader.put(fmt.Sprintf("lines-%d", n), fileSource(filepath.Join(t.TempDir(), "none"), "handover-lines"))
	}
	jvmID := strings.TrimSuffix(strings.TrimPrefix(jvm.URL, "http://"), "/")
	secondID := strings.TrimPrefix(second.base, "http://")
	spread := func(without string) error { return running(leader, connectors, without) }
	leader.eventually(2*time.Minute, "everything runs, some of it everywhere", func() error {
		if err := spread(""); err != nil {
			return err
		}
		for _, id := range []string{jvmID, secondID} {
			if n := len(itemsOn(leader, connectors, id)); n < 3 {
				return fmt.Errorf("%s has %d items", id, n)
			}
		}
		return nil
	})

	began := time.Now()
	if code := second.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	leader.eventually(handoverTime, "the work of ours runs elsewhere", func() error { return spread(secondID) })
	t.Logf("%.1f s after SIGTERM to one of ours its work runs elsewhere", time.Since(began).Seconds())

	began = time.Now()
	if err := jvm.Stop(); err != nil {
		t.Error(err)
	}
	stopped := time.Now()
	leader.eventually(handoverTime, "the work of the JVM worker runs elsewhere", func() error { return spread(jvmID) })
	t.Logf("%.1f s after SIGTERM to a JVM worker, %.1f s after its end, its work runs elsewhere", time.Since(began).Seconds(), time.Since(stopped).Seconds())
}

// running tells what does not run, or still has a worker that is gone.
func running(w *workerProcess, connectors int, without string) error {
	for n := range connectors {
		st, err := w.status(fmt.Sprintf("lines-%d", n))
		if err != nil {
			return err
		}
		ok := len(st.Tasks) == 1 && st.Connector.State == "RUNNING" && st.Tasks[0].State == "RUNNING"
		if !ok || without != "" && (st.Connector.WorkerID == without || st.Tasks[0].WorkerID == without) {
			return fmt.Errorf("%+v", st)
		}
	}
	return nil
}

// itemsOn returns the connectors and tasks that a worker runs.
func itemsOn(w *workerProcess, connectors int, worker string) (all []string) {
	for n := range connectors {
		name := fmt.Sprintf("lines-%d", n)
		st, err := w.status(name)
		if err != nil {
			st = api.ConnectorStatus{}
		}
		if st.Connector.WorkerID == worker {
			all = append(all, name)
		}
		for _, task := range st.Tasks {
			if task.WorkerID == worker {
				all = append(all, fmt.Sprintf("%s-%d", name, task.ID))
			}
		}
	}
	return all
}
