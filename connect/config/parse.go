package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Def is an ordered set of keys. It is built once and then only read, from any
// goroutine.
type Def struct {
	keys    []Key
	index   map[string]int
	groups  []string
	groupAt map[string]int // in groups
	resolve func(name string) (class string, ok bool)
}

// NewDef returns a definition of the given keys.
func NewDef(keys ...Key) *Def {
	return (&Def{index: map[string]int{}, groupAt: map[string]int{}}).Add(keys...)
}

// Add appends keys and returns d. A name that is defined twice is a programming error and panics.
func (d *Def) Add(keys ...Key) *Def {
	for _, k := range keys {
		if _, ok := d.index[k.Name]; ok {
			panic("config: key " + k.Name + " is defined twice")
		}
		if _, ok := d.groupAt[k.Group]; !ok && k.Group != "" {
			d.groupAt[k.Group] = len(d.groups)
			d.groups = append(d.groups, k.Group)
		}
		d.index[k.Name] = len(d.keys)
		d.keys = append(d.keys, k)
	}
	return d
}

// Clone returns a copy that can be added to.
func (d *Def) Clone() *Def {
	c := NewDef(d.keys...)
	c.resolve = d.resolve
	return c
}

// WithClasses returns a copy that looks up values of type CLASS: resolve returns the
// full name of a class or alias, or false, which makes the value wrong. Without it the
// name stays as given.
func (d *Def) WithClasses(resolve func(name string) (class string, ok bool)) *Def {
	c := d.Clone()
	c.resolve = resolve
	return c
}

// Keys returns the keys in order; the caller must not change them.
func (d *Def) Keys() []Key { return d.keys }

// Key returns the key of a name, or nil.
func (d *Def) Key(name string) *Key {
	if i, ok := d.index[name]; ok {
		return &d.keys[i]
	}
	return nil
}

// Groups returns the groups in the order of their first keys; the caller must not change them.
func (d *Def) Groups() []string { return d.groups }

// Parse turns the text of every defined key into its value, fills in defaults and
// runs the validators. All problems are returned together: one *Error, or errors.Join of
// several; the values of the keys that are right are returned all the same.
// Keys that are not defined are left alone.
func (d *Def) Parse(props map[string]string) (Values, error) { return d.ParseWarn(props, nil) }

// ParseWarn is Parse that also tells what it put right silently; warn may be nil.
func (d *Def) ParseWarn(props map[string]string, warn func(key, msg string)) (Values, error) {
	values := make(Values, len(d.keys))
	var problems []error
	for i := range d.keys {
		k := &d.keys[i]
		v, err := d.parseKey(k, props, warn)
		if err != nil {
			problems = append(problems, advise(k, err))
			continue
		}
		values[k.Name] = v
	}
	if len(problems) == 1 {
		return values, problems[0] // shown with its Java class, which a list has not
	}
	return values, errors.Join(problems...)
}

func (d *Def) parseKey(k *Key, props map[string]string, warn func(key, msg string)) (any, error) {
	v := k.Default
	if text, ok := props[k.Name]; ok {
		var err error
		if v, err = d.ParseValue(k.Name, text, k.Type); err != nil {
			return nil, err
		}
	} else if v == NoDefault {
		return nil, missing(k.Name)
	}
	if k.List != nil {
		if list, ok := v.([]string); ok {
			if unique := Distinct(list); len(unique) < len(list) {
				v = unique
				if warn != nil {
					warn(k.Name, fmt.Sprintf("Configuration '%s' has duplicate values %s; they were removed, which leaves %s.",
						k.Name, JavaText(list), JavaText(unique)))
				}
			}
		}
	}
	return v, k.check(v)
}

// advise appends the key's hint to an error.
func advise(k *Key, err error) error {
	if k.Hint == "" {
		return err
	}
	return &Error{Key: k.Name, Msg: strings.TrimSuffix(err.Error(), ".") + ". " + k.Hint}
}

