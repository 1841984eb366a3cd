//go:build integration

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// What Kafka's own system test of distributed workers (connect_distributed_test) asserts
// of connectors and tasks, restated.

const tools = "org.apache.kafka.connect.tools."

func (w *workerProcess) post(path string) {
	w.t.Helper()
	w.request(http.MethodPost, path, nil)
}

// request repeats a request while a rebalance is going on, as clients of Connect must.
func (w *workerProcess) request(method, path string, answer any) {
	w.t.Helper()
	w.eventually(30*time.Second, method+" "+path, func() error {
		return w.client.JSON(w.t.Context(), method, w.base+path, nil, answer)
	})
}

// awaitState waits until the connector and its tasks are in given states.
func (w *workerProcess) awaitState(name, connector string, tasks ...string) (st api.ConnectorStatus) {
	w.t.Helper()
	w.eventually(time.Minute, fmt.Sprintf("%s is %s with tasks %v", name, connector, tasks), func() (err error) {
		if st, err = w.status(name); err != nil {
			return err
		}
		var states []string
		for _, task := range st.Tasks {
			states = append(states, task.State)
		}
		if st.Connector.State != connector || strings.Join(states, ",") != strings.Join(tasks, ",") {
			return fmt.Errorf("it is %+v", st)
		}
		return nil
	})
	return st
}

func TestAFailedConnectorIsRestarted(t *testing.T) {
	w := newWorker(t, "failed-connector", nil)
	w.start()
	createTopic(t, kafkaClient(t), "failed-connector", 1)
	for kind, more := range map[string][]string{"Sink": {"topics", "failed-connector"}, "Source": nil} {
		name := "failing-" + strings.ToLower(kind)
		w.put(name, with(map[string]string{"connector.class": tools + "Mock" + kind + "Connector", "mock_mode": "connector-failure", "delay_ms": "500"}, more...))
		// The tasks are not touched by the failure of the connector.
		st := w.awaitState(name, "FAILED", "RUNNING")
		if !strings.Contains(st.Connector.Trace, "java.lang.RuntimeException") {
			t.Errorf("trace %q", st.Connector.Trace)
		}
		w.post("/connectors/" + name + "/restart")
		w.awaitState(name, "RUNNING", "RUNNING")
		w.awaitState(name, "FAILED", "RUNNING")
	}
}

func TestAFailedTaskIsRestarted(t *testing.T) {
	w := newWorker(t, "failed-task", nil)
	w.start()
	createTopic(t, kafkaClient(t), "failed-task", 1)
	for kind, more := range map[string][]string{"Sink": {"topics", "failed-task"}, "Source": nil} {
		name := "failing-" + strings.ToLower(kind)
		w.put(name, with(map[string]string{"connector.class": tools + "Mock" + kind + "Connector", "mock_mode": "task-failure", "delay_ms": "500"}, more...))
		st := w.awaitState(name, "RUNNING", "FAILED")
		if !strings.Contains(st.Tasks[0].Trace, "java.lang.RuntimeException") {
			t.Errorf("trace %q", st.Tasks[0].Trace)
		}
		w.post("/connectors/" + name + "/tasks/0/restart")
		w.awaitState(name, "RUNNING", "RUNNING")
		w.awaitState(name, "RUNNING", "FAILED")
		// With everything in one request (KIP-745).
		w.post("/connectors/" + name + "/restart?includeTasks=true&onlyFailed=true")
		w.awaitState(name, "RUNNING", "RUNNING")
		w.awaitState(name, "RUNNING", "FAILED")
	}
}

// verifiableSource makes numbered records.
func verifiableSource(topic string, more ...string) map[string]string {
	return with(map[string]string{"connector.class": tools + "VerifiableSourceConnector", "tasks.max": "1", "topic": topic, "throughput": "200",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
		"key.converter": "org.apache.kafka.connect.json.JsonConverter", "key.converter.schemas.enable": "false"}, more...)
}

