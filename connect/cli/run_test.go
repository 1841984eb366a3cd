package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/validate"
	"github.com/penstock-io/penstock/internal/logging"
)

func TestConnectorFiles(t *testing.T) {
	want := map[string]string{"name": "n", "topics": "t", "tasks.max": "1"}
	for name, test := range map[string]struct {
		file, text string
		initial    connect.TargetState
	}{
		"properties":           {"c.properties", "name=n\ntopics = t\ntasks.max:1\n", ""},
		"no extension":         {"c", "name=n\ntopics=t\ntasks.max=1", ""},
		"request":              {"c.json", `{"name":"n","config":{"topics":"t","tasks.max":"1"}}`, ""},
		"request, named twice": {"c.json", `{"name":"n","config":{"name":"n","topics":"t","tasks.max":"1"}}`, ""},
		"request, state":       {"c.JSON", `{"name":"n","config":{"topics":"t","tasks.max":"1"},"initial_state":"running"}`, connect.TargetStarted},
		"named in the config":  {"c.json", `{"config":{"name":"n","topics":"t","tasks.max":"1"}}`, ""},
		"flat":                 {"c.json", `{"name":"n","topics":"t","tasks.max":"1"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := readConnectorFile(writeText(t, test.file, test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, c.Config); diff != "" || c.Name != "n" || c.initial != test.initial {
				t.Errorf("name %q, state %q, config (-want +got):\n%s", c.Name, c.initial, diff)
			}
		})
	}
}

func TestWrongConnectorFiles(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"no name":         {"c.properties", "topics=t", "it has no name. Set name"},
		"no name, JSON":   {"c.json", `{"config":{"topics":"t"}}`, "it has no name"},
		"no name, flat":   {"c.json", `{"topics":"t"}`, "it has no name"},
		"empty":           {"c.properties", "", "it has no name"},
		"empty, JSON":     {"c.json", "", "neither"},
		"two names":       {"c.json", `{"name":"a","config":{"name":"b"}}`, `the name is "a", but the config's name is "b"`},
		"a list":          {"c.json", `["a"]`, "neither"},
		"a number":        {"c.json", `{"name":"a","tasks.max":1}`, "neither"},
		"cut off":         {"c.json", `{"name":"a"`, "neither"},
		"null":            {"c.json", `null`, "it has no name"},
		"two objects":     {"c.json", `{"name":"a","config":{}} {"name":"b","config":{}}`, "neither"},
		"unknown state":   {"c.json", `{"name":"a","config":{},"initial_state":"SLEEPING"}`, "SLEEPING"},
		"number in there": {"c.json", `{"name":"a","config":{"tasks.max":1}}`, "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeText(t, test.file, test.text)
			_, err := readConnectorFile(path)
			if err == nil {
				t.Fatal("no error")
			}
			if exitCode(err) != exitConfig || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("exit code %d, no %q or no file name in: %v", exitCode(err), test.want, err)
			}
		})
	}
}

func TestWritingTheReference(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := testProgram().Run([]string{"plugins", "-docs", dir}, os.Stdout); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"worker-standalone.md":            {"`offset.storage.file.filename`"},
		"transforms/InsertField.md":       {"Class `org.apache.kafka.connect.transforms.InsertField$Key`, `org.apache.kafka.connect.transforms.InsertField$Value`.", "`topic.field`"},
		"converters/JsonConverter.md":     {"JSON text", "Class `org.apache.kafka.connect.json.JsonConverter`.", "`schemas.enable`"},
		"connectors/HdfsSinkConnector.md": {"`flush.size`"},
	} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(got), want) {
				t.Errorf("%s has no %q:\n%.300s", name, want, got)
			}
		}
	}
}

// TestTheExamplesAreRight checks every file of examples as the worker would.
func TestTheExamplesAreRight(t *testing.T) {
	files, err := filepath.Glob("../../examples/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var workers, connectors int
	for _, file := range files {
		base := filepath.Base(file)
		t.Run(base, func(t *testing.T) {
			mode, isWorker := map[string]settings.Mode{
				"connect-distributed.properties": settings.Distributed, "connect-standalone.properties": settings.Standalone,
			}[base]
			if isWorker {
				workers++
				a := exampleApp(t, mode, file)
				if w, u := a.settings.Warnings(), a.settings.UnknownKeys(); len(w)+len(u) > 0 {
					t.Errorf("warnings %v, unknown keys %v", w, u)
				}
				return
			}
			connectors++
			c, err := readConnectorFile(file)
			if err != nil {
				t.Fatal(err)
			}
			a := exampleApp(t, settings.Distributed, goodExample)
			v := validate.New(validate.Options{Plugins: a.plugins, Worker: a.settings, Resolve: a.resolveToCheck})
			infos, err := v.Validate(context.Background(), c.Config)
			if err != nil {
				t.Fatal(err)
			}
			if err := infos.Err(); err != nil {
				t.Error(err)
			}
		})
	}
	if workers != 2 || connectors == 0 {
		t.Errorf("%d worker and %d connector files", workers, connectors)
	}
}

func exampleApp(t *testing.T, mode settings.Mode, file string) *Worker {
	t.Helper()
	props, err := config.LoadProperties(file)
	if err != nil {
		t.Fatal(err)
	}
	_, levels := logging.New(&logBuffer{})
	a, err := testProgram().NewWorker(mode, props, zap.NewNop(), levels)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
