package data

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func TestJSONStringsAreJackson(t *testing.T) {
	for text, want := range map[string]string{
		"": `""`, `a"b\c`: `"a\"b\\c"`, "\b\f\n\r\t": `"\b\f\n\r\t"`, "\x00\x1f": `"\u0000\u001F"`, "</é\u2028\x7f": "\"</é\u2028\x7f\"",
	} {
		if got := string(AppendJSONString(nil, text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestJSONStringsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		var back string
		if err := json.Unmarshal(AppendJSONString(nil, text), &back); err != nil || back != text {
			t.Fatalf("%q became %q: %v", text, back, err)
		}
	})
}
