package settings

import (
	"strings"
	"testing"
)

func TestOriginsAreRegularExpressions(t *testing.T) {
	for _, test := range []struct {
		list, origin string
		want         bool
	}{
		{"*", "https://anything:1", true},
		{"http://a.b", "http://a.b", true},
		{"http://a.b", "http://axb", true}, // a dot is any character
		{"http://a.b", "HTTP://A.B", true},
		{"http://a.b", "http://a.b:80", false},
		{"http://a.b", "xhttp://a.b", false},
		{"http://x , https://.*[.]example[.]org", "https://ui.example.org", true},
		{"http://x,,http://y", "", false},
		{"http://x,*", "null", true},
		{"http://x", "http://x http://y", true},
		{"http://x http://y", "http://x http://y", false},
		{"http://(a|b)", "http://b", true},
	} {
		o, err := parseOrigins(test.list)
		if err != nil || o.Allow(test.origin) != test.want {
			t.Errorf("%s allows %s: %v, %v", test.list, test.origin, !test.want, err)
		}
	}
	for _, blank := range []string{"", "  "} {
		if o, err := parseOrigins(blank); o != nil || err != nil {
			t.Errorf("%q: %v, %v", blank, o, err)
		}
	}
	_, err := parseOrigins("http://a, http://a,(,ok")
	for _, want := range []string{"http://a is in the list twice", "( is no regular expression"} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "access.control.allow.origin") {
			t.Errorf("%v does not tell: %s", err, want)
		}
	}
}

func TestAnnouncedMethods(t *testing.T) {
	for _, test := range []struct{ text, want string }{{"", "GET,POST,HEAD"}, {" ", "GET,POST,HEAD"}, {"GET, PUT", "GET, PUT"}} {
		if got := (&REST{AllowMethods: test.text}).CORSMethods(); got != test.want {
			t.Errorf("%q: %q", test.text, got)
		}
	}
}
