package text

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/javagolden"
)

func TestConvertersAgreeWithTheJVM(t *testing.T) {
	javagolden.Run(t, "testdata/java/text.jsonl", func(name string) (convert.Converter, convert.HeaderConverter) {
		if name == "simpleheader" {
			return nil, NewSimpleHeader()
		}
		c := New()
		return c, c
	})
}

func TestMalformedUTF8IsReadAsTheJVMReadsIt(t *testing.T) {
	f, err := os.Open("testdata/java/utf8.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for sc := bufio.NewScanner(f); sc.Scan(); lines++ {
		var row [3]string
		if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		raw, _ := hex.DecodeString(row[1])
		if got := decodeUTF8(raw); got != row[2] {
			t.Errorf("%s: JVM %q, ours %q", row[1], row[2], got)
		}
	}
	if lines != 600 {
		t.Errorf("%d lines, want 600", lines)
	}
}

func TestValidUTF8IsHandedOnUndecoded(t *testing.T) {
	c := New()
	raw := []byte("größer \U0001F600")
	var d data.Datum
	if err := c.ToConnect("t", raw, &d); err != nil {
		t.Fatal(err)
	}
	enc, got := d.Raw()
	if enc != data.UTF8 || &got[0] != &raw[0] {
		t.Errorf("encoding %d; the bytes must be those of the batch", enc)
	}
	v, err := d.Value()
	if err != nil || v != string(raw) {
		t.Errorf("value %q, %v", v, err)
	}
	raw[0] = 'G'
	if v, _ := d.Value(); v != "größer \U0001F600" {
		t.Errorf("the value changed with the batch: %q", v)
	}
	if n := testing.AllocsPerRun(100, func() { _ = c.ToConnect("t", raw, &d) }); n != 0 {
		t.Errorf("%v allocations per record", n)
	}
}

func TestWhatIsNotUTF8IsDecodedAtOnce(t *testing.T) {
	for _, test := range []struct {
		encoding, raw, want string
	}{
		{"UTF-8", "a\xffb", "a�b"},
		{"latin1", "\xe9", "é"},
		{"ISO-8859-1", "plain", "plain"},
	} {
		c := New()
		if err := c.Configure(map[string]string{"converter.encoding": test.encoding}, true); err != nil {
			t.Fatal(err)
		}
		var d data.Datum
		if err := c.ToConnect("t", []byte(test.raw), &d); err != nil {
			t.Fatal(err)
		}
		v, err := d.Value()
		if enc, _ := d.Raw(); enc != data.Decoded || v != test.want || err != nil {
			t.Errorf("%s %q: encoding %d, value %q, %v; want %q decoded", test.encoding, test.raw, enc, v, err, test.want)
		}
	}
}

