package config

import (
	"slices"
	"strings"
)

// Embed adds the keys of child with a prefix, in sorted order, and returns d. They are
// of the given group (with the child's own group after a colon) and numbered from order
// on. The child's validators and recommenders see its own names.
func (d *Def) Embed(prefix, group string, order int, child *Def) *Def {
	for _, k := range child.Sorted() {
		name := k.Name
		k.Name = prefix + name
		if k.DisplayName == "" {
			k.DisplayName = name
		}
		if k.Group != "" {
			k.Group = group + ": " + k.Group
		} else {
			k.Group = group
		}
		k.Order = order
		order++
		if check := k.Validator; check != nil {
			k.Validator = func(_ string, v any) error { return embeddedError(name, v, check(name, v)) }
		}
		if k.List != nil {
			rule := *k.List
			rule.name = name
			k.List = &rule
		}
		if k.Recommender != nil {
			k.Recommender = embedded{k.Recommender, prefix}
		}
		deps := make([]string, len(k.Dependents))
		for i, dep := range k.Dependents {
			deps[i] = prefix + dep
		}
		k.Dependents = deps
		d.Add(k)
	}
	return d
}

// embeddedError names the key without the prefix, as the JVM does.
func embeddedError(name string, v any, err error) error {
	if err == nil {
		return nil
	}
	if full, ok := err.(*Error); ok { //nolint:errorlint // validators return it unwrapped
		return full
	}
	return Invalid(name, v, err.Error())
}

type embedded struct {
	Recommender
	prefix string
}

func (e embedded) own(parsed Values) Values {
	values := Values{}
	for k, v := range parsed {
		if name, ok := strings.CutPrefix(k, e.prefix); ok {
			values[name] = v
		}
	}
	return values
}

func (e embedded) ValidValues(key string, parsed Values) []any {
	return e.Recommender.ValidValues(strings.TrimPrefix(key, e.prefix), e.own(parsed))
}

func (e embedded) Visible(key string, parsed Values) bool {
	return e.Recommender.Visible(strings.TrimPrefix(key, e.prefix), e.own(parsed))
}

// Sorted returns the keys by group (none first, then in the order of definition), order,
// required first, importance and name.
func (d *Def) Sorted() []Key {
	sorted := slices.Clone(d.keys)
	group := func(k Key) int {
		if k.Group == "" {
			return -1
		}
		return d.groupAt[k.Group]
	}
	rank := map[Importance]int{High: 0, Medium: 1, Low: 2}
	slices.SortStableFunc(sorted, func(a, b Key) int {
		if a.Group != b.Group {
			return group(a) - group(b)
		}
		if a.Order != b.Order {
			return a.Order - b.Order
		}
		if ra, rb := a.Default == NoDefault, b.Default == NoDefault; ra != rb {
			if ra {
				return -1
			}
			return 1
		}
		if a.Importance != b.Importance {
			return rank[a.Importance] - rank[b.Importance]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return sorted
}
