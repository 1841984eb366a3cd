//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/rest/api"
)

// What Kafka's own system test of distributed workers (connect_distributed_test) asserts of
// the states of connectors and tasks, restated and run against both kinds of workers.

const tools = "org.apache.kafka.connect.tools."

// failsAfter is how long Mock connectors and tasks run: their running must be seen, too,
// on a machine that is busy.
const failsAfter = "3000"

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

// TestWhatFailedIsRestarted restarts connectors and tasks in all ways that there are.
func TestWhatFailedIsRestarted(t *testing.T) {
	restarts := map[string][]string{
		"connector-failure": {"/restart", "/restart?includeTasks=false&onlyFailed=true", "/restart?includeTasks=true&onlyFailed=true"},
		"task-failure":      {"/tasks/0/restart", "/restart?includeTasks=true&onlyFailed=false", "/restart?includeTasks=true&onlyFailed=true"},
	}
	onEach(t, everyProtocol, func(t *testing.T, m *member) {
		topic := m.unique("failing")
		createTopic(t, kafkaClient(t), topic, 1)
		modes := map[string]string{} // by name
		for mode := range restarts {
			for kind, more := range map[string][]string{"Sink": {"topics", topic}, "Source": nil} {
				name := m.unique(mode + "-" + strings.ToLower(kind))
				m.rest.put(name, with(map[string]string{"connector.class": tools + "Mock" + kind + "Connector", "mock_mode": mode, "delay_ms": failsAfter}, more...))
				modes[name] = mode
			}
		}
		for round := range 3 {
			for name, mode := range modes {
				// The failure of a connector does not touch its tasks, nor the other way round.
				failed, trace := []string{"RUNNING", "FAILED"}, func(st api.ConnectorStatus) string { return st.Tasks[0].Trace }
				if mode == "connector-failure" {
					failed, trace = []string{"FAILED", "RUNNING"}, func(st api.ConnectorStatus) string { return st.Connector.Trace }
				}
				if st := m.rest.awaitState(name, failed[0], failed[1]); !strings.Contains(trace(st), "java.lang.RuntimeException") {
					t.Errorf("trace %q", trace(st))
				}
			}
			for name, mode := range modes {
				m.rest.post("/connectors/" + name + restarts[mode][round])
				m.rest.awaitState(name, "RUNNING", "RUNNING")
			}
		}
	})
}

// verifiable are converters that keep the numbers of Verifiable sources readable.
func verifiable(config map[string]string, more ...string) map[string]string {
	return with(with(map[string]string{"tasks.max": "1",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
		"key.converter": "org.apache.kafka.connect.json.JsonConverter", "key.converter.schemas.enable": "false"}, flat(config)...), more...)
}

func flat(config map[string]string) (kv []string) {
	for k, v := range config {
		kv = append(kv, k, v)
	}
	return kv
}

// verifiableSource makes numbered records.
func verifiableSource(topic string, more ...string) map[string]string {
	return verifiable(map[string]string{"connector.class": tools + "VerifiableSourceConnector", "topic": topic, "throughput": "200"}, more...)
}

// verifiableSink prints the records of a topic into the log.
func verifiableSink(topic string, more ...string) map[string]string {
	return verifiable(map[string]string{"connector.class": tools + "VerifiableSinkConnector", "topics": topic}, more...)
}

func TestAPausedSourceMakesNothing(t *testing.T) {
	onEach(t, everyProtocol, func(t *testing.T, m *member) {
		w, name := m.rest, m.unique("paused-source")
		createTopic(t, kafkaClient(t), name, 1)
		w.create(name, verifiableSource(name))
		r := readTopic(t, name, kgo.ReadUncommitted())
		r.until(time.Minute, "records come", func(all []*kgo.Record) bool { return len(all) >= 100 })
		w.request(http.MethodPut, "/connectors/"+name+"/pause", nil)
		w.awaitState(name, "PAUSED", "PAUSED")
		paused := len(r.more(time.Second))
		if got := len(r.more(2 * time.Second)); got != paused {
			t.Errorf("%d records came while the source was paused", got-paused)
		}
		w.request(http.MethodPut, "/connectors/"+name+"/resume", nil)
		w.awaitRunning(name, time.Minute)
		r.until(time.Minute, "records come again", func(all []*kgo.Record) bool { return len(all) > paused+100 })
		w.request(http.MethodPut, "/connectors/"+name+"/stop", nil)
		w.awaitState(name, "STOPPED")
		w.request(http.MethodPut, "/connectors/"+name+"/resume", nil)
		w.awaitRunning(name, time.Minute)
		checkSeqnos(t, r.more(time.Second), false)
	})
}

// sunk counts the records that a Verifiable sink printed.
func (m *member) sunk(name string) (n int) {
	for text := range strings.SplitSeq(m.rest.log(), "\n") {
		// Flushed ones are printed a second time.
		if strings.Contains(text, `"sinkTask":`) && strings.Contains(text, `"`+name+`"`) && !strings.Contains(text, `"flushed"`) {
			n++
		}
	}
	return n
}

func TestAPausedSinkTakesNothing(t *testing.T) {
	onEach(t, everyProtocol, func(t *testing.T, m *member) {
		w, topic, sink := m.rest, m.unique("paused-sink"), m.unique("numbers-sink")
		createTopic(t, kafkaClient(t), topic, 1)
		w.create(m.unique("numbers"), verifiableSource(topic))
		w.create(sink, verifiableSink(topic))
		atLeast := func(n int) func() error {
			return func() error {
				if got := m.sunk(sink); got < n {
					return fmt.Errorf("%d lines", got)
				}
				return nil
			}
		}
		w.eventually(time.Minute, "the sink writes", atLeast(100))
		w.request(http.MethodPut, "/connectors/"+sink+"/pause", nil)
		w.awaitState(sink, "PAUSED", "PAUSED")
		r := readTopic(t, topic, kgo.ReadUncommitted())
		settled := -1
		w.eventually(time.Minute, "the sink has become quiet", func() error {
			now := m.sunk(sink)
			r.more(300 * time.Millisecond)
			if settled = m.sunk(sink); settled != now {
				return fmt.Errorf("it wrote %d more", settled-now)
			}
			return nil
		})
		before := len(r.records)
		r.until(time.Minute, "the source goes on", func(all []*kgo.Record) bool { return len(all) > before+100 })
		if got := m.sunk(sink); got != settled {
			t.Errorf("a paused sink wrote %d records", got-settled)
		}
		w.request(http.MethodPut, "/connectors/"+sink+"/resume", nil)
		w.eventually(time.Minute, "the sink writes again", atLeast(settled+100))
	})
}
