package plugin

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/rest/api"
)

type sink struct{ connect.SinkConnector }

func (sink) Version() string { return "1.5" }

func sinks(classes ...string) Set {
	set := Builtin("4.3.1")
	for _, c := range classes {
		set.Connectors = append(set.Connectors, Plugin[connect.Connector]{Class: c, New: func() connect.Connector { return sink{} }})
	}
	return set
}

func registry(t *testing.T, classes ...string) *Registry {
	t.Helper()
	r, err := New(sinks(classes...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResolve(t *testing.T) {
	r := registry(t, "io.confluent.connect.hdfs.HdfsSinkConnector", "io.example.Outer$Inner", "a.Connector", "b.Twice", "c.TwiceConnector")
	for name, want := range map[string]string{
		"io.confluent.connect.hdfs.HdfsSinkConnector": "io.confluent.connect.hdfs.HdfsSinkConnector",
		"HdfsSinkConnector":                           "io.confluent.connect.hdfs.HdfsSinkConnector",
		"HdfsSink":                                    "io.confluent.connect.hdfs.HdfsSinkConnector",
		"Inner":                                       "io.example.Outer$Inner",
		"Connector":                                   "a.Connector", // the suffix alone is not cut
		"Json":                                        "org.apache.kafka.connect.json.JsonConverter",
		"JsonConverter":                               "org.apache.kafka.connect.json.JsonConverter",
		"String":                                      "org.apache.kafka.connect.storage.StringConverter",
		"Simple":                                      "org.apache.kafka.connect.storage.SimpleHeaderConverter",
		"SimpleHeaderConverter":                       "org.apache.kafka.connect.storage.SimpleHeaderConverter",
		"hdfssink":                                    "",
		"Twice":                                       "", // of two classes
		"TwiceConnector":                              "c.TwiceConnector",
		"SimpleHeader":                                "",
		"io.confluent":                                "",
		"":                                            "",
	} {
		got, ok := r.Resolve(name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("Resolve(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
}

func TestConnector(t *testing.T) {
	r := registry(t, "a.FileSinkConnector", "b.FileSinkConnector", "c.HdfsSinkConnector", "d.Json", "e.Only")
	for _, tc := range []struct{ name, class, problem string }{
		{"HdfsSink", "c.HdfsSinkConnector", ""},
		{"b.FileSinkConnector", "b.FileSinkConnector", ""},
		{"Json", "d.Json", ""}, // shared with a converter, but the only connector of the name
		{"FileSink", "", "More than one connector matches alias FileSink. Please use full package and class name instead. Classes found: a.FileSinkConnector, b.FileSinkConnector"},
		{"Nothing", "", "Failed to find any class that implements Connector and which name matches Nothing, available connectors are: a.FileSinkConnector, b.FileSinkConnector, c.HdfsSinkConnector, d.Json, e.Only"},
		{"String", "", "does not implement Connector"},
	} {
		p, err := r.Connector(tc.name)
		if tc.problem == "" {
			if err != nil || p.Class != tc.class || p.Version != "1.5" || p.New() == nil {
				t.Errorf("%s: %+v, %v", tc.name, p, err)
			}
			if typ := r.ConnectorType(tc.name); typ != "sink" {
				t.Errorf("%s is a %s", tc.name, typ)
			}
			continue
		}
		var e *api.Error
		if !errors.As(err, &e) || e.Status != 400 || !strings.Contains(e.Message, tc.problem) {
			t.Errorf("%s: got %v, want %s", tc.name, err, tc.problem)
		}
		if typ := r.ConnectorType(tc.name); typ != "unknown" {
			t.Errorf("%s is a %s", tc.name, typ)
		}
	}
}

func TestEveryBuiltinCanBeMade(t *testing.T) {
	r := registry(t)
	for _, i := range r.Infos(false) {
		if i.Version != "4.3.1" {
			t.Errorf("%+v", i)
		}
		switch i.Type {
		case "converter":
			p, err := r.Converter(i.Class)
			if err != nil {
				t.Error(err)
				continue
			}
			if err := p.New().Configure(map[string]string{"converter.type": "key"}, true); err != nil {
				t.Errorf("%s: %v", i.Class, err)
			}
		case "header_converter":
			p, err := r.HeaderConverter(i.Class)
			if err != nil {
				t.Error(err)
				continue
			}
			if err := p.New().ConfigureHeader(map[string]string{"converter.type": "header"}); err != nil {
				t.Errorf("%s: %v", i.Class, err)
			}
		case "transformation":
			if p, err := r.Transformation(i.Class); err != nil || p.New().ConfigDef() == nil {
				t.Errorf("%s: %v", i.Class, err)
			}
		case "predicate":
			if p, err := r.Predicate(i.Class); err != nil || p.New().ConfigDef() == nil {
				t.Errorf("%s: %v", i.Class, err)
			}
		default:
			t.Errorf("%+v", i)
		}
	}
	var e *config.Error
	_, err := r.Converter("SimpleHeaderConverter")
	if !errors.As(err, &e) || e.Msg != "Class class org.apache.kafka.connect.storage.SimpleHeaderConverter does not implement the Converter interface" {
		t.Errorf("got %v", err)
	}
	if _, err = r.HeaderConverter("Nothing"); !errors.As(err, &e) || !strings.Contains(e.Msg, "available classes are: org.apache") {
		t.Errorf("got %v", err)
	}
}

func TestInfos(t *testing.T) {
	r := registry(t, "b.Sink", "a.Sink")
	want := []api.PluginInfo{{Class: "a.Sink", Type: "sink", Version: "1.5"}, {Class: "b.Sink", Type: "sink", Version: "1.5"}}
	if diff := cmp.Diff(want, r.Infos(true)); diff != "" {
		t.Errorf("connectors (-want +got):\n%s", diff)
	}
	all := r.Infos(false)
	if diff := cmp.Diff(want, all[:2]); diff != "" || len(all) != 2+26+3+9+10 ||
		all[2].Type != "transformation" || all[28].Type != "predicate" || all[31].Type != "converter" || all[40].Type != "header_converter" {
		t.Errorf("%d plugins: %+v", len(all), all)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(sinks("a.B", "a.B")); err == nil || !strings.Contains(err.Error(), "a.B") {
		t.Errorf("a class twice: %v", err)
	}
	if _, err := New(Set{Connectors: []Plugin[connect.Connector]{{Class: "a.B"}}}); err == nil {
		t.Error("no factory")
	}
}

func TestCheckVersion(t *testing.T) {
	for _, tc := range []struct{ version, wanted, problem string }{
		{"4.3.1", "", ""}, {"4.3.1", "latest", ""}, {"4.3.1", "4.3.1", ""}, {"4.3.1", " [4.0,5.0) ", ""}, {"4.3.1", "(,1.0],[4,)", ""},
		{"4.3.1", "4.3.1.0", ""}, {"4.3.1", "(4.3,4.3.1]", ""}, {"2.0-beta", "[2.0-alpha,2.0)", ""}, {"2.0", "(2.0-rc1,)", ""},
		{"2.0.1", "(2.0,2.0-sp)", ", available versions: [2.0.1]"},
		{"4.3.1", "1.0", "Plugin a.B not found that matches the version range [1.0,1.0], available versions: [4.3.1]"},
		{"4.3.1", "[1.0,4.3.1)", "available versions: [4.3.1]"},
		{"", "1.0", "available versions: [undefined]"},
		{"4.3.1", "[1.0", "Unbounded range: [1.0"},
		{"4.3.1", "[2.0,1.0]", "Range defies version ordering: [2.0,1.0]"},
		{"4.3.1", "(1.0)", "Single version must be surrounded by []: (1.0)"},
		{"4.3.1", "[1.0,1.0]", "version range [1.0,1.0], available versions: [4.3.1]"},
		{"4.3.1", "[1.0,1.0)", "Range defies version ordering: [1.0,1.0)"},
		{"4.3.1", "[1,3],[2,4]", "Ranges overlap"},
		{"4.3.1", "1.0,2.0", "version range [1.0,2.0], available versions: [4.3.1]"},
		{"4.3.1", "1.0,5.0", ""}, // Kafka puts brackets around it
		{"4.3.1", " ", "version range [,], available versions: [4.3.1]"},
		{"4.3.1", "1)", "Single version must be surrounded by []: [1)"},
		{"", "(,1.0]", ""}, {"", "undefined", ""}, // a word like any other
		{"4.3.1", "[1.0],2.0", "Only fully-qualified sets allowed"},
	} {
		p := Plugin[int]{Class: "a.B", Version: tc.version}
		err := p.CheckVersion(tc.wanted)
		if tc.problem == "" && err != nil || tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)) {
			t.Errorf("%s in %q: %v, want %q", tc.version, tc.wanted, err, tc.problem)
		}
	}
}
