//go:build integration

package java

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/internal/javagolden"
)

// conversion is one thing to convert: raw bytes to Connect, or a value from it.
type conversion struct {
	raw    *string
	schema *data.Schema
	value  any
}

func (c conversion) question() map[string]any {
	if c.raw != nil {
		return map[string]any{"raw": hex.EncodeToString([]byte(*c.raw))}
	}
	return map[string]any{"schema": javagolden.Schema(c.schema), "value": javagolden.OrderedValue(c.value)}
}

type converterQuestion struct {
	Op    string            `json:"op"`
	Class string            `json:"class"`
	Props map[string]string `json:"props"`
	Key   bool              `json:"key"`
	Acts  []map[string]any  `json:"acts"`

	acts []conversion
}

type conversionAnswer struct {
	Error         *failure
	Raw           *string
	Schema, Value any
}

type converterAnswer struct {
	Error   *failure
	Results []conversionAnswer
}

const connectPackage = "org.apache.kafka.connect."

// hasBytes is true of values whose text in the JVM is their address.
func hasBytes(v any) bool {
	switch x := v.(type) {
	case []byte:
		return true
	case []any:
		return slices.ContainsFunc(x, hasBytes)
	case *data.Map:
		return slices.ContainsFunc(x.Entries(), func(e data.MapEntry) bool { return hasBytes(e.Key) || hasBytes(e.Value) })
	case *data.Struct:
		for i := range x.Schema().Fields() {
			if hasBytes(x.AtWithoutDefault(i)) {
				return true
			}
		}
	}
	return false
}

func testConverters(t *testing.T, j *jvm) {
	g := newGen(2)
	set := plugin.Builtin("4.3.1")
	questions := make([]converterQuestion, *cases)
	for i := range questions {
		q := converterQuestion{Op: "converter", Class: connectPackage + "json.JsonConverter", Props: map[string]string{}, Key: g.one(2)}
		if g.one(4) {
			q.Class = set.Converters[g.IntN(len(set.Converters))].Class
		}
		if strings.HasSuffix(q.Class, "JsonConverter") {
			q.Props = g.jsonProps()
		}
		for range 6 {
			c := g.conversion()
			if q.Class == connectPackage+"storage.StringConverter" && hasBytes(c.value) {
				continue
			}
			q.add(c)
		}
		questions[i] = q
	}
	answers := ask[converterQuestion, converterAnswer](t, j, questions)
	f, compared := faults{t: t}, 0
	var again []converterQuestion
	for i := range questions {
		q, a := &questions[i], &answers[i]
		c := newConverter(set, q.Class)
		err := c.Configure(q.Props, q.Key)
		if d := differs(a.Error, err); d != "" {
			f.add("%s %v\n%s", q.Class, q.Props, d)
		}
		if a.Error != nil || err != nil {
			continue
		}
		back := *q
		back.Acts, back.acts = nil, nil
		for k, act := range q.acts {
			compared++
			if d := a.Results[k].diff(c, act); d != "" {
				f.add("%s %v\n%s\n(-JVM +ours):\n%s", q.Class, q.Props, text(q.Acts[k]), d)
			}
			if raw := a.Results[k].Raw; raw != nil {
				b, _ := hex.DecodeString(*raw)
				s := string(b)
				back.add(conversion{raw: &s})
			}
		}
		again = append(again, back)
	}
	compared += roundTrips(t, j, &f, set, again)
	f.report(compared)
}

// roundTrips reads what the JVM wrote.
func roundTrips(t *testing.T, j *jvm, f *faults, set plugin.Set, questions []converterQuestion) int {
	t.Helper()
	compared := 0
	answers := ask[converterQuestion, converterAnswer](t, j, questions)
	for i := range questions {
		c := newConverter(set, questions[i].Class)
		if err := c.Configure(questions[i].Props, questions[i].Key); err != nil {
			t.Fatal(err)
		}
		for k, act := range questions[i].acts {
			compared++
			if d := answers[i].Results[k].diff(c, act); d != "" {
				f.add("%s %v\nread %q\n(-JVM +ours):\n%s", questions[i].Class, questions[i].Props, *act.raw, d)
			}
		}
	}
	return compared
}

func (q *converterQuestion) add(c conversion) {
	q.acts, q.Acts = append(q.acts, c), append(q.Acts, c.question())
}

func newConverter(set plugin.Set, class string) convert.Converter {
	i := slices.IndexFunc(set.Converters, func(p plugin.Plugin[convert.Converter]) bool { return p.Class == class })
	return set.Converters[i].New()
}

func (a *conversionAnswer) diff(c convert.Converter, act conversion) string {
	if act.raw == nil {
		raw, err := c.FromConnect("t", act.schema, act.value)
		return a.diffRaw(raw, err)
	}
	var d data.Datum
	err := c.ToConnect("t", []byte(*act.raw), &d)
	var v any
	if err == nil {
		v, err = d.Value()
	}
	return a.diffValue(d.Schema(), v, err)
}

func (a *conversionAnswer) diffRaw(raw []byte, err error) string {
	if a.Error != nil || err != nil {
		return differs(a.Error, err)
	}
	want := "null"
	if a.Raw != nil {
		b, _ := hex.DecodeString(*a.Raw)
		want = fmt.Sprintf("%q", b)
	}
	got := "null"
	if raw != nil {
		got = fmt.Sprintf("%q", raw)
	}
	return cmp.Diff(want, got)
}

func (a *conversionAnswer) diffValue(s *data.Schema, v any, err error) string {
	if a.Error != nil || err != nil {
		return differs(a.Error, err)
	}
	want, got := []any{a.Schema, a.Value}, []any{javagolden.Schema(s), javagolden.OrderedValue(v)}
	if reflect.DeepEqual(want, got) { // faster than Diff
		return ""
	}
	return cmp.Diff(want, got)
}

