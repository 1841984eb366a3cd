package validate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
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

func newValidator(t *testing.T, policy string, more ...plugin.Plugin[connect.Connector]) *Validator {
	t.Helper()
	set := plugin.Builtin("4.3.1")
	set.Connectors = append(more, plugin.Plugin[connect.Connector]{Class: fileSinkClass,
		New: func() connect.Connector { return fileSink{} }})
	plugins, err := plugin.New(set)
	if err != nil {
		t.Fatal(err)
	}
	worker, err := settings.ParseWorker(map[string]string{
		"bootstrap.servers": "k:1", "group.id": "connect-cluster", "config.storage.topic": "c", "offset.storage.topic": "o", "status.storage.topic": "s",
		"key.converter":   "org.apache.kafka.connect.storage.StringConverter",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter",
		"connector.client.config.override.policy": policy,
	}, settings.Distributed)
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
	sc := bufio.NewScanner(f)
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
}

// The whole answer is the JVM's: keys, definitions, values, recommendations, errors,
// counts, groups and their order.
func TestValidateAsTheJVM(t *testing.T) {
	lines(t, "validate.jsonl", func(line []byte) {
		// The JVM has its converters twice, as converter and as header converter.
		line = bytes.ReplaceAll(line, []byte("[4.3.1, 4.3.1]"), []byte("[4.3.1]"))
		var c struct {
			Name, Policy string
			Config       map[string]string
			Status       int
			Body         json.RawMessage
			PutStatus    int
			PutMessage   string
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Policy+": "+c.Name, func(t *testing.T) {
			if why, ok := ourChoice[c.Name]; ok {
				t.Skip(why)
			}
			v := newValidator(t, c.Policy)
			got, err := v.Validate(t.Context(), c.Config)
			if c.Status != 200 {
				var e *api.Error
				if !errors.As(err, &e) || e.Status != 400 {
					t.Fatalf("want status 400, got %v", err)
				}
				if c.PutStatus == 400 && c.Name != "an unknown class" && e.Message != c.PutMessage {
					t.Errorf("message %q, want %q", e.Message, c.PutMessage)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want api.ConfigInfos
			if err := json.Unmarshal(c.Body, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, undocumented(got)); diff != "" {
				t.Errorf("answer (-JVM +ours):\n%s", diff)
			}
			if c.PutStatus == 400 && c.PutMessage != "" && c.Config["name"] != "" {
				if err := got.Err(); err == nil || err.Error() != c.PutMessage {
					t.Errorf("refused with\n%v\nwant\n%s", err, c.PutMessage)
				}
			}
		})
	})
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
			got, err := v.PluginConfig(c.Plugin)
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
