package worker

import (
	"maps"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/transform"
)

// transformChain makes the transforms of a connector's config, in which placeholders were
// resolved already. Without transforms it is empty; it must be closed in any case.
func (w *Worker) transformChain(props map[string]string) (*transform.Chain, error) {
	props = maps.Clone(props)
	if err := pinClasses(props, "transforms", w.Plugins.Transformation); err != nil {
		return nil, err
	}
	if err := pinClasses(props, "predicates", w.Plugins.Predicate); err != nil {
		return nil, err
	}
	return transform.NewChain(props, transform.Lookup{
		Transformation: made(w.Plugins.Transformation), Predicate: made(w.Plugins.Predicate),
	})
}

// pinClasses checks the versions of the plugins that a list of aliases names, and puts
// full class names for short ones: those are what logs and headers show. A class that is
// not there is left for the chain to find out, which tells all problems at once.
func pinClasses[T any](props map[string]string, list string, find func(string) (*plugin.Plugin[T], error)) error {
	for _, alias := range config.ParseList(props[list]) {
		prefix := list + "." + alias + "."
		p, err := find(strings.TrimSpace(props[prefix+"type"]))
		if err != nil {
			continue
		}
		if err := p.CheckVersion(props[prefix+"plugin.version"]); err != nil {
			return &connect.Error{Msg: "could not set up " + prefix + "type with class " + p.Class, Err: err}
		}
		props[prefix+"type"] = p.Class
	}
	return nil
}

func made[T any](find func(string) (*plugin.Plugin[T], error)) func(string) (T, bool) {
	return func(class string) (made T, ok bool) {
		p, err := find(class)
		if err != nil {
			return made, false
		}
		return p.New(), true
	}
}
