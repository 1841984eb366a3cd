package provider

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stuck answers when it is let go of.
type stuck struct {
	fake
	release chan struct{}
}

func (s *stuck) Get(path string, keys []string) (Data, error) {
	switch path {
	case "/dead":
		<-s.release
	case "/broken":
		panic("no such thing")
	}
	return s.fake.Get(path, keys)
}

func TestAProviderThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &stuck{fake: fake{paths: map[string]map[string]string{"/dead": {"k": "v"}, "/fine": {"k": "w"}}}, release: make(chan struct{})}
		all, err := FromProps(map[string]string{"config.providers": "p", "config.providers.p.class": "stuck"},
			func(string) (Provider, bool) { return p, true })
		if err != nil {
			t.Fatal(err)
		}
		resolve := func(path, want string) time.Duration {
			t.Helper()
			began := time.Now()
			got, err := all.Resolve(map[string]string{"x": "${p:" + path + ":k}"})
			switch {
			case want != "" && (err != nil || got.Props["x"] != want):
				t.Errorf("%s: %v, %v", path, got.Props, err)
			case want == "" && (err == nil || !strings.Contains(err.Error(), `config provider p has not answered about the path "/dead" for 30s`)):
				t.Errorf("%s: %v", path, err)
			}
			return time.Since(began)
		}
		if d := resolve("/dead", ""); d != answerTime {
			t.Errorf("given up after %v", d)
		}
		if d := resolve("/dead", ""); d != 0 {
			t.Errorf("a second question waited for %v", d)
		}
		resolve("/fine", "w")
		close(p.release)
		synctest.Wait()
		resolve("/dead", "v")
	})
}

func TestAProviderThatPanicsFailsTheResolutionOnly(t *testing.T) {
	all, err := FromProps(map[string]string{"config.providers": "p", "config.providers.p.class": "stuck"},
		func(string) (Provider, bool) { return &stuck{}, true })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Resolve(map[string]string{"x": "${p:/broken:k}"}); err == nil || !strings.Contains(err.Error(), "the config provider p failed: no such thing") {
		t.Error(err)
	}
}
