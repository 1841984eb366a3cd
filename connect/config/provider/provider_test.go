package provider

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/config"
)

// fake answers from a map of path to values and counts its calls.
type fake struct {
	paths map[string]map[string]string
	ttl   map[string]time.Duration
	err   error

	mu     sync.Mutex
	asked  []string
	closed int
}

func (f *fake) Configure(params map[string]string) error {
	if msg := params["fail"]; msg != "" {
		return errors.New(msg)
	}
	return nil
}

func (f *fake) Get(path string, keys []string) (Data, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, path+"("+strings.Join(keys, ",")+")")
	ttl, ok := f.ttl[path]
	if !ok {
		ttl = NoTTL
	}
	return Data{Values: f.paths[path], TTL: ttl}, f.err
}

func (f *fake) Close() error { f.closed++; return f.err }

func TestPlaceholdersAreReplaced(t *testing.T) {
	f := &fake{paths: map[string]map[string]string{
		"":         {"k": "v", "nested": "${f:k}"},
		"/p":       {"k": "pv", "empty": "", "a:b": "colon"},
		"/a:b":     {"k": "never"},
		"/dir/sub": {"k": "deep"},
	}}
	for value, want := range map[string]string{
		"plain":                        "plain",
		"${f:k}":                       "v",
		"${f:/p:k}":                    "pv",
		"a${f:k}b${f:/p:k}c":           "avbpvc",
		"${f:nested}":                  "${f:k}", // not searched again
		"${f:/p:empty}":                "",
		"${f:/p:gone}":                 "${f:/p:gone}",
		"${other:/p:k}":                "${other:/p:k}",
		"${f:/dir/sub:k}":              "deep",
		"${f}":                         "${f}",
		"${f:":                         "${f:",
		"$${f:k}":                      "$v",
		"${f:/p:a:b}":                  "colon", // the first colon ends the path
		"${x${f:k}":                    "${x${f:k}",
		"${f:k}${other:k}${f:/p:gone}": "v${other:k}${f:/p:gone}",
		"":                             "",
	} {
		r, err := Providers{"f": f}.Resolve(map[string]string{"key": value})
		if err != nil || r.Props["key"] != want {
			t.Errorf("%s: %q, %v; want %q", value, r.Props["key"], err, want)
		}
	}
}

func TestEachPathIsReadOncePerCall(t *testing.T) {
	f := &fake{}
	_, err := Providers{"f": f}.Resolve(map[string]string{"a": "${f:/p:x} ${f:/p:y}", "b": "${f:/p:x}", "c": "${f:z}", "d": "none"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"(z)", "/p(x,y)"}, f.asked); d != "" {
		t.Error(d)
	}
}

func TestShortestTTLIsReported(t *testing.T) {
	f := &fake{ttl: map[string]time.Duration{"/a": time.Minute, "/b": time.Second}}
	r, err := Providers{"f": f}.Resolve(map[string]string{"x": "${f:/a:k}${f:/b:k}${f:/c:k}"})
	if err != nil {
		t.Fatal(err)
	}
	if ttl, ok := r.MinTTL(); !ok || ttl != time.Second {
		t.Errorf("%v, %v", ttl, ok)
	}
	if len(r.TTLs) != 2 {
		t.Errorf("%v", r.TTLs)
	}
	r, _ = Providers{"f": f}.Resolve(map[string]string{"x": "${f:/c:k}"})
	if _, ok := r.MinTTL(); ok {
		t.Error("a TTL without any")
	}
}

func TestResolvedMapIsTheCallersOwn(t *testing.T) {
	props := map[string]string{"a": "b"}
	r, _ := Providers{"f": &fake{}}.Resolve(props)
	if r.Props["a"] = "changed"; props["a"] != "b" {
		t.Error("the caller's map was changed")
	}
}

func TestProviderErrorEndsTheResolution(t *testing.T) {
	f := &fake{err: errors.New("vault is sealed")}
	if _, err := (Providers{"f": f}).Resolve(map[string]string{"a": "${f:k}"}); !errors.Is(err, f.err) {
		t.Errorf("%v", err)
	}
	if err := (Providers{"f": f}).Close(); !errors.Is(err, f.err) {
		t.Errorf("%v", err)
	}
}

