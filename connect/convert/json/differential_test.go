package json

import (
	"encoding/hex"
	stdjson "encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/javagolden"
)

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
			Error     *javagolden.Failure
			Text      string
			FromError *javagolden.Failure `json:"from_error"`
		}
		if err := stdjson.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		raw, _ := hex.DecodeString(want.Raw)
		var d data.Datum
		err := converters[want.O].ToConnect("t", raw, &d)
		if diff := cmp.Diff(want.Error, javagolden.Describe(err)); diff != "" {
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
		if diff := cmp.Diff(want.Value, javagolden.OrderedValue(v)); diff != "" {
			t.Errorf("%d %q (-JVM +ours):\n%s", want.O, raw, diff)
			return
		}
		text, err := back.FromConnect("t", d.Schema(), v)
		wantText, _ := hex.DecodeString(want.Text)
		if diff := cmp.Diff([]any{want.FromError, string(wantText)}, []any{javagolden.Describe(err), string(text)}); diff != "" {
			t.Errorf("%d %q written again (-JVM +ours):\n%s", want.O, raw, diff)
		}
	})
}
