//go:build integration

package integration

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

// onlyJVM is a class that renamedPlugins makes of the JVM's FileStreamSourceConnector.
const onlyJVM = "org.apache.kafka.connect.file.OnlyTheJVMSourceConnector"

// renamedPlugins returns a plugin path with the JVM's file connectors, and with the same
// ones under another name, of the same length, which only the JVM knows. The names in
// class files have their length before them, so nothing needs to be compiled.
func renamedPlugins(t *testing.T, from, to string) string {
	t.Helper()
	lib, err := stack.Jars(t.Context(), stack.Connect)
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(lib, "connect-file-*.jar"))
	if err != nil || len(found) != 1 || len(from) != len(to) {
		t.Fatal(found, err)
	}
	dir := t.TempDir()
	if err := os.Symlink(found[0], filepath.Join(dir, "original.jar")); err != nil {
		t.Fatal(err)
	}
	original, err := zip.OpenReader(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer original.Close()
	var renamed bytes.Buffer
	w := zip.NewWriter(&renamed)
	for _, f := range original.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.Create(strings.ReplaceAll(f.Name, from, to))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(bytes.ReplaceAll(b, []byte(from), []byte(to))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// A folder of its own is a class loader of its own.
	own := filepath.Join(dir, "renamed")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(own, "renamed.jar"), renamed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func onlyJVMSource(t *testing.T, topic string) map[string]string {
	return fileSource(filepath.Join(t.TempDir(), "none"), topic, "connector.class", onlyJVM)
}

const onlyJVMConnectors = 3

// onlyTheJVMHasIt shows what is so with every JVM leader: it gives connectors to workers
// without asking what they have. What cannot run fails with a message, where it is, and
// disturbs nothing else. The connectors stay.
func (g *mixedWork) onlyTheJVMHasIt(t *testing.T) {
	rest := g.leader(t).via(t)
	failed := 0
	for i := range onlyJVMConnectors {
		name := fmt.Sprintf("only-jvm-%d", i)
		rest.put(name, onlyJVMSource(t, name))
	}
	for i := range onlyJVMConnectors {
		name := fmt.Sprintf("only-jvm-%d", i)
		eventually(t, time.Minute, name+" runs on the JVM's worker or fails on ours", func() error {
			st, err := rest.status(name)
			if err != nil {
				return err
			}
			m := g.byID(st.Connector.WorkerID)
			switch {
			case st.Connector.State == "RUNNING" && m.jvm != nil:
				return nil
			case st.Connector.State == "FAILED" && m.jvm == nil && strings.Contains(st.Connector.Trace, onlyJVM):
				failed++
				t.Logf("on %s: %.160s", m.name, st.Connector.Trace)
				return nil
			}
			return fmt.Errorf("status %+v", st)
		})
	}
	if failed == 0 {
		t.Error("none of the JVM's connectors was given to one of ours")
	}
	g.settled(t, "with connectors that only the JVM's worker can run", time.Now())

	// A class that only ours has is refused by the leader, whoever is asked.
	for _, m := range g.running() {
		err := m.rest.client.JSON(t.Context(), http.MethodPut, client.ConnectorURL(m.rest.base, "only-ours", "config"), onlyOursSink(), nil)
		if !refused(err, "HdfsSinkConnector") {
			t.Errorf("%s answers a class that its leader lacks with %v", m.name, err)
		}
	}
}

func refused(err error, class string) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.Contains(e.Message, class)
}

func onlyOursSink() map[string]string {
	return sinkConfig("only-ours", 10, map[string]string{"tasks.max": fmt.Sprint(mixedTasks)})
}

// eachWhereItCanRun: ours asks the members what they have, and gives each connector to
// workers that can run it. The sink that only ours has stays.
func (g *mixedWork) eachWhereItCanRun(t *testing.T) {
	rest := g.leader(t).via(t)
	placed := func(name string, onJVM bool, tasks int) {
		t.Helper()
		st := g.agree(t, name, "RUNNING", times(tasks, "RUNNING")...)
		ids := []string{st.Connector.WorkerID}
		for _, task := range st.Tasks {
			ids = append(ids, task.WorkerID)
		}
		for _, id := range ids {
			if (g.byID(id).jvm != nil) != onJVM {
				t.Errorf("%s is partly on %s: %+v", name, g.byID(id).name, st)
			}
		}
	}
	// The leader has the config of a class that it lacks checked by a member that has it.
	for _, m := range g.running() {
		m.via(t).put("only-jvm-new", onlyJVMSource(t, "only-jvm-new"))
		placed("only-jvm-new", true, 1)
		g.delete(t, rest, "only-jvm-new")
	}
	createTopic(t, g.kafka, "only-ours", mixedPartitions)
	rest.put("only-ours", onlyOursSink())
	placed("only-ours", false, mixedTasks)
	for i := range onlyJVMConnectors {
		placed(fmt.Sprintf("only-jvm-%d", i), true, 1)
	}
	g.settled(t, "with connectors that only one kind can run", time.Now())
	for i := range onlyJVMConnectors {
		g.delete(t, rest, fmt.Sprintf("only-jvm-%d", i))
	}
}

// onlyOursHasIt: under a JVM leader the tasks that came to its worker fail there, the
// others run.
func (g *mixedWork) onlyOursHasIt(t *testing.T) {
	rest := g.leader(t).via(t)
	eventually(t, time.Minute, "the sink's tasks run on ours and fail on the JVM's worker", func() error {
		st, err := rest.status("only-ours")
		if err != nil {
			return err
		}
		if len(st.Tasks) != mixedTasks {
			return fmt.Errorf("status %+v", st)
		}
		for _, task := range st.Tasks {
			m := g.byID(task.WorkerID)
			ran := task.State == "RUNNING" && m.jvm == nil
			failed := task.State == "FAILED" && m.jvm != nil && strings.Contains(task.Trace, "only-ours")
			if !m.up || !ran && !failed {
				return fmt.Errorf("task %d on %s: %+v", task.ID, m.name, task)
			}
		}
		return nil
	})
	g.settled(t, "with a sink that only ours can run", time.Now())
	g.delete(t, rest, "only-ours")
}
