//go:build integration

package integration

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/rest/client"
)

const fileConnectors = "org.apache.kafka.connect.file."

// What validation lists for the file connectors of 4.3.1.
var (
	connectorKeys = []string{"name", "connector.class", "connector.plugin.version", "tasks.max", "tasks.max.enforce",
		"key.converter", "key.converter.plugin.version", "value.converter", "value.converter.plugin.version",
		"header.converter", "header.converter.plugin.version", "transforms", "predicates", "config.action.reload",
		"errors.retry.timeout", "errors.retry.delay.max.ms", "errors.tolerance", "errors.log.enable", "errors.log.include.messages"}
	fileSourceKeys = append([]string{"file", "topic", "batch.size", "topic.creation.groups", "exactly.once.support",
		"transaction.boundary", "transaction.boundary.interval.ms", "offsets.storage.topic"}, connectorKeys...)
	fileSinkKeys = append([]string{"file", "topics", "topics.regex", "errors.deadletterqueue.topic.name",
		"errors.deadletterqueue.topic.replication.factor", "errors.deadletterqueue.context.headers.enable"}, connectorKeys...)
)

// TestKafkasRESTSystemTest asserts what Kafka's connect_rest_test does, of both kinds of
// workers.
func TestKafkasRESTSystemTest(t *testing.T) {
	onEach(t, everyProtocol, func(t *testing.T, m *member) {
		r := restWalk{t: t, w: m.rest, topic: m.unique("rest-api"), source: "local-file-source", sink: "local-file-sink"}
		dir := t.TempDir()
		r.in, r.in2, r.out = filepath.Join(dir, "in"), filepath.Join(dir, "in2"), filepath.Join(dir, "out")
		createTopic(t, kafkaClient(t), r.topic, 1)
		r.sourceConfig = map[string]string{"name": r.source, "connector.class": fileConnectors + "FileStreamSourceConnector", "tasks.max": "1",
			"file": r.in, "topic": r.topic, "errors.log.enable": "true", "errors.log.include.messages": "true", "errors.tolerance": "none"}
		r.sinkConfig = map[string]string{"name": r.sink, "connector.class": fileConnectors + "FileStreamSinkConnector", "tasks.max": "1",
			"file": r.out, "topics": r.topic, "key.converter.schemas.enable": "True", "value.converter.schemas.enable": "True",
			"errors.log.enable": "true", "errors.log.include.messages": "true", "errors.tolerance": "none"}
		r.validate()
		r.create()
		r.read()
		r.change()
		r.delete()
	})
}

type restWalk struct {
	t                        *testing.T
	w                        *workerProcess
	topic, source, sink      string
	in, in2, out             string // files
	sourceConfig, sinkConfig map[string]string
}

func (r *restWalk) get(path string, answer any) {
	r.t.Helper()
	r.w.request(http.MethodGet, path, answer)
}

