package number

import (
	"encoding/hex"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/javagolden"
)

var constructors = map[string]func() *Converter{
	"short": NewShort, "integer": NewInteger, "long": NewLong, "float": NewFloat, "double": NewDouble, "boolean": NewBoolean,
}

func TestConvertersAgreeWithTheJVM(t *testing.T) {
	javagolden.Run(t, "testdata/java/number.jsonl", func(name string) (convert.Converter, convert.HeaderConverter) {
		c := constructors[name]()
		return c, c
	})
}

func TestNumbersComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		for name, value := range map[string]any{
			"short": rapid.Int16().Draw(rt, "short"), "integer": rapid.Int32().Draw(rt, "integer"), "long": rapid.Int64().Draw(rt, "long"),
			"float": rapid.Float32().Draw(rt, "float"), "double": rapid.Float64().Draw(rt, "double"), "boolean": rapid.Bool().Draw(rt, "boolean"),
		} {
			c := constructors[name]()
			raw, isNull, err := c.AppendFromConnect([]byte{0xAA}, "t", nil, value)
			if err != nil || isNull || raw[0] != 0xAA {
				rt.Fatalf("%s: %x, %v, %v", name, raw, isNull, err)
			}
			var d data.Datum
			if err := c.ToConnect("t", raw[1:], &d); err != nil {
				rt.Fatal(err)
			}
			if v, _ := d.Value(); v != value {
				rt.Errorf("%s: %v became %v", name, value, v)
			}
		}
	})
}

// Kafka's serializer of doubles writes every NaN alike, that of floats does not.
func TestBitsOfNaN(t *testing.T) {
	raw, err := NewDouble().FromConnect("t", nil, math.Float64frombits(0x7ff8000000000123))
	if err != nil || hex.EncodeToString(raw) != "7ff8000000000000" {
		t.Errorf("%x, %v", raw, err)
	}
	raw, err = NewFloat().FromConnect("t", nil, math.Float32frombits(0x7fc00123))
	if err != nil || hex.EncodeToString(raw) != "7fc00123" {
		t.Errorf("%x, %v", raw, err)
	}
}

func TestValueOfAnotherTypeIsNotCast(t *testing.T) {
	schema := data.NewStructSchema().MustBuild()
	_, err := NewShort().FromConnect("t", nil, data.NewStruct(schema))
	if err == nil || err.Error() != "Failed to serialize to short (was class org.apache.kafka.connect.data.Struct): " {
		t.Errorf("%v", err)
	}
}