func testHeaders(t *testing.T, j *jvm) {
	g := newGen(3)
	set := plugin.Builtin("4.3.1")
	questions := make([]converterQuestion, *cases)
	for i := range questions {
		p := set.HeaderConverters[g.IntN(len(set.HeaderConverters))]
		if g.one(2) {
			p = set.HeaderConverters[len(set.HeaderConverters)-1] // SimpleHeaderConverter
		}
		q := converterQuestion{Op: "header", Class: p.Class}
		for range 6 {
			c := g.conversion()
			if c.raw != nil {
				s := g.valueText(3)
				c.raw = &s
			}
			if q.Class != connectPackage+"storage.StringConverter" || !hasBytes(c.value) {
				q.add(c)
			}
		}
		questions[i] = q
	}
	f, compared := faults{t: t}, 0
	for i, a := range ask[converterQuestion, converterAnswer](t, j, questions) {
		q := &questions[i]
		k := slices.IndexFunc(set.HeaderConverters, func(p plugin.Plugin[convert.HeaderConverter]) bool { return p.Class == q.Class })
		c := set.HeaderConverters[k].New()
		if d := differs(a.Error, c.ConfigureHeader(q.Props)); d != "" {
			f.add("%s %v\n%s", q.Class, q.Props, d)
			continue
		}
		for k, act := range q.acts {
			compared++
			var d string
			if act.raw == nil {
				raw, err := c.FromConnectHeader("t", "h", act.schema, act.value)
				d = a.Results[k].diffRaw(raw, err)
			} else {
				s, v, err := c.ToConnectHeader("t", "h", []byte(*act.raw))
				d = a.Results[k].diffValue(s, v, err)
			}
			if d != "" {
				f.add("%s\n%s\n(-JVM +ours):\n%s", q.Class, text(q.Acts[k]), d)
			}
		}
	}
	f.report(compared)
}

func (g *gen) jsonProps() map[string]string {
	p := map[string]string{}
	if g.one(2) {
		p["schemas.enable"] = pick(g, "true", "false", "false", "maybe")
	}
	if g.one(3) {
		p["decimal.format"] = pick(g, "NUMERIC", "base64", "numeric", "other")
	}
	if g.one(4) {
		p["replace.null.with.default"] = "false"
	}
	if g.one(8) {
		p["schemas.cache.size"] = pick(g, "0", "1")
	}
	if g.one(6) {
		p["schema.content"] = pick(g, `{"type":"struct","fields":[{"type":"int32","field":"a","optional":true},{"type":"string","field":"b","default":"x"}]}`,
			`{"type":"array","items":{"type":"double"}}`, `{"type":"string"}`, `{"type":"none"}`, `{`, "")
	}
	return p
}

// conversion makes bytes, or a value; its schema is seldom another one than the value's.
func (g *gen) conversion() conversion {
	if g.one(3) {
		s := g.jsonText(3)
		if g.one(2) {
			s = `{"schema":` + pick(g, "null", `{"type":"int8","optional":true}`, `{"type":"map","keys":{"type":"string"},"values":{"type":"float","optional":true}}`,
				`{"type":"struct","optional":true,"fields":[{"type":"int64","field":"a","default":5},{"type":"bytes","field":"b","optional":true}]}`,
				`{"type":"int32","name":"org.apache.kafka.connect.data.Date","version":1}`, `{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp"}`, `{"type":"string"}`, `{"type":"x"}`, `1`) +
				`,"payload":` + s + "}"
		}
		return conversion{raw: &s}
	}
	if g.one(3) {
		return conversion{value: g.schemaless(3)}
	}
	s := g.schema(3)
	c := conversion{schema: s, value: g.value(s)}
	switch g.IntN(12) {
	case 0:
		c.value = g.schemaless(1)
	case 1:
		if st, ok := c.value.(*data.Struct); ok { // a null where none may be
			for i := range st.Schema().Fields() {
				st.SetAt(i, nil)
			}
		}
	}
	return c
}

// jsonText makes JSON, and sometimes what is almost JSON.
func (g *gen) jsonText(depth int) string {
	switch n := g.IntN(16); {
	case n < 3:
		return pick(g, "0", "-1", "127", "300", "2147483648", "9223372036854775807", "9223372036854775808", "-0", "007", "1.5", "-0.0", "1e3", "1E-2", "1.0e400", "0.1000", "123456789012345678901234567890", "NaN", "+1", ".5", "1.", "-")
	case n < 6:
		return pick(g, `"a"`, `""`, `"AQI="`, `"ü"`, `"\u00fc\n\"\\\/"`, `"\ud83d\ude00"`, `"\ud83d"`, `"5"`, `"`, `"\x"`, "'a'", "\"\t\"")
	case n < 8:
		return pick(g, "true", "false", "null", "tru", "nul", "True", "")
	case depth == 0:
		return "1"
	case n < 12:
		var parts []string
		for range g.IntN(4) {
			parts = append(parts, g.jsonText(depth-1))
		}
		return "[" + strings.Join(parts, pick(g, ",", ", ", " , ", ",,")) + pick(g, "]", "]", "]", "]", "]", "}", "")
	}
	var parts []string
	for range g.IntN(5) {
		parts = append(parts, `"`+pick(g, "a", "b", "schema", "payload", g.name())+`"`+pick(g, ":", ": ")+g.jsonText(depth-1))
	}
	return "{" + strings.Join(parts, pick(g, ",", ", ")) + pick(g, "}", "}", "}", "}", "}", "]", "", "} x")
}
