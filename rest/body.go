package rest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/penstock-io/penstock/rest/api"
)

// errNoBody tells that a body is missing; a 500 as in the JVM.
var errNoBody = errors.New("the request has no body: send the JSON that is expected here")

// errNull tells that the body is null.
var errNull = errors.New("the request's body is null: send the JSON that is expected here")

// readJSON decodes a body strictly: a missing one, text behind it and bytes that are not
// UTF-8 are errors (500, as in the JVM), another type than JSON is a 415.
func readJSON(r *http.Request, into any) error {
	body, err := readAll(r)
	if err != nil {
		return fmt.Errorf("the request's body could not be read: %w", err)
	}
	if (len(body) > 0 || r.Header.Values("Content-Type") != nil) && !isJSON(r) {
		return api.Errorf(http.StatusUnsupportedMediaType, "HTTP 415 Unsupported Media Type")
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(fromUTF16(body), []byte("\ufeff")))
	switch {
	case len(body) == 0:
		return errNoBody
	case string(body) == "null":
		return errNull
	case !utf8.Valid(body):
		return errors.New("the request's body is not UTF-8, as JSON must be")
	}
	if err := checkTexts(body); err != nil {
		return err
	}
	if halfName.Match(body) && hasHalfName(body) {
		return errors.New("the request's JSON has a name with half of a surrogate pair")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the request's body is not the JSON that is expected here: %w", err)
	}
	return nil
}

// The JVM's JSON reader refuses longer texts, in characters (Jackson's StreamReadConstraints).
const (
	maxText = 20_000_000
	maxName = 50_000
)

// checkTexts looks for strings and names that are too long. It need not know JSON well: what
// is malformed is found by the decoder.
func checkTexts(body []byte) error {
	if len(body) <= maxName {
		return nil
	}
	for i := 0; i < len(body); i++ {
		if body[i] != '"' {
			continue
		}
		n := 0
		for i++; i < len(body) && body[i] != '"'; i++ {
			n += utf16Units(body[i])
			switch {
			case body[i] != '\\':
			case i+1 < len(body) && body[i+1] == 'u':
				i += 5
			default:
				i++
			}
		}
		if n > maxText {
			return fmt.Errorf("the request's JSON has a string of %d characters: at most %d are accepted", n, maxText)
		}
		if after := bytes.TrimLeft(body[min(i+1, len(body)):], " \t\r\n"); n > maxName && len(after) > 0 && after[0] == ':' {
			return fmt.Errorf("the request's JSON has a name of %d characters: at most %d are accepted", n, maxName)
		}
	}
	return nil
}

// utf16Units is how many of Java's characters begin with a byte of UTF-8.
func utf16Units(b byte) int {
	switch {
	case b&0xC0 == 0x80: // goes on
		return 0
	case b >= 0xF0:
		return 2
	}
	return 1
}

// halfName finds texts that may hold half of a surrogate pair.
var halfName = regexp.MustCompile(`(?i)\\ud[89a-f]`)

// hasHalfName tells whether a name of an object has a half of a surrogate pair, which the JVM
// refuses; in values it passes.
func hasHalfName(body []byte) bool {
	for i := 0; i < len(body); i++ {
		if body[i] != '"' {
			continue
		}
		start := i
		for i++; i < len(body) && body[i] != '"'; i++ {
			if body[i] == '\\' {
				i++
			}
		}
		end := min(i+1, len(body))
		after := bytes.TrimLeft(body[end:], " \t\r\n")
		if len(after) > 0 && after[0] == ':' && hasHalfPair(body[start:end]) {
			return true
		}
	}
	return false
}

// hasHalfPair looks at the escapes of a JSON string.
func hasHalfPair(text []byte) bool {
	high := false // the escape before was the first half of a pair
	for i := 0; i < len(text); i++ {
		unit := uint64(0)
		if text[i] == '\\' && i+5 < len(text) && text[i+1] == 'u' {
			unit, _ = strconv.ParseUint(string(text[i+2:i+6]), 16, 16) // else it is no JSON
			i += 5
		} else if text[i] == '\\' {
			i++
		}
		low := unit >= 0xDC00 && unit < 0xE000
		if low != high {
			return true
		}
		high = unit >= 0xD800 && unit < 0xDC00
	}
	return high
}

// fromUTF16 recognises UTF-16, as JSON readers do, by a mark or by the zero byte of the first
// character.
func fromUTF16(body []byte) []byte {
	if len(body) < 4 || len(body)%2 != 0 {
		return body
	}
	var order binary.ByteOrder
	switch first := [2]byte(body); {
	case first == [2]byte{0xfe, 0xff}, first[0] == 0 && first[1] != 0:
		order = binary.BigEndian
	case first == [2]byte{0xff, 0xfe}, first[0] != 0 && first[1] == 0:
		order = binary.LittleEndian
	default:
		return body
	}
	units := make([]uint16, len(body)/2)
	for i := range units {
		units[i] = order.Uint16(body[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// createRequest is the body of POST /connectors as it was sent.
type createRequest struct {
	name    string
	initial *string
	config  texts
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

// texts is a JSON object whose values are to be strings, see readConfig.
type texts map[string]json.RawMessage

// UnmarshalJSON keeps the last of several values of a name, but one that is no string is kept
// whatever follows: it makes the whole wrong, as in the JVM.
func (t *texts) UnmarshalJSON(body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return errors.New("an object of strings is expected")
	}
	*t = texts{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if before := (*t)[name.(string)]; len(before) == 0 || before[0] != '{' && before[0] != '[' {
			(*t)[name.(string)] = value
		}
	}
	return nil
}

// readConfig decodes a map of strings as readText does.
func readConfig(raw texts) (map[string]*string, error) {
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
