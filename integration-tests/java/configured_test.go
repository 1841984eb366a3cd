//go:build integration

package java

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect/config/provider"
	"github.com/penstock-io/penstock/connect/plugin"
)

// providerSettings configure one provider; with env it is one of variables, which are these.
type providerSettings struct {
	Class  string            `json:"class"`
	Params map[string]string `json:"params"`
	Env    map[string]string `json:"env,omitempty"`
}

type providersQuestion struct {
	Op        string                      `json:"op"`
	Providers map[string]providerSettings `json:"providers"`
	Texts     []string                    `json:"texts"`
}

type providersAnswer struct {
	Error   *failure
	Results []struct {
		Error *failure
		Text  string
		TTLs  int
	}
}

// ours makes the same providers.
func (q *providersQuestion) ours() (provider.Providers, error) {
	all := provider.Providers{}
	for name, s := range q.Providers {
		p := provider.Builtin(nil)[s.Class]()
		if e, ok := p.(*provider.EnvVar); ok {
			e.Lookup = func(name string) (string, bool) { v, ok := s.Env[name]; return v, ok }
		}
		if err := p.Configure(s.Params); err != nil {
			return nil, err
		}
		all[name] = p
	}
	return all, nil
}

// secretFiles makes files of all kinds and returns their folder.
func secretFiles(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"in/a.properties":     "user=gr\u00fcn\npassword = a\\=b\\\n  c\nempty=\nnested=${file:x:y}\nspace=  x  \nu=\\u20ac\n#no=1\nuser=later\n",
		"in/bad.properties":   "secret=\\u12\n",
		"in/latin.properties": "user=gr\xfcn\n",
		"in/deep/b":           "line 1\nline 2\n",
		"in/deep/c":           "",
		"in/deep/latin":       "gr\xfcn",
		"in/deep/sub/d":       "not here",
		"in/..data/token":     "t",
		"out/a.properties":    "user=outside",
		"in2/a.properties":    "user=sibling",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"in/token": "..data/token", "in/link": "deep"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func providerQuestions(root string) []providersQuestion {
	env := map[string]string{"DB_PASS": "p", "DB_USER": "u", "HOME": "h", "EMPTY": ""}
	settings := func(params map[string]string) map[string]providerSettings {
		return map[string]providerSettings{
			"file": {Class: provider.FileClass, Params: params}, "dir": {Class: provider.DirectoryClass, Params: params},
			"env": {Class: provider.EnvVarClass, Params: params, Env: env},
		}
	}
	texts := []string{"", "plain", "${env:HOME}", "${env:DB_PASS}/${env:DB_USER}", "${env:EMPTY}", "${env::HOME}", "${env:/p:HOME}", "${env:}", "${:HOME}",
		"${none:a:b}", "$${env:HOME}}", "${env:${env:HOME}}", "${x${env:HOME}", "${env:HOME", "${env}", "\n${env:HOME}\n", "${env:H\nOME}", "${file::user}", "${dir::user}"}
	for _, path := range []string{"in/a.properties", "in/bad.properties", "in/latin.properties", "in/none", "in/deep", "in/link", "in/link/../a.properties", "out/a.properties",
		"in2/a.properties", "in/../out/a.properties", "in/./a.properties", "in//a.properties", "in", "in/", "out/../in/a.properties"} {
		for _, key := range []string{"user", "password", "empty", "nested", "space", "u", "no", "gone", "b", "c", "latin", "sub", "sub/d", "token", "..", ".", "", "deep", "a:b"} {
			texts = append(texts, "${file:"+root+"/"+path+":"+key+"}", "<${dir:"+root+"/"+path+":"+key+"}>")
		}
		texts = append(texts, "${file:"+root+"/"+path+":user}${file:"+root+"/"+path+":user}${env:HOME}${file:"+root+"/"+path+":gone}")
	}
	var all []providersQuestion
	for _, params := range []map[string]string{
		nil, {"allowed.paths": ""}, {"allowed.paths": root + "/in"}, {"allowed.paths": root + "/in/,/"}, {"allowed.paths": root + "/in/deep," + root + "/in2"},
		{"allowed.paths": root + "/out/../in"}, {"allowed.paths": root + "/in/a.properties"}, {"allowed.paths": "relative"}, {"allowed.paths": root + "/none"},
		{"allowed.paths": root + "/in, " + root + "/out"}, {"allowed.paths": root + "/in,"}, {"allowed.paths": ","}, {"allowed.paths": ",,"},
		{"allowed.paths": "," + root + "/in"}, {"allowed.paths": root + "/in,," + root + "/out"},
		{"allowlist.pattern": "DB_.*"}, {"allowlist.pattern": ".*"}, {"allowlist.pattern": ""}, {"allowlist.pattern": "HOME|DB_USER"}, {"allowlist.pattern": "OM"}, {"allowlist.pattern": "("},
		{"ttl.ms": "500", "log.values": "true"},
	} {
		for name, s := range settings(params) { // one at a time, so that the error is its own
			if s.Env != nil == (params["allowlist.pattern"] != "" || len(params) == 0) || name != "env" {
				all = append(all, providersQuestion{Op: "providers", Providers: map[string]providerSettings{name: s}, Texts: texts})
			}
		}
	}
	return append(all, providersQuestion{Op: "providers", Providers: settings(nil), Texts: texts})
}

func testProviders(t *testing.T, j *jvm) {
	questions := providerQuestions(secretFiles(t))
	f, compared := faults{t: t}, 0
	for i, a := range ask[providersQuestion, providersAnswer](t, j, questions) {
		q := &questions[i]
		mine, err := q.ours()
		if a.Error != nil && a.Error.Class == "java.util.regex.PatternSyntaxException" && err != nil && strings.HasSuffix(err.Error(), a.Error.Message) {
			continue // ours names the parameter
		}
		if compared++; a.Error != nil || err != nil {
			if d := differs(a.Error, err); d != "" {
				f.add("%s: %s", text(q.Providers), d)
			}
			continue
		}
		for k, s := range q.Texts {
			compared++
			r, err := mine.Resolve(map[string]string{"key": s})
			if e := a.Results[k].Error; e != nil && err != nil && strings.HasPrefix(e.Message, "Malformed") && strings.Contains(err.Error(), e.Message) {
				continue // ours names the file and the line as well
			}
			if d := differs(a.Results[k].Error, err); d != "" {
				f.add("%s %s: %s", text(q.Providers), s, d)
			} else if err == nil && (r.Props["key"] != a.Results[k].Text || len(r.TTLs) != a.Results[k].TTLs) {
				f.add("%s %s: %q, the JVM has %q", text(q.Providers), s, r.Props["key"], a.Results[k].Text)
			}
		}
	}
	f.report(compared)
}

type versionsQuestion struct {
	Op       string   `json:"op"`
	Range    string   `json:"range"`
	Versions []string `json:"versions"`
}

type versionsAnswer struct {
	Error    *failure
	Text     *string
	Contains []bool
}

func (g *gen) version() string {
	v := pick(g, "1", "1", "2", "4", "10", "0", "1.0", "1.1", "2.0", "1.10", "4.3.1", "4.3", "4.3.1.0")
	for range g.IntN(3) {
		v += pick(g, ".", "-", "-", "", ".") + pick(g, "0", "1", "2", "10", "alpha", "beta1", "a1", "b2", "m3", "milestone", "RC1", "rc", "cr2", "SNAPSHOT", "ga", "final", "Release", "sp", "sp1", "x", "ccs", "foo2", "20240101", "0")
	}
	return v
}

// versionRange makes mostly a range, now and then what is none.
func (g *gen) versionRange() string {
	if g.one(8) {
		return pick(g, "", " ", "latest", " latest", "LATEST", "[1.0", "1.0]", "(", ")", "[]", "()", "[,]", "(,)", "(1.0)", "[1.0)", "[2.0,1.0]", "[1.0,1.0]", "(1.0,1.0)", "[1.0],", "[1.0],,[2.0]", ",[1.0]",
			"[1.0]x", "x[1.0]", "[1,2,3]", "[1.0],1.5", "a b", "[ 1.0 , 2.0 ]", " [1.0] ", "(,1.0],[1.2,)", "[1,2],[1.5,3]", "[1,2),[2,3]", "(,1),(,2)", "undefined", "[1.0)[2.0]", "1,2", "1.0,2.0", "((1)", "[[1]]", "[1],[1]",
			"(1,2]3", "[1,2]  ,  [3,4]", "[1;2]", "[1,)", "[1,),[2,)", "-1", ".", "[-]", "[1.0,", "1)")
	}
	part := func() string {
		low, high := g.version(), g.version()
		return pick(g, "["+low+"]", pick(g, "[", "(")+low+","+high+pick(g, "]", ")"), pick(g, "[", "(")+low+","+pick(g, "]", ")"), pick(g, "[", "(")+","+high+pick(g, "]", ")"))
	}
	if g.one(3) {
		return g.version()
	}
	text := part()
	for g.one(4) {
		text += "," + part()
	}
	return text
}

func testVersions(t *testing.T, j *jvm) {
	g := newGen(7)
	questions := make([]versionsQuestion, *cases)
	for i := range questions {
		questions[i] = versionsQuestion{Op: "versions", Range: g.versionRange(), Versions: []string{"4.3.1", "1.0", "undefined"}}
		for range 8 {
			questions[i].Versions = append(questions[i].Versions, g.version())
		}
		// The limits themselves, and what is next to them.
		for _, limit := range strings.FieldsFunc(questions[i].Range, func(r rune) bool { return strings.ContainsRune("[](), ", r) }) {
			questions[i].Versions = append(questions[i].Versions, limit, limit+".0", limit+"-1", limit+"-rc1")
		}
	}
	f, compared := faults{t: t}, 0
	for i, a := range ask[versionsQuestion, versionsAnswer](t, j, questions) {
		q := questions[i]
		compared++
		if q.Range == "latest" {
			continue // no requirement: handled where ranges are checked
		}
		r, err := plugin.ParseVersionRange(q.Range)
		if (a.Error == nil) != (err == nil) || err != nil && err.Error() != a.Error.Message {
			f.add("%q: %v, the JVM has %s", q.Range, err, text(a.Error))
			continue
		}
		if err != nil {
			continue
		}
		if a.Text == nil || r.String() != *a.Text {
			f.add("%q is written %q, the JVM writes %s", q.Range, r, text(a.Text))
		}
		got := make([]bool, len(q.Versions))
		for k, v := range q.Versions {
			got[k] = r.Contains(v)
		}
		for k := range got {
			if got[k] != a.Contains[k] {
				f.add("%q contains %q: %v, the JVM says %v", q.Range, q.Versions[k], got[k], a.Contains[k])
			}
		}
		if slices.Equal(got, a.Contains) {
			compared += len(got)
		}
	}
	f.report(compared)
}
