package settings

import (
	"errors"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/javaregex"
)

// Origins are those of access.control.allow.origin. They are safe for concurrent use.
type Origins struct {
	any      bool
	patterns []*javaregex.Regex
}

// parseOrigins reads a list of * and regular expressions; nil for a blank one.
func parseOrigins(text string) (*Origins, error) {
	const key = "access.control.allow.origin"
	if strings.TrimSpace(text) == "" {
		return nil, nil //nolint:nilnil // CORS is off
	}
	o, problems := &Origins{}, []error(nil)
	var seen []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		if slices.Contains(seen, item) {
			problems = append(problems, config.Invalid(key, text, item+" is in the list twice. Remove one."))
			continue
		}
		if seen = append(seen, item); item == "*" {
			o.any = true
			continue
		}
		// Java's CASE_INSENSITIVE folds ASCII only; origins are nothing else.
		pattern, err := javaregex.Compile("(?i)" + item)
		if err != nil {
			problems = append(problems, config.Invalid(key, text, item+" is no regular expression: "+err.Error()))
			continue
		}
		o.patterns = append(o.patterns, pattern)
	}
	return o, errors.Join(problems...)
}

// Allow tells whether an origin, as a browser sends it, matches as a whole. Of several, set
// apart by blanks, one is enough, as in Jetty.
func (o *Origins) Allow(header string) bool {
	return slices.ContainsFunc(strings.Fields(header), func(origin string) bool {
		return o.any || slices.ContainsFunc(o.patterns, func(p *javaregex.Regex) bool { return p.MatchFull(origin) })
	})
}

// CORSMethods are announced to browsers.
func (r *REST) CORSMethods() string {
	if strings.TrimSpace(r.AllowMethods) == "" {
		return "GET,POST,HEAD"
	}
	return r.AllowMethods
}
