package avro_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/convert/avro"
	convjson "github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/data"
)

// golden is one line of avro.jsonl.
type golden struct {
	ID       string
	Options  map[string]string
	Acts     []act
	Registry []struct{ Schema string }
}

type act struct {
	Act     string
	Schema  json.RawMessage
	Payload json.RawMessage
	Avro    json.RawMessage // the text as a string, or the schema itself
	Version int
	Result  struct {
		Hex           *string
		Error         *struct{ Class, Message string }
		ConnectSchema json.RawMessage `json:"connect_schema"`
		ConnectValue  json.RawMessage `json:"connect_value"`
	}
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile("testdata/java/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// options returns the options of a line, false when it has some that are not ours.
func (g *golden) options() (avro.Options, bool) {
	o := avro.Options{ConnectMetaData: true}
	for key, value := range g.Options {
		switch key {
		case "enhanced.avro.schema.support":
			o.EnhancedSchema = value == "true"
		case "connect.meta.data":
			o.ConnectMetaData = value == "true"
		case "allow.optional.map.keys":
			o.AllowOptionalMapKeys = value == "true"
		default:
			return o, false
		}
	}
	return o, true
}

func TestGolden(t *testing.T) {
	var schemas, described map[string]json.RawMessage
	readJSON(t, "schemas.json", &schemas)
	readJSON(t, "described-schemas.json", &described)
	f, err := os.Open("testdata/java/avro.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	ran := 0
	for in.Scan() {
		var g golden
		if err := json.Unmarshal(in.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		o, ok := g.options()
		if !ok || strings.HasPrefix(g.ID, "calls/") || strings.HasPrefix(g.ID, "from/optstruct-default/") {
			// The last one is a schema that Java cannot build.
			continue
		}
		t.Run(g.ID, func(t *testing.T) {
			for _, a := range g.Acts {
				if a.Act == "from" {
					checkFrom(t, &g, &a, o, schemas)
				}
			}
			checkTo(t, &g, o, described)
		})
		ran++
	}
	if ran < 80 {
		t.Errorf("only %d lines were compared", ran)
	}
}

// checkFrom writes a payload and compares the bytes and the schema.
func checkFrom(t *testing.T, g *golden, a *act, o avro.Options, schemas map[string]json.RawMessage) {
	t.Helper()
	schema := a.Schema
	var name string
	if json.Unmarshal(schema, &name) == nil && name != "" {
		schema = schemas[name]
	}
	if schema == nil {
		schema = json.RawMessage("null")
	}
	s, v, err := fromEnvelope(schema, a.Payload)
	if err != nil || a.Result.Hex == nil && a.Result.Error == nil {
		return // the JVM failed there, too; or a null, which the converter answers for
	}
	e, err := avro.NewEncoder(s, o)
	if a.Result.Error != nil {
		if err == nil {
			t.Errorf("NewEncoder takes what the JVM refuses: %s", a.Result.Error.Message)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := g.Registry[0].Schema; e.Schema().String() != want {
		t.Errorf("schema (-JVM +ours):\n%s", cmp.Diff(want, e.Schema().String()))
	}
	got, err := e.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	comparePayload(t, e, got, *a.Result.Hex)
}

// comparePayload compares with the bytes of a registry message, in which bytes at the top
// have no length.
func comparePayload(t *testing.T, e *avro.Encoder, got []byte, want string) {
	t.Helper()
	text := hex.EncodeToString(got)
	if s := e.Schema().String(); s == `"bytes"` || strings.HasPrefix(s, `{"type":"bytes"`) {
		text = text[2:]
	}
	if text != want[10:] {
		t.Errorf("bytes are %s, the JVM wrote %s", text, want[10:])
	}
}

func fromEnvelope(schema, payload json.RawMessage) (*data.Schema, any, error) {
	c := convjson.New()
	if err := c.Configure(map[string]string{"schemas.enable": "true"}, false); err != nil {
		return nil, nil, err
	}
	if payload == nil {
		payload = json.RawMessage("null")
	}
	var d data.Datum
	if err := c.ToConnect("t", []byte(`{"schema":`+string(schema)+`,"payload":`+string(payload)+`}`), &d); err != nil {
		return nil, nil, err
	}
	v, err := d.Value()
	return d.Schema(), v, err
}

// checkTo converts the registered schema, and writes the values that the JVM read.
func checkTo(t *testing.T, g *golden, o avro.Options, described map[string]json.RawMessage) {
	t.Helper()
	if len(g.Acts) == 0 || g.Acts[0].Act != "reg" {
		return
	}
	text := string(g.Acts[0].Avro)
	if quoted, ok := decode(t, g.Acts[0].Avro).(string); ok {
		text = quoted
	}
	a, err := avro.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var s *data.Schema
	var v any
	for i := range g.Acts[1:] {
		act := &g.Acts[i+1]
		switch act.Act {
		case "to":
			s, err = avro.ToConnect(a, g.Acts[0].Version, o)
			if want := act.Result.Error; want != nil {
				if err == nil || err.Error() != want.Message {
					t.Errorf("error is %v, the JVM's is %q", err, want.Message)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(resolve(t, act.Result.ConnectSchema, described), describe(s, nil)); diff != "" {
				t.Errorf("Connect schema (-JVM +ours):\n%s", diff)
			}
			v = parseDescribed(t, s, decode(t, act.Result.ConnectValue))
		case "back":
			if act.Result.Hex == nil {
				continue
			}
			e, err := avro.NewEncoder(s, o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.Append(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			comparePayload(t, e, got, *act.Result.Hex)
		}
	}
}

func decode(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	var v any
	if raw != nil {
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func resolve(t *testing.T, raw json.RawMessage, described map[string]json.RawMessage) any {
	t.Helper()
	v := decode(t, raw)
	if name, ok := v.(string); ok {
		return decode(t, described[name])
	}
	return v
}

// describe returns a schema in the form of described-schemas.json.
func describe(s *data.Schema, above []string) any {
	if s == nil {
		return nil
	}
	for _, name := range above {
		if s.Name() == name {
			return map[string]any{"recursive_reference_to": name, "optional": s.Optional()}
		}
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
		above = append(above, s.Name())
		fields := []any{}
		for _, f := range s.Fields() {
			fields = append(fields, map[string]any{"field": f.Name, "index": float64(f.Index), "schema": describe(f.Schema, above)})
		}
		d["fields"] = fields
	case data.Array:
		d["items"] = describe(s.ValueSchema(), above)
	case data.MapType:
		d["keys"], d["values"] = describe(s.KeySchema(), above), describe(s.ValueSchema(), above)
	default:
	}
	return d
}

func describeValue(v any) any {
	switch x := v.(type) {
	case int32:
		return map[string]any{"int32": float64(x)}
	case int64:
		return map[string]any{"int64": strconv.FormatInt(x, 10)}
	case float64:
		return map[string]any{"float64": data.JavaString(x)}
	case []byte:
		return map[string]any{"bytes": hex.EncodeToString(x)}
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

// parseDescribed makes the value of a description.
func parseDescribed(t *testing.T, s *data.Schema, v any) any {
	t.Helper()
	if list, ok := v.([]any); ok {
		out := []any{}
		for _, e := range list {
			out = append(out, parseDescribed(t, s.ValueSchema(), e))
		}
		return out
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for kind, e := range m {
		switch kind {
		case "struct":
			st := data.NewStruct(s)
			for i, pair := range e.([]any) {
				if err := st.PutAt(i, parseDescribed(t, s.Fields()[i].Schema, pair.([]any)[1])); err != nil {
					t.Fatal(err)
				}
			}
			return st
		case "map":
			out := data.NewMap(0)
			for _, pair := range e.([]any) {
				out.Put(parseDescribed(t, s.KeySchema(), pair.([]any)[0]), parseDescribed(t, s.ValueSchema(), pair.([]any)[1]))
			}
			return out
		}
		return parseScalar(t, kind, e)
	}
	return nil
}

func parseScalar(t *testing.T, kind string, e any) any {
	t.Helper()
	switch x := e.(type) {
	case float64:
		switch kind {
		case "int8":
			return int8(x)
		case "int16":
			return int16(x)
		}
		return int32(x)
	case string:
		switch kind {
		case "int64":
			n, _ := strconv.ParseInt(x, 10, 64)
			return n
		case "float32":
			f, _ := strconv.ParseFloat(x, 32)
			return float32(f)
		case "float64":
			f, _ := strconv.ParseFloat(x, 64)
			return f
		case "bytes":
			b, _ := hex.DecodeString(x)
			return b
		case "date_ms":
			n, _ := strconv.ParseInt(x, 10, 64)
			return time.UnixMilli(n).UTC()
		case "decimal":
			d, err := data.ParseDecimal(x)
			if err != nil {
				t.Fatal(err)
			}
			if d.Unscaled == nil {
				d.Unscaled = new(big.Int)
			}
			return d
		}
	}
	t.Fatalf("unknown description %s %v", kind, e)
	return nil
}
