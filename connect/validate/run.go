package validate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/rest/api"
)

// run is the check of one config.
type run struct {
	*Validator
	props  map[string]string
	nulls  []string // keys whose value is null, none of which is in props
	null   map[string]bool
	keys   []string // of both, in the JVM's order, which is that of a hash map
	plugin *plugin.Connector
}

func newRun(v *Validator, props map[string]string, nulls []string, p *plugin.Connector) *run {
	r := &run{Validator: v, props: props, nulls: nulls, null: map[string]bool{}, plugin: p}
	for _, k := range nulls {
		r.null[k] = true
	}
	r.keys = config.HashOrder(append(slices.Sorted(maps.Keys(props)), nulls...))
	return r
}

// nullValue is the error of a key that was given as null.
const nullValue = "Null value can not be supplied as the configuration value."

// has tells whether a key was given, null included.
func (r *run) has(key string) bool {
	_, given := r.props[key]
	return given || r.null[key]
}

// below returns the keys that begin with a prefix, without it, in the JVM's order; nulls
// among them.
func (r *run) below(prefix string) []string {
	var names []string
	for _, k := range r.keys {
		if name, ok := strings.CutPrefix(k, prefix); ok && name != "" {
			names = append(names, name)
		}
	}
	return names
}

// all checks everything. The converters come first, because their errors are also errors
// of the keys that name them.
func (r *run) all(class string) (infos api.ConfigInfos, err error) {
	framework := r.frameworkDef()
	found := newValues(framework.Validate(r.props, r.nulls...))
	connector := r.plugin.New()
	r.checkSink(found)
	r.checkExactlyOnce(connector, found)
	found.failAll(r.nulls, nullValue)
	var converters []part
	for _, key := range settings.ConverterKeys() {
		converters = append(converters, r.converter(key, found))
	}
	parts := append(r.clientOverrides(), converters...)

	own := connector.ConfigDef()
	if own == nil {
		return infos, fmt.Errorf("%s.ConfigDef() returned nil. This is a defect of the connector", r.plugin.Class)
	}
	main := mainPart(framework, own, found, r.connectorValues(connector, own))
	infos = api.ConfigInfos{Name: class, Groups: []string{}, Configs: []api.ConfigInfo{}}
	for _, p := range append([]part{main}, parts...) {
		infos.ErrorCount += p.errors
		infos.Configs = append(infos.Configs, p.configs...)
		infos.Groups = append(infos.Groups, p.groups...)
	}
	infos.Groups = config.Distinct(infos.Groups)
	return infos, nil
}

// wrongVersion is the result when the class is known but not in the version asked for:
// only the keys of every connector are checked.
func (r *run) wrongVersion(class string, err error) api.ConfigInfos {
	framework := r.connectorDef()
	found := newValues(framework.Validate(r.props, r.nulls...))
	found.fail("connector.class", err.Error())
	found.fail("connector.plugin.version", err.Error())
	found.failAll(r.nulls, nullValue)
	main := mainPart(framework, config.NewDef(), found, nil)
	return api.ConfigInfos{Name: class, ErrorCount: main.errors, Groups: main.groups, Configs: main.configs}
}

// checkSink checks what takes more than one key of a sink.
func (r *run) checkSink(found *values) {
	if r.plugin.Kind != plugin.KindSink {
		return
	}
	for _, p := range settings.SinkProblems(r.props) {
		found.fail(p.Key, p.Msg)
	}
	r.checkGroup(found)
}

// checkGroup refuses a sink whose consumers would be members of the workers' own group.
func (r *run) checkGroup(found *values) {
	group := r.Worker.GroupID
	if r.Worker.Mode != settings.Distributed {
		return
	}
	const override = settings.ConsumerOverride + "group.id"
	if id, given := r.props[override]; r.null[override] {
		found.show(override, nil)
	} else if given {
		found.show(override, id) // the JVM lists it among the connector's keys in any case
		if id == group {
			found.fail(override, fmt.Sprintf("Consumer group %s conflicts with Connect worker group %s", id, group))
		}
	} else if name := r.props["name"]; settings.SinkGroup(name) == group {
		found.fail("name", fmt.Sprintf("Consumer group for sink connector named %s conflicts with Connect worker group %s", name, group))
	}
}

