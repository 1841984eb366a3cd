package validate

import (
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/rest/api"
)

// part is one section of a result (Java: ConfigInfos, which are merged).
type part struct {
	errors  int
	groups  []string
	configs []api.ConfigInfo
}

// mainPart joins the keys of every connector with the connector's own: entries without a
// definition, then in order of definition. A connector's key replaces a framework key in
// place, and so does its value. Every error counts.
func mainPart(framework, own *config.Def, found *values, connectorFound []config.Value) part {
	p := part{groups: []string{}, configs: []api.ConfigInfo{}}
	keys, index := []*config.Key{}, map[string]int{}
	for _, def := range []*config.Def{framework, own} {
		p.groups = append(p.groups, def.Groups()...)
		for i := range def.Keys() {
			k := &def.Keys()[i]
			if at, known := index[k.Name]; known {
				keys[at] = k
				continue
			}
			index[k.Name] = len(keys)
			keys = append(keys, k)
		}
	}
	undefined := func(v config.Value) {
		if _, defined := index[v.Name]; !defined {
			p.errors += len(v.Errors)
			p.configs = append(p.configs, api.ConfigInfo{Value: value(v)})
		}
	}
	byKey := map[string]config.Value{}
	for _, name := range config.HashOrder(found.order) {
		byKey[name] = *found.byKey[name]
		undefined(byKey[name])
	}
	for _, v := range connectorFound {
		byKey[v.Name] = v
		undefined(v)
	}
	for _, k := range keys {
		if k.Internal {
			continue
		}
		v, given := byKey[k.Name]
		if !given {
			v = config.Value{Name: k.Name, Visible: true}
		}
		p.errors += len(v.Errors)
		p.configs = append(p.configs, api.ConfigInfo{Definition: definition(k, ""), Value: value(v)})
	}
	return p
}

// addEmbedded adds a key below a prefix; k may be nil. Here a key with errors counts once.
func (p *part) addEmbedded(k *config.Key, prefix string, v config.Value) {
	info := api.ConfigInfo{Value: value(v)}
	if k != nil {
		info.Definition = definition(k, prefix)
		if k.Internal {
			info.Definition.Group = new(string) // the JVM's has a group without a name
		}
		if group := info.Definition.Group; group != nil {
			p.groups = append(p.groups, *group)
		}
	}
	if len(v.Errors) > 0 {
		p.errors++
	}
	p.configs = append(p.configs, info)
}

// definition is the JSON form of a key.
func definition(k *config.Key, prefix string) *api.ConfigDefinition {
	d := &api.ConfigDefinition{
		Name: prefix + k.Name, Type: string(k.Type), Required: k.Default == config.NoDefault, Importance: string(k.Importance),
		Documentation: k.Doc, OrderInGroup: k.Order, Width: string(k.Width), DisplayName: k.DisplayName,
		Dependents: append([]string{}, k.Dependents...),
	}
	if !d.Required {
		d.DefaultValue = config.Text(k.Default)
	}
	if k.Group != "" {
		d.Group = &k.Group
	}
	if d.Width == "" {
		d.Width = string(config.WidthNone)
	}
	if d.DisplayName == "" {
		d.DisplayName = k.Name
	}
	return d
}

// value is the JSON form of a value and its errors.
func value(v config.Value) api.ConfigValue {
	out := api.ConfigValue{Name: v.Name, Value: config.Text(v.Value), Visible: v.Visible,
		Recommended: []string{}, Errors: append([]string{}, v.Errors...)}
	for _, r := range v.Recommended {
		if text := config.Text(r); text != nil {
			out.Recommended = append(out.Recommended, *text)
		}
	}
	return out
}