func TestAPausedSourceStaysPausedOverARestart(t *testing.T) {
	const topic, name = "paused-source", "paused-source"
	createTopic(t, kafkaClient(t), topic, 1)
	w := newWorker(t, name, nil)
	w.start()
	w.create(name, verifiableSource(topic))
	r := readTopic(t, topic, kgo.ReadUncommitted())
	r.until(time.Minute, "records come", func(all []*kgo.Record) bool { return len(all) >= 100 })
	w.request(http.MethodPut, "/connectors/"+name+"/pause", nil)
	w.awaitState(name, "PAUSED", "PAUSED")
	paused := len(r.more(time.Second))
	if got := len(r.more(2 * time.Second)); got != paused {
		t.Errorf("%d records came while the source was paused", got-paused)
	}
	w.kill()
	w.start()
	w.awaitState(name, "PAUSED", "PAUSED")
	if got := len(r.more(2 * time.Second)); got != paused {
		t.Errorf("%d records came from a source that was restarted while paused", got-paused)
	}
	w.request(http.MethodPut, "/connectors/"+name+"/resume", nil)
	w.awaitRunning(name, time.Minute)
	r.until(time.Minute, "records come again", func(all []*kgo.Record) bool { return len(all) > paused+100 })
	w.request(http.MethodPut, "/connectors/"+name+"/stop", nil)
	w.awaitState(name, "STOPPED")
	w.request(http.MethodPut, "/connectors/"+name+"/resume", nil)
	w.awaitRunning(name, time.Minute)
	checkSeqnos(t, r.more(time.Second), false)
}

func TestAPausedSinkTakesNothing(t *testing.T) {
	const topic = "paused-sink"
	k := kafkaClient(t)
	createTopic(t, k, topic, 1)
	w := newWorker(t, topic, nil)
	w.start()
	w.create("numbers", verifiableSource(topic))
	w.create("numbers-sink", map[string]string{"connector.class": tools + "VerifiableSinkConnector", "tasks.max": "1", "topics": topic,
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
		"key.converter": "org.apache.kafka.connect.json.JsonConverter", "key.converter.schemas.enable": "false"})
	sunk := func() int { return strings.Count(w.log(), `"sinkTask":0`) + strings.Count(w.log(), `"sinkTask": 0`) }
	w.eventually(time.Minute, "the sink writes", func() error {
		if sunk() < 100 {
			return fmt.Errorf("%d lines", sunk())
		}
		return nil
	})
	w.request(http.MethodPut, "/connectors/numbers-sink/pause", nil)
	w.awaitState("numbers-sink", "PAUSED", "PAUSED")
	r := readTopic(t, topic, kgo.ReadUncommitted())
	settled := -1
	w.eventually(time.Minute, "the sink has become quiet", func() error {
		now := sunk()
		r.more(300 * time.Millisecond)
		if now != sunk() {
			return errors.New("it still writes")
		}
		settled = now
		return nil
	})
	before := len(r.records)
	r.until(time.Minute, "the source goes on", func(all []*kgo.Record) bool { return len(all) > before+100 })
	if got := sunk(); got != settled {
		t.Errorf("a paused sink wrote %d records", got-settled)
	}
	w.request(http.MethodPut, "/connectors/numbers-sink/resume", nil)
	w.eventually(time.Minute, "the sink writes again", func() error {
		if sunk() < settled+100 {
			return fmt.Errorf("%d lines", sunk())
		}
		return nil
	})
}

// checkSeqnos checks the numbers of each task of a Verifiable source: none is missing, and
// with once none comes twice.
func checkSeqnos(t *testing.T, all []*kgo.Record, once bool) {
	t.Helper()
	next := map[string]int{}
	for _, r := range all {
		var seqno int
		if err := json.Unmarshal(r.Value, &seqno); err != nil {
			t.Fatalf("value %q: %v", r.Value, err)
		}
		task := string(r.Key)
		switch {
		case seqno == next[task]:
			next[task]++
		case seqno > next[task]:
			t.Fatalf("task %s: %d came, %d is missing", task, seqno, next[task])
		case once:
			t.Fatalf("task %s: %d came twice", task, seqno)
		}
	}
}

