package access

import (
	"crypto/x509"
	"encoding/hex"
	"net/url"
	"os"
	"strings"
	"testing"
)

func TestDistinguishedNamesAreJavas(t *testing.T) {
	text, err := os.ReadFile("testdata/java/names.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		encoded, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		der, err := hex.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if got := distinguishedName(der); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		n++
	}
	if n < 9 {
		t.Errorf("%d names", n)
	}
}

func FuzzDistinguishedName(f *testing.F) {
	text, err := os.ReadFile("testdata/java/names.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		encoded, _, _ := strings.Cut(line, "\t")
		der, _ := hex.DecodeString(encoded)
		f.Add(der)
	}
	f.Fuzz(func(_ *testing.T, der []byte) { distinguishedName(der) })
}

// subject is a certificate with the name CN=Ada,OU=Eng,O=Example.
func subject(t *testing.T) *x509.Certificate {
	t.Helper()
	der, err := hex.DecodeString("303131" + "10300e060355040a13074578616d706c65" + "310c300a060355040b1303456e67" + "310c300a060355040313034164" + "61")
	if err != nil {
		t.Fatal(err)
	}
	der[1] = byte(len(der) - 2)
	return &x509.Certificate{RawSubject: der, DNSNames: []string{"ada.example.org", "b.other.org"}, EmailAddresses: []string{"ada@example.org"},
		URIs: []*url.URL{{Scheme: "spiffe", Host: "example.org", Path: "/ns/team/sa/ada"}}}
}

func TestRulesMakeUsers(t *testing.T) {
	if name := distinguishedName(subject(t).RawSubject); name != "CN=Ada,OU=Eng,O=Example" {
		t.Fatal(name)
	}
	for _, test := range []struct{ source, rules, want string }{
		{"subject", "DEFAULT", "CN=Ada,OU=Eng,O=Example"},
		{"subject", "RULE:^CN=(.*?),.*$/$1/", "Ada"},
		{"subject", "RULE:^CN=(.*?),.*$/$1/L", "ada"},
		{"subject", "RULE:CN=(.*?),OU=(.*?),.*/$2-$1x/U", "ENG-ADAX"},
		{"subject", " RULE:^CN=nobody$/x/ , RULE:.*OU=Eng.*/eng/, DEFAULT ", "eng"},
		{"subject", "RULE:^CN=nobody$/x/,DEFAULT", "CN=Ada,OU=Eng,O=Example"},
		{"subject", "RULE:CN=Ada/x/", ""},                   // the whole name must match
		{"subject", "RULE:CN=ada,.*/x/", ""},                // in its own case
		{"subject", "RULE:.*//", ""},                        // an empty name is nobody
		{"subject", `RULE:CN=(\w{1,3}),.*/a\/$1/`, "a/Ada"}, // commas and slashes in a rule
		{"san.dns", `RULE:(.*)\.other\.org/$1/`, "b"},
		{"san.dns", "DEFAULT", "ada.example.org"},
		{"san.email", "RULE:(.*)@example.org/$1/", "ada"},
		{"san.uri", `RULE:spiffe:\/\/example\.org\/ns\/team\/sa\/(.*)/$1/`, "ada"},
		{"san.uri", "RULE:spiffe://x/y/", "?"},
	} {
		c, err := NewCertificates(test.source, test.rules)
		if test.want == "?" {
			if err == nil {
				t.Errorf("%s is accepted", test.rules)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.rules, err)
			continue
		}
		user, ok := c.User(subject(t))
		if user != test.want && ok || ok != (test.want != "") {
			t.Errorf("%s of %s: %q, %v, want %q", test.rules, test.source, user, ok, test.want)
		}
	}
	// A certificate without names is nobody's.
	for _, source := range Sources() {
		c, err := NewCertificates(source, "DEFAULT")
		if err != nil {
			t.Fatal(err)
		}
		if user, ok := c.User(&x509.Certificate{RawSubject: []byte{0x30, 0}}); ok {
			t.Errorf("%s: %q", source, user)
		}
	}
}

func TestWrongRulesAreRefused(t *testing.T) {
	for rules, want := range map[string]string{
		"":                           "there are no rules",
		"default":                    "is no rule",
		"RULE:^CN=(.*)$":             "is incomplete",
		"RULE:^CN=(.*)$/$1":          "is incomplete",
		"RULE://x/":                  "is incomplete",
		"RULE:(/x/":                  "its pattern",
		"RULE:a/$1/":                 "refers to a group",
		"RULE:(a)/$x/":               "refers to a group",
		"RULE:a/b/X":                 "follows a rule",
		"DEFAULT,":                   "nothing follows",
		"DEFAULT RULE:a/b/":          "follows a rule",
		"RULE:a/b/,RULE:(?<=x)a/b/L": "rule 2: its pattern",
	} {
		if _, err := NewCertificates("subject", rules); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", rules, err, want)
		}
	}
	if _, err := NewCertificates("cn", "DEFAULT"); err == nil {
		t.Error("an unknown source is accepted")
	}
}
