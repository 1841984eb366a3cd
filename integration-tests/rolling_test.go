//go:build integration

package integration

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// rolling is a cluster that is replaced worker by worker while it works: a source of a
// file's lines, a source of numbers with three tasks and a sink with three tasks.
type rolling struct {
	*mixedGroup
	lines, numbers *taskWatch
	sink           *fileWatch
	connectors     map[string]int // with their tasks
}

const rollingPartitions = 6

var rollingDefaults = flag.Bool("rolling-defaults", false, "replace JVM workers with all times at their defaults, always the leader first")

// TestThreeJVMWorkersAreReplaced replaces three JVM workers by three of ours under load. No
// record is lost, and where the leader goes first nothing waits for the delay.
func TestThreeJVMWorkersAreReplaced(t *testing.T) {
	props := quick("scheduled.rebalance.max.delay.ms", "3000")
	if *rollingDefaults {
		props = nil
	}
	r := &rolling{mixedGroup: newMixedGroup(t, "rolling", props),
		connectors: map[string]int{"rolling-lines": 1, "rolling-numbers": 3, "rolling-sink": 3}}
	for topic, partitions := range map[string]int32{"rolling-lines": 1, "rolling-numbers": 1, "rolling-sink": rollingPartitions} {
		createTopic(t, r.kafka, topic, partitions)
	}
	r.addJVMs("JVM worker 1", "JVM worker 2", "JVM worker 3")
	leader := r.leader(t)

	dir := t.TempDir()
	lines := startLines(t, filepath.Join(dir, "in"))
	records := startFlow(t, r.kafka, "rolling-sink", rollingPartitions)
	rest := leader.via(t)
	rest.put("rolling-lines", fileSource(lines.path, "rolling-lines"))
	rest.put("rolling-numbers", verifiableSource("rolling-numbers", "tasks.max", "3"))
	rest.put("rolling-sink", fileSink("rolling-sink", filepath.Join(dir, "out"), "tasks.max", "3"))
	r.lines, r.numbers = watchTasks(t, "rolling-lines"), watchTasks(t, "rolling-numbers")
	r.sink = watchFile(t, filepath.Join(dir, "out"))
	r.settled(t, "three JVM workers", time.Now())
	// The pauses of steady work, for comparison.
	<-time.After(2 * time.Second)
	r.settled(t, "steady", time.Now())

	if *rollingDefaults {
		r.replace(t, 1, r.next(t), true)
	} else {
		// A follower, stopped before its successor is there: its work waits for the delay.
		follower := r.members[slices.IndexFunc(r.members, func(m *member) bool { return m != leader })]
		r.replace(t, 1, follower, false)
	}
	r.replace(t, 2, r.next(t), true)
	r.replace(t, 3, r.next(t), true)
	for _, m := range r.running() {
		if m.jvm != nil {
			t.Errorf("%s is still there", m.name)
		}
	}

	n := lines.finish()
	got := readTopic(t, "rolling-lines", kgo.ReadUncommitted()).untilLines(time.Minute, n)
	t.Logf("%d lines from the file, %d records repeated", n, checkNoGap(t, got, n))
	r.running()[0].via(t).delete("rolling-numbers")
	checkSeqnos(t, readTopic(t, "rolling-numbers", kgo.ReadUncommitted()).more(2*time.Second), false)
	n = records.finish()
	eventually(t, time.Minute, "the last records are in the file", func() error { return r.sink.complete(rollingPartitions, n) })
	t.Logf("%d records in each of %d partitions, %d repeated in the sink's file", n, rollingPartitions, r.sink.check(t, rollingPartitions, n))
}

// next returns the JVM worker to stop next: the leader. Whoever leads after it knows of no
// work that left, so that all that is missing is given out at once. Where ours leads, any.
func (r *rolling) next(t *testing.T) *member {
	t.Helper()
	if l := r.leader(t); l.jvm != nil {
		return l
	}
	return r.members[slices.IndexFunc(r.members, func(m *member) bool { return m.up && m.jvm != nil })]
}

// replace stops a JVM worker and starts one of ours, before or after.
func (r *rolling) replace(t *testing.T, step int, old *member, startFirst bool) {
	t.Helper()
	name := fmt.Sprintf("our worker %d", step)
	if startFirst {
		event := time.Now()
		r.addOurs(name)
		r.settled(t, fmt.Sprintf("step %d: %s joined", step, name), event)
	}
	leader := r.leader(t)
	begin := time.Now()
	old.stop()
	stopped := time.Now()
	if !startFirst {
		r.addOurs(name)
	}
	r.settled(t, fmt.Sprintf("step %d: %s stopped while %s led (the stop took %.1f s)", step, old.name, leader.name, stopped.Sub(begin).Seconds()), stopped)
	t.Logf("step %d: %s leads now", step, r.leader(t).name)
}

// settled waits until everything runs and works again and logs how long it did not.
func (r *rolling) settled(t *testing.T, what string, event time.Time) {
	t.Helper()
	streams := []struct {
		name string
		*pauses
		n int
	}{{"source of lines", r.lines.pauses, 1}, {"source of numbers", r.numbers.pauses, 3}, {"sink", r.sink.pauses, rollingPartitions}}
	r.leader(t)
	for name, tasks := range r.connectors {
		r.agree(t, name, "RUNNING", times(tasks, "RUNNING")...)
	}
	for _, s := range streams {
		eventually(t, time.Minute, "records of each "+s.name+" come", func() error { return s.since(event, s.n) })
	}
	now := time.Now()
	text := ""
	for _, s := range streams {
		eventually(t, time.Minute, "records of each "+s.name+" come", func() error { return s.since(now, s.n) })
		text += fmt.Sprintf(", %s %.1f s", s.name, s.longest().Seconds())
	}
	t.Logf("%s: all ran %.1f s after; longest pauses%s", what, now.Sub(event).Seconds(), text)
}