// TestWorkersAreBounced restarts three workers one after the other, in order and by
// killing them, while a source and a sink of several tasks run.
func TestWorkersAreBounced(t *testing.T) {
	const topic = "bounced"
	createTopic(t, kafkaClient(t), topic, 3)
	props := map[string]string{"scheduled.rebalance.max.delay.ms": "500", "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000"}
	var workers []*workerProcess
	for range 3 {
		w := newWorker(t, topic, props)
		w.start()
		workers = append(workers, w)
	}
	workers[0].create("numbers", verifiableSource(topic, "tasks.max", "3"))
	workers[0].create("numbers-sink", map[string]string{"connector.class": tools + "VerifiableSinkConnector", "tasks.max": "3", "topics": topic,
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
		"key.converter": "org.apache.kafka.connect.json.JsonConverter", "key.converter.schemas.enable": "false"})
	for round, clean := range []bool{true, false} {
		for i, w := range workers {
			if clean {
				if code := w.stop(); code != 0 {
					t.Fatalf("round %d: worker %d ended with %d", round, i, code)
				}
			} else {
				w.kill()
			}
			w.start()
			w.awaitRunning("numbers", time.Minute)
			w.awaitRunning("numbers-sink", time.Minute)
		}
	}
	r := readTopic(t, topic, kgo.ReadUncommitted())
	before := len(r.more(time.Second))
	r.until(time.Minute, "numbers come after the last bounce", func(all []*kgo.Record) bool { return len(all) > before+300 })
	workers[0].delete("numbers")
	all := r.more(2 * time.Second)
	checkSeqnos(t, all, false)
	// Whatever is in the topic reaches the sink.
	sunk := map[string]bool{}
	workers[0].eventually(time.Minute, "the sink has everything", func() error {
		for _, w := range workers {
			for text := range strings.SplitSeq(w.log(), "\n") {
				var out struct {
					Task, Seqno *int
					SinkTask    *int `json:"sinkTask"`
				}
				if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &out) == nil && out.SinkTask != nil && out.Seqno != nil {
					sunk[fmt.Sprintf("%d:%d", *out.Task, *out.Seqno)] = true
				}
			}
		}
		for _, rec := range all {
			if id := string(rec.Key) + ":" + string(rec.Value); !sunk[id] {
				return fmt.Errorf("%s is missing", id)
			}
		}
		return nil
	})
}

// TestAnExactlyOnceSourceIsBounced is the same with exactly-once support: no number comes
// twice for a reader of committed records.
func TestAnExactlyOnceSourceIsBounced(t *testing.T) {
	const topic = "bounced-once"
	createTopic(t, kafkaClient(t), topic, 1)
	props := exactlyOnce("scheduled.rebalance.max.delay.ms", "500", "session.timeout.ms", "6000", "heartbeat.interval.ms", "1000")
	var workers []*workerProcess
	for range 2 {
		w := newWorker(t, topic, props)
		w.start()
		workers = append(workers, w)
	}
	workers[0].create("numbers", verifiableSource(topic, "tasks.max", "2"))
	r := readTopic(t, topic, kgo.ReadCommitted())
	for round := range 4 {
		w, other := workers[round%2], workers[1-round%2]
		before := len(r.more(300 * time.Millisecond))
		if round < 2 {
			w.stop()
		} else {
			w.kill()
		}
		r.until(time.Minute, "the other worker goes on", func(all []*kgo.Record) bool { return len(all) > before+50 })
		w.start()
		other.awaitRunning("numbers", time.Minute)
	}
	workers[0].delete("numbers")
	checkSeqnos(t, r.more(2*time.Second), true)
}

// TestTransformsOfASource puts a line into a struct with the time of its record.
func TestTransformsOfASource(t *testing.T) {
	const topic = "transformed"
	in := filepath.Join(t.TempDir(), "in")
	(&lineWriter{t: t, path: in}).append(100)
	createTopic(t, kafkaClient(t), topic, 1)
	w := newWorker(t, topic, nil)
	w.start()
	w.create(topic, fileSource(in, topic, "value.converter", "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable", "true",
		"transforms", "hoistToStruct,insertTimestampField,onlyEven",
		"transforms.hoistToStruct.type", "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.hoistToStruct.field", "content",
		"transforms.insertTimestampField.type", "org.apache.kafka.connect.transforms.InsertField$Value", "transforms.insertTimestampField.timestamp.field", "ts",
		"transforms.onlyEven.type", "org.apache.kafka.connect.transforms.Filter", "transforms.onlyEven.predicate", "other",
		"predicates", "other", "predicates.other.type", "org.apache.kafka.connect.transforms.predicates.TopicNameMatches", "predicates.other.pattern", "an-other-.*"))
	r := readTopic(t, topic, kgo.ReadUncommitted())
	for i, rec := range r.until(time.Minute, "all lines come", func(all []*kgo.Record) bool { return len(all) >= 100 }) {
		var v struct {
			Schema  struct{ Type string }
			Payload struct {
				Content string
				TS      *int64
			}
		}
		if err := json.Unmarshal(rec.Value, &v); err != nil {
			t.Fatal(err)
		}
		if v.Schema.Type != "struct" || v.Payload.Content != line(i) || v.Payload.TS == nil {
			t.Fatalf("record %d is %s", i, rec.Value)
		}
	}
	st := w.awaitState(topic, "RUNNING", "RUNNING")
	if st.Type != "source" {
		t.Errorf("its type is %q", st.Type)
	}
	var topics map[string]struct{ Topics []string }
	if err := w.client.JSON(t.Context(), http.MethodGet, client.ConnectorURL(w.base, topic, "topics"), nil, &topics); err != nil || len(topics[topic].Topics) != 1 {
		t.Errorf("active topics %v, %v", topics, err)
	}
}
