package validate

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/rest/api"
)

func errorsOf(infos api.ConfigInfos, key string) []string {
	for _, c := range infos.Configs {
		if c.Value.Name == key {
			return c.Value.Errors
		}
	}
	return nil
}

func valid(pairs ...string) map[string]string {
	c := map[string]string{"name": "c", "connector.class": "FileStreamSink", "topics": "t"}
	for i := 0; i < len(pairs); i += 2 {
		c[pairs[i]] = pairs[i+1]
	}
	return c
}

func TestPlaceholdersAreResolved(t *testing.T) {
	v := newValidator(t, "All")
	hide := func(text string) string { return strings.ReplaceAll(text, "canary", "[hidden]") }
	v.Resolve = func(props map[string]string) (map[string]string, func(string) string, error) {
		if props["tasks.max"] == "${env:BROKEN}" {
			return nil, hide, errors.New("Could not read properties from file /canary")
		}
		out := map[string]string{}
		for k, v := range props {
			out[k] = strings.ReplaceAll(v, "${env:N}", "0")
		}
		return out, hide, nil
	}
	infos, err := v.Validate(t.Context(), valid("tasks.max", "${env:N}"))
	if err != nil || !slices.Contains(errorsOf(infos, "tasks.max"), "Invalid value 0 for configuration tasks.max: Value must be at least 1") {
		t.Errorf("%q, %v", errorsOf(infos, "tasks.max"), err)
	}
	var e *api.Error // a status of 500
	if _, err = v.Validate(t.Context(), valid("tasks.max", "${env:BROKEN}")); err == nil || errors.As(err, &e) || err.Error() != "Could not read properties from file /[hidden]" {
		t.Errorf("got %v", err)
	}
}

func TestErrorsOfACheckShowNoSecrets(t *testing.T) {
	v := newValidator(t, "All", plugin.Plugin[connect.Connector]{Class: "io.example.CheckingSink", New: func() connect.Connector {
		return checkingSink{check: func(props map[string]string) []config.Value { panic(props["file"]) }}
	}})
	v.Resolve = func(props map[string]string) (map[string]string, func(string) string, error) {
		return props, func(text string) string { return strings.ReplaceAll(text, "canary", "[hidden]") }, nil
	}
	infos, err := v.Validate(t.Context(), valid("tasks.max", "canary"))
	if err != nil || !slices.Contains(errorsOf(infos, "tasks.max"), "Invalid value canary for configuration tasks.max: Not a number of type INT") {
		t.Errorf("the answer itself: %q, %v", errorsOf(infos, "tasks.max"), err)
	}
	for what, refusal := range map[string]error{"here": infos.Err(), "elsewhere": v.Refusal(t.Context(), nil, api.ConfigInfos{ErrorCount: 1, Configs: infos.Configs})} {
		if got := refused(t, refusal, 400); !strings.Contains(got, "Invalid value [hidden] for") {
			t.Errorf("%s: %s", what, got)
		}
	}
	_, err = v.Validate(t.Context(), valid("connector.class", "canary"))
	if got := refused(t, err, 400); strings.Contains(got, "canary") || !strings.Contains(got, "[hidden]") {
		t.Errorf("an unknown class: %s", got)
	}
	if _, err = v.Validate(t.Context(), valid("connector.class", "CheckingSink", "file", "canary")); err == nil || !strings.HasSuffix(err.Error(), ": [hidden]") {
		t.Errorf("a panic: %v", err)
	}
}

func TestSecretsAreNotShownWithoutAClass(t *testing.T) {
	_, err := newValidator(t, "All").Validate(t.Context(), map[string]string{"name": "c", "db.password": "hush"})
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}

// checkingSink checks its config by itself.
type checkingSink struct {
	fileSink
	check func(props map[string]string) []config.Value
}

func (s checkingSink) ValidateConfig(props map[string]string) []config.Value { return s.check(props) }

func TestConnectorsOwnValidation(t *testing.T) {
	check := func(map[string]string) []config.Value {
		return []config.Value{
			{Name: "file", Value: "f", Errors: []string{"no such directory"}, Visible: true},
			{Name: "topics", Value: "t", Errors: []string{"not these"}, Visible: true}, // in place of the framework's
			{Name: "other", Errors: []string{"nobody knows it"}},
		}
	}
	v := newValidator(t, "All", plugin.Plugin[connect.Connector]{Class: "io.example.CheckingSink",
		New: func() connect.Connector { return checkingSink{check: check} }})
	infos, err := v.Validate(t.Context(), valid("connector.class", "CheckingSink"))
	if err != nil {
		t.Fatal(err)
	}
	err = infos.Err()
	const want = "contains the following 3 error(s):\nnobody knows it\nnot these\nno such directory\n"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	if infos.Configs[0].Definition != nil || infos.Configs[0].Value.Name != "other" {
		t.Errorf("first: %+v", infos.Configs[0])
	}

	check = func(map[string]string) []config.Value { panic("a defect") }
	if _, err = v.Validate(t.Context(), valid("connector.class", "CheckingSink")); err == nil || !strings.Contains(err.Error(), "a defect") {
		t.Errorf("a panic gave %v", err)
	}
}