func missing(name string) error {
	return &Error{Key: name, Msg: `Missing required configuration "` + name + `" which has no default value.`}
}

// check runs the key's list rule and validator.
func (k *Key) check(v any) error {
	if k.List != nil {
		if err := k.List.check(k.Name, v); err != nil {
			return err
		}
	}
	if k.Validator == nil {
		return nil
	}
	err := k.Validator(k.Name, v)
	if err == nil {
		return nil
	}
	var full *Error
	if errors.As(err, &full) {
		return full
	}
	return Invalid(k.Name, v, err.Error())
}

// Validate is Parse for a form: it returns a Value for every key, with its errors.
// A required key without a value and a value that does not parse are shown as null,
// and their validators run on it, as in the JVM. nulls are keys that were given as null.
func (d *Def) Validate(props map[string]string, nulls ...string) []Value {
	f := form{def: d, props: props, nulls: make(map[string]bool, len(nulls)), parsed: make(Values, len(d.keys)), values: make(map[string]*Value, len(d.keys))}
	for _, name := range nulls {
		f.nulls[name] = true
	}
	for i := range d.keys {
		name := d.keys[i].Name
		f.values[name] = &Value{Name: name, Visible: true}
	}
	roots, undefined := d.roots()
	for _, name := range roots {
		f.parse(name, 0)
	}
	for _, name := range roots {
		f.recommend(name, 0)
	}
	result := make([]Value, 0, len(d.keys)+len(undefined))
	for i := range d.keys {
		result = append(result, *f.values[d.keys[i].Name])
	}
	for _, name := range undefined {
		result = append(result, Value{Name: name, Errors: []string{name + " is referred in the dependents, but not defined."}})
	}
	return result
}

// roots returns the keys that no other depends on, and the dependents that are not defined.
func (d *Def) roots() (roots, undefined []string) {
	children := map[string]bool{}
	for i := range d.keys {
		for _, dep := range d.keys[i].Dependents {
			if !children[dep] && d.Key(dep) == nil {
				undefined = append(undefined, dep)
			}
			children[dep] = true
		}
	}
	for i := range d.keys {
		if !children[d.keys[i].Name] {
			roots = append(roots, d.keys[i].Name)
		}
	}
	return roots, undefined
}

// form is one run of Validate. A key that several others depend on is visited once for
// each, and then has its errors several times, as in the JVM.
type form struct {
	def    *Def
	props  map[string]string
	nulls  map[string]bool
	parsed Values
	values map[string]*Value
}

func (f *form) parse(name string, depth int) {
	k := f.def.Key(name)
	if k == nil || depth > len(f.def.keys) { // a circle of dependents
		return
	}
	out := f.values[name]
	var v any
	text, given := f.props[name]
	switch {
	case given:
		parsed, err := f.def.ParseValue(name, text, k.Type)
		if err != nil {
			out.Errors = append(out.Errors, err.Error())
		} else {
			v = parsed
		}
	case f.nulls[name]:
	case k.Default == NoDefault:
		out.Errors = append(out.Errors, missing(name).Error())
	default:
		v = k.Default
	}
	if err := k.check(v); err != nil {
		out.Errors = append(out.Errors, err.Error())
	}
	out.Value, f.parsed[name] = v, v
	for _, dep := range k.Dependents {
		f.parse(dep, depth+1)
	}
}

func (f *form) recommend(name string, depth int) {
	k := f.def.Key(name)
	if k == nil || depth > len(f.def.keys) {
		return
	}
	if k.Recommender != nil {
		out := f.values[name]
		values := k.Recommender.ValidValues(name, f.parsed)
		if len(out.Recommended) > 0 {
			values = slices.DeleteFunc(slices.Clone(values), func(v any) bool { return !slices.Contains(out.Recommended, v) })
		}
		out.Recommended, out.Visible = values, k.Recommender.Visible(name, f.parsed)
	}
	for _, dep := range k.Dependents {
		f.recommend(dep, depth+1)
	}
}
