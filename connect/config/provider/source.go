package provider

import (
	"cmp"
	"maps"
	"slices"
)

// Source is a path of a provider, with the keys that are wanted of it.
type Source struct {
	Provider, Path string
	Keys           []string // sorted, each once
}

// Sources returns where the placeholders of properties lead, sorted by provider and path.
// Placeholders of providers that there are not are left out.
func (p Providers) Sources(all ...map[string]string) []Source {
	type place struct{ provider, path string }
	wanted := map[place]map[string]bool{}
	for _, props := range all {
		for _, v := range props {
			for _, m := range placeholder.FindAllStringSubmatch(v, -1) {
				at := place{m[1], m[3]}
				if p[at.provider] == nil {
					continue
				}
				if wanted[at] == nil {
					wanted[at] = map[string]bool{}
				}
				wanted[at][m[4]] = true
			}
		}
	}
	sources := make([]Source, 0, len(wanted))
	for at, keys := range wanted {
		sources = append(sources, Source{at.provider, at.path, slices.Sorted(maps.Keys(keys))})
	}
	slices.SortFunc(sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Path, b.Path))
	})
	return sources
}

// Get asks the provider of a source. It may block on files. Safe for concurrent use.
func (p Providers) Get(s Source) (Data, error) { return p[s.Provider].Get(s.Path, s.Keys) }
