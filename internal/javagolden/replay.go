package javagolden

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
)

// act is one line of a golden file of Run.
type act struct {
	Converter      string
	Props          map[string]string
	Act            string
	Raw            *string
	Schema, Value  *string
	Error          *Failure
	ConfigureError *Failure `json:"configure_error"`
}

// Run replays on our converters what the JVM's did. The file has one act per line, with the
// converter's name and options: "to" reads raw, "from" writes value with schema. Values are
// written as "Class text": bytes in hex, text with a surrogate as Utf16 and its code units
// in hex. newConverter returns a converter by the file's name for it, or nil
// for one that converts headers only.
func Run(t *testing.T, file string, newConverter func(name string) (convert.Converter, convert.HeaderConverter)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for sc := bufio.NewScanner(f); sc.Scan(); lines++ {
		var a act
		if err := json.Unmarshal(sc.Bytes(), &a); err != nil {
			t.Fatalf("line %d: %v", lines+1, err)
		}
		conv, header := newConverter(a.Converter)
		a.replay(t, conv, header)
	}
	if lines < 40 {
		t.Errorf("%s has only %d lines", file, lines)
	}
}

func (a *act) replay(t *testing.T, conv convert.Converter, header convert.HeaderConverter) {
	t.Helper()
	if err := header.ConfigureHeader(a.Props); conv != nil && err == nil {
		err = conv.Configure(a.Props, false)
		a.checkConfigure(t, err)
	} else {
		a.checkConfigure(t, err)
	}
	switch {
	case a.ConfigureError != nil:
	case a.Act == "to":
		a.to(t, conv, header)
	default:
		a.from(t, conv, header)
	}
}

// checkConfigure compares the beginning of the message: ours goes on with advice.
func (a *act) checkConfigure(t *testing.T, err error) {
	t.Helper()
	got, want := Describe(err), a.ConfigureError
	if got != nil && want != nil && strings.HasPrefix(got.Message, want.Message) {
		got.Message = want.Message
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("configure %v (-JVM +ours):\n%s", a.Props, d)
	}
}

func (a *act) to(t *testing.T, conv convert.Converter, header convert.HeaderConverter) {
	t.Helper()
	raw := a.raw(t)
	if conv != nil {
		var d data.Datum
		err := conv.ToConnect("t", raw, &d)
		var v any
		if err == nil {
			v, err = d.Value()
			if d.Null() != (v == nil) {
				t.Errorf("%s to %x: Null() is %v, but the value is %v", a.Converter, raw, d.Null(), v)
			}
		}
		a.compare(t, "ToConnect", raw, d.Schema(), v, err)
	}
	schema, v, err := header.ToConnectHeader("t", "h", raw)
	a.compare(t, "ToConnectHeader", raw, schema, v, err)
}

func (a *act) compare(t *testing.T, call string, raw []byte, schema *data.Schema, v any, err error) {
	t.Helper()
	want := []any{a.Error, text(a.Schema), text(a.Value)}
	got := []any{Describe(err), shortSchema(schema), shortValue(v)}
	if err != nil {
		got[1], got[2] = "null", "null"
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s %v %s(%x) (-JVM +ours):\n%s", a.Converter, a.Props, call, raw, d)
	}
}

func (a *act) from(t *testing.T, conv convert.Converter, header convert.HeaderConverter) {
	t.Helper()
	schema, value := parseSchema(t, a.Schema), parseValue(t, a.Value)
	want := []any{a.Error, a.raw(t)}
	if conv != nil {
		got, err := conv.FromConnect("t", schema, value)
		if d := cmp.Diff(want, []any{Describe(err), got}); d != "" {
			t.Errorf("%s %v FromConnect(%v, %s) (-JVM +ours):\n%s", a.Converter, a.Props, schema, text(a.Value), d)
		}
	}
	got, err := header.FromConnectHeader("t", "h", schema, value)
	if d := cmp.Diff(want, []any{Describe(err), got}); d != "" {
		t.Errorf("%s %v FromConnectHeader(%v, %s) (-JVM +ours):\n%s", a.Converter, a.Props, schema, text(a.Value), d)
	}
}

func (a *act) raw(t *testing.T) []byte {
	t.Helper()
	if a.Raw == nil {
		return nil
	}
	return fromHex(t, *a.Raw)
}

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func shortSchema(s *data.Schema) string {
	switch {
	case s == nil:
		return "null"
	case s.Optional():
		return s.Type().String() + "?"
	}
	return s.Type().String()
}

func shortValue(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case []byte:
		return "bytes " + hex.EncodeToString(x)
	case *data.Map:
		return "LinkedHashMap " + data.JavaString(v)
	case string:
		if units, ok := utf16Units(x); ok {
			return units
		}
	}
	class := data.JavaClass(v)
	return class[strings.LastIndexByte(class, '.')+1:] + " " + data.JavaString(v)
}

// utf16Units describes text beyond the basic plane.
func utf16Units(s string) (string, bool) {
	var b strings.Builder
	wide := false
	for _, r := range s {
		if r >= 0x10000 {
			wide = true
			fmt.Fprintf(&b, "%04x%04x", 0xD7C0+r>>10, 0xDC00+r&0x3FF)
			continue
		}
		fmt.Fprintf(&b, "%04x", r)
	}
	return "Utf16 " + b.String(), wide
}

func parseSchema(t *testing.T, s *string) *data.Schema {
	t.Helper()
	if s == nil {
		return nil
	}
	for _, schema := range []*data.Schema{
		data.Int16Schema, data.Int32Schema, data.Int64Schema, data.Float32Schema, data.Float64Schema, data.BooleanSchema,
		data.StringSchema, data.BytesSchema, data.OptionalInt64,
	} {
		if shortSchema(schema) == *s {
			return schema
		}
	}
	t.Fatalf("unknown schema %s", *s)
	return nil
}

func parseValue(t *testing.T, s *string) any {
	t.Helper()
	if s == nil {
		return nil
	}
	class, text, _ := strings.Cut(*s, " ")
	n, _ := strconv.ParseInt(text, 10, 64)
	switch class {
	case "Byte":
		return int8(n)
	case "Short":
		return int16(n)
	case "Integer":
		return int32(n)
	case "Long":
		return n
	case "Float":
		f, _ := strconv.ParseFloat(text, 32)
		return float32(f)
	case "Double":
		f, _ := strconv.ParseFloat(text, 64)
		return f
	case "Boolean":
		return text == "true"
	case "bytes":
		return fromHex(t, text)
	case "Utf16":
		return wtf8(fromHex(t, text))
	case "String":
		return text
	}
	t.Fatalf("unknown class %s", class)
	return nil
}

// wtf8 makes a string of code units as the JSON converter does: halves of pairs that
// stand alone are encoded like characters.
func wtf8(units []byte) string {
	var b []byte
	for i := 0; i+1 < len(units); i += 2 {
		r := rune(units[i])<<8 | rune(units[i+1])
		if r>>10 == 0x36 && i+3 < len(units) && units[i+2]>>2 == 0x37 {
			low := rune(units[i+2])<<8 | rune(units[i+3])
			b = append(b, string(0x10000+(r-0xD800)<<10+low-0xDC00)...)
			i += 2
			continue
		}
		if r>>11 == 0x1B {
			b = append(b, 0xED, 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
			continue
		}
		b = append(b, string(r)...)
	}
	return string(b)
}
