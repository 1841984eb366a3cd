package plugin

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/transform"
	"github.com/penstock-io/penstock/rest/api"
)

// Kind is the type of a plugin as REST shows it (Java: PluginType).
type Kind string

// The kinds, in the order in which they are listed.
const (
	KindSink            Kind = "sink"
	KindSource          Kind = "source"
	KindTransformation  Kind = "transformation"
	KindPredicate       Kind = "predicate"
	KindConverter       Kind = "converter"
	KindHeaderConverter Kind = "header_converter"
)

// kinds is the order in which plugins are listed.
var kinds = []Kind{KindSink, KindSource, KindTransformation, KindPredicate, KindConverter, KindHeaderConverter}

// suffix is what an alias leaves out of the simple class name (Java: PluginUtils.prunedName).
func (k Kind) suffix() string {
	switch k {
	case KindConverter:
		return "Converter"
	case KindHeaderConverter:
		return "HeaderConverter"
	case KindTransformation:
		return "Transformation"
	case KindPredicate:
		return "Predicate"
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
	// Overview says in a sentence or two what the plugin does, for the reference; may be "".
	Overview string

	twice bool // it is a converter and a header converter, and so the JVM counts it twice
}

// Connector is a connector plugin.
type Connector struct {
	Plugin[connect.Connector]
	// Kind is KindSink for a connect.SinkConnector and KindSource for a
	// connect.SourceConnector.
	Kind Kind
}

// Set is what a Registry is made of. A class that is both converter and header
// converter stands in both lists.
type Set struct {
	// Connectors are sinks and sources: each makes a connect.SinkConnector or a
	// connect.SourceConnector.
	Connectors       []Plugin[connect.Connector]
	Transformations  []Plugin[transform.Transformation]
	Predicates       []Plugin[transform.Predicate]
	Converters       []Plugin[convert.Converter]
	HeaderConverters []Plugin[convert.HeaderConverter]
}

// Registry finds plugins by class name or alias. It is never changed and safe for
// concurrent use.
type Registry struct {
	connectors map[string]*Connector
	transforms map[string]*Plugin[transform.Transformation]
	predicates map[string]*Plugin[transform.Predicate]
	keys       map[string]*Plugin[convert.Converter]
	headers    map[string]*Plugin[convert.HeaderConverter]
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
// or factory, when two of a kind have the same class, or when a connector is neither
// source nor sink, or both.
func New(set Set) (*Registry, error) {
	r := &Registry{
		connectors: map[string]*Connector{}, transforms: map[string]*Plugin[transform.Transformation]{},
		predicates: map[string]*Plugin[transform.Predicate]{}, keys: map[string]*Plugin[convert.Converter]{},
		headers: map[string]*Plugin[convert.HeaderConverter]{},
	}
	for _, p := range set.Connectors {
		if err := r.addConnector(p); err != nil {
			return nil, err
		}
	}
	err := errors.Join(
		addAll(r, r.transforms, set.Transformations, KindTransformation),
		addAll(r, r.predicates, set.Predicates, KindPredicate),
		addAll(r, r.keys, set.Converters, KindConverter),
		addAll(r, r.headers, set.HeaderConverters, KindHeaderConverter),
	)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(r.infos, func(a, b Info) int {
		if c := slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind); c != 0 {
			return c
		}
		return strings.Compare(a.Class, b.Class)
	})
	r.aliases = aliasesOf(r.infos)
	for class, p := range r.keys {
		if h := r.headers[class]; h != nil {
			p.twice, h.twice = true, true
		}
	}
	return r, nil
}

func (r *Registry) addConnector(p Plugin[connect.Connector]) error {
	if p.Class == "" || p.New == nil {
		return noFactory("connector", p.Class)
	}
	if r.connectors[p.Class] != nil {
		return fmt.Errorf("two connectors have the class %s", p.Class)
	}
	made := p.New()
	_, sink := made.(connect.SinkConnector)
	_, source := made.(connect.SourceConnector)
	kind := KindSink
	switch {
	case sink == source:
		return fmt.Errorf("the connector %s has to be a connect.SinkConnector or a connect.SourceConnector, and not both: look at what its NewTask returns", p.Class)
	case source:
		kind = KindSource
	}
	if p.Version == "" {
		p.Version = made.Version()
	}
	p.Version = known(p.Version)
	r.connectors[p.Class] = &Connector{p, kind}
	r.infos = append(r.infos, Info{p.Class, kind, p.Version})
	return nil
}

func noFactory(kind, class string) error {
	return fmt.Errorf("a plugin of kind %s has no class or no factory: class %q", kind, class)
}

// known makes the JVM's word for no version none.
func known(version string) string {
	if version == api.UndefinedVersion {
		return ""
	}
	return version
}

func addAll[T any](r *Registry, to map[string]*Plugin[T], all []Plugin[T], kind Kind) error {
	for _, p := range all {
		switch {
		case p.Class == "" || p.New == nil:
			return noFactory(string(kind), p.Class)
		case to[p.Class] != nil:
			return fmt.Errorf("two plugins of kind %s have the class %s", kind, p.Class)
		}
		p.Version = known(p.Version)
		to[p.Class] = &p
		r.infos = append(r.infos, Info{Class: p.Class, Kind: kind, Version: p.Version})
	}
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

// Connector returns a connector by class or alias. The error, with status 400, has the
// JVM's text about an unknown class, about an ambiguous alias, or about a class that is no
// connector.
func (r *Registry) Connector(name string) (*Connector, error) {
	class, known := r.Resolve(name)
	if p := r.connectors[class]; p != nil {
		return p, nil
	}
	if known {
		return nil, badRequest("Class %s does not implement Connector: it is a plugin of another kind. %s", class, r.available())
	}
	// An alias that several plugins share may still be the name of just one connector.
	var matches []string
	for _, class := range r.connectorClasses() {
		if s := simpleName(class); s == name || s == name+"Connector" {
			matches = append(matches, class)
		}
	}
	switch len(matches) {
	case 0:
		return nil, badRequest("Failed to find any class that implements Connector and which name matches %s, %s", name, r.available())
	case 1:
		return r.connectors[matches[0]], nil
	}
	return nil, badRequest("More than one connector matches alias %s. Please use full package and class name instead. Classes found: %s",
		name, strings.Join(matches, ", "))
}

// connectorClasses returns sinks, then sources, each sorted.
func (r *Registry) connectorClasses() []string {
	return append(r.Classes(KindSink), r.Classes(KindSource)...)
}

func (r *Registry) available() string {
	return "available connectors are: " + strings.Join(r.connectorClasses(), ", ")
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

// Transformation returns a transformation by class or alias.
func (r *Registry) Transformation(name string) (*Plugin[transform.Transformation], error) {
	return find(r, r.transforms, name, "Transformation")
}

// Predicate returns a predicate by class or alias.
func (r *Registry) Predicate(name string) (*Plugin[transform.Predicate], error) {
	return find(r, r.predicates, name, "Predicate")
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

// ConnectorType returns sink or source, or unknown for a class that is not here, as REST
// shows it.
func (r *Registry) ConnectorType(name string) string {
	p, err := r.Connector(name)
	if err != nil {
		return "unknown"
	}
	return string(p.Kind)
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

// Infos lists the plugins as GET /connector-plugins does: by kind, then by class.
func (r *Registry) Infos(connectorsOnly bool) []api.PluginInfo {
	infos := []api.PluginInfo{}
	for _, i := range r.infos {
		if !connectorsOnly || i.Kind == KindSink || i.Kind == KindSource {
			infos = append(infos, api.PluginInfo{Class: i.Class, Type: string(i.Kind), Version: i.Version})
		}
	}
	return infos
}
