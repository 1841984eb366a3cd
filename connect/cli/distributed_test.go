package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/rest/api"
)

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheLifeOfAConnectorInADistributedWorker(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("lines", 2)
	dir := t.TempDir()
	w := start(t, settings.Distributed, distributedProps(c))

	var info api.ServerInfo
	if err := json.Unmarshal([]byte(w.must(200, http.MethodGet, "", "")), &info); err != nil || info.Version != KafkaVersion || info.KafkaClusterID == "" {
		t.Errorf("GET /: %+v, %v", info, err)
	}
	if got := w.must(200, http.MethodGet, "connectors", ""); got != "[]" {
		t.Errorf("GET /connectors: %s", got)
	}
	if got := w.must(200, http.MethodGet, "connector-plugins", ""); !strings.Contains(got, `"class":"io.confluent.connect.hdfs.HdfsSinkConnector","type":"sink"`) {
		t.Errorf("GET /connector-plugins: %s", got)
	}
	config := jsonText(t, sinkConfig(dir, "lines", 2))
	w.must(201, http.MethodPut, "connectors/lines/config", config)
	awaitState(w, "lines", "RUNNING", 2)
	w.must(200, http.MethodPut, "connectors/lines/config", config)
	c.Produce("none", kafkatest.Values("lines", 0, "v", 10)...)
	eventually(t, "the records are committed", func() error {
		if got, err := committedLines(dir, "lines"); err != nil || len(got) != 10 {
			return fmt.Errorf("%d lines, %w", len(got), errNotYet)
		}
		return nil
	})

	w.must(202, http.MethodPut, "connectors/lines/pause", "")
	awaitState(w, "lines", "PAUSED", 2)
	w.must(202, http.MethodPut, "connectors/lines/resume", "")
	awaitState(w, "lines", "RUNNING", 2)
	w.must(204, http.MethodPost, "connectors/lines/restart", "")
	awaitState(w, "lines", "RUNNING", 2)
	w.must(202, http.MethodPost, "connectors/lines/restart?includeTasks=true", "")
	awaitState(w, "lines", "RUNNING", 2)
	w.must(204, http.MethodPost, "connectors/lines/tasks/1/restart", "")
	awaitState(w, "lines", "RUNNING", 2)
	w.must(204, http.MethodPut, "connectors/lines/stop", "")
	awaitState(w, "lines", "STOPPED", 0)
	w.must(204, http.MethodDelete, "connectors/lines", "")
	eventually(t, "the deleted connector is gone", func() error {
		for _, path := range []string{"connectors/lines", "connectors/lines/status"} {
			if status, text := w.do(http.MethodGet, path, ""); status != 404 {
				return fmt.Errorf("GET %s: %d %s", path, status, text)
			}
		}
		return nil
	})

	if err := w.stop(); err != nil {
		t.Errorf("run returned %v", err)
	}
	for _, line := range []string{"Kafka version: " + KafkaVersion, "Kafka cluster ID: " + info.KafkaClusterID, "Kafka Connect started", "Joined group at generation",
		"REST resources initialized; server is started and ready to handle requests", "Kafka Connect stopping", "Kafka Connect stopped"} {
		if !strings.Contains(w.log.String(), line) {
			t.Errorf("no %q in the log", line)
		}
	}
}

func TestAWorkerTakesUpTheConnectorsOfTheOneBefore(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("lines", 1)
	props := distributedProps(c)
	w := start(t, settings.Distributed, props)
	w.must(201, http.MethodPut, "connectors/lines/config", jsonText(t, sinkConfig(t.TempDir(), "lines", 1)))
	awaitState(w, "lines", "RUNNING", 1)
	if err := w.stop(); err != nil {
		t.Fatalf("run returned %v", err)
	}
	next := start(t, settings.Distributed, props)
	eventually(t, "the next worker runs the connector", func() error {
		if st := awaitState(next, "lines", "RUNNING", 1); st.Tasks[0].WorkerID != next.id() {
			return fmt.Errorf("it is on %s", st.Tasks[0].WorkerID)
		}
		return nil
	})
}

// id is the worker's name in statuses.
func (w *testWorker) id() string {
	return strings.TrimSuffix(strings.TrimPrefix(w.url, "http://"), "/")
}

var leaderURL = regexp.MustCompile(`Joined group .*leaderUrl='([^']*)'`)

// leads tells whether the worker's last assignment names itself as the leader.
func (w *testWorker) leads() bool {
	all := leaderURL.FindAllStringSubmatch(w.log.String(), -1)
	return len(all) > 0 && all[len(all)-1][1] == w.url
}

// owners returns the workers of a connector's tasks.
func owners(st api.ConnectorStatus) []string {
	var ids []string
	for _, task := range st.Tasks {
		ids = append(ids, task.WorkerID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func TestTwoWorkersShareTheTasksAndOneTakesOver(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("lines", 4)
	props := distributedProps(c)
	leader := start(t, settings.Distributed, props)
	follower := start(t, settings.Distributed, props)
	if !leader.leads() || follower.leads() {
		leader, follower = follower, leader
	}
	if !leader.leads() || follower.leads() {
		t.Fatal("not exactly one of the workers leads")
	}
	body := jsonText(t, api.CreateConnectorRequest{Name: "lines", Config: sinkConfig(t.TempDir(), "lines", 4)})
	// While the group settles, a request is refused with 409 and may be sent again.
	eventually(t, "the follower has the leader create the connector", func() error {
		if status, text := follower.do(http.MethodPost, "connectors", body); status != http.StatusCreated {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
	both := []string{leader.id(), follower.id()}
	slices.Sort(both)
	for _, w := range []*testWorker{leader, follower} {
		eventually(t, "the tasks are shared", func() error {
			if st := awaitState(w, "lines", "RUNNING", 4); !slices.Equal(owners(st), both) {
				return fmt.Errorf("they are on %v", owners(st))
			}
			return nil
		})
		if got := w.must(200, http.MethodGet, "connectors", ""); got != `["lines"]` {
			t.Errorf("GET /connectors: %s", got)
		}
	}

	if err := leader.stop(); err != nil {
		t.Errorf("run of the leader returned %v", err)
	}
	eventually(t, "the other worker takes over", func() error {
		st := awaitState(follower, "lines", "RUNNING", 4)
		if !slices.Equal(owners(st), []string{follower.id()}) || st.Connector.WorkerID != follower.id() {
			return fmt.Errorf("the connector is on %s, its tasks on %v", st.Connector.WorkerID, owners(st))
		}
		return nil
	})
	follower.must(204, http.MethodDelete, "connectors/lines", "")
	if err := follower.stop(); err != nil {
		t.Errorf("run of the other returned %v", err)
	}
}