// validate checks both configs while there is no connector.
func (r *restWalk) validate() {
	r.t.Helper()
	var names []string
	if r.get("/connectors", &names); names == nil || len(names) > 0 {
		r.t.Fatalf("at first the connectors are %v", names)
	}
	var plugins []api.PluginInfo
	r.get("/connector-plugins", &plugins)
	for class, config := range map[string]map[string]string{"FileStreamSourceConnector": r.sourceConfig, "FileStreamSinkConnector": r.sinkConfig} {
		class, keys := fileConnectors+class, fileSourceKeys
		if strings.HasSuffix(class, "SinkConnector") {
			keys = fileSinkKeys
		}
		if !slices.ContainsFunc(plugins, func(p api.PluginInfo) bool { return p.Class == class }) {
			r.t.Errorf("%s is not among the plugins", class)
		}
		var infos api.ConfigInfos
		if err := r.w.client.JSON(r.t.Context(), http.MethodPut, r.w.base+"/connector-plugins/"+class+"/config/validate", config, &infos); err != nil {
			r.t.Fatal(err)
		}
		var got []string
		for _, c := range infos.Configs {
			if len(c.Value.Errors) > 0 || c.Definition == nil || c.Definition.Name != c.Value.Name {
				r.t.Errorf("%s: %+v", class, c)
			}
			// Keys of converters are those that the config sets.
			if !strings.HasSuffix(c.Value.Name, ".schemas.enable") && !strings.Contains(c.Value.Name, "converter.schemas.") && !strings.Contains(c.Value.Name, "converter.replace.") {
				got = append(got, c.Value.Name)
			}
		}
		if infos.Name != class || infos.ErrorCount != 0 {
			r.t.Errorf("validation of %s: %d errors of %s", class, infos.ErrorCount, infos.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(slices.Sorted(slices.Values(keys)), got); diff != "" {
			r.t.Errorf("keys of %s (want, got):\n%s", class, diff)
		}
	}
}

// create creates both, of which one twice.
func (r *restWalk) create() {
	r.t.Helper()
	post := func(config map[string]string) error {
		return r.w.client.JSON(r.t.Context(), http.MethodPost, r.w.base+"/connectors", map[string]any{"name": config["name"], "config": config}, nil)
	}
	for _, config := range []map[string]string{r.sourceConfig, r.sinkConfig} {
		r.w.eventually(30*time.Second, "the connector is created", func() error { return post(config) })
	}
	r.w.eventually(30*time.Second, "both are listed", func() error {
		var names []string
		r.get("/connectors", &names)
		if slices.Sort(names); !slices.Equal(names, []string{r.sink, r.source}) {
			return fmt.Errorf("the connectors are %v", names)
		}
		return nil
	})
	appendText(r.t, r.in, "foo\nbar\nbaz\n")
	awaitLines(r.t, r.out, "foo", "bar", "baz")
	var e *api.Error
	if err := post(r.sourceConfig); !errors.As(err, &e) || e.Status != http.StatusConflict || e.Message != "Connector "+r.source+" already exists" {
		r.t.Errorf("creating it again: %v", err)
	}
}

// read reads what is told of both.
func (r *restWalk) read() {
	r.t.Helper()
	for _, one := range []struct {
		name, kind string
		config     map[string]string
	}{{r.source, "source", r.sourceConfig}, {r.sink, "sink", r.sinkConfig}} {
		var info api.ConnectorInfo
		r.get("/connectors/"+one.name, &info)
		want := api.ConnectorInfo{Name: one.name, Config: one.config, Tasks: []api.TaskRef{{Connector: one.name}}, Type: one.kind}
		if diff := cmp.Diff(want, info); diff != "" {
			r.t.Errorf("info of %s (want, got):\n%s", one.name, diff)
		}
		var config map[string]string
		if r.get("/connectors/"+one.name+"/config", &config); !cmp.Equal(one.config, config) {
			r.t.Errorf("config of %s:\n%s", one.name, cmp.Diff(one.config, config))
		}
		// A task has its connector's config, the class of the task, and what the connector adds.
		var tasks []api.TaskInfo
		r.get("/connectors/"+one.name+"/tasks", &tasks)
		wantTask := with(map[string]string{"task.class": strings.Replace(one.config["connector.class"], "Connector", "Task", 1)}, flat(one.config)...)
		if diff := cmp.Diff([]api.TaskInfo{{ID: api.TaskRef{Connector: one.name}, Config: wantTask}}, tasks); diff != "" {
			r.t.Errorf("tasks of %s (want, got):\n%s", one.name, diff)
		}
	}
}

// change lets the source read another file.
func (r *restWalk) change() {
	r.t.Helper()
	appendText(r.t, r.in2, "foo\nbar\nbaz\nrazz\nma\ntazz\n")
	r.w.put(r.source, with(r.sourceConfig, "file", r.in2))
	awaitLines(r.t, r.out, "foo", "bar", "baz", "razz", "ma", "tazz")
}

func (r *restWalk) delete() {
	r.t.Helper()
	for _, name := range []string{r.source, r.sink} {
		r.w.eventually(30*time.Second, name+" is deleted", func() error {
			return r.w.client.JSON(r.t.Context(), http.MethodDelete, client.ConnectorURL(r.w.base, name), nil, nil)
		})
	}
	r.w.eventually(30*time.Second, "none is listed", func() error {
		var names []string
		if r.get("/connectors", &names); len(names) > 0 {
			return fmt.Errorf("the connectors are %v", names)
		}
		return nil
	})
}
