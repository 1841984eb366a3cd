package plugin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
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
	if p.Version != "" && wanted.Contains(p.Version) {
		return nil
	}
	version := p.Version
	if version == "" {
		version = "undefined"
	}
	return fmt.Errorf("Plugin %s not found that matches the version range %s, available versions: [%s]", p.Class, wanted, version) //nolint:revive,staticcheck // the JVM's wording
}

// VersionRange is a Maven version specification such as [1.0,2.0) or (,1.0],[1.2,). A
// bare version is a hard requirement, which is Kafka's reading of it, not Maven's.
type VersionRange struct{ parts []versionPart }

type versionPart struct {
	low, high             string // "" = open
	lowClosed, highClosed bool
}

// ParseVersionRange reads a specification; surrounding white space does not count. An
// empty text has no limits. The errors are Maven's texts.
func ParseVersionRange(text string) (VersionRange, error) {
	spec := strings.TrimSpace(text)
	if spec == "" {
		return VersionRange{[]versionPart{{}}}, nil
	}
	if !strings.HasPrefix(spec, "[") && !strings.HasPrefix(spec, "(") {
		if strings.ContainsAny(spec, "[](),") {
			return VersionRange{}, fmt.Errorf("Only fully-qualified sets allowed in multiple set scenario: %s", spec) //nolint:revive,staticcheck // Maven's wording
		}
		return VersionRange{[]versionPart{{low: spec, high: spec, lowClosed: true, highClosed: true}}}, nil
	}
	var r VersionRange
	for rest := spec; rest != ""; {
		end := strings.IndexAny(rest, ")]")
		if end < 0 {
			return VersionRange{}, fmt.Errorf("Unbounded range: %s", spec) //nolint:revive,staticcheck // Maven's wording
		}
		part, err := parsePart(rest[:end+1])
		if err != nil {
			return VersionRange{}, err
		}
		if n := len(r.parts); n > 0 && part.low != "" && (r.parts[n-1].high == "" || compareVersions(part.low, r.parts[n-1].high) < 0) {
			return VersionRange{}, fmt.Errorf("Ranges overlap: %s", spec) //nolint:revive,staticcheck // Maven's wording
		}
		r.parts = append(r.parts, part)
		rest = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(rest[end+1:]), ","))
		if rest != "" && rest[0] != '[' && rest[0] != '(' {
			return VersionRange{}, fmt.Errorf("Only fully-qualified sets allowed in multiple set scenario: %s", spec) //nolint:revive,staticcheck // Maven's wording
		}
	}
	return r, nil
}

func parsePart(text string) (versionPart, error) {
	p := versionPart{lowClosed: text[0] == '[', highClosed: text[len(text)-1] == ']'}
	inner := strings.TrimSpace(text[1 : len(text)-1])
	low, high, isRange := strings.Cut(inner, ",")
	if !isRange {
		if !p.lowClosed || !p.highClosed {
			return p, fmt.Errorf("Single version must be surrounded by []: %s", text) //nolint:revive,staticcheck // Maven's wording
		}
		p.low, p.high = inner, inner
		return p, nil
	}
	p.low, p.high = strings.TrimSpace(low), strings.TrimSpace(high)
	if p.low != "" && p.low == p.high {
		return p, fmt.Errorf("Range cannot have identical boundaries: %s", text) //nolint:revive,staticcheck // Maven's wording
	}
	if p.low != "" && p.high != "" && compareVersions(p.high, p.low) < 0 {
		return p, fmt.Errorf("Range defies version ordering: %s", text) //nolint:revive,staticcheck // Maven's wording
	}
	return p, nil
}

// Contains reports whether a version lies in the range.
func (r VersionRange) Contains(version string) bool {
	return slices.ContainsFunc(r.parts, func(p versionPart) bool {
		if p.low != "" {
			if c := compareVersions(version, p.low); c < 0 || c == 0 && !p.lowClosed {
				return false
			}
		}
		if p.high != "" {
			if c := compareVersions(version, p.high); c > 0 || c == 0 && !p.highClosed {
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
		open, end := "(", ")"
		if p.lowClosed {
			open = "["
		}
		if p.highClosed {
			end = "]"
		}
		parts[i] = open + p.low + "," + p.high + end
	}
	return strings.Join(parts, ",")
}

// qualifiers in Maven's order; the release itself is the empty one.
var qualifiers = []string{"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"}

// compareVersions orders versions as Maven does: by numeric parts, then qualifiers;
// missing parts count as 0 or as the release.
func compareVersions(a, b string) int {
	x, y := versionItems(a), versionItems(b)
	for i := range max(len(x), len(y)) {
		if c := compareItems(itemAt(x, i), itemAt(y, i)); c != 0 {
			return c
		}
	}
	return 0
}

func itemAt(items []string, i int) string {
	if i < len(items) {
		return items[i]
	}
	return ""
}

// versionItems splits at dots, dashes and changes between digits and letters.
func versionItems(v string) []string {
	var items []string
	current, digits := "", false
	flush := func() {
		if current != "" {
			items = append(items, current)
		}
		current = ""
	}
	for _, c := range strings.ToLower(v) {
		if c == '.' || c == '-' || c == '_' {
			flush()
			continue
		}
		isDigit := unicode.IsDigit(c)
		if isDigit != digits {
			flush()
		}
		digits = isDigit
		current += string(c)
	}
	flush()
	return items
}

// compareItems orders two parts: a number is above every qualifier, a missing part is 0
// next to a number and the release next to a qualifier.
func compareItems(a, b string) int {
	x, xn := numeric(a)
	y, yn := numeric(b)
	switch {
	case xn && yn:
		return cmpInt(x, y)
	case xn:
		if b == "" {
			return cmpInt(x, 0)
		}
		return 1
	case yn:
		return -compareItems(b, a)
	}
	return strings.Compare(rankOf(a), rankOf(b))
}

func numeric(item string) (uint64, bool) {
	n, err := strconv.ParseUint(item, 10, 64)
	return n, err == nil
}

func cmpInt(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// rankOf makes qualifiers comparable as text; unknown ones come last, by name.
func rankOf(qualifier string) string {
	switch qualifier {
	case "a":
		qualifier = "alpha"
	case "b":
		qualifier = "beta"
	case "m":
		qualifier = "milestone"
	case "cr":
		qualifier = "rc"
	case "ga", "final", "release":
		qualifier = ""
	}
	if at := slices.Index(qualifiers, qualifier); at >= 0 {
		return strconv.Itoa(at)
	}
	return strconv.Itoa(len(qualifiers)) + "-" + qualifier
}