func TestStringConverterWritesTheTextOfAnyValue(t *testing.T) {
	schema := data.NewStructSchema().Field("a", data.OptionalInt32).Field("b", data.OptionalString).MustBuild()
	s := data.NewStruct(schema)
	if err := s.Put("a", int32(1)); err != nil {
		t.Fatal(err)
	}
	m := data.NewMap(0)
	m.Put("k", []any{int32(1), nil, "x"})
	for _, test := range []struct {
		value any
		want  string
	}{
		{s, "Struct{a=1}"}, {m, "{k=[1, null, x]}"}, {float32(1), "1.0"}, {int8(-3), "-3"}, {true, "true"},
	} {
		got, err := New().FromConnect("t", data.Int8Schema, test.value)
		if err != nil || string(got) != test.want {
			t.Errorf("%v: %q, %v; want %q", test.value, got, err, test.want)
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	c := New()
	out, isNull, err := c.AppendFromConnect([]byte("a\xff,"), "t", nil, "x\xed\xa0\x80")
	if err != nil || isNull || string(out) != "a\xff,x?" {
		t.Errorf("%q, %v, %v", out, isNull, err)
	}
	out, isNull, err = c.AppendFromConnect([]byte("a"), "t", nil, nil)
	if err != nil || !isNull || string(out) != "a" {
		t.Errorf("null: %q, %v, %v", out, isNull, err)
	}
}

func TestUnknownEncodingNamesTheKey(t *testing.T) {
	err := New().ConfigureHeader(map[string]string{"converter.encoding": "UTF-7"})
	if err == nil || !strings.HasPrefix(err.Error(), "Unsupported encoding UTF-7. Set converter.encoding to UTF-8,") {
		t.Errorf("%v", err)
	}
	if class := connect.JavaClass(err); class != "org.apache.kafka.common.errors.SerializationException" {
		t.Errorf("class %s", class)
	}
}

func TestOptionsAreThoseOfTheJVM(t *testing.T) {
	var got []string
	for _, k := range New().ConfigDef().Keys() {
		def := "required"
		if k.Default != config.NoDefault {
			def = config.JavaText(k.Default)
		}
		got = append(got, strings.Join([]string{k.Name, string(k.Type), def, string(k.Importance)}, " "))
	}
	want := []string{"converter.type STRING required LOW", "converter.encoding STRING UTF-8 HIGH"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if keys := NewSimpleHeader().ConfigDef().Keys(); len(keys) != 0 {
		t.Errorf("SimpleHeaderConverter has options: %v", keys)
	}
}

func TestHeaderOfEndlessNestingIsHandedOnAsBytes(t *testing.T) {
	raw := []byte(strings.Repeat("[", 100_000))
	schema, v, err := NewSimpleHeader().ToConnectHeader("t", "h", raw)
	if err != nil || schema != data.BytesSchema {
		t.Fatalf("%v, %v", schema, err)
	}
	b := v.([]byte)
	if d := cmp.Diff(raw, b); d != "" {
		t.Error(d)
	}
	if raw[0] = 'x'; b[0] == 'x' {
		t.Error("the header keeps the bytes of the batch")
	}
}

func TestHeaderValueWithoutTextIsADataError(t *testing.T) {
	_, err := NewSimpleHeader().FromConnectHeader("t", "h", nil, struct{}{})
	var want *connect.DataError
	if class := connect.JavaClass(err); class != connect.JavaClass(want) {
		t.Errorf("class %s: %v", class, err)
	}
}

func TestTextComesBackInEveryUnicodeCharset(t *testing.T) {
	for _, name := range []string{"UTF-8", "UTF-16", "UTF-16BE", "UTF-16LE"} {
		c := New()
		if err := c.Configure(map[string]string{"converter.encoding": name}, false); err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(rt *rapid.T) {
			text := rapid.String().Draw(rt, "text")
			if name == "UTF-16" && text != "" {
				text = "x" + text // what begins with a byte order mark loses it
			}
			raw, err := c.FromConnect("t", nil, text)
			if err != nil {
				rt.Fatal(err)
			}
			var d data.Datum
			if err := c.ToConnect("t", raw, &d); err != nil {
				rt.Fatal(err)
			}
			if v, _ := d.Value(); v != text {
				rt.Errorf("%s: %q became %q", name, text, v)
			}
		})
	}
}

func FuzzDecodeUTF8(f *testing.F) {
	for _, s := range []string{"", "a\xc3", "\xed\xa0\x80", "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80", "ü\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := decodeUTF8(raw)
		if !utf8.ValidString(got) {
			t.Fatalf("%x gave %x", raw, got)
		}
		if utf8.Valid(raw) && got != string(raw) {
			t.Errorf("valid text %q was changed to %q", raw, got)
		}
		// Well-formed characters are never lost, errors never longer than in Go's reading.
		if want := strings.ToValidUTF8(string(raw), ""); strings.ReplaceAll(got, "�", "") != strings.ReplaceAll(want, "�", "") {
			t.Errorf("%x: %q, want the characters %q", raw, got, want)
		}
		if utf8.RuneCountInString(got) > utf8.RuneCount(raw) {
			t.Errorf("%x: more characters than Go reads", raw)
		}
	})
}

func FuzzSimpleHeader(f *testing.F) {
	for _, s := range []string{"", "1", "[1,\"a\"]", "{a:1}", "1e999999999", "2020-01-01T00:00:00.000Z", "\xff", "[[[", "-"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		schema, v, err := NewSimpleHeader().ToConnectHeader("t", "h", raw)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if (schema == nil) != (v == nil) {
			t.Errorf("%q: schema %v, value %v", raw, schema, v)
		}
	})
}
