package transform_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	convjson "github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/transform"
)

type failure struct {
	Class, Message string
	Causes         []string
}

type line struct {
	ID             string
	Class          string
	Options        map[string]string
	ConfigureError *failure `json:"configure_error"`
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
		var e failure
		if failed {
			if json.Unmarshal(raw, &e) != nil {
				t.Fatal(string(raw))
			}
		}
		if err == nil || err.Error() != e.Message || connect.JavaClass(err) != e.Class {
			t.Errorf("record %d: %v\nJVM: %+v", i, err, e)
		}
		causes := []string{}
		for c := errors.Unwrap(err); c != nil; c = errors.Unwrap(c) {
			causes = append(causes, connect.JavaClass(c)+": "+c.Error())
		}
		if err != nil && !slices.Equal(causes, e.Causes) {
			t.Errorf("record %d: caused by %q, JVM %q", i, causes, e.Causes)
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
		headers = append(headers, []any{h.Key, describe(h.Schema), describeValue(h.Value)})
	}
	wantHeaders := []any{}
	if list, ok := decode(t, want["headers"]).([]any); ok {
		wantHeaders = list
	}
	if d := cmp.Diff([]any{resolve(want["value_schema"]), decode(t, want["value"]), resolve(want["key_schema"]), decode(t, want["key"]), wantHeaders},
		[]any{describe(rec.Value.Schema()), describeValue(v), describe(rec.Key.Schema()), describeValue(k), headers}); d != "" {
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

func describe(s *data.Schema) any {
	if s == nil {
		return nil
	}
	d := map[string]any{"type": s.Type().String(), "optional": s.Optional()}
	if s.Name() != "" {
		d["name"] = s.Name()
	}
	if v, ok := s.Version(); ok {
		d["version"] = float64(v)
	}
	if s.Doc() != "" {
		d["doc"] = s.Doc()
	}
	if len(s.Parameters()) > 0 {
		params := map[string]any{}
		for _, p := range s.Parameters() {
			params[p.Key] = p.Value
		}
		d["parameters"] = params
	}
	if s.Default() != nil {
		d["default"] = describeValue(s.Default())
	}
	switch s.Type() {
	case data.StructType:
		fields := []any{}
		for _, f := range s.Fields() {
			fields = append(fields, map[string]any{"field": f.Name, "index": float64(f.Index), "schema": describe(f.Schema)})
		}
		d["fields"] = fields
	case data.Array:
		d["items"] = describe(s.ValueSchema())
	case data.MapType:
		d["keys"], d["values"] = describe(s.KeySchema()), describe(s.ValueSchema())
	default:
	}
	return d
}

func describeValue(v any) any {
	switch x := v.(type) {
	case int8:
		return map[string]any{"int8": float64(x)}
	case int16:
		return map[string]any{"int16": float64(x)}
	case int32:
		return map[string]any{"int32": float64(x)}
	case int64:
		return map[string]any{"int64": strconv.FormatInt(x, 10)}
	case float32:
		return map[string]any{"float32": data.JavaString(x)}
	case float64:
		return map[string]any{"float64": data.JavaString(x)}
	case []byte:
		return map[string]any{"bytes": hex.EncodeToString(x)}
	case data.Decimal:
		return map[string]any{"decimal": x.String()}
	case time.Time:
		return map[string]any{"date_ms": strconv.FormatInt(x.UnixMilli(), 10)}
	case []any:
		list := []any{}
		for _, e := range x {
			list = append(list, describeValue(e))
		}
		return list
	case *data.Map:
		list := []any{}
		for _, e := range x.Entries() {
			list = append(list, []any{describeValue(e.Key), describeValue(e.Value)})
		}
		slices.SortFunc(list, func(a, b any) int {
			return strings.Compare(data.JavaString(a.([]any)[0]), data.JavaString(b.([]any)[0]))
		})
		return map[string]any{"map": list}
	case *data.Struct:
		list := []any{}
		for i, f := range x.Schema().Fields() {
			list = append(list, []any{f.Name, describeValue(x.AtWithoutDefault(i))})
		}
		return map[string]any{"struct": list}
	}
	return v
}