// refused returns the message of an error with a status.
func refused(t *testing.T, err error, status int) string {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) || e.Status != status {
		t.Fatalf("got %v, want a %d", err, status)
	}
	return e.Message
}

func TestPluginConfigOfAVersion(t *testing.T) {
	v := newValidator(t, "All")
	for _, version := range []string{"latest", "4.3.1", " [4.0,5) ", ","} {
		if defs, err := v.PluginConfig("FileStreamSink", version); err != nil || len(defs) == 0 {
			t.Errorf("%q: %v, %v", version, defs, err)
		}
	}
	const notFound = "Plugin " + fileSinkClass + " not found that matches the version range "
	for version, want := range map[string]string{
		"1.0": notFound + "[1.0,1.0], available versions: [4.3.1]", "": notFound + "[,], available versions: [4.3.1]",
		"Latest": notFound + "[Latest,Latest], available versions: [4.3.1]", "[1.0": "Invalid version specification: [1.0",
	} {
		_, err := v.PluginConfig("FileStreamSink", version)
		if got := refused(t, err, 400); got != want {
			t.Errorf("%q: %s", version, got)
		}
	}
	for _, class := range []string{"Json", "Simple", "RegexRouter", "TopicNameMatches"} {
		_, err := v.PluginConfig(class, "1.0")
		want := "available versions: [4.3.1]"
		if class == "Json" {
			want = "available versions: [4.3.1, 4.3.1]" // as converter and as header converter
		}
		if got := refused(t, err, 400); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s", class, got)
		}
	}
}

func TestPluginConfigOfWhatHasNone(t *testing.T) {
	v := newValidator(t, "All")
	for _, class := range []string{"All", "NoneConnectorClientConfigOverridePolicy", "EnvVar", "org.apache.kafka.common.config.provider.FileConfigProvider"} {
		_, err := v.PluginConfig(class, "latest")
		if got := refused(t, err, 400); got != "Invalid plugin class "+class+". Valid types are sink, source, converter, header_converter, transformation, predicate." {
			t.Errorf("%s: %s", class, got)
		}
	}
	_, err := v.PluginConfig("NoSuch", "latest")
	if got := refused(t, err, 404); got != "Unknown plugin NoSuch." {
		t.Errorf("got %s", got)
	}
}

func TestNullsOfConnectorsOwnKeysAreRefused(t *testing.T) {
	check := func(props map[string]string) []config.Value {
		if _, given := props["file"]; given {
			t.Error("the connector was told of a null")
		}
		return []config.Value{{Name: "file", Value: "f", Visible: true}}
	}
	v := newValidator(t, "All", plugin.Plugin[connect.Connector]{Class: "io.example.CheckingSink",
		New: func() connect.Connector { return checkingSink{check: check} }})
	for _, class := range []string{"FileStreamSink", "CheckingSink"} {
		infos, err := v.Validate(t.Context(), valid("connector.class", class), "file")
		if err != nil || infos.ErrorCount != 1 || !slices.Equal(errorsOf(infos, "file"), []string{nullValue}) {
			t.Errorf("%s: %d %q, %v", class, infos.ErrorCount, errorsOf(infos, "file"), err)
		}
	}
}

func TestAMissingClassShowsTheNulls(t *testing.T) {
	for _, tc := range []struct {
		props map[string]string
		nulls []string
		want  string
	}{
		{map[string]string{}, nil, "{}"}, {map[string]string{}, []string{"connector.class"}, "{connector.class=null}"},
		{map[string]string{"name": "c", "db.password": "hush"}, []string{"connector.class", "x"}, "{connector.class=null, db.password=[hidden], name=c, x=null}"},
	} {
		_, err := newValidator(t, "All").Validate(t.Context(), tc.props, tc.nulls...)
		if got := refused(t, err, 400); got != "Connector config "+tc.want+" contains no connector type" {
			t.Errorf("got %s", got)
		}
	}
}
