package settings

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/config"
)

// javaKey is a key of testdata/java/defs.jsonl.
type javaKey struct {
	Def        string
	Name       string
	Type       string
	Default    *string
	Required   bool
	Importance string
	Group      *string
	Order      int
	Width      string
	Display    string
	Internal   bool
	Dependents []string
	Validator  *string
}

func javaKeys(t *testing.T, def string) []javaKey {
	t.Helper()
	f, err := os.Open("testdata/java/defs.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var keys []javaKey
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var k javaKey
		if err := json.Unmarshal(sc.Bytes(), &k); err != nil {
			t.Fatal(err)
		}
		if k.Def == def {
			keys = append(keys, k)
		}
	}
	if len(keys) < 10 {
		t.Fatalf("%s has %d keys", def, len(keys))
	}
	return keys
}

// ours gives a definition the form of the golden data.
func ours(name string, d *config.Def) []javaKey {
	var keys []javaKey
	for _, k := range d.Keys() {
		j := javaKey{
			Def: name, Name: k.Name, Type: string(k.Type), Required: k.Default == config.NoDefault, Importance: string(k.Importance),
			Order: k.Order, Width: string(k.Width), Display: k.DisplayName, Internal: k.Internal, Dependents: append([]string{}, k.Dependents...),
		}
		if !j.Required {
			j.Default = config.Text(k.Default)
		}
		if k.Group != "" || k.Internal { // the JVM has an empty group for those, which nobody sees
			j.Group = &k.Group
		}
		if j.Width == "" {
			j.Width = string(config.WidthNone)
		}
		if j.Display == "" {
			j.Display = k.Name
		}
		keys = append(keys, j)
	}
	return keys
}

func TestDefinitionsAreThoseOfTheJVM(t *testing.T) {
	for name, d := range map[string]*config.Def{
		"DistributedConfig": WorkerDef(Distributed), "StandaloneConfig": WorkerDef(Standalone),
		"ProducerConfig": ProducerDef(), "ConsumerConfig": ConsumerDef(), "AdminClientConfig": AdminDef(),
		"ConnectorConfig": ConnectorDef(), "SinkConnectorConfig": SinkDef(), "SourceConnectorConfig": SourceDef(),
	} {
		want := javaKeys(t, name)
		for i := range want {
			want[i].Validator = nil
		}
		if diff := cmp.Diff(want, ours(name, d)); diff != "" {
			t.Errorf("%s (-JVM +ours):\n%s", name, diff)
		}
	}
}

func TestValidatorsAreThoseOfTheJVM(t *testing.T) {
	defs := map[string]*config.Def{
		"DistributedConfig": WorkerDef(Distributed), "StandaloneConfig": WorkerDef(Standalone),
		"ProducerConfig": ProducerDef(), "ConsumerConfig": ConsumerDef(), "AdminClientConfig": AdminDef(),
	}
	f, err := os.Open("testdata/java/probes.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		var want struct {
			Def, Name, Text string
			Errors          []string
		}
		if err := json.Unmarshal(sc.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		got := config.NewDef(*defs[want.Def].Key(want.Name)).Validate(map[string]string{want.Name: want.Text})[0].Errors
		if diff := cmp.Diff(want.Errors, got); diff != "" {
			t.Errorf("%s %s=%s (-JVM +ours):\n%s", want.Def, want.Name, want.Text, diff)
		}
	}
	if n < 500 {
		t.Errorf("only %d lines", n)
	}
}

func TestStartOfConsumersIsAWordOrADuration(t *testing.T) {
	key := ConsumerDef().Key("auto.offset.reset")
	for text, ok := range map[string]bool{ // as in the JVM
		"latest": true, "earliest": true, "none": true, "LATEST": false, "by_duration": false, "by_duration:": false,
		"by_duration:PT1H": true, "by_duration:P1D": true, "by_duration:-PT1H": false, "by_duration:PT-1H": false, "by_duration:P1Y": false,
		"by_duration:pt1.5s": true, "BY_DURATION:PT1H": false, "by_duration:PT0S": true, "by_duration:1h": false, "by_duration:P1DT": false,
		"by_duration:PT1M2H": false, "by_duration:P1W": false, "by_duration:+PT1S": true, "by_duration:PT.5S": false, "by_duration:PT1.S": true,
		"by_duration:P-1DT25H": true, "by_duration: PT1H": false, "by_duration:-PT-1H": true, "by_duration:P": false,
	} {
		if err := key.Validator(key.Name, text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}
