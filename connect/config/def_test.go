package config

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSecretsAreNeverShown(t *testing.T) {
	d := NewDef(
		Key{Name: "connection.pass", Type: TypePassword, Default: NoDefault},
		Key{Name: "token.topic", Type: TypeString, Default: ""},
	)
	got := d.Redact(map[string]string{
		"connection.pass":                            "hunter2",
		"token.topic":                                "tokens", // defined, and no PASSWORD
		"producer.override.sasl.jaas.config":         `org.example.Login required password="hunter2";`,
		"consumer.override.ssl.keystore.password":    "hunter2",
		"value.converter.basic.auth.user.info":       "me:hunter2",
		"admin.override.SSL.Key.PASSWORD":            "hunter2",
		"sasl.oauthbearer.client.credentials.secret": "hunter2",
		"transforms.x.api.key":                       "hunter2",
		"db.password":                                "${file:/etc/secrets:password}",
		"db2.password":                               "${file:/etc/secrets:password}hunter2",
		"db3.password":                               "${hunter2}",
		"empty.password":                             "",
		"flush.size":                                 "3",
	})
	want := map[string]string{
		"connection.pass": "[hidden]", "token.topic": "tokens", "producer.override.sasl.jaas.config": "[hidden]",
		"consumer.override.ssl.keystore.password": "[hidden]", "value.converter.basic.auth.user.info": "[hidden]",
		"admin.override.SSL.Key.PASSWORD": "[hidden]", "sasl.oauthbearer.client.credentials.secret": "[hidden]",
		"transforms.x.api.key": "[hidden]", "db.password": "${file:/etc/secrets:password}", "db2.password": "[hidden]",
		"db3.password": "[hidden]", "empty.password": "", "flush.size": "3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := (*Def)(nil).Redact(map[string]string{"x.secret": "hunter2"}); got["x.secret"] != "[hidden]" {
		t.Errorf("without a definition: %v", got)
	}
}

func TestPasswordHidesItselfFromFormatting(t *testing.T) {
	d := NewDef(Key{Name: "p", Type: TypePassword, Default: NoDefault, Validator: func(string, any) error {
		return fmt.Errorf("too short")
	}})
	v, err := NewDef(Key{Name: "p", Type: TypePassword, Default: NoDefault}).Parse(map[string]string{"p": " hunter2 "})
	if err != nil || v.Password("p") != "hunter2" {
		t.Fatalf("%q, %v", string(v.Password("p")), err)
	}
	_, failed := d.Parse(map[string]string{"p": "hunter2"})
	for _, text := range []string{
		fmt.Sprint(v), fmt.Sprintf("%v %s %q %#v %+v", v["p"], v["p"], v["p"], v["p"], v), fmt.Sprintf("%#v", v),
		*Text(v["p"]), JavaText(v["p"]), failed.Error(), d.Validate(map[string]string{"p": "hunter2"})[0].Errors[0],
	} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("shown in %s", text)
		}
	}
}

func TestEmbeddedKeysGetPrefixGroupAndOrder(t *testing.T) {
	child := NewDef(
		Key{Name: "late", Type: TypeInt, Default: 1, Group: "Deep", Order: 2, Validator: AtLeast(1), Importance: High, Dependents: []string{"plain"}},
		Key{Name: "early", Type: TypeInt, Default: NoDefault, Group: "Deep", Order: 1, Importance: Low},
		Key{Name: "plain", Type: TypeString, Default: "", Order: -1, Importance: Low, DisplayName: "Plain"},
		Key{Name: "also", Type: TypeString, Default: "", Order: -1, Importance: Low},
		Key{Name: "must", Type: TypeString, Default: NoDefault, Order: -1, Importance: Low},
		Key{Name: "vital", Type: TypeString, Default: "", Order: -1, Importance: High, Validator: NonEmpty},
	)
	d := NewDef().Embed("transforms.a.", "Transforms: a", 2, child)
	var got []string
	for _, k := range d.Keys() {
		got = append(got, fmt.Sprintf("%s|%s|%d|%s|%v", k.Name, k.Group, k.Order, k.DisplayName, k.Dependents))
	}
	want := []string{
		"transforms.a.must|Transforms: a|2|must|[]",
		"transforms.a.vital|Transforms: a|3|vital|[]",
		"transforms.a.also|Transforms: a|4|also|[]",
		"transforms.a.plain|Transforms: a|5|Plain|[]",
		"transforms.a.early|Transforms: a: Deep|6|early|[]",
		"transforms.a.late|Transforms: a: Deep|7|late|[transforms.a.plain]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, v := range d.Validate(map[string]string{"transforms.a.late": "0", "transforms.a.must": "x", "transforms.a.early": "1", "transforms.a.vital": "x"}) {
		if v.Name == "transforms.a.late" {
			// Java parity: the validator knows the key by the child's name.
			if want := "Invalid value 0 for configuration late: Value must be at least 1"; len(v.Errors) != 1 || v.Errors[0] != want {
				t.Errorf("%q, want %q", v.Errors, want)
			}
		} else if len(v.Errors) > 0 {
			t.Errorf("%s: %q", v.Name, v.Errors)
		}
	}
}