// clientOverrides checks the settings of those clients that the connector uses.
func (r *run) clientOverrides() []part {
	source := r.plugin.Kind == plugin.KindSource
	dlq := !source && settings.UsesDeadLetterQueue(r.props)
	ownOffsets := source && r.Worker.Mode == settings.Distributed &&
		(r.Worker.ExactlyOnceEnabled() || strings.TrimSpace(r.props["offsets.storage.topic"]) != "")
	var parts []part
	if source || dlq {
		parts = append(parts, r.overrides(settings.ProducerOverride, settings.ProducerDef()))
	}
	if !source || ownOffsets {
		parts = append(parts, r.overrides(settings.ConsumerOverride, settings.ConsumerDef()))
	}
	createsTopics := settings.UsesTopicCreation(r.props) || slices.ContainsFunc(r.nulls, func(k string) bool { return strings.HasPrefix(k, "topic.creation.") })
	if dlq || ownOffsets || source && createsTopics {
		parts = append(parts, r.overrides(settings.AdminOverride, settings.AdminDef()))
	}
	return parts
}

// overrides checks client settings against the worker's policy and their types. Which
// values are allowed is left to the client, as in the JVM.
func (r *run) overrides(prefix string, client *config.Def) part {
	var p part
	for _, name := range config.HashOrder(r.below(prefix)) {
		v := config.Value{Name: prefix + name, Visible: true}
		if text, given := r.props[v.Name]; given {
			v.Value = text
		}
		k := client.Key(name)
		if k != nil && v.Value != nil {
			parsed, err := client.ParseValue(name, r.props[prefix+name], k.Type)
			v.Value = parsed
			if err != nil {
				v.Errors = append(v.Errors, err.Error())
			}
		}
		if msg := r.Worker.Policy.Check(name); msg != "" {
			v.Errors = append(v.Errors, msg)
		}
		p.addEmbedded(k, prefix, v)
	}
	return p
}

// converter checks the keys below a converter that the connector names itself; the
// worker's was checked when the worker started.
func (r *run) converter(key string, found *values) part {
	var p part
	name, given := r.props[key]
	versionKey := key + ".plugin.version"
	if !given || failed(found, key) || failed(found, versionKey) {
		return p
	}
	def, checkVersion := r.converterDef(key, name)
	if def == nil { // the JVM does not trim the name here
		found.fail(key, fmt.Sprintf("Failed to load class %s: %s", name, name))
		return p
	}
	if err := checkVersion(versionText(r.props, versionKey)); err != nil {
		found.failAll([]string{key, versionKey}, err.Error())
		return p
	}
	own, nulls := map[string]string{}, []string{}
	for _, option := range r.below(key + ".") {
		if v, given := r.props[key+"."+option]; given {
			own[option] = v
		} else {
			nulls = append(nulls, option)
		}
	}
	if _, given := own[convert.TypeKey]; !given {
		own[convert.TypeKey] = strings.TrimSuffix(key, ".converter") // also in place of null
	}
	byName := map[string]config.Value{}
	var order []string
	for _, v := range def.Validate(own, nulls...) {
		byName[v.Name] = v
		order = append(order, v.Name)
	}
	for _, option := range config.HashOrder(order) { // the JVM lists a HashMap
		v := byName[option]
		v.Name = key + "." + option
		p.addEmbedded(def.Key(option), key+".", v)
	}
	return p
}

func failed(found *values, key string) bool {
	v := found.byKey[key]
	return v != nil && len(v.Errors) > 0
}

// converterDef returns the keys of a converter, and the check of its version; nil for an
// unknown one.
func (r *run) converterDef(key, name string) (def *config.Def, checkVersion func(text string) error) {
	if key == "header.converter" {
		if p, err := r.Plugins.HeaderConverter(name); err == nil {
			return p.New().ConfigDef(), p.CheckVersion
		}
	} else if p, err := r.Plugins.Converter(name); err == nil {
		return p.New().ConfigDef(), p.CheckVersion
	}
	return nil, nil
}
