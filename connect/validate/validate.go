package validate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/rest/api"
)

// Options are what a Validator is made of.
type Options struct {
	Plugins *plugin.Registry
	// Worker gives the defaults of converters, the override policy and the group.
	Worker *settings.Worker
	// Resolve replaces ${provider:…} placeholders; nil leaves them.
	Resolve func(props map[string]string) (map[string]string, error)
}

// Validator checks connector configs. It is safe for concurrent use.
type Validator struct{ Options }

// New returns a validator.
func New(o Options) *Validator { return &Validator{o} }

// Validate checks a config, whose placeholders may be unresolved; the result shows them
// resolved. Wrong values are part of the result. An error, an *api.Error with status 400,
// means that there is nothing to check against: no class, an unknown one, or a version
// text that is none.
func (v *Validator) Validate(ctx context.Context, raw map[string]string) (api.ConfigInfos, error) {
	if err := ctx.Err(); err != nil {
		return api.ConfigInfos{}, context.Cause(ctx)
	}
	props, err := v.resolve(raw)
	if err != nil {
		return api.ConfigInfos{}, badRequest(err)
	}
	class, given := props["connector.class"]
	if !given {
		return api.ConfigInfos{}, api.Errorf(http.StatusBadRequest, "Connector config %s contains no connector type", javaMap(settings.SinkDef().Redact(raw)))
	}
	p, err := v.Plugins.Connector(class)
	if err != nil {
		return api.ConfigInfos{}, badRequest(err)
	}
	version := props["connector.plugin.version"]
	if version != "latest" {
		if _, err := plugin.ParseVersionRange(version); err != nil {
			return api.ConfigInfos{}, badRequest(err)
		}
	}
	r := &run{Validator: v, props: props, plugin: p}
	if err := p.CheckVersion(version); err != nil {
		return r.wrongVersion(class, err), nil
	}
	return r.all(class)
}

func (v *Validator) resolve(raw map[string]string) (map[string]string, error) {
	if v.Resolve == nil {
		return raw, nil
	}
	return v.Resolve(raw)
}

func badRequest(err error) error {
	var e *api.Error
	if errors.As(err, &e) {
		return e
	}
	return &api.Error{Status: http.StatusBadRequest, Message: err.Error()}
}

// javaMap is Map.toString; the order of the request is not known any more.
func javaMap(props map[string]string) string {
	pairs := make([]string, 0, len(props))
	for _, k := range slices.Sorted(maps.Keys(props)) {
		pairs = append(pairs, k+"="+props[k])
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

// PluginConfig returns the definitions of the keys of a plugin, by class or alias: its own,
// and for a connector the keys of every connector behind them. An unknown plugin is an
// *api.Error with status 404.
func (v *Validator) PluginConfig(class string) (defs []api.ConfigDefinition, err error) {
	full, ok := v.Plugins.Resolve(class)
	if !ok {
		return nil, api.Errorf(http.StatusNotFound, "Unknown plugin %s.", class)
	}
	defer recoverPlugin(full, &err)
	var def *config.Def
	if p, err := v.Plugins.Connector(full); err == nil {
		def = p.New().ConfigDef().Clone()
		for _, k := range kindDef(p.Kind).Keys() {
			if k.Name == "connector.plugin.version" {
				k.Default = versionDefault(p.Version)
			}
			if def.Key(k.Name) == nil {
				def.Add(k)
			}
		}
	} else if p, err := v.Plugins.Converter(full); err == nil {
		def = p.New().ConfigDef()
	} else if p, err := v.Plugins.HeaderConverter(full); err == nil {
		def = p.New().ConfigDef()
	} else if p, err := v.Plugins.Transformation(full); err == nil {
		def = p.New().ConfigDef()
	} else if p, err := v.Plugins.Predicate(full); err == nil {
		def = p.New().ConfigDef()
	} else {
		return nil, err
	}
	defs = make([]api.ConfigDefinition, 0, len(def.Keys()))
	for i := range def.Keys() {
		if k := &def.Keys()[i]; !k.Internal {
			defs = append(defs, *definition(k, ""))
		}
	}
	return defs, nil
}

// versionDefault is the version shown for a key that names none: a plugin that tells
// nothing has the version undefined.
func versionDefault(version string) any {
	if version == "" {
		return api.UndefinedVersion
	}
	return version
}

// recoverPlugin turns a panic of plugin code into an error: a request must not end the worker.
func recoverPlugin(class string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the plugin %s failed while its configuration was checked: %v", class, p)
	}
}

// values keeps the values of one definition in its order, and errors of keys that are
// not defined.
type values struct {
	order []string
	byKey map[string]*config.Value
}

func newValues(list []config.Value) *values {
	v := &values{byKey: map[string]*config.Value{}}
	for i := range list {
		v.order = append(v.order, list[i].Name)
		v.byKey[list[i].Name] = &list[i]
	}
	return v
}

// show adds a key that is not defined.
func (v *values) show(key string, value any) {
	v.order = append(v.order, key)
	v.byKey[key] = &config.Value{Name: key, Value: value, Visible: true}
}

// fail adds an error to a key, which need not be defined.
func (v *values) fail(key, msg string) {
	if v.byKey[key] == nil {
		v.show(key, nil)
	}
	v.byKey[key].Errors = append(v.byKey[key].Errors, msg)
}

// connectorValues asks the connector itself.
func connectorValues(c connect.Connector, def *config.Def, props map[string]string) []config.Value {
	if own, ok := c.(connect.ConfigValidator); ok {
		return own.ValidateConfig(props)
	}
	return def.Validate(props)
}
