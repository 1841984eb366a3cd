package validate

import (
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
)

// connectorDef is the definition of every connector's keys without anything of the
// worker, but with the version of the connector.
func (r *run) connectorDef() *config.Def {
	keys := slices.Clone(settings.ConnectorDef().Keys())
	for i := range keys {
		k := &keys[i]
		switch k.Name {
		case "connector.plugin.version":
			r.versionKey(k, "connector.class", r.plugin.Version, "")
		case "key.converter.plugin.version", "value.converter.plugin.version", "header.converter.plugin.version":
			k.Recommender = versions{classKey: strings.TrimSuffix(k.Name, ".plugin.version")}
		}
	}
	return config.NewDef(keys...).WithClasses(r.Plugins.Resolve)
}

// frameworkDef is the definition of every sink's or source's keys as this request sees it:
// with the worker's converters and the known versions as defaults and proposals (KIP-891),
// and with the keys of the transforms and predicates that the connector lists.
func (r *run) frameworkDef() *config.Def {
	keys := slices.Clone(kindDef(r.plugin.Kind).Keys())
	for i := range keys {
		k := &keys[i]
		switch k.Name {
		case "connector.plugin.version":
			r.versionKey(k, "connector.class", r.plugin.Version, "")
		case "key.converter":
			k.Validator = r.checkConverter
			r.classKey(k, plugin.KindConverter, r.Worker.KeyConverter)
		case "value.converter":
			k.Validator = r.checkConverter
			r.classKey(k, plugin.KindConverter, r.Worker.ValueConverter)
		case "header.converter":
			k.Validator = r.checkHeaderConverter
			r.classKey(k, plugin.KindHeaderConverter, r.Worker.HeaderConverter)
		case "key.converter.plugin.version":
			r.converterVersion(k, "key.converter", r.Worker.KeyConverter)
		case "value.converter.plugin.version":
			r.converterVersion(k, "value.converter", r.Worker.ValueConverter)
		case "header.converter.plugin.version":
			r.converterVersion(k, "header.converter", r.Worker.HeaderConverter)
		}
	}
	def := config.NewDef(keys...)
	r.addChained(def, r.transforms())
	r.addChained(def, r.predicates())
	return def.WithClasses(r.Plugins.Resolve)
}

// kindDef defines the keys that every connector of a kind has.
func kindDef(k plugin.Kind) *config.Def {
	if k == plugin.KindSource {
		return settings.SourceDef()
	}
	return settings.SinkDef()
}

func (r *run) classKey(k *config.Key, kind plugin.Kind, worker settings.Plugin) {
	k.Recommender = proposals(r.Plugins.Classes(kind))
	if worker.Class != "" {
		k.Default, _ = r.Plugins.Resolve(worker.Class)
	}
}

func (r *run) checkConverter(_ string, v any) error {
	if name, ok := v.(string); ok {
		_, err := r.Plugins.Converter(name)
		return err
	}
	return nil
}

func (r *run) checkHeaderConverter(_ string, v any) error {
	if name, ok := v.(string); ok {
		_, err := r.Plugins.HeaderConverter(name)
		return err
	}
	return nil
}

// converterVersion proposes the version of the converter in force. The worker's own
// requirement counts only together with the worker's class.
func (r *run) converterVersion(k *config.Key, classKey string, worker settings.Plugin) {
	class, given := r.props[classKey]
	required := ""
	if !given {
		class, required = worker.Class, worker.Version
	}
	version, known := r.versionOf(classKey, strings.TrimSpace(class))
	r.versionKey(k, classKey, version, required)
	if !known {
		k.Recommender = versions{classKey: classKey}
	}
	if !known || class != strings.TrimSpace(class) { // the JVM does not find a class with blanks
		k.Default = nil
	}
}

// versionKey sets the default of a version key: what is required, or else the version
// that there is.
func (r *run) versionKey(k *config.Key, classKey, version, required string) {
	proposed := versions{classKey: classKey}
	if version != "" {
		proposed.proposals = proposals{version}
	}
	k.Validator, k.Recommender, k.Default = checkVersionText, proposed, versionDefault(version)
	if required != "" {
		k.Default = required
	}
}

func (r *run) versionOf(classKey, class string) (version string, known bool) {
	if classKey == "header.converter" {
		if p, err := r.Plugins.HeaderConverter(class); err == nil {
			return p.Version, true
		}
	} else if p, err := r.Plugins.Converter(class); err == nil {
		return p.Version, true
	}
	return "", false
}

func checkVersionText(key string, v any) error {
	text, _ := v.(string)
	if text == "latest" {
		return nil
	}
	if _, err := plugin.ParseVersionRange(text); err != nil {
		return &config.Error{Key: key, Msg: err.Error()} // the JVM shows the parser's text alone
	}
	return nil
}

// proposals recommends fixed values.
type proposals []string

// ValidValues returns the proposals.
func (p proposals) ValidValues(string, config.Values) []any {
	values := make([]any, len(p))
	for i, s := range p {
		values[i] = s
	}
	return values
}

// Visible is always true.
func (p proposals) Visible(string, config.Values) bool { return true }

// versions recommends the versions of a class, as long as there is a class.
type versions struct {
	proposals
	classKey string
}

// ValidValues returns the versions if there is a class.
func (v versions) ValidValues(key string, parsed config.Values) []any {
	if parsed.Null(v.classKey) {
		return nil
	}
	return v.proposals.ValidValues(key, parsed)
}

// Visible reports whether the class key has a value.
func (v versions) Visible(_ string, parsed config.Values) bool { return !parsed.Null(v.classKey) }
