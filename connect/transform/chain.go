package transform

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

// Lookup finds classes by name or alias. A function returns nil and false for a class
// that it does not know.
type Lookup struct {
	Transformation func(class string) (Transformation, bool)
	Predicate      func(class string) (Predicate, bool)
}

// Chain applies the transforms of a connector in order (Java: TransformationChain). It
// belongs to one task and is called by its goroutine only.
type Chain struct {
	stages     []stage
	predicates []Predicate
}

type stage struct {
	transformation Transformation
	class          string
	predicate      Predicate // nil = always
	negate         bool
}

// NewChain makes the chain of a connector's configuration: transforms,
// transforms.<alias>.type, .predicate and .negate, predicates, predicates.<alias>.type,
// and the keys of each class below its alias. Every problem of the keys is returned at
// once, as *config.Error or several joined. Without transforms the chain is empty.
func NewChain(props map[string]string, lookup Lookup) (*Chain, error) {
	c := &Chain{}
	made, errPredicates := build(props, "predicates", lookup.Predicate)
	stages, errStages := build(props, "transforms", lookup.Transformation)
	errs := []error{errPredicates, errStages}
	byAlias := map[string]Predicate{}
	for _, p := range made {
		byAlias[p.alias] = p.plugin
		c.predicates = append(c.predicates, p.plugin)
	}
	for _, s := range stages {
		st := stage{transformation: s.plugin, class: strings.TrimSpace(props["transforms."+s.alias+".type"]),
			negate: s.values.Bool("transforms." + s.alias + ".negate")}
		key := "transforms." + s.alias + ".predicate"
		_, negated := props["transforms."+s.alias+".negate"]
		switch alias, given := props[key]; {
		case !given && negated:
			errs = append(errs, &config.Error{Key: "transforms." + s.alias + ".negate", Msg: fmt.Sprintf("Config 'transforms.%s.negate' was provided "+
				"but there is no config '%s' defining a predicate to be negated.", s.alias, key)})
		case given:
			st.predicate = byAlias[alias]
			if st.predicate == nil && errPredicates == nil {
				errs = append(errs, &config.Error{Key: key, Msg: fmt.Sprintf("Unknown configuration 'predicates.%s.plugin.version': "+
					"%s names a predicate that predicates does not list.", alias, key)})
			}
		}
		c.stages = append(c.stages, st)
	}
	err := errors.Join(errs...)
	for _, p := range made {
		if err == nil {
			err = p.plugin.Configure(p.props)
		}
	}
	for _, s := range stages {
		if err == nil {
			err = s.plugin.Configure(s.props)
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// configurable is what transforms and predicates have in common.
type configurable interface {
	ConfigDef() *config.Def
	Configure(props map[string]string) error
}

type aliased[T configurable] struct {
	alias  string
	plugin T
	values config.Values
	props  map[string]string // own keys, without prefix
}

// build makes the plugins that a list of aliases names and checks their keys.
func build[T configurable](props map[string]string, list string, find func(string) (T, bool)) ([]aliased[T], error) {
	text, ok := props[list]
	if !ok {
		return nil, nil
	}
	aliases := config.ParseList(text)
	seen := map[string]bool{}
	for _, a := range aliases {
		if seen[a] {
			return nil, config.Invalid(list, config.JavaText(aliases), "Duplicate alias provided.")
		}
		seen[a] = true
	}
	var all []aliased[T]
	var errs []error
	for _, alias := range aliases {
		a, err := buildOne(props, list, alias, find)
		if err != nil {
			errs = append(errs, err)
		}
		if a != nil {
			all = append(all, *a)
		}
	}
	return all, errors.Join(errs...)
}

func buildOne[T configurable](props map[string]string, list, alias string, find func(string) (T, bool)) (*aliased[T], error) {
	prefix := list + "." + alias + "."
	def := config.NewDef(required(prefix+"type", config.TypeClass, "Class of "+alias+".", nil),
		optional(prefix+"plugin.version", config.TypeString, nil, "Version of the class.", nil))
	if list == "transforms" {
		def.Add(optional(prefix+"predicate", config.TypeString, nil, "Alias of the predicate that decides whether "+alias+" is applied.", nil),
			optional(prefix+"negate", config.TypeBoolean, false, "Whether the predicate must be false instead.", nil))
	}
	class, given := props[prefix+"type"]
	plugin, found := find(strings.TrimSpace(class))
	if found {
		child := plugin.ConfigDef()
		own := config.NewDef()
		for _, k := range child.Keys() {
			if def.Key(prefix+k.Name) == nil { // the framework's keys come first
				own.Add(k)
			}
		}
		def.Embed(prefix, "", 0, own)
	}
	values, err := def.Parse(props)
	if given && !found {
		err = errors.Join(err, config.Invalid(prefix+"type", class, "Class "+class+" could not be found."))
	}
	if !found {
		return nil, err
	}
	a := &aliased[T]{alias: alias, plugin: plugin, values: values, props: map[string]string{}}
	for k, v := range props {
		if name, ok := strings.CutPrefix(k, prefix); ok {
			a.props[name] = v
		}
	}
	return a, err
}

// Len returns the number of transforms.
func (c *Chain) Len() int { return len(c.stages) }

// StageError tells which transform of a chain failed.
type StageError struct {
	// Class is the transform's class as the configuration names it.
	Class string
	Err   error
}

func (e *StageError) Error() string { return e.Err.Error() }

// Unwrap returns what the transform said.
func (e *StageError) Unwrap() error { return e.Err }

// Apply runs the transforms on rec, changing it in place. It stops with keep false when
// one drops the record. An error is a *StageError, also when a transform or predicate
// panics; rec must not be used then.
func (c *Chain) Apply(rec *connect.Record) (keep bool, err error) {
	var s *stage
	defer func() {
		if p := recover(); p != nil && s != nil {
			keep, err = false, &StageError{s.class, &connect.Error{
				Class: "java.lang.RuntimeException", Msg: fmt.Sprintf("panic: %v\n%s", p, debug.Stack())}}
		}
	}()
	for i := range c.stages {
		s = &c.stages[i]
		if s.predicate != nil && s.predicate.Test(rec) == s.negate {
			continue
		}
		keep, err = s.transformation.Apply(rec)
		switch {
		case err != nil:
			return false, &StageError{s.class, err}
		case !keep:
			return false, nil
		}
	}
	return true, nil
}

// Close closes all transforms and predicates and returns what failed.
func (c *Chain) Close() error {
	var errs []error
	for _, s := range c.stages {
		errs = append(errs, s.transformation.Close())
	}
	for _, p := range c.predicates {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
