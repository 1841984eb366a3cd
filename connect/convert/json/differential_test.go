package json

import (
	"encoding/hex"
	stdjson "encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/data"
)

// describeText is describeValue with what JSON cannot hold: strings with halves of
// surrogate pairs as code units in hex, and maps in the JVM's order.
func describeText(v any) any {
	switch x := v.(type) {
	case string:
		if utf8.ValidString(x) {
			return x
		}
		units := ""
		for i := 0; i < len(x); {
			r, n := utf8.DecodeRuneInString(x[i:])
			if r == utf8.RuneError && n == 1 {
				r, n = 0xD000|rune(x[i+1]&0x3F)<<6|rune(x[i+2]&0x3F), 3
			}
			if r >= 0x10000 {
				units += fmt.Sprintf("%04x", 0xD7C0+r>>10)
				r = 0xDC00 + r&0x3FF
			}
			units += fmt.Sprintf("%04x", r)
			i += n
		}
		return map[string]any{"utf16": units}
	case []any:
		list := []any{}
		for _, e := range x {
			list = append(list, describeText(e))
		}
		return list
	case *data.Map:
		list := []any{}
		for _, e := range x.JavaOrder() {
			list = append(list, []any{describeText(e.Key), describeText(e.Value)})
		}
		return map[string]any{"map": list}
	case *data.Struct:
		list := []any{}
		for i, f := range x.Schema().Fields() {
			list = append(list, []any{f.Name, describeText(x.AtWithoutDefault(i))})
		}
		return map[string]any{"struct": list}
	}
	return describeValue(v)
}

func TestRandomTextsAgreeWithTheJVM(t *testing.T) {
	converters := []*Converter{
		configured(t, schemasEnable, "false"), configured(t), configured(t, schemaContent, orderSchema),
		configured(t, schemaContent, `{"type":"array","items":{"type":"double"}}`),
	}
	back := configured(t, replaceNull, "false")
	eachLine(t, "random.jsonl", func(line []byte) {
		var want struct {
			O         int
			Raw       string
			Value     any
			Error     *goldenError
			Text      string
			FromError *goldenError `json:"from_error"`
		}
		if err := stdjson.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		raw, _ := hex.DecodeString(want.Raw)
		var d data.Datum
		err := converters[want.O].ToConnect("t", raw, &d)
		if diff := cmp.Diff(want.Error, described(err)); diff != "" {
			t.Errorf("%d %q (-JVM +ours):\n%s", want.O, raw, diff)
			return
		}
		if err != nil {
			return
		}
		v, err := d.Value()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Value, describeText(v)); diff != "" {
			t.Errorf("%d %q (-JVM +ours):\n%s", want.O, raw, diff)
			return
		}
		text, err := back.FromConnect("t", d.Schema(), v)
		wantText, _ := hex.DecodeString(want.Text)
		if diff := cmp.Diff([]any{want.FromError, string(wantText)}, []any{described(err), string(text)}); diff != "" {
			t.Errorf("%d %q written again (-JVM +ours):\n%s", want.O, raw, diff)
		}
	})
}
