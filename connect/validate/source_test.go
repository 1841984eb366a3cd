package validate

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/connect/transform"
	"github.com/penstock-io/penstock/rest/api"
)

// askedSource answers questions about exactly-once.
type askedSource struct {
	mockSource
	answer func(props map[string]string) bool
}

func (s askedSource) SupportsExactlyOnce(props map[string]string) bool { return s.answer(props) }
func (s askedSource) DefinesTransactionBoundaries(props map[string]string) bool {
	return s.answer(props)
}

func asked(answer func(props map[string]string) bool) plugin.Plugin[connect.Connector] {
	return plugin.Plugin[connect.Connector]{Class: "io.example.AskedSource", New: func() connect.Connector { return askedSource{answer: answer} }}
}

var exactlyOnceConfig = map[string]string{
	"name": "s", "connector.class": "AskedSource", "exactly.once.support": "required", "transaction.boundary": "connector", "mine": "x",
}

func TestSourcesAreAskedAboutExactlyOnce(t *testing.T) {
	enabled := map[string]string{"exactly.once.source.support": "enabled"}
	for _, test := range []struct {
		name              string
		answer            func(props map[string]string) bool
		support, boundary string // beginnings of the errors
	}{
		{"it can", func(props map[string]string) bool { return props["mine"] == "x" }, "", ""},
		{"it cannot", func(map[string]string) bool { return false }, "The connector does not support exactly-once semantics with the provided configuration.",
			"The connector does not support connector-defined transaction boundaries with the given configuration."},
		{"it panics", func(map[string]string) bool { panic("a defect") }, "An unexpected error occurred during validation: a defect",
			"An unexpected error occurred during validation: a defect"},
	} {
		infos, err := validator(t, enabled, settings.Distributed, asked(test.answer)).Validate(t.Context(), exactlyOnceConfig)
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{"exactly.once.support": test.support, "transaction.boundary": test.boundary} {
			if got := strings.Join(errorsOf(infos, key), "|"); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
				t.Errorf("%s: %s: %q", test.name, key, got)
			}
		}
	}
}

func TestStandaloneWorkersDoNotAskAboutExactlyOnce(t *testing.T) {
	v := validator(t, map[string]string{"connector.client.config.override.policy": "None"}, settings.Standalone,
		asked(func(map[string]string) bool { return false }))
	props := map[string]string{"offsets.storage.topic": "mine", "consumer.override.x": "y", "admin.override.x": "y"}
	for k, value := range exactlyOnceConfig {
		props[k] = value
	}
	infos, err := v.Validate(t.Context(), props)
	if err != nil || infos.Err() != nil {
		t.Errorf("%v, %v", err, infos.Err())
	}
}

// oddTransform has keys with the names of the framework's.
type oddTransform struct{ transform.Transformation }

func (oddTransform) ConfigDef() *config.Def {
	key := func(name string) config.Key {
		return config.Key{Name: name, Type: config.TypeInt, Default: config.NoDefault, Importance: config.High, Order: -1}
	}
	return config.NewDef(key("negate"), key("predicate"), key("type"), key("plugin.version"), key("own"))
}

type noTransform struct{ transform.Transformation }

func (noTransform) ConfigDef() *config.Def { return nil }

func oddValidator(t *testing.T) *Validator {
	t.Helper()
	set := plugin.Builtin("4.3.1")
	set.Transformations = append(set.Transformations,
		plugin.Plugin[transform.Transformation]{Class: "io.example.OddTransformation", New: func() transform.Transformation { return oddTransform{} }},
		plugin.Plugin[transform.Transformation]{Class: "io.example.NoTransformation", New: func() transform.Transformation { return noTransform{} }},
	)
	set.Connectors = append(set.Connectors, plugin.Plugin[connect.Connector]{Class: fileSinkClass, New: func() connect.Connector { return fileSink{} }})
	plugins, err := plugin.New(set)
	if err != nil {
		t.Fatal(err)
	}
	v := newValidator(t, "All")
	v.Plugins = plugins
	return v
}

func TestKeysOfTheFrameworkHideThoseOfATransform(t *testing.T) {
	infos, err := oddValidator(t).Validate(t.Context(), valid("transforms", "a", "transforms.a.type", "Odd", "transforms.a.own", "1"))
	if err != nil || infos.Err() != nil {
		t.Fatalf("%v, %v", err, infos.Err())
	}
	types := map[string]string{}
	for _, c := range infos.Configs {
		if strings.HasPrefix(c.Value.Name, "transforms.a.") {
			types[c.Value.Name] = c.Definition.Type
		}
	}
	if types["transforms.a.negate"] != "BOOLEAN" || types["transforms.a.predicate"] != "STRING" || types["transforms.a.own"] != "INT" || len(types) != 5 {
		t.Errorf("%v", types)
	}
	// A plugin that says no version.
	for _, c := range infos.Configs {
		if c.Value.Name == "transforms.a.plugin.version" && (c.Value.Value == nil || *c.Value.Value != api.UndefinedVersion) {
			t.Errorf("version %v", c.Value.Value)
		}
	}
}

func TestATransformWithoutDefinitionIsRefused(t *testing.T) {
	infos, err := oddValidator(t).Validate(t.Context(), valid("transforms", "a", "transforms.a.type", "io.example.NoTransformation"))
	if err != nil || len(errorsOf(infos, "transforms.a.type")) != 1 {
		t.Errorf("%v, %v", err, infos.Err())
	}
}

func TestVersionsOfUnknownTransformsMustBeVersions(t *testing.T) {
	infos, err := newValidator(t, "All").Validate(t.Context(), valid("transforms", "a", "transforms.a.type", "x", "transforms.a.plugin.version", "[1.0"))
	if got := errorsOf(infos, "transforms.a.plugin.version"); err != nil || len(got) != 1 || got[0] != "Unbounded range: [1.0" {
		t.Errorf("%v, %q", err, got)
	}
}
