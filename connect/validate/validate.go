package validate

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/provider"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/redact"
	"github.com/penstock-io/penstock/rest/api"
)

// Options are what a Validator is made of.
type Options struct {
	Plugins *plugin.Registry
	// Worker gives the defaults of converters, the override policy and the group.
	Worker *settings.Worker
	// Resolve replaces ${provider:…} placeholders; nil leaves them. hide takes the secrets of the
	// config out of a text, also with an error.
	Resolve func(props map[string]string) (resolved map[string]string, hide func(text string) string, err error)
}

// Validator checks connector configs. It is safe for concurrent use.
type Validator struct {
	Options
	slots chan struct{} // one is taken by each check under way
}

// New returns a validator.
func New(o Options) *Validator { return &Validator{o, make(chan struct{}, maxChecks)} }

// Validate checks a config, whose placeholders may be unresolved; the result shows them
// resolved. Wrong values are part of the result. An error, an *api.Error with status 400,
// means that there is nothing to check against: no class, an unknown one, or a version
// text that is none. One of a config provider is returned as it is: it is not the request's
// fault. nulls are keys whose value is null, which is an error of each. When ctx ends before
// the check does, its cause is returned. Errors, and that of ConfigInfos.Err, show no secrets.
func (v *Validator) Validate(ctx context.Context, raw map[string]string, nulls ...string) (api.ConfigInfos, error) {
	raw = maps.Clone(raw) // a check that is abandoned may outlive the caller's use of it
	return inTime(ctx, v.slots, raw["connector.class"], func() (api.ConfigInfos, error) { return v.validate(raw, nulls) })
}

// Refusal is the error of a config that another worker has found wrong, if it did.
func (v *Validator) Refusal(ctx context.Context, raw map[string]string, infos api.ConfigInfos) error {
	if infos.ErrorCount == 0 {
		return nil // without asking config providers
	}
	raw = maps.Clone(raw)
	hide, err := inTime(ctx, v.slots, raw["connector.class"], func() (func(string) string, error) {
		_, hide, _ := v.resolve(raw) // what this worker cannot resolve is none of the other's errors
		return hide, nil
	})
	if err != nil {
		return err
	}
	infos.Hide = hide
	return infos.Err()
}

func (v *Validator) validate(raw map[string]string, nulls []string) (infos api.ConfigInfos, err error) {
	props, hide, err := v.resolve(raw)
	if err == nil {
		infos, err = v.check(raw, props, nulls)
	}
	infos.Hide = hide
	return infos, hideError(err, hide)
}

// hideError keeps what kind of error it is.
func hideError(err error, hide func(text string) string) error {
	if err == nil || hide == nil {
		return err
	}
	var coded *api.Error
	if errors.As(err, &coded) {
		return &api.Error{Status: coded.Status, Message: hide(coded.Message)}
	}
	return redact.Error(err, hide)
}

// check checks a config whose placeholders were resolved.
func (v *Validator) check(raw, props map[string]string, nulls []string) (infos api.ConfigInfos, err error) {
	defer recoverPlugin(props["connector.class"], &err)
	class, given := props["connector.class"]
	if !given {
		return api.ConfigInfos{}, api.Errorf(http.StatusBadRequest, "Connector config %s contains no connector type", javaMap(settings.SinkDef().Redact(raw), nulls))
	}
	p, err := v.Plugins.Connector(class)
	if err != nil {
		return api.ConfigInfos{}, badRequest(err)
	}
	version := versionText(props, "connector.plugin.version")
	if version != "latest" {
		if _, err := plugin.ParseVersionRange(version); err != nil {
			return api.ConfigInfos{}, badRequest(err)
		}
	}
	r := newRun(v, props, nulls, p)
	if err := p.CheckVersion(version); err != nil {
		return r.wrongVersion(class, err), nil
	}
	return r.all(class)
}