// seen records what a recommender was asked.
type seen struct{ calls *[]string }

func (s seen) ValidValues(key string, parsed Values) []any {
	*s.calls = append(*s.calls, fmt.Sprint(key, " ", parsed))
	return nil
}
func (s seen) Visible(key string, parsed Values) bool { return parsed[key] == "show" }

func TestEmbeddedRecommendersSeeTheirOwnNames(t *testing.T) {
	var calls []string
	child := NewDef(Key{Name: "k", Type: TypeString, Default: "show", Recommender: seen{&calls}})
	d := NewDef(Key{Name: "other", Type: TypeString, Default: "x"}).Embed("p.", "P", 0, child)
	for _, v := range d.Validate(nil) {
		if !v.Visible {
			t.Errorf("%s is not visible", v.Name)
		}
	}
	if diff := cmp.Diff([]string{"k map[k:show]"}, calls); diff != "" {
		t.Error(diff)
	}
}

func TestDefinitionsAreCopiedForAdditions(t *testing.T) {
	d := NewDef(Key{Name: "a", Type: TypeString, Group: "g"})
	c := d.Clone().Add(Key{Name: "b", Type: TypeString, Group: "h"})
	if d.Key("b") != nil || len(d.Groups()) != 1 || len(c.Groups()) != 2 {
		t.Errorf("groups %v and %v", d.Groups(), c.Groups())
	}
	defer func() {
		if recover() == nil {
			t.Error("a key may be defined twice")
		}
	}()
	d.Add(Key{Name: "a"})
}

func TestGettersGiveZeroForNull(t *testing.T) {
	v := Values{"null": nil, "long": int64(1500), "int": 7, "big": int64(math.MaxInt64), "low": int64(math.MinInt64)}
	if v.Bool("null") || v.String("null") != "" || v.Int("gone") != 0 || v.Short("null") != 0 || v.Long("null") != 0 ||
		v.Double("null") != 0 || v.List("null") != nil || v.Password("null") != "" || !v.Null("null") || !v.Null("gone") || v.Null("int") {
		t.Error("null is not the zero value")
	}
	for key, want := range map[string]time.Duration{
		"long": 1500 * time.Millisecond, "int": 7 * time.Millisecond, "null": 0,
		"big": math.MaxInt64 / time.Millisecond * time.Millisecond, "low": -(math.MaxInt64 / time.Millisecond * time.Millisecond),
	} {
		if got := v.Millis(key); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	c := v.Clone()
	if c["int"] = 8; v.Int("int") != 7 {
		t.Error("the clone is the original")
	}
}

func TestHashOrderIsThatOfAHashSet(t *testing.T) {
	// As Java prints new HashSet<>(List.of(…)).
	for _, test := range []struct{ in, want string }{
		{"EAGER COMPATIBLE SESSIONED", "EAGER COMPATIBLE SESSIONED"},
		{"NONE REBOOTSTRAP", "REBOOTSTRAP NONE"},
		{"PLAINTEXT SSL SASL_PLAINTEXT SASL_SSL", "SASL_SSL PLAINTEXT SSL SASL_PLAINTEXT"},
		{"POLL INTERVAL CONNECTOR", "INTERVAL POLL CONNECTOR"},
		{"AaAa BBBB AaBB BBAa x y z w v u t s r é漢 \U0001F600", "r s t u v w x \U0001F600 y é漢 z AaAa BBBB AaBB BBAa"},
	} {
		if got := strings.Join(HashOrder(strings.Fields(test.in)), " "); got != test.want {
			t.Errorf("%s: %s, JVM %s", test.in, got, test.want)
		}
	}
}

func TestMarkdownHasARowForEveryKey(t *testing.T) {
	d := NewDef(
		Key{Name: "a.b", Type: TypeInt, Default: NoDefault, Importance: High, Group: "Main", Doc: "One\r\nor | two.", Valid: "at least 1"},
		Key{Name: "c", Type: TypeList, Default: []string{"x", "y"}, Importance: Low, Doc: "Free."},
		Key{Name: "d", Type: TypeString, Default: "", Importance: Medium, Group: "Main"},
		Key{Name: "e", Type: TypePassword, Importance: Medium, Group: "Main"},
		Key{Name: "f", Type: TypeString, Internal: true, Group: "Main"},
	)
	const head = "| Key | Type | Default | Valid values | Importance | Meaning |\n|---|---|---|---|---|---|\n"
	want := head +
		"| `c` | list | `x,y` |  | low | Free. |\n\n### Main\n\n" + head +
		"| `a.b` | int | **required** | at least 1 | high | One or \\| two. |\n" +
		"| `d` | string | empty |  | medium |  |\n" +
		"| `e` | password | null |  | medium |  |\n"
	if diff := cmp.Diff(want, d.Markdown()); diff != "" {
		t.Error(diff)
	}
}
