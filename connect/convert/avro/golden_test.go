package avro_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/convert/avro"
	convjson "github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/javagolden"
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
			if diff := cmp.Diff(resolve(t, act.Result.ConnectSchema, described), javagolden.Schema(s)); diff != "" {
				t.Errorf("Connect schema (-JVM +ours):\n%s", diff)
			}
			v = javagolden.ParseValue(t, s, decode(t, act.Result.ConnectValue))
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
