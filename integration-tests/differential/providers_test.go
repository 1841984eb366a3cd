//go:build integration

package differential

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// secretFiles makes what the workers' config providers read.
func secretFiles(t *testing.T) {
	t.Helper()
	needWorkers(t)
	dir := filepath.Join(sharedDir, "secrets")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"s.properties": "path=" + filepath.Join(sharedDir, "none") + "\ntopic=differential\nnumber=2\nword=not-a-number\nclass=FileStreamSource\njaas=some.LoginModule required\\;\nempty=\n",
		"topic":        "differential",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConfigProviders(t *testing.T) {
	secretFiles(t)
	const file, dir = "${file:{{dir}}/secrets/s.properties:", "${dir:{{dir}}/secrets:"
	config := `"connector.class":"FileStreamSource","topic":"` + dir + `topic}","file":"` + file + `path}","tasks.max":"` + file + `number}","unknown":"a ` + file + `gone} b"`
	steps := []step{
		{name: "create", req: "PUT /connectors/p/config", body: `{` + config + `}`, until: state("p", "RUNNING [RUNNING]")},
		{name: "the config is raw", req: "GET /connectors/p/config"},
		{name: "and so is the info", req: "GET /connectors/p"},
		{name: "and so are the tasks", req: "GET /connectors/p/tasks"},
		{name: "and the expanded list", req: "GET /connectors?expand=info"},
		{name: "patch", req: "PATCH /connectors/p/config", body: `{"topic":"` + file + `topic}"}`, until: state("p", "RUNNING [RUNNING]")},
		remove("p"),
	}
	for name, topic := range map[string]string{
		"no such file": "${file:{{dir}}/secrets/none:a}", "a directory as file": "${file:{{dir}}/secrets:a}", "a path for the environment": "${env:/a:HOME}",
	} {
		steps = append(steps, step{name: "create: " + name, req: "PUT /connectors/p/config", body: fmt.Sprintf(`{%s,"topic":%q}`, config, topic), differs: "Causes in messages"},
			step{name: "validate: " + name, req: "PUT /connector-plugins/FileStreamSource/config/validate", body: fmt.Sprintf(`{"name":"p",%s,"topic":%q}`, config, topic), differs: "Causes in messages"})
	}
	steps = append(steps, step{name: "no number", req: "PUT /connectors/p/config", body: `{` + config + `,"tasks.max":"` + file + `word}"}`, differs: "Values of config providers in messages"})
	compare(t, steps)

	for name, more := range map[string]string{
		"plain": "", "twice in a value": `,"errors.tolerance":"n` + file + `empty}` + file + `empty}one"`, "the class": `,"connector.class":"` + file + `class}"`,
		"a password": `,"producer.override.sasl.jaas.config":"` + file + `jaas}"`, "no such key": `,"topic":"` + file + `gone}"`, "no such provider": `,"topic":"${none:a:b}"`,
		"no number": `,"tasks.max":"` + file + `word}"`, "a key that is not there for a number": `,"tasks.max":"` + file + `gone}"`,
		"not allowed": `,"topic":"${file:/etc/hostname:a}"`, "a directory that is none": `,"topic":"${dir:{{dir}}/secrets/topic:a}"`, "a directory that is not there": `,"topic":"${dir:{{dir}}/secrets/none:a}"`,
		"the environment": `,"topic":"${env:NO_SUCH_VARIABLE}"`, "a converter": `,"value.converter":"` + file + `word}"`, "a version": `,"connector.plugin.version":"` + file + `number}"`,
		"reload none": `,"config.action.reload":"none"`, "reload wrong": `,"config.action.reload":"sometimes"`, "reload by placeholder": `,"config.action.reload":"` + file + `word}"`,
		"an override": `,"producer.override.linger.ms":"` + file + `number}"`, "a transform": `,"transforms":"a","transforms.a.type":"InsertHeader","transforms.a.header":"` + file + `word}","transforms.a.value.literal":"` + file + `empty}"`,
	} {
		t.Run("validate: "+name, func(t *testing.T) { compareValues(t, `{"name":"p",`+config+more+`}`) })
	}
}

// shownValue is what a validation shows of a key, without what is not the workers' own doing.
type shownValue struct {
	Value   *string
	Errors  []string
	Visible bool
}

// compareValues compares the values and errors of a validation: the definitions are compared
// elsewhere.
func compareValues(t *testing.T, body string) {
	t.Helper()
	values := func(w *worker) map[string]shownValue {
		s := step{req: "PUT /connector-plugins/FileStreamSource/config/validate", body: body}
		a := w.send(s.request(w))
		var infos struct {
			Configs []struct {
				Value struct {
					Name string
					shownValue
				}
			}
		}
		all := map[string]shownValue{}
		if err := json.Unmarshal([]byte(a.body), &infos); err != nil || a.status != http.StatusOK || len(infos.Configs) == 0 {
			all[fmt.Sprint(a.status)] = shownValue{Errors: []string{a.body}}
		}
		for _, c := range infos.Configs {
			all[c.Value.Name] = c.Value.shownValue
		}
		return all
	}
	if d := cmp.Diff(values(&jvm), values(&ours)); d != "" {
		t.Errorf("%s (-JVM +ours):\n%s", body, d)
	}
}