func (v *Validator) resolve(raw map[string]string) (props map[string]string, hide func(string) string, err error) {
	if v.Resolve == nil {
		return raw, nil, nil
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
func javaMap(props map[string]string, nulls []string) string {
	pairs := make([]string, 0, len(props)+len(nulls))
	for k, v := range props {
		pairs = append(pairs, k+"="+v)
	}
	for _, k := range nulls {
		pairs = append(pairs, k+"=null")
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, ", ") + "}"
}

// versionText is the text of a key for a version. To plugin.CheckVersion an empty one means
// that there is none; in a config it is a version that no plugin has, and so is a blank.
func versionText(props map[string]string, key string) string {
	if text, given := props[key]; text != "" || !given {
		return text
	}
	return " "
}

// PluginConfig returns the definitions of the keys of a plugin, by class or alias: its own,
// and for a connector the keys of every connector behind them. version is the text that the
// plugin's version must meet, as that of a *.plugin.version key. Errors are *api.Error: 404
// for an unknown plugin, 400 for one without configs or in another version.
func (v *Validator) PluginConfig(class, version string) (defs []api.ConfigDefinition, err error) {
	if _, err := plugin.ParseVersionRange(version); version != "latest" && err != nil {
		return nil, api.Errorf(http.StatusBadRequest, "Invalid version specification: %s", version)
	}
	version = versionText(map[string]string{"": version}, "")
	full, ok := v.Plugins.Resolve(class)
	if !ok && isOtherPlugin(class) {
		return nil, api.Errorf(http.StatusBadRequest, "Invalid plugin class %s. Valid types are sink, source, converter, header_converter, "+
			"transformation, predicate.", class)
	}
	if !ok {
		return nil, api.Errorf(http.StatusNotFound, "Unknown plugin %s.", class)
	}
	defer recoverPlugin(full, &err)
	def, err := v.pluginDef(full, version)
	if err != nil {
		return nil, badRequest(err)
	}
	defs = make([]api.ConfigDefinition, 0, len(def.Keys()))
	for i := range def.Keys() {
		if k := &def.Keys()[i]; !k.Internal {
			defs = append(defs, *definition(k, ""))
		}
	}
	return defs, nil
}

// isOtherPlugin tells whether a name is that of a plugin that REST does not list, by class or
// alias: override policies and config providers.
func isOtherPlugin(name string) bool {
	return slices.ContainsFunc(append(settings.PolicyClasses(), slices.Collect(maps.Keys(provider.Builtin(nil)))...), func(class string) bool {
		simple := class[strings.LastIndexByte(class, '.')+1:]
		return name == class || name == simple || name == strings.TrimSuffix(simple, "ConnectorClientConfigOverridePolicy") ||
			name == strings.TrimSuffix(simple, "ConfigProvider")
	})
}

func (v *Validator) pluginDef(full, version string) (*config.Def, error) {
	if p, err := v.Plugins.Connector(full); err == nil {
		def := p.New().ConfigDef().Clone()
		for _, k := range kindDef(p.Kind).Keys() {
			if k.Name == "connector.plugin.version" {
				k.Default = versionDefault(p.Version)
			}
			if def.Key(k.Name) == nil {
				def.Add(k)
			}
		}
		return def, p.CheckVersion(version)
	}
	if p, err := v.Plugins.Converter(full); err == nil {
		return p.New().ConfigDef(), p.CheckVersion(version)
	}
	if p, err := v.Plugins.HeaderConverter(full); err == nil {
		return p.New().ConfigDef(), p.CheckVersion(version)
	}
	if p, err := v.Plugins.Transformation(full); err == nil {
		return p.New().ConfigDef(), p.CheckVersion(version)
	}
	p, err := v.Plugins.Predicate(full)
	if err != nil {
		return nil, err
	}
	return p.New().ConfigDef(), p.CheckVersion(version)
}

// versionDefault is the version shown for a key that names none: a plugin that tells
// nothing has the version undefined.
func versionDefault(version string) any {
	if version == "" {
		return api.UndefinedVersion
	}
	return version
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

// failAll adds an error to several keys.
func (v *values) failAll(keys []string, msg string) {
	for _, k := range keys {
		v.fail(k, msg)
	}
}

// connectorValues asks the connector itself. It is not told of nulls, which it could not use:
// they are refused here, where the JVM stores them and the connector cannot start.
func (r *run) connectorValues(c connect.Connector, def *config.Def) []config.Value {
	values := def.Validate(r.props, r.nulls...)
	if own, ok := c.(connect.ConfigValidator); ok {
		values = own.ValidateConfig(r.props)
	}
	for i := range values {
		if v := &values[i]; r.null[v.Name] {
			v.Value, v.Errors = nil, append(v.Errors, nullValue)
		}
	}
	return values
}
