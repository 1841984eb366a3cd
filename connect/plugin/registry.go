package plugin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/rest/api"
)

// Kind is the type of a plugin as REST shows it (Java: PluginType).
type Kind string

// The kinds, in the order in which they are listed.
const (
	KindSink            Kind = "sink"
	KindConverter       Kind = "converter"
	KindHeaderConverter Kind = "header_converter"
)

// suffix is what an alias leaves out of the simple class name (Java: PluginUtils.prunedName).
func (k Kind) suffix() string {
	switch k {
	case KindConverter:
		return "Converter"
	case KindHeaderConverter:
		return "HeaderConverter"
	default:
		return "Connector"
	}
}

// Plugin is one class that can be made. It is not changed once it is in a Registry.
type Plugin[T any] struct {
	// Class is the full Java class name.
	Class string
	// Version is shown by REST and in statuses; "" means undefined. Connectors need
	// not set it: it is what a new instance says.
	Version string
	// New makes an instance that is not configured. It is called from any goroutine.
	New func() T
}

// Set is what a Registry is made of. A class that is both converter and header
// converter stands in both lists.
type Set struct {
	SinkConnectors   []Plugin[connect.SinkConnector]
	Converters       []Plugin[convert.Converter]
	HeaderConverters []Plugin[convert.HeaderConverter]
}

// Registry finds plugins by class name or alias. It is never changed and safe for
// concurrent use.
type Registry struct {
	sinks   map[string]*Plugin[connect.SinkConnector]
	keys    map[string]*Plugin[convert.Converter]
	headers map[string]*Plugin[convert.HeaderConverter]
	// infos has an entry for each kind of each class, in REST's order.
	infos []Info
	// aliases leads from a simple or pruned name to the one class that has it.
	aliases map[string]string
}

// Info describes a plugin.
type Info struct {
	Class   string
	Kind    Kind
	Version string // "" = undefined
}

// New returns a registry of the plugins of a set. It fails when a plugin has no class
// or factory, or when two of a kind have the same class.
func New(set Set) (*Registry, error) {
	r := &Registry{
		sinks: map[string]*Plugin[connect.SinkConnector]{}, keys: map[string]*Plugin[convert.Converter]{},
		headers: map[string]*Plugin[convert.HeaderConverter]{},
	}
	for _, p := range set.SinkConnectors {
		if p.Version == "" && p.New != nil {
			p.Version = p.New().Version()
		}
		if err := add(r, r.sinks, p, KindSink); err != nil {
			return nil, err
		}
	}
	for _, p := range set.Converters {
		if err := add(r, r.keys, p, KindConverter); err != nil {
			return nil, err
		}
	}
	for _, p := range set.HeaderConverters {
		if err := add(r, r.headers, p, KindHeaderConverter); err != nil {
			return nil, err
		}
	}
	order := []Kind{KindSink, KindConverter, KindHeaderConverter}
	slices.SortFunc(r.infos, func(a, b Info) int {
		if c := slices.Index(order, a.Kind) - slices.Index(order, b.Kind); c != 0 {
			return c
		}
		return strings.Compare(a.Class, b.Class)
	})
	r.aliases = aliasesOf(r.infos)
	return r, nil
}

func add[T any](r *Registry, to map[string]*Plugin[T], p Plugin[T], kind Kind) error {
	switch {
	case p.Class == "" || p.New == nil:
		return fmt.Errorf("a plugin of kind %s has no class or no factory: class %q", kind, p.Class)
	case to[p.Class] != nil:
		return fmt.Errorf("two plugins of kind %s have the class %s", kind, p.Class)
	}
	if p.Version == api.UndefinedVersion {
		p.Version = ""
	}
	to[p.Class] = &p
	r.infos = append(r.infos, Info{Class: p.Class, Kind: kind, Version: p.Version})
	return nil
}

// aliasesOf gives every class its simple name and its name without the suffix of its
// kind. A name that several classes share is no alias (Java: PluginUtils.computeAliases).
func aliasesOf(infos []Info) map[string]string {
	owners := map[string]map[string]bool{}
	for _, i := range infos {
		simple := simpleName(i.Class)
		for _, name := range []string{simple, pruned(simple, i.Kind.suffix())} {
			if owners[name] == nil {
				owners[name] = map[string]bool{}
			}
			owners[name][i.Class] = true
		}
	}
	aliases := map[string]string{}
	for name, classes := range owners {
		if len(classes) > 1 {
			continue
		}
		for class := range classes {
			aliases[name] = class
		}
	}
	return aliases
}

