package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPropertiesAreReadAsTheJVMReadsThem(t *testing.T) {
	eachLine(t, "testdata/java/properties.jsonl", func(line []byte) {
		var want struct {
			Text  string
			Props map[string]string
			Error *string
			Lone  bool
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		got, err := ParseProperties(want.Text)
		switch {
		case want.Error != nil:
			if err == nil || !strings.Contains(err.Error(), *want.Error) {
				t.Errorf("%q: %v, JVM %s", want.Text, err, *want.Error)
			}
		case err != nil:
			t.Errorf("%q: %v", want.Text, err)
		case !want.Lone:
			if d := cmp.Diff(want.Props, got); d != "" {
				t.Errorf("%q (-JVM +ours):\n%s", want.Text, d)
			}
		case len(got) != len(want.Props):
			t.Errorf("%q: %d properties, JVM %d", want.Text, len(got), len(want.Props))
		}
	})
}

func TestBadPropertiesFilesNameTheLineAndTheFix(t *testing.T) {
	const advice = `Malformed \uxxxx encoding. Write four hexadecimal digits after \u, or two backslashes for one (as in C:\\users)`
	want := map[string]string{
		"testdata/backslash-u.bad.properties":    "line 2: value of path: " + advice,
		"testdata/short-unicode.bad.properties":  "line 2: value of key: " + advice,
		"testdata/unicode-in-key.bad.properties": "line 2: " + advice,
	}
	files, err := filepath.Glob("testdata/*.bad.properties")
	if err != nil || len(files) != len(want) {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range files {
		_, err := LoadProperties(file)
		if msg := "read properties file " + file + ": " + want[file]; err == nil || err.Error() != msg {
			t.Errorf("got  %v\nwant %s", err, msg)
		}
	}
}

func TestLineNumbersCountContinuations(t *testing.T) {
	_, err := ParseProperties("# c\r\na=1\\\r\n  2\\\r\n  3\r\n\r\nbad=\\u1\r\n")
	if err == nil || !strings.HasPrefix(err.Error(), "line 6: value of bad: ") {
		t.Errorf("%v", err)
	}
}

func TestFileOfAWorkerIsLatin1(t *testing.T) {
	file := filepath.Join(t.TempDir(), "worker.properties")
	if err := os.WriteFile(file, []byte("name=gr\xfcn \\u20ac\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadProperties(file)
	if err != nil || got["name"] != "grün €" {
		t.Errorf("%q, %v", got["name"], err)
	}
}

func TestMissingFileIsNamed(t *testing.T) {
	_, err := LoadProperties("testdata/none.properties")
	if err == nil || !strings.HasPrefix(err.Error(), "read properties file: open testdata/none.properties: ") {
		t.Errorf("%v", err)
	}
}

func TestOverridesAreKeyValuePairs(t *testing.T) {
	props := map[string]string{"a": "1"}
	if err := ApplyOverrides(props, []string{"a=2", "b=x=y", "c="}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"a": "2", "b": "x=y", "c": ""}, props); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"a", "=b", ""} {
		err := ApplyOverrides(props, []string{bad})
		if err == nil || !strings.HasSuffix(err.Error(), "is not of the form key=value") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// escaped writes a text so that Java reads it back.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\f':
			b.WriteString(`\f`)
		case strings.ContainsRune(" \t=:#!\\", r):
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func TestEscapedPropertiesComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.MapOf(rapid.String(), rapid.String()).Draw(rt, "props")
		delete(want, "") // "=x" is a property, but "" alone is a blank line
		var text strings.Builder
		for k, v := range want {
			text.WriteString(escaped(k) + rapid.SampledFrom([]string{"=", " : ", "\t", " "}).Draw(rt, "separator") + escaped(v))
			text.WriteString(rapid.SampledFrom([]string{"\n", "\r\n", "\r", "\n\n# comment\n"}).Draw(rt, "end"))
		}
		got, err := ParseProperties(text.String())
		if err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			rt.Errorf("%q:\n%s", text.String(), d)
		}
	})
}

func FuzzParseProperties(f *testing.F) {
	for _, s := range []string{"a=b", "a\\\n=b", "\\u0041=\\ud83d\\ude00", "#\\\nb", "a=\\", "\\u12", "=\f", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		props, err := ParseProperties(text)
		if err != nil {
			return
		}
		if len(props) > strings.Count(text, "\n")+strings.Count(text, "\r")+1 {
			t.Errorf("%q: more properties than lines: %q", text, props)
		}
		for k, v := range props {
			if utf8.ValidString(text) && !utf8.ValidString(k+v) {
				t.Errorf("%q gave invalid text %q=%q", text, k, v)
			}
		}
	})
}
