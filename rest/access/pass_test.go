package access

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	passTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	passKey  = Key{Secret: []byte("0123456789abcdef0123456789abcdef"), Created: passTime.Add(-time.Hour)}
	somebody = Pass{User: User{Name: "ada", Groups: []string{"g"}, Method: Certificate}, Remote: "1.2.3.4:5", From: "http://w1/", RequestID: "r"}
)

func signed(t *testing.T) string {
	t.Helper()
	value, err := somebody.Sign(passKey, "PUT", "/connectors/a/config?forward=true", []byte("{}"), passTime)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestAPassVouchesForOneRequest(t *testing.T) {
	value := signed(t)
	open := func(value string, key Key, method, target string, now time.Time) (Pass, error) {
		return OpenPass(value, key, method, target, now)
	}
	got, err := open(value, passKey, "PUT", "/connectors/a/config?forward=true", passTime.Add(time.Minute))
	want := somebody
	want.Body, want.Sent, want.KeyTime = Digest([]byte("{}")), passTime.UnixMilli(), passKey.Created.UnixMilli()
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	otherKey := Key{Secret: []byte("x123456789abcdef0123456789abcdef"), Created: passKey.Created}
	newKey := Key{Secret: otherKey.Secret, Created: passTime}
	for name, test := range map[string]struct {
		key            Key
		method, target string
		now            time.Time
		want           error
	}{
		"another method":        {passKey, "DELETE", "/connectors/a/config?forward=true", passTime, ErrBadPass},
		"another path":          {passKey, "PUT", "/connectors/b/config?forward=true", passTime, ErrBadPass},
		"another query":         {passKey, "PUT", "/connectors/a/config?forward=false", passTime, ErrBadPass},
		"another key":           {otherKey, "PUT", "/connectors/a/config?forward=true", passTime, ErrBadPass},
		"a key of another time": {newKey, "PUT", "/connectors/a/config?forward=true", passTime, ErrOtherKey},
		"too late":              {passKey, "PUT", "/connectors/a/config?forward=true", passTime.Add(passLife + time.Second), ErrBadPass},
		"too early":             {passKey, "PUT", "/connectors/a/config?forward=true", passTime.Add(-passLife - time.Second), ErrBadPass},
	} {
		if p, err := open(value, test.key, test.method, test.target, test.now); !errors.Is(err, test.want) || p.Name != "" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestAPassThatWasTouchedIsWorthless(t *testing.T) {
	value := signed(t)
	text, mac, _ := strings.Cut(value, ".")
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	grace := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(plain), "ada", "eve", 1)))
	for _, touched := range []string{"", ".", text, text + ".", "." + mac, grace + "." + mac, text + "." + mac[:len(mac)-2], value + "." + mac, value + "A", "{}.{}", text + "." + text} {
		if p, err := OpenPass(touched, passKey, "PUT", "/connectors/a/config?forward=true", passTime); err == nil || p.Name != "" {
			t.Errorf("%s: %+v, %v", touched, p, err)
		}
	}
}

func FuzzOpenPass(f *testing.F) {
	value, _ := somebody.Sign(passKey, "GET", "/", nil, passTime)
	f.Add(value)
	f.Add("e30.AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := OpenPass(text, passKey, "GET", "/", passTime)
		if err == nil && text != value {
			// Base64 that ends in other unused bits says the same.
			if p.Name != somebody.Name {
				t.Errorf("%q: %+v", text, p)
			}
		}
	})
}