func TestHasPlaceholder(t *testing.T) {
	for text, want := range map[string]bool{"${a:b}": true, "x${a:b:c}y": true, "${a}": false, "$a:b}": false, "": false, "${:}": true} {
		if got := HasPlaceholder(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestProvidersAreMadeOfWorkerProperties(t *testing.T) {
	made := map[string]*fake{}
	newProvider := func(class string) (Provider, bool) {
		if class == "nope" {
			return nil, false
		}
		made[class] = &fake{}
		return made[class], true
	}
	p, err := FromProps(map[string]string{
		"config.providers": "a, b,c", "config.providers.a.class": " first ", "config.providers.b.class": "second",
		"config.providers.b.param.x": "y", "config.providers.unlisted.class": "third",
	}, newProvider)
	if err != nil || len(p) != 2 {
		t.Fatalf("%v, %v", p, err)
	}
	for name, class := range map[string]string{"a": "first", "b": "second"} {
		if _, err := p.Get(Source{Provider: name, Path: name, Keys: []string{"k"}}); err != nil || !slices.Equal(made[class].asked, []string{name + "(k)"}) {
			t.Errorf("%s: %v, asked %v", class, err, made[class].asked)
		}
	}
	_, err = FromProps(map[string]string{
		"config.providers": "good,bad,none", "config.providers.good.class": "first", "config.providers.bad.class": "second",
		"config.providers.bad.param.fail": "no way", "config.providers.none.class": "nope",
	}, newProvider)
	want := "config provider bad: no way\nInvalid value nope for configuration config.providers.none.class: Could not load config provider class or one of its dependencies. "
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v", err)
	}
	if made["first"].closed != 1 {
		t.Errorf("the good one was closed %d times", made["first"].closed)
	}
}

func TestBuiltinProvidersHaveTheirJavaNames(t *testing.T) {
	builtin := Builtin(nil)
	for _, class := range []string{FileClass, DirectoryClass, EnvVarClass} {
		if builtin[class] == nil || builtin[class]() == nil {
			t.Errorf("no %s", class)
		}
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func get(t *testing.T, p Provider, path string, keys ...string) map[string]string {
	t.Helper()
	data, err := p.Get(path, keys)
	if err != nil {
		t.Fatal(err)
	}
	if data.TTL >= 0 {
		t.Errorf("TTL %v", data.TTL)
	}
	return data.Values
}

func TestFileReadsProperties(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "s.properties"), "user=grün\npassword = a\\=b\\\n  c\nother=x\n")
	f := &File{}
	if err := f.Configure(nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"user": "grün", "password": "a=bc"}, get(t, f, file, "user", "password", "gone")); d != "" {
		t.Error(d)
	}
	if got := get(t, f, "", "user"); len(got) != 0 {
		t.Errorf("without a path: %v", got)
	}
	_, err := f.Get(filepath.Join(dir, "none"), []string{"a"})
	want := "Could not read properties from file " + filepath.Join(dir, "none") + ": no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	bad := write(t, filepath.Join(dir, "bad"), `secret=\u12`)
	if _, err := f.Get(bad, []string{"a"}); err == nil || !strings.HasPrefix(err.Error(), "Could not read properties from file "+bad+": line 1: value of secret: Malformed") {
		t.Errorf("%v", err)
	}
	if _, err := f.Get(dir, []string{"a"}); err == nil || !strings.HasPrefix(err.Error(), "Could not read properties from file "+dir) {
		t.Errorf("a directory: %v", err)
	}
}

func TestDirectoryReadsFilesWhole(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "password"), "line 1\nline 2\n")
	write(t, filepath.Join(dir, "sub", "inner"), "x")
	write(t, filepath.Join(dir, "..data", "token"), "t") // as Kubernetes mounts secrets
	if err := os.Symlink(filepath.Join("..data", "token"), filepath.Join(dir, "token")); err != nil {
		t.Fatal(err)
	}
	d := &Directory{}
	if err := d.Configure(nil); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"password": "line 1\nline 2\n", "token": "t"}
	if diff := cmp.Diff(want, get(t, d, dir, "password", "token", "gone", "sub", "sub/inner", "..", ".", "", "../"+filepath.Base(dir)+"/password")); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{"", filepath.Join(dir, "password"), filepath.Join(dir, "none")} {
		if got := get(t, d, path, "password"); len(got) != 0 {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestOnlyAllowedPathsAreRead(t *testing.T) {
	root := t.TempDir()
	inside := write(t, filepath.Join(root, "allowed", "nested", "deep", "f"), "k=v")
	outside := write(t, filepath.Join(root, "secret", "f"), "k=hidden")
	sibling := write(t, filepath.Join(root, "allowed-not", "f"), "k=hidden")
	link := filepath.Join(root, "allowed", "link")
	if err := os.Symlink(filepath.Join(root, "secret"), link); err != nil {
		t.Fatal(err)
	}
	params := map[string]string{"allowed.paths": filepath.Join(root, "allowed") + "/"}
	for _, p := range []Provider{&File{}, &Directory{}} {
		if err := p.Configure(params); err != nil {
			t.Fatal(err)
		}
		path := func(file string) (string, string) {
			if _, ok := p.(*File); ok {
				return file, "k"
			}
			return filepath.Dir(file), "f"
		}
		in, key := path(inside)
		if got := get(t, p, in, key); len(got) != 1 {
			t.Errorf("%T: a nested path is not read: %v", p, got)
		}
		for _, file := range []string{outside, sibling, filepath.Join(link, "f"), filepath.Join(root, "allowed") + "/../secret/f"} {
			out, key := path(file)
			if got := get(t, p, out, key); len(got) != 0 {
				t.Errorf("%T reads %s: %v", p, file, got)
			}
		}
	}
}

func TestLinkToAFileOutsideIsNotRead(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "secret"), "k=hidden")
	write(t, filepath.Join(root, "allowed", "ok"), "k=v")
	if err := os.Symlink(filepath.Join(root, "secret"), filepath.Join(root, "allowed", "link")); err != nil {
		t.Fatal(err)
	}
	d := &Directory{}
	if err := d.Configure(map[string]string{"allowed.paths": filepath.Join(root, "allowed")}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"ok": "k=v"}, get(t, d, filepath.Join(root, "allowed"), "ok", "link")); diff != "" {
		t.Error(diff)
	}
}

