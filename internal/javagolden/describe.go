package javagolden

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// Failure is a Java exception with its causes, each as "class: message".
type Failure struct {
	Class   string   `json:"class"`
	Message string   `json:"message"`
	Causes  []string `json:"causes"`
}

// Describe gives an error the form of the golden files, nil for none.
func Describe(err error) *Failure {
	if err == nil {
		return nil
	}
	f := &Failure{Class: connect.JavaClass(err), Message: err.Error(), Causes: []string{}}
	for e := errors.Unwrap(err); e != nil; e = errors.Unwrap(e) {
		f.Causes = append(f.Causes, connect.JavaClass(e)+": "+e.Error())
	}
	return f
}

// Schema describes a schema, nil for none. In a recursive schema a struct that stands
// above is described by its name.
func Schema(s *data.Schema) any { return describeSchema(s, nil) }

func describeSchema(s *data.Schema, above []string) any {
	if s == nil {
		return nil
	}
	if s.Name() != "" && slices.Contains(above, s.Name()) {
		return map[string]any{"recursive_reference_to": s.Name(), "optional": s.Optional()}
	}
	d := map[string]any{"type": s.Type().String(), "optional": s.Optional()}
	if s.Name() != "" {
		d["name"] = s.Name()
	}
	if v, ok := s.Version(); ok {
		d["version"] = float64(v)
	}
	if s.Doc() != "" {
		d["doc"] = s.Doc()
	}
	if len(s.Parameters()) > 0 {
		params := map[string]any{}
		for _, p := range s.Parameters() {
			params[p.Key] = p.Value
		}
		d["parameters"] = params
	}
	if s.Default() != nil {
		d["default"] = OrderedValue(s.Default())
	}
	switch s.Type() {
	case data.StructType:
		above = append(above[:len(above):len(above)], s.Name())
		fields := []any{}
		for _, f := range s.Fields() {
			fields = append(fields, map[string]any{"field": f.Name, "index": float64(f.Index), "schema": describeSchema(f.Schema, above)})
		}
		d["fields"] = fields
	case data.Array:
		d["items"] = describeSchema(s.ValueSchema(), above)
	case data.MapType:
		d["keys"], d["values"] = describeSchema(s.KeySchema(), above), describeSchema(s.ValueSchema(), above)
	default:
	}
	return d
}

// Value describes a value, with the entries of maps sorted.
func Value(v any) any { return describeValue(v, false) }

// OrderedValue describes a value, with the entries of maps in the order in which the JVM's
// map iterates.
func OrderedValue(v any) any { return describeValue(v, true) }

func describeValue(v any, ordered bool) any {
	switch x := v.(type) {
	case int8, int16, int32:
		n, _ := data.AsInt64(x, nil)
		return map[string]any{fmt.Sprintf("%T", v): float64(n)}
	case int64:
		return map[string]any{"int64": strconv.FormatInt(x, 10)}
	case float32, float64:
		return map[string]any{fmt.Sprintf("%T", v): data.JavaString(v)}
	case string:
		return describeText(x)
	case []byte:
		return map[string]any{"bytes": hex.EncodeToString(x)}
	case data.Decimal:
		return map[string]any{"decimal": x.String()}
	case time.Time:
		return map[string]any{"date_ms": strconv.FormatInt(x.UnixMilli(), 10)}
	case []any:
		list := []any{}
		for _, e := range x {
			list = append(list, describeValue(e, ordered))
		}
		return list
	case *data.Map:
		list := []any{}
		for _, e := range x.JavaOrder() {
			list = append(list, []any{describeValue(e.Key, ordered), describeValue(e.Value, ordered)})
		}
		if !ordered {
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
		return map[string]any{"map": list}
	case *data.Struct:
		list := []any{}
		for i, f := range x.Schema().Fields() {
			list = append(list, []any{f.Name, describeValue(x.AtWithoutDefault(i), ordered)})
		}
		return map[string]any{"struct": list}
	}
	return v
}

// describeText gives text with halves of surrogate pairs, which JSON cannot hold, as code
// units in hex.
func describeText(s string) any {
	if utf8.ValidString(s) {
		return s
	}
	units := ""
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 && i+2 < len(s) {
			r, n = 0xD000|rune(s[i+1]&0x3F)<<6|rune(s[i+2]&0x3F), 3
		}
		if r >= 0x10000 {
			units += fmt.Sprintf("%04x", 0xD7C0+r>>10)
			r = 0xDC00 + r&0x3FF
		}
		units += fmt.Sprintf("%04x", r)
		i += n
	}
	return map[string]any{"utf16": units}
}

// ParseValue makes the value of a schema from its description as encoding/json decodes it.
func ParseValue(t testing.TB, s *data.Schema, v any) any {
	t.Helper()
	if list, ok := v.([]any); ok {
		out := []any{}
		for _, e := range list {
			out = append(out, ParseValue(t, s.ValueSchema(), e))
		}
		return out
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for kind, e := range m {
		switch kind {
		case "struct":
			st := data.NewStruct(s)
			for i, pair := range e.([]any) {
				if err := st.PutAt(i, ParseValue(t, s.Fields()[i].Schema, pair.([]any)[1])); err != nil {
					t.Fatal(err)
				}
			}
			return st
		case "map":
			out := data.NewMap(0)
			for _, pair := range e.([]any) {
				out.Put(ParseValue(t, s.KeySchema(), pair.([]any)[0]), ParseValue(t, s.ValueSchema(), pair.([]any)[1]))
			}
			return out
		}
		return parseScalar(t, kind, e)
	}
	return nil
}

func parseScalar(t testing.TB, kind string, e any) any {
	t.Helper()
	switch x := e.(type) {
	case float64:
		switch kind {
		case "int8":
			return int8(x)
		case "int16":
			return int16(x)
		}
		return int32(x)
	case string:
		n, _ := strconv.ParseInt(x, 10, 64)
		f, _ := strconv.ParseFloat(x, 64)
		switch kind {
		case "int64":
			return n
		case "float32":
			f, _ := strconv.ParseFloat(x, 32)
			return float32(f)
		case "float64":
			return f
		case "bytes":
			b, _ := hex.DecodeString(x)
			return b
		case "date_ms":
			return time.UnixMilli(n).UTC()
		case "decimal":
			d, err := data.ParseDecimal(x)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
	t.Fatalf("unknown description %s %v", kind, e)
	return nil
}
