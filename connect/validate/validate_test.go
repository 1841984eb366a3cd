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
	v.Resolve = func(props map[string]string) (map[string]string, error) {
		if props["tasks.max"] == "${env:BROKEN}" {
			return nil, errors.New("Could not read properties from file /x")
		}
		out := map[string]string{}
		for k, v := range props {
			out[k] = strings.ReplaceAll(v, "${env:N}", "0")
		}
		return out, nil
	}
	infos, err := v.Validate(t.Context(), valid("tasks.max", "${env:N}"))
	if err != nil || !slices.Contains(errorsOf(infos, "tasks.max"), "Invalid value 0 for configuration tasks.max: Value must be at least 1") {
		t.Errorf("%q, %v", errorsOf(infos, "tasks.max"), err)
	}
	var e *api.Error
	if _, err = v.Validate(t.Context(), valid("tasks.max", "${env:BROKEN}")); !errors.As(err, &e) || e.Status != 400 {
		t.Errorf("got %v", err)
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
