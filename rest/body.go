package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/rest/api"
)

// errNoBody tells that a body is missing, or is null; a 500 as in the JVM.
var errNoBody = errors.New("the request has no body: send the JSON that is expected here")

// readJSON decodes a body strictly: a missing one, text behind it and bytes that are not
// UTF-8 are errors (500, as in the JVM), another type than JSON is a 415.
func readJSON(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("the request's body could not be read: %w", err)
	}
	if len(body) > 0 && !isJSON(r) {
		return api.Errorf(http.StatusUnsupportedMediaType, "HTTP 415 Unsupported Media Type")
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(body) == 0, string(body) == "null":
		return errNoBody
	case !utf8.Valid(body):
		return errors.New("the request's body is not UTF-8, as JSON must be")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the request's body is not the JSON that is expected here: %w", err)
	}
	return nil
}

// createRequest is the body of POST /connectors as it was sent.
type createRequest struct {
	name    string
	initial *string
	config  map[string]json.RawMessage
}

// readCreateRequest knows the fields by their exact names; others are refused.
func readCreateRequest(r *http.Request) (req createRequest, err error) {
	var fields map[string]json.RawMessage
	if err := readJSON(r, &fields); err != nil {
		return req, err
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		value := fields[field]
		switch field {
		case "name":
			name, err := readText(field, value)
			if err != nil {
				return req, err
			}
			if name != nil {
				req.name = strings.TrimSpace(*name)
			}
		case "initial_state":
			if req.initial, err = readText(field, value); err != nil {
				return req, err
			}
		case "config":
			if err := json.Unmarshal(value, &req.config); err != nil {
				return req, fmt.Errorf(`"config" must be an object of strings: %w`, err)
			}
		default:
			return req, fmt.Errorf("unknown field %q: the fields are name, config and initial_state", field)
		}
	}
	if req.config == nil {
		return req, errors.New(`the request has no "config": send {"name":"…","config":{…}}`)
	}
	return req, nil
}

// readText takes a string, the text of a number or boolean, or null as nil.
func readText(field string, v json.RawMessage) (*string, error) {
	text := string(v)
	switch {
	case text == "null":
		return nil, nil //nolint:nilnil // null is a value
	case strings.HasPrefix(text, `"`):
		if err := json.Unmarshal(v, &text); err != nil {
			return nil, fmt.Errorf("the value of %q: %w", field, err)
		}
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return nil, fmt.Errorf("the value of %q must be a string, not an object or array", field)
	}
	return &text, nil
}

// readConfig decodes a map of strings as readText does.
func readConfig(raw map[string]json.RawMessage) (map[string]*string, error) {
	config := make(map[string]*string, len(raw))
	for k, v := range raw {
		text, err := readText(k, v)
		if err != nil {
			return nil, err
		}
		config[k] = text
	}
	return config, nil
}

// splitNulls separates the keys whose value is null, sorted, which only a PATCH may hold.
func splitNulls(config map[string]*string) (plain map[string]string, nulls []string) {
	plain = make(map[string]string, len(config))
	for k, v := range config {
		if v == nil {
			nulls = append(nulls, k)
			continue
		}
		plain[k] = *v
	}
	slices.Sort(nulls)
	return plain, nulls
}

// failNulls adds the error of a null to the result of a check without these keys. The JVM
// lets nulls of the connector's own keys pass, and then the connector fails to start.
func failNulls(infos *api.ConfigInfos, nulls []string) {
	const msg = "Null value can not be supplied as the configuration value."
	infos.ErrorCount += len(nulls)
	for _, k := range nulls {
		i := slices.IndexFunc(infos.Configs, func(c api.ConfigInfo) bool { return c.Value.Name == k })
		if i < 0 {
			i = 0
			infos.Configs = slices.Insert(infos.Configs, 0, api.ConfigInfo{
				Value: api.ConfigValue{Name: k, Recommended: []string{}, Visible: true}})
		}
		v := &infos.Configs[i].Value
		v.Value, v.Errors = nil, append(v.Errors, msg)
	}
}