// simpleName is Class.getSimpleName of a name such as a.b.C or a.b.C$D.
func simpleName(class string) string { return class[strings.LastIndexAny(class, ".$")+1:] }

// pruned cuts a name where the suffix begins for the last time, unless that is its start.
func pruned(simple, suffix string) string {
	if at := strings.LastIndex(simple, suffix); at > 0 {
		return simple[:at]
	}
	return simple
}

// Resolve returns the full class name of a class or alias of any kind; false when there
// is none. It fits config.Def.WithClasses.
func (r *Registry) Resolve(name string) (class string, ok bool) {
	if full, ok := r.aliases[name]; ok {
		return full, true
	}
	return name, slices.ContainsFunc(r.infos, func(i Info) bool { return i.Class == name })
}

// SinkConnector returns a connector by class or alias. The error, with status 400, has
// the JVM's text about an unknown class, about an ambiguous alias, or about a class that
// is no connector.
func (r *Registry) SinkConnector(name string) (*Plugin[connect.SinkConnector], error) {
	class, known := r.Resolve(name)
	if p := r.sinks[class]; p != nil {
		return p, nil
	}
	if known {
		return nil, badRequest("Class %s does not implement Connector: it is a plugin of another kind. %s", class, r.available())
	}
	// An alias that several plugins share may still be the name of just one connector.
	var matches []string
	for _, class := range r.Classes(KindSink) {
		if s := simpleName(class); s == name || s == name+"Connector" {
			matches = append(matches, class)
		}
	}
	switch len(matches) {
	case 0:
		return nil, badRequest("Failed to find any class that implements Connector and which name matches %s, %s", name, r.available())
	case 1:
		return r.sinks[matches[0]], nil
	}
	return nil, badRequest("More than one connector matches alias %s. Please use full package and class name instead. Classes found: %s",
		name, strings.Join(matches, ", "))
}

func (r *Registry) available() string {
	return "available connectors are: " + strings.Join(r.Classes(KindSink), ", ")
}

// badRequest is an *api.Error in the JVM's wording.
func badRequest(format string, args ...any) error { return api.Errorf(400, format, args...) }

// Converter returns a record converter by class or alias.
func (r *Registry) Converter(name string) (*Plugin[convert.Converter], error) {
	return find(r, r.keys, name, "Converter")
}

// HeaderConverter returns a header converter by class or alias.
func (r *Registry) HeaderConverter(name string) (*Plugin[convert.HeaderConverter], error) {
	return find(r, r.headers, name, "HeaderConverter")
}

// find returns a plugin of one kind. The error is a *config.Error without key; it
// begins with the JVM's text where a class of the wrong kind is named.
func find[T any](r *Registry, in map[string]*Plugin[T], name, iface string) (*Plugin[T], error) {
	class, known := r.Resolve(name)
	if p := in[class]; p != nil {
		return p, nil
	}
	if known {
		return nil, &config.Error{Msg: fmt.Sprintf("Class class %s does not implement the %s interface", class, iface)}
	}
	classes := make([]string, 0, len(in))
	for c := range in {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	return nil, &config.Error{Msg: fmt.Sprintf("Failed to find any class that implements %s and which name matches %s, available classes are: %s",
		iface, name, strings.Join(classes, ", "))}
}

// ConnectorType returns sink, or unknown for a class that is not here, as REST shows it.
func (r *Registry) ConnectorType(name string) string {
	if _, err := r.SinkConnector(name); err != nil {
		return "unknown"
	}
	return string(KindSink)
}

// Classes returns the full class names of a kind, sorted.
func (r *Registry) Classes(kind Kind) []string {
	var classes []string
	for _, i := range r.infos {
		if i.Kind == kind {
			classes = append(classes, i.Class)
		}
	}
	return classes
}

// Infos lists the plugins as GET /connector-plugins does: connectors, then converters,
// then header converters, each sorted by class.
func (r *Registry) Infos(connectorsOnly bool) []api.PluginInfo {
	infos := []api.PluginInfo{}
	for _, i := range r.infos {
		if !connectorsOnly || i.Kind == KindSink {
			infos = append(infos, api.PluginInfo{Class: i.Class, Type: string(i.Kind), Version: i.Version})
		}
	}
	return infos
}
