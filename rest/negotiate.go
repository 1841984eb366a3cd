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

// consumable tells whether the router passes a request with this Content-Type on. As in
// the JVM the header alone decides, also when there is no body, and a missing one passes:
// only who then reads the body refuses it.
func consumable(r *http.Request) bool {
	t := r.Header.Get("Content-Type")
	return t == "" || isAny(t) || isJSON(r)
}

func isJSON(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == jsonType
}

// isAny reports whether a media type stands for any, JSON among them; parameters are
// not counted as part of it.
func isAny(t string) bool {
	t, _, _ = strings.Cut(t, ";")
	switch strings.ToLower(strings.TrimSpace(t)) {
	case "*/*", "application/*", "*":
		return true
	}
	return false
}

// produced returns the Content-Type of the answer: that of the accepted type with the
// highest quality, with its parameters; among equals JSON by name comes before wildcards.
// It is false when the client does not accept JSON. A quality of 0 is the lowest here and
// no refusal, as in the JVM.
func produced(r *http.Request) (contentType string, ok bool) {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return jsonType, true
	}
	best := -1.0
	for _, item := range strings.Split(accept, ",") {
		rank, candidate := 0.0, jsonType
		t, params, err := mime.ParseMediaType(strings.TrimSpace(item))
		switch {
		case isAny(item):
		case err == nil && t == jsonType:
			rank, candidate = 1e-6, formatJSONType(params) // only breaks ties
		default:
			continue
		}
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			rank += q
		} else {
			rank++
		}
		if rank > best {
			best, contentType = rank, candidate
		}
	}
	return contentType, best >= 0
}

var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// formatJSONType writes JSON's type with parameters, without blanks as the JVM does.
func formatJSONType(params map[string]string) string {
	var b strings.Builder
	b.WriteString(jsonType)
	for _, k := range slices.Sorted(maps.Keys(params)) {
		if k == "q" {
			continue
		}
		v := params[k]
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
