//go:build integration

package integration

import (
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// outage is how long a component is away; the tests must not sleep for anything else.
const outage = 30 * time.Second

func TestTheTaskOutlivesAStoppedNameNode(t *testing.T) {
	surviveOutage(t, "namenode-outage", func() *stack.Process { return hdfsCluster.NameNode })
}

func TestTheTaskOutlivesAStoppedBroker(t *testing.T) {
	surviveOutage(t, "broker-outage", func() *stack.Process { return kafkaCluster.Brokers[0] })
}

// surviveOutage stops a component in the middle of the work and starts it again: the
// task must go on by itself and every record arrive once.
func surviveOutage(t *testing.T, topic string, component func() *stack.Process) {
	const partitions, n = 2, 20_000
	k, h := kafkaClient(t), hdfsClient(t)
	createTopic(t, k, topic, partitions)
	w := newWorker(t, topic, nil)
	w.start()
	w.create(topic, sinkConfig(topic, 500, nil))
	produce(t, k, topic, partitions, 0, n/2, event)
	w.eventually(time.Minute, "the work has begun", func() error {
		return reachedOffset(t, h, topicsDir(topic), topic, partitions, 1)
	})
	p := component()
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(outage)
	start := time.Now()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	produce(t, k, topic, partitions, n/2, n/2, event)
	h = hdfsClient(t) // the old connection may be dead
	w.eventually(2*time.Minute, "all records are committed", func() error {
		return reachedOffset(t, h, topicsDir(topic), topic, partitions, n)
	})
	t.Logf("component back after %.1f s, everything committed %.1f s later", back.Sub(start).Seconds(), time.Since(back).Seconds())
	checkExactlyOnce(t, h, topicsDir(topic), topic, partitions, n)
	w.awaitRunning(topic, 10*time.Second)
}
