package transform_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/transform"
)

// find looks up a class by its name after the package.
func find[T any](classes []transform.Class[T]) func(string) (T, bool) {
	return func(name string) (T, bool) {
		for _, c := range classes {
			if strings.HasSuffix(c.Name, "."+name) {
				return c.New(), true
			}
		}
		var none T
		return none, false
	}
}

var lookup = transform.Lookup{Transformation: find(transform.Transformations()), Predicate: find(transform.Predicates())}

func TestChain(t *testing.T) {
	c, err := transform.NewChain(map[string]string{
		"transforms": "drop,route", "predicates": "gone,mine",
		"transforms.drop.type": "Filter", "transforms.drop.predicate": "gone",
		"transforms.route.type": "RegexRouter", "transforms.route.regex": "(a)(?:-.*)?", "transforms.route.replacement": `${1}\$1$1`,
		"transforms.route.predicate": "mine", "transforms.route.negate": "true",
		"predicates.gone.type": "RecordIsTombstone", "predicates.mine.type": "TopicNameMatches", "predicates.mine.pattern": "a-b.*",
	}, lookup)
	if err == nil || !strings.Contains(err.Error(), "{1}") {
		t.Fatalf("%v, %v", c, err)
	}
	c, err = transform.NewChain(map[string]string{
		"transforms": "drop,route", "predicates": "gone,mine",
		"transforms.drop.type": "Filter", "transforms.drop.predicate": "gone",
		"transforms.route.type": "RegexRouter", "transforms.route.regex": "(a)(?:-.*)?", "transforms.route.replacement": `$1\$1$12`,
		"transforms.route.predicate": "mine", "transforms.route.negate": "true",
		"predicates.gone.type": "RecordIsTombstone", "predicates.mine.type": "TopicNameMatches", "predicates.mine.pattern": "a-b.*",
	}, lookup)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for topic, want := range map[string]string{"a": "a$1a2", "a-x": "a$1a2", "a-bc": "a-bc", "b": "b", "": ""} {
		rec := &connect.Record{Topic: topic}
		keep, err := c.Apply(rec)
		if err != nil || keep {
			t.Errorf("a tombstone is kept: %v", err)
		}
		rec.Value.SetValue(nil, "x")
		if keep, err = c.Apply(rec); err != nil || !keep || rec.Topic != want {
			t.Errorf("%q: %q, %v, %v", topic, rec.Topic, keep, err)
		}
	}
}

// An expression that needs the backtracking engine.
func TestRegexRouterLookAhead(t *testing.T) {
	tr := newTransform(t, "org.apache.kafka.connect.transforms.RegexRouter")
	if err := tr.Configure(map[string]string{"regex": `(?!__)(.)(?<m>.)(.*)`, "replacement": "$1${m}$3é"}); err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]string{"äbc": "äbcé", "__x": "__x"} {
		rec := &connect.Record{Topic: topic}
		if _, err := tr.Apply(rec); err != nil || rec.Topic != want {
			t.Errorf("%s: %s, %v", topic, rec.Topic, err)
		}
	}
}

func TestChainConfigErrors(t *testing.T) {
	for _, test := range []struct {
		props map[string]string
		want  []string
	}{
		{map[string]string{"transforms": "a,b", "transforms.b.type": "Nope"}, []string{
			`Missing required configuration "transforms.a.type" which has no default value.`,
			"Invalid value Nope for configuration transforms.b.type: Class Nope could not be found."}},
		{map[string]string{"transforms": "a,a"}, []string{"for configuration transforms: Duplicate alias provided."}},
		{map[string]string{"transforms": "a,b", "transforms.a.type": "Filter", "transforms.a.negate": "true", "transforms.b.type": "HoistField$Key"}, []string{
			"Config 'transforms.a.negate' was provided but there is no config 'transforms.a.predicate' defining a predicate to be negated.",
			`Missing required configuration "transforms.b.field" which has no default value.`}},
		{map[string]string{"transforms": "a", "transforms.a.type": "Filter", "transforms.a.predicate": "p"},
			[]string{"Unknown configuration 'predicates.p.plugin.version'"}},
		{map[string]string{"transforms": "a", "transforms.a.type": "DropHeaders", "transforms.a.headers": ""},
			[]string{"Configuration 'headers' must not be empty. Valid values include: any non-empty value"}},
		{map[string]string{"transforms": "a", "transforms.a.type": "HeaderFrom$Key", "transforms.a.fields": "", "transforms.a.headers": "h",
			"transforms.a.operation": "move"}, []string{"Invalid value [] for configuration fields: Empty list"}},
		{map[string]string{"transforms": "a", "transforms.a.type": "TimestampRouter", "transforms.a.timestamp.format": "yyyyb"},
			[]string{"Illegal pattern character 'b'"}},
		{map[string]string{"transforms": "a", "transforms.a.type": "ExtractField$Value", "transforms.a.field": "a.`b", "transforms.a.field.syntax.version": "V2"},
			[]string{"Incomplete backtick pair in path: [a.`b], consider adding a backslash before backtick at position 2 to escape it"}},
		{map[string]string{"transforms": "a", "transforms.a.type": "InsertField$Value"}, []string{"No field insertion configured"}},
	} {
		_, err := transform.NewChain(test.props, lookup)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v\nwant %s", test.props, err, want)
			}
		}
	}
}

// FuzzChain runs chains of random golden transforms on golden records: errors are fine.
func FuzzChain(f *testing.F) {
	schemas := readJSON(f, "schemas.json")
	lines := goldenLines(f)
	for seed := range uint64(300) {
		f.Add(seed, "2015-10-21")
	}
	f.Fuzz(func(t *testing.T, seed uint64, text string) {
		r := rand.New(rand.NewPCG(seed, 0))
		props := map[string]string{"transforms": "a,b,c"}
		for _, alias := range []string{"a", "b", "c"} {
			l := &lines[r.IntN(len(lines))]
			props["transforms."+alias+".type"] = l.Class[strings.LastIndex(l.Class, ".")+1:]
			for k, v := range l.Options {
				props["transforms."+alias+"."+k] = v
			}
		}
		c, err := transform.NewChain(props, lookup)
		if err != nil {
			return
		}
		defer c.Close()
		a := lines[0].Acts[r.IntN(len(lines[0].Acts))]
		rec := record(t, a.Schema, a.Payload, schemas)
		if r.IntN(4) == 0 {
			rec.Value.SetValue(nil, text)
		}
		if r.IntN(2) == 0 { // a source record
			rec.Offset, rec.Partition, rec.Timestamp = connect.NoOffset, connect.AnyPartition, connect.NoTimestamp
		}
		if v, err := rec.Value.Value(); r.IntN(4) == 0 && err == nil {
			rec.Key.SetValue(rec.Value.Schema(), v)
		}
		if keep, err := c.Apply(rec); err == nil && keep && rec.Topic == "" && !strings.Contains(props["transforms"], "Router") {
			t.Error("the topic is gone")
		}
	})
}
