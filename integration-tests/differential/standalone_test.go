//go:build integration

package differential

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// standalone tells that the workers that are compared are.
var standalone bool

// notAsked as step.alone: after such a request the standalone JVM worker shows tasks that
// nobody has, or hangs.
const notAsked = "not asked"

// TestStandalone has two standalone workers answer what the distributed ones are asked
// elsewhere.
func TestStandalone(t *testing.T) {
	needWorkers(t)
	startStandalone(t)
	for _, about := range []struct {
		name string
		test func(*testing.T)
	}{
		{"put config", TestPutConfig}, {"patch config", TestPatchConfig}, {"create", TestCreate}, {"initial state", TestCreateWithAnInitialState},
		{"offsets of a source", TestOffsetsOfASource}, {"offsets of a sink", TestOffsetsOfASink}, {"topics", TestTopics}, {"plugins", TestPluginList},
		{"methods", TestMethods}, {"paths", TestPaths}, {"loggers", TestLoggers}, {"internal requests", TestInternalRequests},
		{"restart", TestRestart}, {"restart of what failed", TestRestartOfWhatFailed}, {"states", TestPauseResumeStop}, {"expand", TestExpand},
		{"refusals", TestRefusals}, {"names in bodies", TestNamesInBodies}, {"versions", TestValidateVersions}, {"names of classes", TestValidateNamesOfClasses},
		{"config providers", TestConfigProviders}, // the last one: the values are secrets from then on
	} {
		t.Run(about.name, about.test)
	}
}

// startStandalone puts two standalone workers, which have a connector from a file, in the
// place of the others until the test ends.
func startStandalone(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	theirs, own, wrong := jvm, ours, wrongVersions
	t.Cleanup(func() { jvm, ours, standalone, wrongVersions = theirs, own, false, wrong })
	wrongVersions = map[string]bool{} // another JVM, which has not been asked for any yet
	alone := func(side string) (props map[string]string, connector string) {
		props = properties(side)
		for k := range props {
			if strings.Contains(k, ".storage.") || k == "group.id" {
				delete(props, k)
			}
		}
		props["offset.storage.file.filename"] = filepath.Join(dir, side+".offsets")
		connector = filepath.Join(dir, side+".properties")
		const text = "name=from-a-file\nconnector.class=FileStreamSink\ntopics=differential\n"
		if err := os.WriteFile(connector, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return props, connector
	}
	props, connector := alone("alonejvm")
	ourProps, ourConnector := alone("aloneour")
	var starting sync.WaitGroup
	starting.Go(func() {
		w, err := stack.StartJVMWorker(t.Context(), filepath.Join(dir, "jvm"), props, connector)
		if err != nil {
			t.Error(err)
			return
		}
		jvm = worker{name: "standalone JVM", side: "alonejvm", addr: strings.TrimPrefix(w.URL, "http://"), logPath: w.LogPath}
		t.Cleanup(func() { w.Kill() }) //nolint:errcheck // the test is over
	})
	starting.Go(func() {
		ours = worker{name: "standalone Penstock", side: "aloneour", logPath: filepath.Join(dir, "ours.log")}
		kill, err := ours.launch(dir, os.Getenv("PENSTOCK_WORKER"), "standalone", ourProps, ourConnector)
		if kill != nil {
			t.Cleanup(func() { kill() }) //nolint:errcheck // the test is over
		}
		if err != nil {
			t.Error(err)
		}
	})
	starting.Wait()
	standalone = true
	if t.Failed() {
		t.FailNow()
	}
}
