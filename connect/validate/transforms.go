package validate

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
)

// chained describes transforms or predicates: plugins that a connector lists by names of
// its own, with the keys of each below its name (Java: ConnectorConfig.EnrichablePlugin).
type chained struct {
	list  string // key of the list, and beginning of the keys of each
	group string
	iface string // the Java interface
	kind  plugin.Kind
	// find returns the plugin of a class or alias.
	find func(name string) (chainedPlugin, error)
	// implicit keys stand among the plugin's own and hide those of the same name.
	implicit []config.Key
	// check is an additional check of the keys of one name.
	check func(prefix string) error
}

type chainedPlugin struct {
	class, version string
	checkVersion   func(text string) error
	def            func() *config.Def
}

func chainedPluginOf[T interface{ ConfigDef() *config.Def }](p *plugin.Plugin[T], err error) (chainedPlugin, error) {
	if err != nil {
		return chainedPlugin{}, err
	}
	return chainedPlugin{p.Class, p.Version, p.CheckVersion, func() *config.Def { return p.New().ConfigDef() }}, nil
}

func (r *run) transforms() chained {
	return chained{
		list: "transforms", group: "Transforms", iface: "Transformation", kind: plugin.KindTransformation,
		find: func(name string) (chainedPlugin, error) { return chainedPluginOf(r.Plugins.Transformation(name)) },
		implicit: []config.Key{
			{Name: "predicate", Type: config.TypeString, Importance: config.Medium, Order: -1,
				Doc: "Name of the predicate, one of predicates, that a record must meet for the transformation to be applied; not set: it always is."},
			{Name: "negate", Type: config.TypeBoolean, Default: false, Importance: config.Medium, Order: -1,
				Doc: "Whether the transformation is applied when the predicate is not met instead."},
		},
		check: func(prefix string) error {
			if r.has(prefix+"predicate") || !r.has(prefix+"negate") {
				return nil
			}
			return &config.Error{Key: prefix + "type", Msg: fmt.Sprintf("Config '%snegate' was provided but there is no config '%spredicate' "+
				"defining a predicate to be negated.", prefix, prefix)}
		},
	}
}

func (r *run) predicates() chained {
	return chained{
		list: "predicates", group: "Predicates", iface: "Predicate", kind: plugin.KindPredicate,
		find:  func(name string) (chainedPlugin, error) { return chainedPluginOf(r.Plugins.Predicate(name)) },
		check: func(string) error { return nil },
	}
}

// addChained adds the keys of each plugin that the connector lists. A name that is listed
// twice has its keys once; the list itself is wrong then. Of too long a list, which is wrong as
// well, no name has any: the answer would be many times the size of the request.
func (r *run) addChained(def *config.Def, c chained) {
	text, given := r.props[c.list]
	if !given {
		return
	}
	names := config.ParseList(text)
	if len(names) > settings.MaxNames {
		return
	}
	for _, name := range config.Distinct(names) {
		r.addChainedPlugin(def, c, name)
	}
}

// addChainedPlugin adds type and version, and the other keys as far as these two tell
// which plugin it is.
func (r *run) addChainedPlugin(def *config.Def, c chained, name string) {
	prefix, group := c.list+"."+name+".", c.group+": "+name
	class, given := r.props[prefix+"type"]
	p, err := c.find(strings.TrimSpace(class))
	own := c.ownKeys(p, err)
	versionErr := error(nil)
	if text := versionText(r.props, prefix+"plugin.version"); err == nil {
		versionErr = p.checkVersion(text)
	} else if given && text != "latest" {
		_, versionErr = plugin.ParseVersionRange(text)
	}
	kind := strings.ToLower(c.iface)
	def.Add(config.Key{
		Name: prefix + "type", Type: config.TypeClass, Default: config.NoDefault, Importance: config.High,
		Doc: fmt.Sprintf("Class of the %s %s.", kind, name), Group: group, Order: 0, Width: config.WidthLong,
		DisplayName: c.iface + " type for " + name, Recommender: proposals(r.Plugins.Classes(c.kind)),
		Validator: func(key string, v any) error {
			if err := c.check(prefix); err != nil {
				return err
			}
			// A class that was not found was reported as such already.
			if v == nil {
				return nil
			}
			for _, e := range []error{err, own.err, versionErr} {
				if e != nil {
					return &config.Error{Key: key, Msg: e.Error()}
				}
			}
			return nil
		},
	})
	version := config.Key{
		Name: prefix + "plugin.version", Type: config.TypeString, Importance: config.High,
		Doc: fmt.Sprintf("Version range that the version of the %s %s must lie in.", kind, name), Group: group, Order: 1, Width: config.WidthLong,
		DisplayName: c.iface + " version for " + name,
		Validator: func(key string, v any) error {
			if versionErr != nil && v != "latest" { // without the blanks that make the type wrong
				return &config.Error{Key: key, Msg: versionErr.Error()}
			}
			return nil
		},
	}
	if err == nil {
		version.Default, version.Recommender = versionDefault(p.version), proposals{}
		if p.version != "" {
			version.Recommender = proposals{p.version}
		}
	}
	def.Add(version)
	if err == nil && own.err == nil && versionErr == nil {
		def.Embed(prefix, group, 2, own.def)
	}
}

type ownKeys struct {
	def *config.Def
	err error
}

// ownKeys are the keys below a plugin's name besides type and version.
func (c *chained) ownKeys(p chainedPlugin, err error) ownKeys {
	if err != nil {
		return ownKeys{}
	}
	own := p.def()
	if own == nil {
		return ownKeys{err: fmt.Errorf("%s.config() must return a ConfigDef that is not null", p.class)}
	}
	def := config.NewDef(c.implicit...)
	for _, k := range own.Keys() {
		if def.Key(k.Name) == nil && k.Name != "type" && k.Name != "plugin.version" {
			def.Add(k)
		}
	}
	return ownKeys{def: def}
}
