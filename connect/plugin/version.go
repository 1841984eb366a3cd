package plugin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/rest/api"
)

// latest in a *.plugin.version key means no requirement; it is compared before trimming.
const latest = "latest"

// CheckVersion checks the version of this plugin against the text of a *.plugin.version
// key ("" for a missing one means no requirement; see VersionRange). The text is that of a
// plugin on the JVM's plugin path.
func (p *Plugin[T]) CheckVersion(text string) error {
	if text == "" || text == latest {
		return nil
	}
	wanted, err := ParseVersionRange(text)
	if err != nil {
		return err
	}
	version := p.Version
	if version == "" {
		version = api.UndefinedVersion
	}
	if wanted.Contains(version) {
		return nil
	}
	if p.twice {
		version += ", " + version
	}
	return fmt.Errorf("Plugin %s not found that matches the version range %s, available versions: [%s]", p.Class, wanted, version) //nolint:revive,staticcheck // the JVM's wording
}

// VersionRange is a Maven version specification such as [1.0,2.0) or (,1.0],[1.2,). A
// bare version is a hard requirement, which is Kafka's reading of it, not Maven's.
type VersionRange struct{ parts []versionPart }

type versionPart struct {
	low, high             *string // nil = open
	lowClosed, highClosed bool
}

// ParseVersionRange reads a specification; surrounding white space does not count. What
// begins with no bracket is put into [ ], also 1,2. The errors are Maven's texts.
func ParseVersionRange(text string) (VersionRange, error) {
	spec := trim(text)
	if !strings.HasPrefix(spec, "[") && !strings.HasPrefix(spec, "(") {
		spec = "[" + spec + "]"
	}
	var r VersionRange
	rest := spec
	for strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, "(") {
		end := strings.IndexAny(rest, ")]")
		if end < 0 {
			return VersionRange{}, fmt.Errorf("Unbounded range: %s", spec) //nolint:revive,staticcheck // Maven's wording
		}
		part, err := parsePart(rest[:end+1])
		if err != nil {
			return VersionRange{}, err
		}
		if n := len(r.parts); n > 0 && r.parts[n-1].high != nil && (part.low == nil || compareVersions(*part.low, *r.parts[n-1].high) < 0) {
			return VersionRange{}, fmt.Errorf("Ranges overlap: %s", spec) //nolint:revive,staticcheck // Maven's wording
		}
		r.parts = append(r.parts, part)
		rest = trim(rest[end+1:])
		rest = trim(strings.TrimPrefix(rest, ","))
	}
	if rest != "" {
		return VersionRange{}, fmt.Errorf("Only fully-qualified sets allowed in multiple set scenario: %s", spec) //nolint:revive,staticcheck // Maven's wording
	}
	return r, nil
}

func parsePart(text string) (versionPart, error) {
	p := versionPart{lowClosed: text[0] == '[', highClosed: text[len(text)-1] == ']'}
	inner := trim(text[1 : len(text)-1])
	low, high, isRange := strings.Cut(inner, ",")
	if !isRange {
		if !p.lowClosed || !p.highClosed {
			return p, fmt.Errorf("Single version must be surrounded by []: %s", text) //nolint:revive,staticcheck // Maven's wording
		}
		p.low, p.high = &inner, &inner
		return p, nil
	}
	if low = trim(low); low != "" {
		p.low = &low
	}
	if high = trim(high); high != "" {
		p.high = &high
	}
	if p.low == nil || p.high == nil {
		return p, nil
	}
	if c := compareVersions(high, low); c < 0 || c == 0 && (!p.lowClosed || !p.highClosed) {
		return p, fmt.Errorf("Range defies version ordering: %s", text) //nolint:revive,staticcheck // Maven's wording
	}
	return p, nil
}

// Contains reports whether a version lies in the range.
func (r VersionRange) Contains(version string) bool {
	return slices.ContainsFunc(r.parts, func(p versionPart) bool {
		if p.low != nil {
			if c := compareVersions(version, *p.low); c < 0 || c == 0 && !p.lowClosed {
				return false
			}
		}
		if p.high != nil {
			if c := compareVersions(version, *p.high); c > 0 || c == 0 && !p.highClosed {
				return false
			}
		}
		return true
	})
}

// String returns the normalised form: 1.0 is [1.0,1.0].
func (r VersionRange) String() string {
	parts := make([]string, len(r.parts))
	for i, p := range r.parts {
		open, end, low, high := "(", ")", "", ""
		if p.lowClosed {
			open = "["
		}
		if p.highClosed {
			end = "]"
		}
		if p.low != nil {
			low = *p.low
		}
		if p.high != nil {
			high = *p.high
		}
		parts[i] = open + low + "," + high + end
	}
	return strings.Join(parts, ",")
}

// trim is String.trim.
func trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }
