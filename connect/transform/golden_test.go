package transform_test

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	convjson "github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/transform"
	"github.com/penstock-io/penstock/internal/javagolden"
)

type line struct {
	ID             string
	Class          string
	Options        map[string]string
	ConfigureError *javagolden.Failure `json:"configure_error"`
	Acts           []struct {
		Schema, Payload json.RawMessage
		Headers         map[string]string
		Result          map[string]json.RawMessage
	}
}

func readJSON(t testing.TB, name string) map[string]json.RawMessage {
	t.Helper()
	b, err := os.ReadFile("testdata/java/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var into map[string]json.RawMessage
	if err := json.Unmarshal(b, &into); err != nil {
		t.Fatal(err)
	}
	return into
}

func newTransform(t testing.TB, class string) transform.Transformation {
	t.Helper()
	for _, c := range transform.Transformations() {
		if c.Name == class {
			return c.New()
		}
	}
	t.Fatalf("no class %s", class)
	return nil
}

func TestGolden(t *testing.T) {
	schemas, described := readJSON(t, "schemas.json"), readJSON(t, "described-schemas.json")
	acts := 0
	for _, l := range goldenLines(t) {
		t.Run(l.ID, func(t *testing.T) {
			tr := newTransform(t, l.Class)
			err := tr.Configure(l.Options)
			if want := l.ConfigureError; want != nil || err != nil {
				if want == nil || err == nil || err.Error() != want.Message || connect.JavaClass(err) != want.Class {
					t.Errorf("Configure: %v\nJVM: %+v", err, want)
				}
				return
			}
			for i, a := range l.Acts {
				if a.Result == nil {
					continue // a note of the recording, not a record
				}
				acts++
				rec := record(t, a.Schema, a.Payload, schemas)
				for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
					rec.Headers = append(rec.Headers, connect.Header{Key: name, Schema: data.StringSchema, Value: a.Headers[name]})
				}
				keep, err := tr.Apply(rec)
				compare(t, i, a.Result, rec, keep, err, described)
			}
		})
	}
	if acts < 350 {
		t.Errorf("only %d records were compared", acts)
	}
}

func goldenLines(t testing.TB) []line {
	t.Helper()
	f, err := os.Open("testdata/java/transforms.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	var lines []line
	for in.Scan() {
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

func record(t testing.TB, schema, payload json.RawMessage, schemas map[string]json.RawMessage) *connect.Record {
	t.Helper()
	var name string
	if json.Unmarshal(schema, &name) == nil && name != "" {
		schema = schemas[name]
	}
	for _, p := range []*json.RawMessage{&schema, &payload} {
		if *p == nil {
			*p = json.RawMessage("null")
		}
	}
	c := convjson.New()
	if err := c.Configure(map[string]string{"schemas.enable": "true"}, false); err != nil {
		t.Fatal(err)
	}
	rec := &connect.Record{Topic: "topic-a", Partition: 2, Offset: 77, Timestamp: 1445412480123}
	if err := c.ToConnect("t", []byte(`{"schema":`+string(schema)+`,"payload":`+string(payload)+`}`), &rec.Value); err != nil {
		t.Fatal(err)
	}
	return rec
}

func compare(t *testing.T, i int, want map[string]json.RawMessage, rec *connect.Record, keep bool, err error, described map[string]json.RawMessage) {
	t.Helper()
	if raw, failed := want["error"]; failed || err != nil {
		var e *javagolden.Failure
		if failed {
			if json.Unmarshal(raw, &e) != nil {
				t.Fatal(string(raw))
			}
		}
		if d := cmp.Diff(e, javagolden.Describe(err)); d != "" {
			t.Errorf("record %d (-JVM +ours):\n%s", i, d)
		}
		return
	}
	if _, dropped := want["dropped"]; dropped == keep {
		t.Errorf("record %d: kept is %v", i, keep)
		return
	} else if dropped {
		return
	}
	topic := "topic-a"
	if want["topic"] != nil {
		topic, _ = decode(t, want["topic"]).(string)
	}
	if rec.Topic != topic {
		t.Errorf("record %d: topic %s, JVM %s", i, rec.Topic, topic)
	}
	v, err := rec.Value.Value()
	k, errKey := rec.Key.Value()
	if err != nil || errKey != nil {
		t.Fatal(err, errKey)
	}
	resolve := func(raw json.RawMessage) any {
		if name, ok := decode(t, raw).(string); ok {
			return decode(t, described[name])
		}
		return decode(t, raw)
	}
	headers := []any{}
	for _, h := range rec.Headers {
		headers = append(headers, []any{h.Key, javagolden.Schema(h.Schema), javagolden.Value(h.Value)})
	}
	wantHeaders := []any{}
	if list, ok := decode(t, want["headers"]).([]any); ok {
		wantHeaders = list
	}
	if d := cmp.Diff([]any{resolve(want["value_schema"]), decode(t, want["value"]), resolve(want["key_schema"]), decode(t, want["key"]), wantHeaders},
		[]any{javagolden.Schema(rec.Value.Schema()), javagolden.Value(v), javagolden.Schema(rec.Key.Schema()), javagolden.Value(k), headers}); d != "" {
		t.Errorf("record %d (-JVM +ours):\n%s", i, d)
	}
}

func decode(t testing.TB, raw json.RawMessage) any {
	t.Helper()
	var v any
	if raw != nil {
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
	}
	return v
}
