package json

import (
	"bufio"
	"encoding/hex"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

type goldenError struct {
	Class, Message string
	Causes         []string
}

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
			Error  *goldenError
			Schema any `json:"connect_schema"`
			Value  any `json:"connect_value"`
		}
	}
	ConfigureError *goldenError `json:"configure_error"`
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

// described gives an error the form of the golden data.
func described(err error) *goldenError {
	if err == nil {
		return nil
	}
	g := &goldenError{Class: connect.JavaClass(err), Message: err.Error(), Causes: []string{}}
	for e := errors.Unwrap(err); e != nil; e = errors.Unwrap(e) {
		g.Causes = append(g.Causes, connect.JavaClass(e)+": "+e.Error())
	}
	return g
}

func describeSchema(s *data.Schema) any {
	if s == nil {
		return nil
	}
	m := map[string]any{"type": s.Type().String(), "optional": s.Optional()}
	if s.Name() != "" {
		m["name"] = s.Name()
	}
	if v, ok := s.Version(); ok {
		m["version"] = float64(v)
	}
	if s.Doc() != "" {
		m["doc"] = s.Doc()
	}
	if len(s.Parameters()) > 0 {
		p := map[string]any{}
		for _, e := range s.Parameters() {
			p[e.Key] = e.Value
		}
		m["parameters"] = p
	}
	if s.Default() != nil {
		m["default"] = describeValue(s.Default())
	}
	switch s.Type() {
	case data.Array:
		m["items"] = describeSchema(s.ValueSchema())
	case data.MapType:
		m["keys"], m["values"] = describeSchema(s.KeySchema()), describeSchema(s.ValueSchema())
	case data.StructType:
		fields := []any{}
		for _, f := range s.Fields() {
			fields = append(fields, map[string]any{"field": f.Name, "index": float64(f.Index), "schema": describeSchema(f.Schema)})
		}
		m["fields"] = fields
	default:
	}
	return m
}

func describeValue(v any) any {
	switch x := v.(type) {
	case int8, int16, int32:
		n, _ := data.AsInt64(x, nil)
		return map[string]any{fmt.Sprintf("%T", v): float64(n)}
	case int64:
		return map[string]any{"int64": strconv.FormatInt(x, 10)}
	case float32, float64:
		return map[string]any{fmt.Sprintf("%T", v): data.JavaString(v)}
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
		sort.Slice(list, func(i, j int) bool { return fmt.Sprint(list[i]) < fmt.Sprint(list[j]) })
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
			if d := cmp.Diff(c.ConfigureError, described(err)); d != "" {
				t.Fatalf("configure (-JVM +ours):\n%s", d)
			}
			if err != nil {
				return
			}
			for _, act := range c.Acts {
				if act.Act == "from" {
					schema, value := input(t, schemas, act.Schema, act.Payload)
					got, err := conv.FromConnect("t", schema, value)
					if d := cmp.Diff(act.Result.Error, described(err)); d != "" {
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
				if diff := cmp.Diff(act.Result.Error, described(err)); diff != "" {
					t.Errorf("to %s (-JVM +ours):\n%s", raw, diff)
				}
				if err != nil {
					continue
				}
				v, err := d.Value()
				if err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff([]any{act.Result.Schema, act.Result.Value}, []any{describeSchema(d.Schema()), describeValue(v)}); diff != "" {
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
