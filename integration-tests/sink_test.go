//go:build integration

package integration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// event is a JSON envelope with schema whose payload names its partition and number.
func event(partition int32, i int) string {
	return fmt.Sprintf(`{"schema":{"type":"struct","name":"event","optional":false,"fields":[`+
		`{"field":"p","type":"int32","optional":false},{"field":"i","type":"int64","optional":false},`+
		`{"field":"user","type":"string","optional":true},{"field":"amount","type":"double","optional":false}]},`+
		`"payload":{"p":%d,"i":%d,"user":"user-%d","amount":%d.5}}`, partition, i, i%1000, i%97)
}

// sinkConfig is an HDFS sink as a user writes it; more wins.
func sinkConfig(topic string, flushSize int, more map[string]string) map[string]string {
	c := map[string]string{
		"connector.class": "io.confluent.connect.hdfs.HdfsSinkConnector", "tasks.max": "2", "topics": topic,
		"hdfs.url": hdfsCluster.URL, "flush.size": fmt.Sprint(flushSize),
		"topics.dir": "/" + topic + "/data", "logs.dir": "/" + topic + "/logs",
		"format.class": "io.confluent.connect.hdfs.avro.AvroFormat", "retry.backoff.ms": "500",
	}
	for k, v := range more {
		c[k] = v
	}
	return c
}

func topicsDir(topic string) string { return "/" + topic + "/data" }

func TestAMillionJSONRecordsBecomeAvroFilesExactlyOnce(t *testing.T) {
	const topic, partitions, perPartition = "million", 4, 250_000
	k, h := kafkaClient(t), hdfsClient(t)
	createTopic(t, k, topic, partitions)
	w := newWorker(t, "million", nil)
	w.start()
	w.create("million", sinkConfig(topic, 50_000, map[string]string{"tasks.max": "4"}))
	start := time.Now()
	produce(t, k, topic, partitions, 0, perPartition, event)
	w.eventually(3*time.Minute, "all records are committed", func() error {
		return reachedOffset(t, h, topicsDir(topic), topic, partitions, perPartition)
	})
	t.Logf("1,000,000 records produced and committed in %.1f s", time.Since(start).Seconds())
	checkExactlyOnce(t, h, topicsDir(topic), topic, partitions, perPartition)
	if left := tempFiles(t, h, topicsDir(topic)); len(left) > 0 {
		t.Errorf("left in +tmp: %v", left)
	}
	w.eventually(30*time.Second, "the consumer group has the offsets", func() error {
		offsets, err := committed(t.Context(), k, "connect-million")
		if err != nil {
			return err
		}
		for tp, offset := range offsets {
			if offset != perPartition {
				return fmt.Errorf("%s is at %d", tp, offset)
			}
		}
		if len(offsets) != partitions {
			return fmt.Errorf("offsets of %d partitions", len(offsets))
		}
		return nil
	})
}

func TestKillNineAtRandomPointsLosesAndDoublesNothing(t *testing.T) {
	for _, tc := range []struct {
		name            string
		kills, perRound int // records of each of the 4 partitions
		more            map[string]string
	}{
		{"kafka partitions, a million records", 10, 25_000, nil},
		{"record time, hourly", 4, 6_000, map[string]string{
			"partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
			"locale":            "en", "timezone": "UTC", "timestamp.extractor": "Record"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			topic := "kill-" + strings.Fields(tc.name)[0]
			killNine(t, topic, tc.kills, tc.perRound, tc.more)
		})
	}
}