func TestWhyAPathIsNotReadIsTold(t *testing.T) {
	root := t.TempDir()
	inside := write(t, filepath.Join(root, "allowed", "f"), "k=v")
	var told []string
	builtin := Builtin(func(msg string) { told = append(told, msg) })
	file, dir := builtin[FileClass](), builtin[DirectoryClass]()
	for _, p := range []Provider{file, dir} {
		if err := p.Configure(map[string]string{"allowed.paths": filepath.Dir(inside)}); err != nil {
			t.Fatal(err)
		}
	}
	get(t, file, inside, "k")
	get(t, dir, filepath.Dir(inside), "f", "gone")
	if len(told) != 0 {
		t.Errorf("told %q", told)
	}
	get(t, file, "/etc/passwd", "k")
	get(t, dir, "/etc", "passwd")
	get(t, dir, inside, "k")
	want := []string{"The path /etc/passwd is not allowed to be accessed", "The path /etc is not allowed to be accessed", "The path " + inside + " is not a directory"}
	for i, text := range told {
		if i >= len(want) || !strings.HasPrefix(text, want[i]) {
			t.Errorf("told %q", text)
		}
	}
	if len(told) != len(want) {
		t.Errorf("told %q", told)
	}
}

// As with Java's reader, which refuses bytes that are not UTF-8.
func TestTextThatIsNotUTF8IsRefused(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "latin"), "user=gr\xfcn")
	_, err := (&File{}).Get(path, []string{"user"})
	if want := "Could not read properties from file " + path + ": it is not UTF-8"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	_, err = (&Directory{}).Get(filepath.Dir(path), []string{"latin"})
	if want := "Could not read file " + path + " for property latin: it is not UTF-8"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestAllowedPathsAreSplitAsInJava(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]int{dir + ",": 1, dir + ",,,": 1, ",": 0, ",,": 0, dir + "," + dir: 2} {
		allowed, err := parseAllowedPaths(map[string]string{"allowed.paths": text})
		if err != nil || allowed == nil || len(allowed) != want {
			t.Errorf("%q: %v, %v", text, allowed, err)
		}
	}
	for _, text := range []string{"," + dir, dir + ",," + dir} {
		if _, err := parseAllowedPaths(map[string]string{"allowed.paths": text}); err == nil || err.Error() != "Path  is not absolute" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFilesAreCheckedAsOftenAsWanted(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "f"), "k=v")
	for text, want := range map[string]time.Duration{"": 0, "100": 100 * time.Millisecond, " 60000 ": time.Minute, "9223372036854775807": 1<<63 - 1 - 775807} {
		params := map[string]string{}
		if text != "" {
			params[TTLParam] = text
		}
		for _, p := range []Provider{&File{}, &Directory{}} {
			if err := p.Configure(params); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{path, filepath.Dir(path), path + "/none", ""} {
				if data, _ := p.Get(path, nil); data.CheckEvery != want || data.TTL != NoTTL {
					t.Errorf("%T %q %s: %v, TTL %v", p, text, path, data.CheckEvery, data.TTL)
				}
			}
		}
	}
	for _, text := range []string{"99", "0", "-1", "x", "1.5", ""} {
		err := (&File{}).Configure(map[string]string{TTLParam: text})
		var ce *config.Error
		if !errors.As(err, &ce) || !strings.HasPrefix(ce.Msg, "Invalid value "+text+" for configuration ttl.ms: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestValuesAreSecretsUnlessTheProviderSaysOtherwise(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "f"), "k=v\nempty=")
	resolve := func(params map[string]string) []string {
		t.Helper()
		f := &File{}
		if err := f.Configure(params); err != nil {
			t.Fatal(err)
		}
		r, err := Providers{"f": f}.Resolve(map[string]string{"a": "x${f:" + path + ":k}${f:" + path + ":empty}${f:" + path + ":gone}"})
		if err != nil {
			t.Fatal(err)
		}
		return r.Secrets
	}
	if got := resolve(nil); len(got) != 1 || got[0] != "v" {
		t.Errorf("%q", got)
	}
	if got := resolve(map[string]string{LogParam: "true"}); len(got) != 0 {
		t.Errorf("%q", got)
	}
	for _, p := range []Provider{&File{}, &Directory{}, &EnvVar{}} {
		if err := p.Configure(map[string]string{LogParam: "yes"}); err == nil {
			t.Errorf("%T takes a wrong %s", p, LogParam)
		}
	}
}

func TestSourcesAreSortedAndEachOnce(t *testing.T) {
	p := Providers{"f": &fake{}, "e": &fake{}}
	got := p.Sources(map[string]string{"x": "${f:/b:k}${f:/a:k}${e:V}${none:/a:k}", "y": "${f:/a:j}"}, map[string]string{"z": "${f:/a:k}"})
	want := []Source{{"e", "", []string{"V"}}, {"f", "/a", []string{"j", "k"}}, {"f", "/b", []string{"k"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAllowedPathsMustExist(t *testing.T) {
	for _, p := range []Provider{&File{}, &Directory{}} {
		err := p.Configure(map[string]string{"allowed.paths": "relative/path,/does/not/exist,/"})
		if want := "Path relative/path is not absolute\nPath /does/not/exist does not exist"; err == nil || err.Error() != want {
			t.Errorf("%T: %v, want %s", p, err, want)
		}
	}
}

func TestEnvVarReadsAllowedVariables(t *testing.T) {
	env := map[string]string{"DB_PASS": "p", "DB_USER": "u", "HOME": "h"}
	e := &EnvVar{Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	if err := e.Configure(map[string]string{"allowlist.pattern": "DB_.*"}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"DB_PASS": "p", "DB_USER": "u"}, get(t, e, "", "DB_PASS", "DB_USER", "HOME", "DB_NONE", "XDB_PASS")); d != "" {
		t.Error(d)
	}
	_, err := e.Get("/some/path", []string{"HOME"})
	if err == nil || !strings.HasPrefix(err.Error(), "Path is not supported for EnvVarConfigProvider, invalid value '/some/path'") {
		t.Errorf("%v", err)
	}
	err = (&EnvVar{}).Configure(map[string]string{"allowlist.pattern": "("})
	var ce *config.Error
	if !errors.As(err, &ce) || !strings.HasPrefix(ce.Msg, "Invalid value ( for configuration allowlist.pattern: Invalid regex: Unclosed group near index 1") {
		t.Errorf("%v", err)
	}
	t.Setenv("PENSTOCK_TEST_VARIABLE", "real")
	real := &EnvVar{}
	if err := real.Configure(nil); err != nil {
		t.Fatal(err)
	}
	if got := get(t, real, "", "PENSTOCK_TEST_VARIABLE"); got["PENSTOCK_TEST_VARIABLE"] != "real" {
		t.Errorf("%v", got)
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"", "${f:k}", "${f:/p:k}", "${${f:k}}", "}${", "${::}", "${f::k}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := &fake{paths: map[string]map[string]string{"": {"k": "v"}, "/p": {"k": "w"}}}
		r, err := Providers{"f": p}.Resolve(map[string]string{"x": text})
		if err != nil {
			t.Fatal(err)
		}
		if !HasPlaceholder(text) && r.Props["x"] != text {
			t.Errorf("%q became %q", text, r.Props["x"])
		}
	})
}
