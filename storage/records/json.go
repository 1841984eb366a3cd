package records

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/data"
)

// ErrNotJSON is the error of a value that no JSON parser takes. The JVM skips such a
// record before it notes its offset; other invalid records count as read.
var ErrNotJSON = errors.New("the value is not valid JSON")

// converters holds JsonConverters with schemas.enable=false; one is used by one
// goroutine at a time.
var converters = sync.Pool{New: func() any {
	c := json.New()
	if err := c.Configure(map[string]string{"schemas.enable": "false"}, false); err != nil {
		return err
	}
	return c
}}

// parse decodes a value as JsonConverter does: null (nil bytes, no JSON value at all, or
// the text null), string, bool, int64, float64, []any or *data.Map.
func parse(value []byte) (any, error) {
	if value == nil {
		return nil, nil
	}
	c, ok := converters.Get().(*json.Converter)
	if !ok {
		return nil, errors.New("the JSON converter cannot be configured")
	}
	defer converters.Put(c)
	var d data.Datum
	err := c.ToConnect("", value, &d)
	if err == nil {
		var v any
		if v, err = d.Value(); err == nil {
			return v, nil
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrNotJSON, err)
}

// object is parse for a value that must be a JSON object; nil stands for null.
func object(value []byte) (*data.Map, error) {
	v, err := parse(value)
	if err != nil || v == nil {
		return nil, err
	}
	m, ok := v.(*data.Map)
	if !ok {
		return nil, fmt.Errorf("the value should be a JSON object but is %s", kind(v))
	}
	return m, nil
}

// kind names the type of a decoded value for messages.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "an array"
	case *data.Map:
		return "an object"
	}
	return "a number"
}

func get(m *data.Map, field string) any {
	v, _ := m.Get(field)
	return v
}

func stringField(m *data.Map, field string) (string, error) {
	v := get(m, field)
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("field %q should be a string but is %s", field, kind(v))
	}
	return s, nil
}

// optionalString is stringField for a field that may be null or missing.
func optionalString(m *data.Map, field string) (string, error) {
	if get(m, field) == nil {
		return "", nil
	}
	return stringField(m, field)
}

func longField(m *data.Map, field string) (int64, error) {
	v := get(m, field)
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("field %q should be an integer but is %s", field, kind(v))
	}
	return n, nil
}

// intField cuts a long to 32 bits, as the JVM's cast does.
func intField(m *data.Map, field string) (int, error) {
	n, err := longField(m, field)
	return int(int32(n)), err
}

// boolField returns false for anything but a boolean.
func boolField(m *data.Map, field string) bool {
	b, _ := get(m, field).(bool)
	return b
}

// stringMap returns a copy of an object as configs are kept. A null is left out: for
// everybody who reads a config, null and absent are the same. Other values should not be
// there; they are kept as text.
func stringMap(v any, field string) (map[string]string, error) {
	m, ok := v.(*data.Map)
	if !ok {
		return nil, fmt.Errorf("field %q should be an object but is %s", field, kind(v))
	}
	out := make(map[string]string, m.Len())
	for _, e := range m.Entries() {
		name, isString := e.Key.(string)
		if isString && e.Value != nil {
			out[name] = data.JavaString(e.Value)
		}
	}
	return out, nil
}

// append functions write JSON as the JVM's converter does.

func appendString(dst []byte, s string) ([]byte, error) {
	var e json.Encoder
	return e.Append(dst, nil, s)
}

// appendOptional writes "" as null.
func appendOptional(dst []byte, s string) ([]byte, error) {
	if s == "" {
		return append(dst, "null"...), nil
	}
	return appendString(dst, s)
}

// appendStringMap writes an object in the order of a HashMap that was filled by name: the
// same bytes every time, whatever the caller's map was made from.
func appendStringMap(dst []byte, config map[string]string) ([]byte, error) {
	m := data.NewMap(len(config))
	for _, k := range slices.Sorted(maps.Keys(config)) {
		m.Put(k, config[k])
	}
	var e json.Encoder
	return e.Append(dst, nil, m)
}