// killNine kills the worker at random points under load and checks that nothing but time
// was lost.
func killNine(t *testing.T, topic string, kills, perRound int, more map[string]string) {
	const partitions, flushSize = 4, 500
	k, h := kafkaClient(t), hdfsClient(t)
	createTopic(t, k, topic, partitions)
	w := newWorker(t, topic, nil)
	w.start()
	w.create(topic, sinkConfig(topic, flushSize, more))
	var toCommit []float64
	for round := range kills {
		produce(t, k, topic, partitions, round*perRound, perRound, event)
		// Some kills hit the recovery, some the middle of the work.
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
		w.kill()
		before := total(committedUpTo(t, h, topicsDir(topic), topic))
		start := time.Now()
		w.start()
		if before < int64((round+1)*perRound*partitions) {
			w.eventually(90*time.Second, "commits go on after the kill", func() error {
				if total(committedUpTo(t, h, topicsDir(topic), topic)) == before {
					return fmt.Errorf("still at %d", before)
				}
				return nil
			})
			toCommit = append(toCommit, time.Since(start).Seconds())
		}
	}
	n := kills * perRound
	w.eventually(2*time.Minute, "all records are committed", func() error {
		return reachedOffset(t, h, topicsDir(topic), topic, partitions, int64(n))
	})
	t.Logf("%d of %d kills hit unfinished work; seconds from restart to the next commit: %.1f", len(toCommit), kills, toCommit)
	if len(toCommit) == 0 {
		t.Error("no kill hit unfinished work: this run has tested nothing")
	} else if slices.Sort(toCommit); toCommit[len(toCommit)/2] > 5 {
		t.Errorf("half of the restarts took more than 5 s to the next commit: does the task wait for its dead member? %.1f", toCommit)
	}
	checkExactlyOnce(t, h, topicsDir(topic), topic, partitions, n)
	w.eventually(10*time.Second, "nothing is left in +tmp", func() error {
		if left := tempFiles(t, h, topicsDir(topic)); len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
}

func total(next map[int]int64) (sum int64) {
	for _, n := range next {
		sum += n
	}
	return sum
}

func TestAWorkerThatWasStoppedContinues(t *testing.T) {
	const topic, partitions = "restart", 2
	k, h := kafkaClient(t), hdfsClient(t)
	createTopic(t, k, topic, partitions)
	w := newWorker(t, topic, nil)
	w.start()
	w.create(topic, sinkConfig(topic, 100, nil))
	produce(t, k, topic, partitions, 0, 1050, event)
	w.eventually(time.Minute, "whole files are committed", func() error {
		return reachedOffset(t, h, topicsDir(topic), topic, partitions, 1000)
	})
	if code := w.stop(); code != 0 {
		t.Errorf("the exit code after SIGTERM is %d", code)
	}
	produce(t, k, topic, partitions, 1050, 950, event)
	w.start()
	w.awaitRunning(topic, time.Minute)
	w.eventually(time.Minute, "the rest is committed", func() error {
		return reachedOffset(t, h, topicsDir(topic), topic, partitions, 2000)
	})
	checkExactlyOnce(t, h, topicsDir(topic), topic, partitions, 2000)
}

func TestAConnectorDeletedAndCreatedAgainContinuesFromItsFiles(t *testing.T) {
	const topic, partitions = "recreate", 2
	k, h := kafkaClient(t), hdfsClient(t)
	createTopic(t, k, topic, partitions)
	w := newWorker(t, topic, nil)
	w.start()
	for round := 1; round <= 2; round++ {
		w.create(topic, sinkConfig(topic, 100, nil))
		produce(t, k, topic, partitions, (round-1)*500, 500, event)
		w.eventually(time.Minute, "all records are committed", func() error {
			return reachedOffset(t, h, topicsDir(topic), topic, partitions, int64(round*500))
		})
		w.delete(topic)
		w.eventually(30*time.Second, "the connector is gone", func() error {
			if _, err := w.status(topic); err == nil {
				return fmt.Errorf("it still has a status")
			}
			return nil
		})
	}
	checkExactlyOnce(t, h, topicsDir(topic), topic, partitions, 1000)
}

func TestFlushIntervalCommitsWhenTrafficStops(t *testing.T) {
	const topic, partitions = "idle", 2
	k, h := kafkaClient(t), hdfsClient(t)
	createTopic(t, k, topic, partitions)
	w := newWorker(t, topic, nil)
	w.start()
	w.create(topic, sinkConfig(topic, 1_000_000, map[string]string{"flush.interval.ms": "2000"}))
	produce(t, k, topic, partitions, 0, 10, event)
	w.eventually(30*time.Second, "the open files are committed by time", func() error {
		return reachedOffset(t, h, topicsDir(topic), topic, partitions, 10)
	})
	checkExactlyOnce(t, h, topicsDir(topic), topic, partitions, 10)
}
