package jaas

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAPropertyHoldsOneEntry(t *testing.T) {
	const module = "org.apache.kafka.common.security.plain.PlainLoginModule"
	for text, want := range map[string]map[string]string{
		module + ` required username="u" password="p w";`:                {"username": "u", "password": "p w"},
		module + "\n\trequired\n username='u'\n password=\"a\\\"b\" ;\n": {"username": "u", "password": `a"b`},
		module + ` REQUIRED username=u password=p;`:                      {"username": "u", "password": "p"},
		module + ` required /* c */ a="" // d` + "\n b=\"\\t\";":         {"a": "", "b": "\t"},
		module + ` required;`:                                            {},
	} {
		got, err := ParseEntry(text)
		if err != nil || got.Module != module || !maps.Equal(got.Options, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                           "does not contain any login modules",
		"M":                          "Login module control flag not specified in JAAS config",
		"M maybe a=b;":               "Login module control flag not valid in JAAS config",
		"M required a=b":             "JAAS config entry not terminated by semi-colon",
		"M required password;":       "Value not specified for key 'password' in JAAS config",
		"M required password=;":      "Value not specified for key 'password' in JAAS config",
		"M required a=;":             "Value not specified for a key in JAAS config",
		"M required a=b; N required": "more than one login module",
		`M required a="b;`:           "no closing quote",
		"M required a=\"b\nc\";":     "does not end on its line",
	} {
		if got, err := ParseEntry(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestAFileHoldsSections(t *testing.T) {
	got, err := ParseFile(`// who may come in
KafkaConnect {
    org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required
    file="/etc/{users}.properties" debug=true;
};
/* another */ Client{A optional; B required k='}';};
Empty { };
`)
	want := map[string][]Entry{
		"KafkaConnect": {{"org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule", map[string]string{"file": "/etc/{users}.properties", "debug": "true"}}},
		"Client":       {{"A", map[string]string{}}, {"B", map[string]string{"k": "}"}}},
		"Empty":        {},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	for text, want := range map[string]string{
		"K":                                  "does not begin with a name and {",
		"{ A required; };":                   "does not begin with a name and {",
		"K { A required; }":                  "K of the JAAS file does not end in };",
		"K { A required; ":                   "section K",
		"K { A required; }; K { };":          "the section K twice",
		`K { A required password="secret }`:  "no closing quote",
		"K { A required password=secret }; ": "JAAS config",
	} {
		_, err := ParseFile(text)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if got, err := ParseFile(" \n"); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add(`K { M required a="b"; };`)
	f.Add(`K{M required a='\'';};L{};`)
	f.Fuzz(func(t *testing.T, text string) {
		sections, err := ParseFile(text)
		if err != nil && sections != nil {
			t.Errorf("%q: sections beside %v", text, err)
		}
		for name := range sections {
			if name == "" {
				t.Errorf("%q: a section without name", text)
			}
		}
	})
}

func TestSystemProperty(t *testing.T) {
	for options, want := range map[string]string{
		"":                                      "",
		"-Xmx1g -Da.b=/x -Dy=z":                 "/x",
		"-Da.b=/x -Da.b=/y":                     "/y",
		`"-Da.b=/x"`:                            "/x",
		`-Da.b="/x"`:                            "/x",
		"-Da.bc=/x -Dz.a.b=/x":                  "",
		"-Da.b=k=v":                             "k=v",
		"-Da.b==/x":                             "=/x",
		"-D" + FileProperty + "=/x -Da.b=/none": "/none",
	} {
		if got := SystemProperty(options, "a.b"); got != want {
			t.Errorf("%s: %q, want %q", options, got, want)
		}
	}
	if got := SystemProperty("-D"+FileProperty+"==/x", FileProperty); got != "/x" {
		t.Errorf("a file that is the only one: %q", got)
	}
}
