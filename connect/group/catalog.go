package group

import (
	"context"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/group/assignor"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/rest/api"
	"github.com/penstock-io/penstock/storage"
)

// need is what a connector and its tasks need of a worker.
type need struct {
	class string // class or alias; "" = it cannot be told
	// versions are what connector.plugin.version allows; nil: all.
	versions *plugin.VersionRange
}

// needOf reads a connector's config. A placeholder may stand for something else on each
// worker, and a version that cannot be read is refused by each: neither rules anybody out.
// Blanks around a class belong to it, as for the workers that look for it: nobody has it.
func needOf(class, version string) need {
	if strings.Contains(class, "${") {
		return need{}
	}
	n := need{class: class}
	if version == "" || version == "latest" || strings.Contains(version, "${") {
		return n
	}
	if r, err := plugin.ParseVersionRange(version); err == nil {
		n.versions = &r
	}
	return n
}

func needsOf(c *storage.ClusterConfig) map[string]need {
	needs := map[string]need{}
	for _, name := range c.Connectors() {
		config := c.Connector(name).Config
		needs[name] = needOf(config["connector.class"], config["connector.plugin.version"])
	}
	return needs
}

// catalog is what one worker can run. It is never changed.
type catalog struct {
	versions map[string][]string // by class; a JVM worker may have several of one
	// names leads from class names and aliases to the classes that have them.
	names map[string][]string
}

// newCatalog knows classes by their full name, their simple name, and that without
// Connector (Java: PluginUtils). An alias that two classes share is none.
func newCatalog(plugins []api.PluginInfo) *catalog {
	c := &catalog{versions: map[string][]string{}, names: map[string][]string{}}
	for _, p := range plugins {
		version := p.Version
		if version == "" {
			version = api.UndefinedVersion
		}
		c.versions[p.Class] = append(c.versions[p.Class], version)
	}
	for class := range c.versions {
		simple := class[strings.LastIndexAny(class, ".$")+1:]
		c.names[simple] = append(c.names[simple], class)
		if at := strings.LastIndex(simple, "Connector"); at > 0 {
			c.names[simple[:at]] = append(c.names[simple[:at]], class)
		}
	}
	for class := range c.versions {
		c.names[class] = []string{class}
	}
	return c
}

// has reports whether a worker can run what needs this.
func (c *catalog) has(n need) bool {
	classes := c.names[n.class]
	return len(classes) == 1 && (n.versions == nil || slices.ContainsFunc(c.versions[classes[0]], n.versions.Contains))
}

// canRun is has, for the assignor; c may be nil, of a worker that is not known.
func (c *catalog) canRun(n need) assignor.Answer {
	switch {
	case n.class == "":
		return assignor.Yes
	case c == nil:
		return assignor.Unsure
	case c.has(n):
		return assignor.Yes
	}
	return assignor.No
}

// ability is what the assignor asks; nil when nothing is known of anybody.
func ability(known map[string]*catalog, needs map[string]need) func(member, connector string) assignor.Answer {
	if known == nil {
		return nil
	}
	return func(member, connector string) assignor.Answer { return known[member].canRun(needs[connector]) }
}

// Holders are the REST addresses of the members of the group, sorted, by whether they can
// run a connector class.
type Holders struct {
	Have, Lack []string
	Unknown    []string // have not told their plugins yet
}

// Holders returns who can run a connector class or alias in a version that
// connector.plugin.version allows ("" for any), as the leader knows it; false on any other
// worker, and where Options.Plugins is not set.
func (m *Member) Holders(class, version string) (Holders, bool) {
	h, known, _ := m.placement.holders(needOf(class, version))
	return h, known
}

// AwaitHolders is Holders, but as long as nobody is known to have the class, and somebody
// has not answered, it waits for answers, until ctx ends.
func (m *Member) AwaitHolders(ctx context.Context, class, version string) (Holders, bool) {
	for n := needOf(class, version); ; {
		h, known, news := m.placement.holders(n)
		if !known || len(h.Have) > 0 || len(h.Unknown) == 0 {
			return h, known
		}
		select {
		case <-news:
		case <-ctx.Done():
			return h, known
		}
	}
}

// holders also returns what is closed when more is known.
func (p *placement) holders(n need) (h Holders, known bool, news <-chan struct{}) {
	if p == nil {
		return h, false, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owners == nil {
		return h, false, p.news
	}
	for _, m := range p.members {
		switch m.catalog.canRun(n) {
		case assignor.Unsure:
			h.Unknown = append(h.Unknown, m.url)
		case assignor.Yes:
			h.Have = append(h.Have, m.url)
		case assignor.No:
			h.Lack = append(h.Lack, m.url)
		}
	}
	slices.Sort(h.Have)
	slices.Sort(h.Lack)
	slices.Sort(h.Unknown)
	return h, true, p.news
}
