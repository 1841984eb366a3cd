package bytes

import (
	"testing"

	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/javagolden"
)

func TestConverterAgreesWithTheJVM(t *testing.T) {
	javagolden.Run(t, "testdata/java/bytes.jsonl", func(string) (convert.Converter, convert.HeaderConverter) {
		c := New()
		return c, c
	})
}

func TestBytesAreHandedOnWithoutACopy(t *testing.T) {
	raw := []byte{1, 2, 3}
	var d data.Datum
	if n := testing.AllocsPerRun(100, func() { _ = New().ToConnect("t", raw, &d) }); n != 0 {
		t.Errorf("%v allocations per record", n)
	}
	enc, got := d.Raw()
	if enc != data.RawBytes || &got[0] != &raw[0] {
		t.Errorf("encoding %d; the bytes must be those of the batch", enc)
	}
	v, err := d.Value()
	if raw[0] = 9; err != nil || v.([]byte)[0] != 1 {
		t.Errorf("the value changed with the batch: %v, %v", v, err)
	}
}

func TestNoBytesAreNotNull(t *testing.T) {
	var d data.Datum
	if err := New().ToConnect("t", []byte{}, &d); err != nil || d.Null() {
		t.Fatalf("null %v, %v", d.Null(), err)
	}
	v, _ := d.Value()
	if got, err := New().FromConnect("t", nil, v); err != nil || got == nil {
		t.Errorf("%v, %v; want no bytes, but not null", got, err)
	}
	if got, err := New().FromConnect("t", nil, []byte(nil)); err != nil || got != nil {
		t.Errorf("%v, %v; want null", got, err)
	}
}

func TestResultsBelongToTheCaller(t *testing.T) {
	value := []byte("abc")
	out, _ := New().FromConnect("t", nil, value)
	_, header, _ := New().ToConnectHeader("t", "h", value)
	if value[0] = 'x'; string(out) != "abc" || string(header.([]byte)) != "abc" {
		t.Errorf("changed with the input: %s, %s", out, header)
	}
	if out, _, _ := New().AppendFromConnect([]byte("<"), "t", nil, []byte("v")); string(out) != "<v" {
		t.Errorf("appended %q", out)
	}
}
