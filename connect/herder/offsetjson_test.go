package herder

import (
	"encoding/json"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/storage/records"
)

func TestParseOffsetMap(t *testing.T) {
	m, err := parseOffsetMap(json.RawMessage(`{"i":-1,"l":9223372036854775807,"d":1.0,"e":1e3,"s":"1","b":true,"n":null,"x":9223372036854775808,"a":[1],"o":{"k":2},"i":5}`))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"i": int64(5), "l": int64(9223372036854775807), "d": 1.0, "e": 1000.0, "s": "1", "b": true, "n": nil, "a": []any{int64(1)}} {
		if got, ok := m.Get(key); !ok || !cmp.Equal(want, got) {
			t.Errorf("%s: %#v, want %#v", key, got, want)
		}
	}
	if got, _ := m.Get("x"); got.(*big.Int).String() != "9223372036854775808" {
		t.Errorf("x: %v", got)
	}
	if got, _ := m.Get("o"); got.(*data.Map).Len() != 1 {
		t.Errorf("o: %v", got)
	}
}

func FuzzParseOffsetMap(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `{"a":1,"b":[{}]}`, `{"a":1e999}`, `{"\ud800":"\u0000"}`, `[`, `{"a":-0.0}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseOffsetMap(text)
		if err != nil || m == nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q was taken", text)
		}
		value, err := records.OffsetValue(m)
		if err != nil {
			return
		}
		back, err := records.DecodeOffsetValue(value)
		if err != nil {
			t.Fatalf("%q became %q, which cannot be read: %v", text, value, err)
		}
		// Once through JSON a map stays as it is; only the sign of -0.0 is lost before.
		first, err := records.OffsetValue(back)
		if err != nil {
			t.Fatal(err)
		}
		if back, err = records.DecodeOffsetValue(first); err != nil {
			t.Fatal(err)
		}
		if again, err := records.OffsetValue(back); err != nil || string(again) != string(first) {
			t.Fatalf("%q became %q and then %q, %v", text, first, again, err)
		}
	})
}
