package access

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func parse(t *testing.T, assignments ...string) *Roles {
	t.Helper()
	all := map[string]string{}
	for i := 0; i < len(assignments); i += 2 {
		all[assignments[i]] = assignments[i+1]
	}
	r, err := Parse(all)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPatternsMatchWholeNames(t *testing.T) {
	for _, test := range []struct {
		pattern string
		yes, no []string
	}{
		{"*", []string{"a", "", "a/b", "a\nb", "\xff", "ü"}, nil},
		{"team-a-*", []string{"team-a-", "team-a-x", "team-a-x,y"}, []string{"team-a", "Team-a-x", "xteam-a-x", "team-b-team-a-x"}},
		{"a", []string{"a"}, []string{"A", "a ", " a", "aa", "", "a\n", "а"}}, // the last is Cyrillic
		{"?", []string{"a", "ü", "\xff", "\n"}, []string{"", "ab", "üü"}},
		{"a?c", []string{"abc", "a*c"}, []string{"ac", "abbc"}},
		{"*-sink", []string{"-sink", "a-sink", "a-sink-sink"}, []string{"a-sink-", "sink"}},
		{"a*b*c", []string{"abc", "axbxc", "abcbc"}, []string{"ab", "acb", "abcd"}},
		{"a**b", []string{"ab", "axb"}, []string{"a"}},
		{`a\*`, []string{"a*"}, []string{"ab", `a\*`, "a"}},
		{`a\,b\\\?`, []string{`a,b\?`}, []string{`a,b\x`}},
		{"a.b[c](d|e)+$", []string{"a.b[c](d|e)+$"}, []string{"axb"}},
		{"a%2Fb", []string{"a%2Fb"}, []string{"a/b"}},
	} {
		p, err := ParsePattern(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
		}
		for _, name := range test.yes {
			if !p.Match(name) {
				t.Errorf("%s does not match %q", test.pattern, name)
			}
		}
		for _, name := range test.no {
			if p.Match(name) {
				t.Errorf("%s matches %q", test.pattern, name)
			}
		}
	}
	for _, bad := range []string{"", `a\`, `\a`} {
		if _, err := ParsePattern(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// naive is the definition of a match, by recursion.
func naive(pattern, name []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(name) == 0
	case pattern[0] == '*':
		return naive(pattern[1:], name) || len(name) > 0 && naive(pattern, name[1:])
	case len(name) == 0:
		return false
	case pattern[0] == '\\':
		return pattern[1] == name[0] && naive(pattern[2:], name[1:])
	}
	return (pattern[0] == '?' || pattern[0] == name[0]) && naive(pattern[1:], name[1:])
}

func TestPatternsAgreeWithTheirDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"*", "?", "a", "b", "ü", `\*`, `\?`, `\,`, `\\`}), 1, 9).Draw(t, "pattern"), "")
		name := rapid.StringOfN(rapid.RuneFrom([]rune("abü*?,\\")), 0, 9, -1).Draw(t, "name")
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := p.Match(name), naive([]rune(pattern), []rune(name)); got != want {
			t.Errorf("%s, %s: %v, want %v", pattern, name, got, want)
		}
	})
}

// The decision is the highest of all grants that apply, whatever their order and spelling: a
// further assignment never takes anything away, and none of somebody else's gives anything.
func TestDecisions(t *testing.T) {
	names := []string{"ada", "grace", "*", "team"}
	connectors := []string{"a", "ab", "b", "*"}
	patterns := []string{"*", "a", "a*", "?", `\*`}
	rapid.Check(t, func(t *rapid.T) {
		u := User{Name: rapid.SampledFrom(names).Draw(t, "user"), Method: rapid.SampledFrom([]Method{Basic, Bearer, Anonymous, Worker}).Draw(t, "method"),
			Groups: rapid.SliceOfN(rapid.SampledFrom(names), 0, 2).Draw(t, "groups")}
		connector := rapid.SampledFrom(connectors).Draw(t, "connector")
		want, admin, anywhere := None, false, None
		assignments := map[string]string{}
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"user.ada", "user.grace", "user.*", "group.team", "group.ada", "group.*", "anonymous"}), 0, 7, rapid.ID).Draw(t, "keys") {
			kind, name, _ := strings.Cut(key, ".")
			known := u.Method != Anonymous && u.Method != Worker
			applies := key == "anonymous" || known && (kind == "user" && (name == u.Name || name == "*"))
			for _, group := range u.Groups {
				applies = applies || known && kind == "group" && name == group
			}
			var items []string
			for range rapid.IntRange(0, 3).Draw(t, "grants") {
				if rapid.IntRange(0, 5).Draw(t, "admin") == 0 {
					items = append(items, " admin ")
					admin = admin || applies
					continue
				}
				role := Role(rapid.IntRange(1, 3).Draw(t, "role"))
				pattern := rapid.SampledFrom(patterns).Draw(t, "pattern")
				items = append(items, strings.ToUpper(role.String())+" : "+pattern)
				if applies {
					anywhere = max(anywhere, role)
					if naive([]rune(pattern), []rune(connector)) {
						want = max(want, role)
					}
				}
			}
			assignments[key] = strings.Join(items, ",")
		}
		r, err := Parse(assignments)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.On(u, connector); got != want {
			t.Errorf("%v has %v on %s, want %v: %v", u, got, connector, want, assignments)
		}
		if got := r.Anywhere(u); got != anywhere {
			t.Errorf("%v has %v somewhere, want %v", u, got, anywhere)
		}
		if got := r.Admin(u); got != admin {
			t.Errorf("%v: admin %v, want %v", u, got, admin)
		}
	})
}

func TestNobodyHasARoleWithoutAnAssignment(t *testing.T) {
	r := parse(t)
	if !r.Empty() || r.Anonymous() || r.On(User{Name: "ada", Method: Basic}, "c") != None || r.Admin(User{Name: "ada", Method: Basic}) {
		t.Error("somebody may something")
	}
	// Anonymous users come in with an assignment only, though it be empty.
	if r := parse(t, "anonymous", ""); !r.Anonymous() || r.Empty() || r.On(User{Method: Anonymous}, "c") != None {
		t.Error("anonymous")
	}
	// A name may have any characters; a user without one has nothing.
	r = parse(t, "user.CN=ada,O=x", "edit:a", "user.*", "view:a")
	if r.On(User{Name: "CN=ada,O=x", Method: Certificate}, "a") != Edit || r.On(User{Method: Basic}, "a") != None {
		t.Error("by name")
	}
}

func TestWrongAssignmentsAreToldTogether(t *testing.T) {
	_, err := Parse(map[string]string{"user.a": "edit", "user.b": "write:x", "user.c": "edit:", "user.": "view:*", "users.d": "view:*", "group.e": "admin:*",
		"anonymous": "none:*", "user.f": `view:\x`, "user.good": "view:*, , edit:x"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`user.a: "edit" is no role`, `user.b: "write:x" is no role`, "user.c: the pattern of connector names is empty", "user. is no assignment",
		"users.d is no assignment", `group.e: "admin:*" is no role`, `anonymous: "none:*" is no role`, "user.f: the pattern"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "user.good") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("view:*, edit:team-a-*, admin", "team-a-x")
	f.Add(`edit:a\,b`, "a,b")
	f.Fuzz(func(t *testing.T, text, connector string) {
		r, err := Parse(map[string]string{"user.u": text})
		if err != nil {
			return
		}
		u := User{Name: "u", Method: Basic}
		if r.On(u, connector) > r.Anywhere(u) {
			t.Errorf("%q: more on %q than anywhere", text, connector)
		}
		if !strings.Contains(strings.ToLower(text), "edit") && r.On(u, connector) == Edit {
			t.Errorf("%q gives edit", text)
		}
	})
}
