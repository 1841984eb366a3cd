package json

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// checkTranscoded compares a checked value with its decoded form.
func checkTranscoded(t interface {
	Helper()
	Errorf(string, ...any)
}, tc *Transcoder, raw []byte) {
	t.Helper()
	want, err := AppendObject([]byte("before"), decodeSchemaless(raw))
	if err != nil {
		t.Errorf("%s: %v", raw, err)
		return
	}
	if got := tc.Append([]byte("before"), raw); string(got) != string(want) {
		t.Errorf("%s is transcoded to\n%s\nnot\n%s", raw, got, want)
	}
}

func manyMembers(n int, repeat string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"key` + strconv.Itoa(i) + `":` + strconv.Itoa(i) + `,`)
	}
	return "{" + b.String() + repeat + "}"
}

func TestTranscoder(t *testing.T) {
	var tc Transcoder
	for _, text := range []string{
		`{}`, `[]`, `""`, `0`, `-0`, `007`, `-12`, `123456789012345678`, `1234567890123456789`, `99999999999999999999`,
		`1.0`, `1.50`, `-0.0`, `-0.5`, `0.001`, `0.0001`, `0.00`, `1e3`, `1E-7`, `12345678.5`, `1234567.5`, `1.7976931348623157e999`,
		`0.30000000000000004`, `123456.7890123456`, `1.23456789012345`, `00.5`, `true`, `false`,
		`"a\/b"`, `"\u0041\u00e9\u20ac"`, `"\u001f\u007f"`, `"😀"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\n\t\b\f\r\\\""`, `"` + "é€\u2028" + `"`,
		`{"b":1,"a":2}`, `{ "a" : 1 , "b" : [ 1 , { "z":1,"y":2 } ] }`, `{"a":1,"a":2}`, `{"a":1,"b":2,"\u0061":3}`,
		`{"Aa":1,"BB":2}`, `{"BB":1,"Aa":2,"C":{"BB":1,"Aa":2}}`, `{"😀":1,"é":2}`, `{"":null}`,
		manyMembers(20, `"x":1`), manyMembers(200, `"x":1`), manyMembers(200, `"key7":-1`), manyMembers(12, `"key3":{"b":1,"a":2}`),
		`[{"b":1,"a":2},{"a":1,"b":2},{"b":1,"a":2,"c":3}]`,
		strings.Repeat("[", 900) + strings.Repeat("]", 900),
	} {
		for range 2 { // the second time shapes are known
			checkTranscoded(t, &tc, []byte(text))
		}
	}
}

func TestTranscoderLikeDecoded(t *testing.T) {
	name := rapid.SampledFrom([]string{`"a"`, `"b"`, `"Aa"`, `"BB"`, `"\u0061"`, `"long name"`, `"é"`, `"😀"`, `"\n"`})
	scalar := rapid.OneOf(
		rapid.SampledFrom([]string{`null`, `true`, `"x"`, `"\u0041"`, `-0`, `1.10`, `0.0`}),
		rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }),
		rapid.Map(rapid.Float64Range(-100, 100), func(f float64) string { return strconv.FormatFloat(f, 'f', 3, 64) }),
		rapid.Map(rapid.Float64(), func(f float64) string { return strconv.FormatFloat(f, 'e', -1, 64) }),
	)
	var value func(depth int) *rapid.Generator[string]
	value = func(depth int) *rapid.Generator[string] {
		if depth == 0 {
			return scalar
		}
		return rapid.Custom(func(t *rapid.T) string {
			space := rapid.SampledFrom([]string{"", " "}).Draw(t, "space")
			var parts []string
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				return scalar.Draw(t, "scalar")
			case 1:
				parts = rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "list")
				return "[" + space + strings.Join(parts, space+",") + space + "]"
			}
			for range rapid.IntRange(0, 12).Draw(t, "members") {
				parts = append(parts, name.Draw(t, "name")+space+":"+space+value(depth-1).Draw(t, "value"))
			}
			return "{" + space + strings.Join(parts, ","+space) + space + "}"
		})
	}
	var tc Transcoder
	rapid.Check(t, func(t *rapid.T) {
		checkTranscoded(t, &tc, []byte(value(3).Draw(t, "json")))
	})
}

func FuzzTranscoder(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[1.50,"\u0041"]}`, `{"b":1,"a":{"c":-0}}`, `"😀"`, `1e5`} {
		f.Add([]byte(s))
	}
	var tc Transcoder
	f.Fuzz(func(t *testing.T, b []byte) {
		start, end, ok := document(b)
		if !ok || start == end {
			return
		}
		checkTranscoded(t, &tc, b[start:end])
	})
}

func TestTranscoderText(t *testing.T) {
	for _, s := range []string{"", "plain", "with \"quotes\" and \\", "tab\tx", "zwei €", "a😀b\x01", strings.Repeat("é", 20) + "\n😀"} {
		want := string(appendQuoted(nil, s))
		if got := string(AppendText(nil, []byte(s))); got != want {
			t.Errorf("%q is written as %s, not %s", s, got, want)
		}
	}
}

func TestTranscoderDoesNotAllocate(t *testing.T) {
	raw := []byte(`{"id":12,"name":"x y","nested":{"b":[1.5,0.30000000000000004],"a":"\u00e9"},"zeta":1e10}`)
	var tc Transcoder
	dst := tc.Append(nil, raw)
	if n := testing.AllocsPerRun(100, func() { dst = tc.Append(dst[:0], raw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
