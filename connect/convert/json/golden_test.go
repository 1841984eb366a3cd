package json

import (
	"bufio"
	stdjson "encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/javagolden"
)

type goldenCase struct {
	ID      string
	Options map[string]string
	Acts    []struct {
		Act     string
		Text    *string
		Schema  stdjson.RawMessage
		Payload stdjson.RawMessage
		Result  struct {
			Text   *string
			Error  *javagolden.Failure
			Schema any `json:"connect_schema"`
			Value  any `json:"connect_value"`
		}
	}
	ConfigureError *javagolden.Failure `json:"configure_error"`
}

func eachLine(t testing.TB, name string, each func(line []byte)) {
	t.Helper()
	f, err := os.Open("testdata/java/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<22)
	n := 0
	for ; sc.Scan(); n++ {
		each(sc.Bytes())
	}
	if sc.Err() != nil || n == 0 {
		t.Fatalf("%s: %d lines, %v", name, n, sc.Err())
	}
}

func load[T any](t testing.TB, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile("testdata/java/" + name)
	if err == nil {
		err = stdjson.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestConverterAgreesWithTheJVM(t *testing.T) {
	schemas := load[map[string]stdjson.RawMessage](t, "schemas.json")
	describedSchemas := load[map[string]any](t, "described-schemas.json")
	cases := 0
	eachLine(t, "json-converter.jsonl", func(line []byte) {
		var c goldenCase
		if err := stdjson.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		cases++
		t.Run(c.ID, func(t *testing.T) {
			conv := New()
			err := conv.Configure(c.Options, false)
			if d := cmp.Diff(c.ConfigureError, javagolden.Describe(err)); d != "" {
				t.Fatalf("configure (-JVM +ours):\n%s", d)
			}
			if err != nil {
				return
			}
			for _, act := range c.Acts {
				if act.Act == "from" {
					schema, value := input(t, schemas, act.Schema, act.Payload)
					got, err := conv.FromConnect("t", schema, value)
					if d := cmp.Diff(act.Result.Error, javagolden.Describe(err)); d != "" {
						t.Errorf("from %s (-JVM +ours):\n%s", act.Payload, d)
					}
					var text *string
					if got != nil {
						s := string(got)
						text = &s
					}
					if d := cmp.Diff(act.Result.Text, text); d != "" {
						t.Errorf("from %s (-JVM +ours):\n%s", act.Payload, d)
					}
					continue
				}
				var raw []byte
				if act.Text != nil {
					raw = []byte(*act.Text)
				}
				if name, ok := act.Result.Schema.(string); ok {
					act.Result.Schema = describedSchemas[name]
				}
				var d data.Datum
				err := conv.ToConnect("t", raw, &d)
				if diff := cmp.Diff(act.Result.Error, javagolden.Describe(err)); diff != "" {
					t.Errorf("to %s (-JVM +ours):\n%s", raw, diff)
				}
				if err != nil {
					continue
				}
				v, err := d.Value()
				if err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff([]any{act.Result.Schema, act.Result.Value}, []any{javagolden.Schema(d.Schema()), javagolden.Value(v)}); diff != "" {
					t.Errorf("to %s (-JVM +ours):\n%s", raw, diff)
				}
			}
		})
	})
	if cases != 59 {
		t.Errorf("%d cases, want 59", cases)
	}
}

// input makes the value that a driver handed to the converter: the payload read with the
// default options.
func input(t *testing.T, schemas map[string]stdjson.RawMessage, schema, payload stdjson.RawMessage) (*data.Schema, any) {
	t.Helper()
	var name string
	if stdjson.Unmarshal(schema, &name) == nil && name != "" {
		schema = schemas[name]
	}
	if schema == nil {
		schema = []byte("null")
	}
	conv := New()
	if err := conv.Configure(nil, false); err != nil {
		t.Fatal(err)
	}
	var d data.Datum
	if err := conv.ToConnect("t", []byte(`{"schema":`+string(schema)+`,"payload":`+string(payload)+`}`), &d); err != nil {
		t.Fatal(err)
	}
	v, err := d.Value()
	if err != nil {
		t.Fatal(err)
	}
	return d.Schema(), v
}
