//go:build integration

package integration

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestAZombieStartsItsTaskAgainWhenItsSuccessorIsGone freezes a worker until another has its
// exactly-once task, and wakes it up when that one is dead. Its task is fenced, and nobody
// else is there to run it.
func TestAZombieStartsItsTaskAgainWhenItsSuccessorIsGone(t *testing.T) {
	const topic, name = "zombie-returns", "zombie-returns-source"
	in := filepath.Join(t.TempDir(), "in")
	createTopic(t, kafkaClient(t), topic, 1)
	props := exactlyOnce("session.timeout.ms", "6000", "heartbeat.interval.ms", "1000", "rebalance.timeout.ms", "7000",
		"scheduled.rebalance.max.delay.ms", "0")
	owner := newWorker(t, "zombie-returns", props)
	owner.start()
	lines := startLines(t, in)
	owner.create(name, fileSource(in, topic))
	r := readTopic(t, topic, kgo.ReadCommitted())
	r.untilLines(time.Minute, 10)

	successor := newWorker(t, "zombie-returns", props)
	successor.start()
	owner.eventually(time.Minute, "the task runs after the second worker joined", func() error {
		st, err := owner.status(name)
		if err == nil && (len(st.Tasks) != 1 || st.Tasks[0].State != "RUNNING") {
			err = fmt.Errorf("status %+v", st)
		} else if err == nil && strings.HasSuffix(successor.base, st.Tasks[0].WorkerID) {
			owner, successor = successor, owner
		}
		return err
	})
	if err := owner.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	successor.eventually(time.Minute, "the successor has the task", func() error {
		st, err := successor.status(name)
		if err == nil && (len(st.Tasks) != 1 || st.Tasks[0].State != "RUNNING" || !strings.HasSuffix(successor.base, st.Tasks[0].WorkerID)) {
			err = fmt.Errorf("status %+v", st)
		}
		return err
	})
	had := len(r.records)
	r.until(time.Minute, "lines come from the successor", func(all []*kgo.Record) bool { return len(all) > had+10 })
	successor.kill()
	if err := owner.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	woken := time.Now()
	owner.eventually(time.Minute, "the zombie's task is started again", func() error {
		if !strings.Contains(owner.log(), "starting it again") {
			return errors.New("it was not fenced, or not started again")
		}
		return nil
	})
	owner.awaitRunning(name, time.Minute)
	t.Logf("the task runs again %.1f s after its worker woke up", time.Since(woken).Seconds())
	n := lines.finish()
	r.untilLines(time.Minute, n)
	var got []string
	for _, rec := range r.more(time.Second) {
		got = append(got, string(rec.Value))
	}
	checkEachOnce(t, got, n)
}
