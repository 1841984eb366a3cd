package validate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/rest/api"
)

// fileSink has the keys of Kafka's FileStreamSinkConnector.
type fileSink struct{ connect.SinkConnector }

const fileSinkClass = "org.apache.kafka.connect.file.FileStreamSinkConnector"

func (fileSink) Version() string { return "4.3.1" }
func (fileSink) ConfigDef() *config.Def {
	return config.NewDef(config.Key{Name: "file", Type: config.TypeString, Importance: config.High, Order: -1})
}

// fileSource has the keys of Kafka's FileStreamSourceConnector.
type fileSource struct{ connect.SourceConnector }

func (fileSource) Version() string { return "4.3.1" }
func (fileSource) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "file", Type: config.TypeString, Importance: config.High, Order: -1},
		config.Key{Name: "topic", Type: config.TypeString, Default: config.NoDefault, Validator: config.NonEmpty, Importance: config.High, Order: -1},
		config.Key{Name: "batch.size", Type: config.TypeInt, Default: 2000, Importance: config.Low, Order: -1},
	)
}
func (fileSource) SupportsExactlyOnce(props map[string]string) bool { return props["file"] != "" }

// mockSource has no keys and says nothing about exactly-once.
type mockSource struct{ connect.SourceConnector }

func (mockSource) Version() string        { return "4.3.1" }
func (mockSource) ConfigDef() *config.Def { return config.NewDef() }

func newValidator(t *testing.T, policy string, more ...plugin.Plugin[connect.Connector]) *Validator {
	t.Helper()
	return validator(t, map[string]string{"connector.client.config.override.policy": policy}, settings.Distributed, more...)
}

func validator(t *testing.T, props map[string]string, mode settings.Mode, more ...plugin.Plugin[connect.Connector]) *Validator {
	t.Helper()
	set := plugin.Builtin("4.3.1")
	set.Connectors = append(more,
		plugin.Plugin[connect.Connector]{Class: fileSinkClass, New: func() connect.Connector { return fileSink{} }},
		plugin.Plugin[connect.Connector]{Class: "org.apache.kafka.connect.file.FileStreamSourceConnector", New: func() connect.Connector { return fileSource{} }},
		plugin.Plugin[connect.Connector]{Class: "org.apache.kafka.connect.tools.MockSourceConnector", New: func() connect.Connector { return mockSource{} }},
	)
	plugins, err := plugin.New(set)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"bootstrap.servers": "k:1", "group.id": "connect-cluster", "config.storage.topic": "c", "offset.storage.topic": "o", "status.storage.topic": "s",
		"key.converter":                "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":              "org.apache.kafka.connect.json.JsonConverter",
		"offset.storage.file.filename": "f",
	}
	maps.Copy(all, props)
	worker, err := settings.ParseWorker(all, mode)
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Plugins: plugins, Worker: worker})
}

func lines(t *testing.T, file string, each func(line []byte)) {
	t.Helper()
	f, err := os.Open("testdata/java/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	n := 0
	for ; sc.Scan(); n++ {
		each(sc.Bytes())
	}
	if err := sc.Err(); err != nil || n == 0 {
		t.Fatalf("%d lines, %v", n, err)
	}
}

// ourChoice are cases in which this worker differs on purpose.
var ourChoice = map[string]string{
	"a class of another kind as converter": "there are no Java classes here",
	"an override of another type":          "the JVM ends the request with 500; here it is an error of the key",
	"null as class":                        "the order of the request's keys is not known any more",
	"an abstract transform":                "there are no Java classes here",
}

// answer is a line of testdata/java/validate*.
type answer struct {
	Name, Policy, Allowlist, ExactlyOnce string
	Config                               map[string]*string
	Status                               int
	Body                                 json.RawMessage
	PutStatus                            int
	PutMessage                           string
}

// split separates the nulls.
func (a *answer) split() (props map[string]string, nulls []string) {
	props = map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(a.Config)) {
		if v := a.Config[k]; v != nil {
			props[k] = *v
		} else {
			nulls = append(nulls, k)
		}
	}
	return props, nulls
}

// The whole answer is the JVM's: keys, definitions, values, recommendations, errors,
// counts, groups and their order.
func TestValidateAsTheJVM(t *testing.T) {
	for _, file := range []string{"validate.jsonl", "validate-sources.jsonl.gz", "validate-more.jsonl.gz"} {
		lines(t, file, func(line []byte) {
			// The text of a NullPointerException is null as soon as the JVM has compiled the code.
			line = bytes.ReplaceAll(line, []byte(`Cannot invoke \"String.isEmpty()\" because \"this.pattern\" is null`), []byte("null"))
			var a answer
			if err := json.Unmarshal(line, &a); err != nil {
				t.Fatal(err)
			}
			if a.ExactlyOnce == "" {
				a.ExactlyOnce = "disabled"
			}
			t.Run(a.Policy+", exactly-once "+a.ExactlyOnce+": "+a.Name, func(t *testing.T) {
				if why, ok := ourChoice[a.Name]; ok {
					t.Skip(why)
				}
				a.compare(t)
			})
		})
	}
}

func (a *answer) compare(t *testing.T) {
	t.Helper()
	v := validator(t, map[string]string{"connector.client.config.override.policy": a.Policy, "connector.client.config.override.allowlist": a.Allowlist,
		"exactly.once.source.support": a.ExactlyOnce}, settings.Distributed)
	props, nulls := a.split()
	got, err := v.Validate(t.Context(), props, nulls...)
	if a.Status != 200 {
		var e *api.Error
		if !errors.As(err, &e) || e.Status != 400 {
			t.Fatalf("want status 400, got %v", err)
		}
		if a.PutStatus == 400 && a.Name != "an unknown class" && e.Message != a.PutMessage {
			t.Errorf("message %q, want %q", e.Message, a.PutMessage)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var want api.ConfigInfos
	if err := json.Unmarshal(a.Body, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, undocumented(got)); diff != "" {
		t.Errorf("answer (-JVM +ours):\n%s", diff)
	}
	if a.PutStatus == 400 && a.PutMessage != "" && props["name"] != "" {
		if err := got.Err(); err == nil || err.Error() != a.PutMessage {
			t.Errorf("refused with\n%v\nwant\n%s", err, a.PutMessage)
		}
	}
}

func undocumented(infos api.ConfigInfos) api.ConfigInfos {
	for i := range infos.Configs {
		if d := infos.Configs[i].Definition; d != nil {
			d.Documentation = ""
		}
	}
	return infos
}

func TestPluginConfigAsTheJVM(t *testing.T) {
	v := newValidator(t, "All")
	lines(t, "plugin-config.jsonl", func(line []byte) {
		var c struct {
			Plugin string
			Status int
			Body   json.RawMessage
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Plugin, func(t *testing.T) {
			got, err := v.PluginConfig(c.Plugin, "latest")
			if c.Status != 200 {
				var e *api.Error
				if !errors.As(err, &e) || e.Status != c.Status || e.Message != "Unknown plugin "+c.Plugin+"." {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i].Documentation = ""
			}
			var want []api.ConfigDefinition
			if err := json.Unmarshal(c.Body, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("definitions (-JVM +ours):\n%s", diff)
			}
		})
	})
}
