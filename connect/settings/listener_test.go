package settings

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListenersAreURLs(t *testing.T) {
	for text, want := range map[string]Listener{
		"http://:8083":            {"http", "", 8083},
		"HTTPS://0.0.0.0:0":       {"https", "0.0.0.0", 0},
		"http://[::1]:8083":       {"http", "::1", 8083},
		"http://fe80::1%eth0:1":   {"http", "fe80::1%eth0", 1},
		"http://my-host.x_y:8083": {"http", "my-host.x_y", 8083},
	} {
		if got, err := ParseListener(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "8083", "localhost:8083", "http://localhost", "http://localhost:", "http://a b:1", "ftp://x:1", "http://x:-1",
		"http://x:65536", "http://x:99999999999999999999", "http://x:1/", "http://user@x:1"} {
		if l, err := ParseListener(text); err == nil {
			t.Errorf("%q is accepted as %+v", text, l)
		}
	}
	if got := (Listener{"http", "::1", 8083}).String(); got != "http://[::1]:8083" {
		t.Error(got)
	}
}

func TestAdminListenersAreSharedOffOrTheirOwn(t *testing.T) {
	for _, test := range []struct {
		props []string
		off   bool
		own   int
	}{
		{nil, false, 0},
		{[]string{"admin.listeners", ""}, true, 0},
		{[]string{"admin.listeners", "http://127.0.0.1:8084, https://127.0.0.1:8085"}, false, 2},
	} {
		r := worker(t, Distributed, minimal(test.props...)).REST
		if r.AdminOff != test.off || len(r.AdminListeners) != test.own {
			t.Errorf("%v: off %v, %v", test.props, r.AdminOff, r.AdminListeners)
		}
	}
}

func TestAdvertisedAddress(t *testing.T) {
	bound := func(i int) int { return 9000 + i }
	for _, test := range []struct {
		name    string
		props   []string
		url, id string
	}{
		{"nothing set", nil, "http://local:8083/", "local:8083"},
		{"host of the listener", []string{"listeners", "http://a:1"}, "http://a:1/", "a:1"},
		{"free port", []string{"listeners", "http://a:0"}, "http://a:9000/", "a:9000"},
		{"http is preferred", []string{"listeners", "https://s:2,http://a:1"}, "http://a:1/", "a:1"},
		{"https alone", []string{"listeners", "HTTPS://s:0"}, "https://s:9000/", "s:9000"},
		{"protocol chosen", []string{"listeners", "http://a:1,https://s:0", "rest.advertised.listener", "HTTPS"}, "https://s:9001/", "s:9001"},
		{"host and port chosen", []string{"rest.advertised.host.name", "pub", "rest.advertised.port", "80"}, "http://pub:80/", "pub:80"},
		{"IPv6", []string{"listeners", "http://[::1]:1"}, "http://[::1]:1/", "[::1]:1"},
		{"protocol without listener", []string{"rest.advertised.listener", "https", "rest.advertised.host.name", "proxy"}, "https://proxy:9000/", "proxy:9000"},
	} {
		r := worker(t, Distributed, minimal(test.props...)).REST
		if url, id := r.Advertised(bound, "local"); url != test.url || id != test.id {
			t.Errorf("%s: %s and %s, want %s and %s", test.name, url, id, test.url, test.id)
		}
	}
}

func TestHeaderRules(t *testing.T) {
	got, err := ParseHeaderRules(` SET X-Frame-Options: DENY , "add Cache-Control: no-cache, no-store","setdate Expires: 31540000"`)
	want := []HeaderRule{{"set", "X-Frame-Options", "DENY"}, {"add", "Cache-Control", "no-cache, no-store"}, {"setDate", "Expires", "31540000"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	for text, want := range map[string]string{
		"set":                                "Invalid format of header config 'set'. Expected: '[action] [header name]:[header value]'",
		"put A: b":                           "Invalid header config action: 'put'. Expected one of [set, add, setDate, addDate]",
		"set A":                              "Invalid format of header name and header value pair 'A'. Expected: '[header name]:[header value]'",
		"set A B: c":                         "Invalid header name 'A B'. The '[header name]' cannot contain whitespace",
		"set A: b,":                          "Invalid format of header config ''. Expected: '[action] [header name]:[header value]'",
		"set A: b:c":                         "Invalid format of header name and header value pair 'A: b:c'. Expected: '[header name]:[header value]'",
		"set : value":                        "Invalid header name ''. The '[header name]' cannot contain whitespace",
		"setDate Expires: soon":              "Invalid value 'soon' of header Expires. The value of setDate is a number, the milliseconds from now, at most ten years",
		"addDate Expires: 99999999999999999": "Invalid value '99999999999999999' of header Expires. The value of addDate is a number, the milliseconds from now, at most ten years",
		"set A: b,, x":                       "Invalid format of header config ''. Expected: '[action] [header name]:[header value]'",
	} {
		if _, err := ParseHeaderRules(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for _, blank := range []string{"", "  "} {
		if rules, err := ParseHeaderRules(blank); rules != nil || err != nil {
			t.Errorf("%v, %v", rules, err)
		}
	}
}

func FuzzListenersAndHeaderRules(f *testing.F) {
	for _, s := range []string{"http://:8083", "https://[::1]:0", "set A: b", `"add A: b,c"`, "", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := ParseListener(text); err == nil {
			if again, err := ParseListener(l.String()); err != nil || again != l {
				t.Errorf("%q: %+v is written %s, which is %+v, %v", text, l, l, again, err)
			}
		}
		rules, _ := ParseHeaderRules(text)
		for _, r := range rules {
			if r.Name == "" || r.Action == "" {
				t.Errorf("%q: %+v", text, r)
			}
		}
	})
}
