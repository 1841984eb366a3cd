package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/kafkatest"
	"github.com/penstock-io/penstock/rest/api"
)

// committedLines returns the lines of all committed files, sorted.
func committedLines(dir, topic string) ([]string, error) {
	var lines []string
	err := filepath.WalkDir(filepath.Join(dir, "topics", topic), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range bytes.Lines(text) {
			lines = append(lines, strings.TrimSuffix(string(line), "\n"))
		}
		return err
	})
	slices.Sort(lines)
	return lines, err
}

func connectorFileOf(t *testing.T, name string, cfg map[string]string) connectorFile {
	t.Helper()
	cfg = maps.Clone(cfg)
	cfg["name"] = name
	c, err := readConnectorFile(writeProperties(t, name+".properties", cfg))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAStandaloneWorkerWritesTheRecordsOfItsConnectorFiles(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("lines", 2)
	c.Produce("none", append(kafkatest.Values("lines", 0, "a", 25), kafkatest.Values("lines", 1, "b", 13)...)...)
	want := make([]string, 0, 38)
	for i := range 25 {
		want = append(want, fmt.Sprint("a", i))
	}
	for i := range 13 {
		want = append(want, fmt.Sprint("b", i))
	}
	slices.Sort(want)
	dir := t.TempDir()
	w := start(t, settings.Standalone, standaloneProps(t, c), connectorFileOf(t, "lines-to-disk", sinkConfig(dir, "lines", 2)))

	eventually(t, "all lines are committed, each once", func() error {
		got, err := committedLines(dir, "lines")
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("%d lines: %v", len(got), got)
		}
		return err
	})
	var names []string
	if err := w.call(http.MethodGet, "connectors", nil, &names); err != nil || !slices.Equal(names, []string{"lines-to-disk"}) {
		t.Errorf("GET /connectors: %v, %v", names, err)
	}
	if err := w.stop(); err != nil {
		t.Errorf("run returned %v", err)
	}
	if got, err := committedLines(dir, "lines"); err != nil || !slices.Equal(got, want) {
		t.Errorf("the stop changed the files: %d lines, %v", len(got), err)
	}
	for _, line := range []string{"Kafka version: " + KafkaVersion, "Created connector lines-to-disk", "Kafka Connect stopped"} {
		if !strings.Contains(w.log.String(), line) {
			t.Errorf("no %q in the log", line)
		}
	}
}

func TestAStandaloneWorkerCreatesAPausedConnector(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("lines", 1)
	request := jsonText(t, api.CreateConnectorRequest{Name: "paused", Config: sinkConfig(t.TempDir(), "lines", 1), InitialState: "paused"})
	file, err := readConnectorFile(writeText(t, "paused.json", request))
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, settings.Standalone, standaloneProps(t, c), file)
	awaitState(w, "paused", "PAUSED", 0)
	w.must(202, http.MethodPut, "connectors/paused/resume", "")
	awaitState(w, "paused", "RUNNING", 1)
}

func TestAWrongConnectorFileEndsAStandaloneWorker(t *testing.T) {
	c := kafkatest.New(t)
	c.Topic("lines", 1)
	good := connectorFileOf(t, "good", sinkConfig(t.TempDir(), "lines", 1))
	cfg := sinkConfig(t.TempDir(), "lines", 1)
	cfg["flush.size"] = "many"
	cfg["format.class"] = "org.example.Format"
	bad := connectorFileOf(t, "bad", cfg)
	w, _ := launch(t, settings.Standalone, standaloneProps(t, c), good, bad)
	err := w.wait()
	if code := exitCode(err); code != exitConfig {
		t.Fatalf("exit code %d, want %d: %v", code, exitConfig, err)
	}
	for _, want := range []string{bad.path, "flush.size", "format.class"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

func TestAWorkerToldToStopWhileItStartsEndsCleanly(t *testing.T) {
	c := kafkatest.New(t)
	for _, mode := range []settings.Mode{settings.Standalone, settings.Distributed} {
		props := distributedProps(c)
		if mode == settings.Standalone {
			props = standaloneProps(t, c)
		}
		w, _ := launch(t, mode, props)
		if err := w.stop(); err != nil {
			t.Errorf("%v: run returned %v", mode, err)
		}
	}
}

// awaitState waits until a connector has a state and so many tasks, all in that state.
func awaitState(w *testWorker, connector, state string, tasks int) (st api.ConnectorStatus) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("%s is %s with %d tasks", connector, state, tasks), func() error {
		st = api.ConnectorStatus{}
		if err := w.call(http.MethodGet, "connectors/"+connector+"/status", nil, &st); err != nil {
			return err
		}
		same := st.Connector.State == state && len(st.Tasks) == tasks
		for _, task := range st.Tasks {
			same = same && task.State == state
		}
		if !same {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
	return st
}
