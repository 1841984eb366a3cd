//go:build integration

package integration

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// TestAJVMWorkerAndOursTakeOverFromEachOther stops one worker and starts the other with the
// same properties: both must read what the other wrote into the internal topics.
func TestAJVMWorkerAndOursTakeOverFromEachOther(t *testing.T) {
	const group = "takeover"
	w := newWorker(t, group, nil)
	props, err := readProperties(w.props)
	if err != nil {
		t.Fatal(err)
	}
	delete(props, "listeners")

	// Ours writes first.
	createTopic(t, kafkaClient(t), "takeover", 1)
	w.start()
	w.create("ours", sinkConfig("takeover", 10, map[string]string{"tasks.max": "1"}))
	ours := connectorInfo(t, w.base, "ours")
	if code := w.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}

	// The JVM worker reads it. It lacks the sink's class, so only the config can be compared.
	jvm := startJVM(t, props)
	seen := connectorInfo(t, jvm.URL, "ours")
	if !maps.Equal(seen.Config, ours.Config) || len(seen.Tasks) != len(ours.Tasks) {
		t.Errorf("the JVM worker reads %+v, we wrote %+v", seen, ours)
	}
	// And writes a connector of its own.
	theirs := map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "topic": "takeover-lines",
		"file": filepath.Join(t.TempDir(), "none"), "ünïcode": "ä€😀\"\\\t"}
	rest := client.New(nil)
	if err := rest.JSON(t.Context(), http.MethodPut, client.ConnectorURL(jvm.URL, "theirs", "config"), theirs, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the JVM's connector runs", func() error {
		var st api.ConnectorStatus
		if err := rest.JSON(t.Context(), http.MethodGet, client.ConnectorURL(jvm.URL, "theirs", "status"), nil, &st); err != nil {
			return err
		}
		if len(st.Tasks) != 1 || st.Tasks[0].State != "RUNNING" {
			return fmt.Errorf("status %+v", st)
		}
		return nil
	})
	written := connectorInfo(t, jvm.URL, "theirs")
	if err := jvm.Stop(); err != nil {
		t.Fatal(err)
	}

	// Ours reads both again, and runs both.
	w.start()
	w.awaitRunning("ours", time.Minute)
	if got := connectorInfo(t, w.base, "theirs"); !maps.Equal(got.Config, written.Config) || len(got.Tasks) != 1 {
		t.Errorf("we read %+v, the JVM wrote %+v", got, written)
	}
	w.awaitRunning("theirs", time.Minute)
}

// TestOursAndAJVMWorkerShareOneGroup joins a group that a JVM worker leads, and the other
// way round: neither may disturb the other.
func TestOursAndAJVMWorkerShareOneGroup(t *testing.T) {
	const group = "mixed"
	w := newWorker(t, group, nil)
	props, err := readProperties(w.props)
	if err != nil {
		t.Fatal(err)
	}
	delete(props, "listeners")
	jvm := startJVM(t, props)
	w.start()
	// A request to ours is forwarded to the JVM leader and comes back.
	config := map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "topic": "mixed-lines", "file": filepath.Join(t.TempDir(), "none")}
	rest := client.New(nil)
	if err := rest.JSON(t.Context(), http.MethodPut, client.ConnectorURL(jvm.URL, "lines", "config"), config, nil); err != nil {
		t.Fatal(err)
	}
	w.eventually(time.Minute, "ours shows the JVM's connector", func() error {
		var info api.ConnectorInfo
		return rest.JSON(t.Context(), http.MethodGet, client.ConnectorURL(w.base, "lines"), nil, &info)
	})
	if err := rest.JSON(t.Context(), http.MethodDelete, client.ConnectorURL(w.base, "lines"), nil, nil); err != nil {
		t.Errorf("a delete through ours: %v", err)
	}
	// The leader goes; ours takes over and works alone.
	if err := jvm.Stop(); err != nil {
		t.Fatal(err)
	}
	createTopic(t, kafkaClient(t), "mixed", 1)
	w.create("sink", sinkConfig("mixed", 10, map[string]string{"tasks.max": "1"}))
}

func startJVM(t *testing.T, props map[string]string, connectorFiles ...string) *stack.JVMWorker {
	t.Helper()
	jvm, err := stack.StartJVMWorker(t.Context(), t.TempDir(), props, connectorFiles...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { jvm.Stop() })
	return jvm
}

func connectorInfo(t *testing.T, base, name string) api.ConnectorInfo {
	t.Helper()
	var info api.ConnectorInfo
	eventually(t, 30*time.Second, "the worker shows "+name, func() error {
		return client.New(nil).JSON(t.Context(), http.MethodGet, client.ConnectorURL(base, name), nil, &info)
	})
	return info
}
