package rest

import (
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const jsonType = "application/json"

// consumable returns the status with which the router refuses the Content-Type of a request,
// or 0: 400 for what is no media type, 415 for another than JSON. As in the JVM the header
// alone decides, also when there is no body, and a missing one passes: only who then reads
// the body refuses it.
func consumable(r *http.Request) (refused int) {
	values := r.Header.Values("Content-Type")
	if len(values) == 0 {
		return 0
	}
	m, valid := parseMedia(values[0], false)
	switch {
	case !valid:
		return http.StatusBadRequest
	case !m.matches(jsonType):
		return http.StatusUnsupportedMediaType
	}
	return 0
}

func isJSON(r *http.Request) bool {
	m, valid := parseMedia(r.Header.Get("Content-Type"), false)
	return valid && m.name == jsonType
}

// media is a media type or a range of them.
type media struct {
	name    string // in lower case, e.g. text/*
	params  map[string]string
	quality float64
}

var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// parseMedia reads one media type. The subtype may be missing in an Accept, and is any then.
func parseMedia(text string, accept bool) (m media, valid bool) {
	name, params, _ := strings.Cut(strings.TrimSpace(text), ";")
	kind, sub, hasSub := strings.Cut(strings.ToLower(strings.TrimSpace(name)), "/")
	if !hasSub && accept {
		sub = "*"
	}
	if !token.MatchString(kind) || !token.MatchString(sub) {
		return m, false
	}
	m = media{name: kind + "/" + sub, quality: 1}
	var err error
	if _, m.params, err = mime.ParseMediaType("a/b;" + params); err != nil {
		return m, false
	}
	if q, given := m.params["q"]; accept && given {
		if m.quality, err = strconv.ParseFloat(q, 64); err != nil || m.quality < 0 || m.quality > 1 {
			return m, false
		}
	}
	return m, true
}

// matches tells whether a type is of the range.
func (m media) matches(name string) bool {
	kind, _, _ := strings.Cut(name, "/")
	return m.name == name || m.name == kind+"/*" || m.name == "*/*"
}

// accepted returns the types that a request accepts, those with the highest quality first;
// any when it does not say. It is invalid when one of them is no media type.
func accepted(r *http.Request) (types []media, valid bool) {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return []media{{name: "*/*"}}, true
	}
	for _, item := range strings.Split(accept, ",") {
		m, valid := parseMedia(item, true)
		if !valid {
			return nil, false
		}
		types = append(types, m)
	}
	slices.SortStableFunc(types, func(a, b media) int {
		switch {
		case a.quality > b.quality, a.quality == b.quality && a.name == jsonType && b.name != jsonType:
			return -1
		case a.quality < b.quality, b.name == jsonType && a.name != jsonType:
			return 1
		}
		return 0
	})
	return types, true
}

// produced returns the Content-Type of the answer: that of the accepted type with the
// highest quality, with its parameters; among equals JSON by name comes before wildcards.
// refused is 400 when Accept is malformed, and 406 when the client does not accept JSON. A
// quality of 0 is the lowest here and no refusal, as in the JVM.
func produced(r *http.Request) (contentType string, refused int) {
	types, valid := accepted(r)
	if !valid {
		return "", http.StatusBadRequest
	}
	for _, m := range types {
		switch {
		case m.name == jsonType:
			return formatType(m), 0
		case m.matches(jsonType):
			return jsonType, 0
		}
	}
	return "", http.StatusNotAcceptable
}

// formatType writes a type with its parameters, without blanks as the JVM does.
func formatType(m media) string {
	var b strings.Builder
	b.WriteString(m.name)
	for _, k := range slices.Sorted(maps.Keys(m.params)) {
		if k == "q" {
			continue
		}
		v := m.params[k]
		if k == "charset" {
			v = strings.ToLower(v)
		}
		if !token.MatchString(v) {
			v = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
		}
		b.WriteString(";" + k + "=" + v)
	}
	return b.String()
}

// writeOptions answers OPTIONS: as text for who takes text, else with an empty body of the
// type that is asked for.
func writeOptions(w http.ResponseWriter, r *http.Request, methods []string) {
	types, valid := accepted(r)
	if !valid {
		writeBare(w, http.StatusBadRequest)
		return
	}
	allow := strings.Join(slices.Sorted(slices.Values(methods)), ",")
	w.Header().Set("Allow", allow)
	switch best := types[0]; {
	case best.matches("text/plain"):
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(allow)) // the client may be gone
		return
	case strings.HasSuffix(best.name, "/*"):
		w.Header().Set("Content-Type", "application/octet-stream")
	default:
		w.Header().Set("Content-Type", formatType(best))
	}
	w.WriteHeader(http.StatusOK)
}
