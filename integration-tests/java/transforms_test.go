//go:build integration

package java

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/connect/transform"
	"github.com/penstock-io/penstock/internal/javagolden"
)

const javaPackage = "org.apache.kafka.connect.transforms."

type configured struct {
	Class string            `json:"class"`
	Props map[string]string `json:"props"`
}

type stage struct {
	configured
	Predicate *configured `json:"predicate,omitempty"`
	Negate    bool        `json:"negate"`
}

type chainQuestion struct {
	Op      string           `json:"op"`
	Stages  []stage          `json:"stages"`
	Records []map[string]any `json:"records"`

	records []*connect.Record
}

type recordAnswer struct {
	Error              *failure
	Dropped            bool
	Topic              string
	KeySchema, Key     any
	ValueSchema, Value any
	Headers            []any
}

type chainAnswer struct {
	Error   *failure
	Results []recordAnswer
}

func testTransforms(t *testing.T, j *jvm) {
	g := newGen(1)
	questions := make([]chainQuestion, *cases*2)
	for i := range questions {
		q := chainQuestion{Op: "chain"}
		for range pick(g, 1, 1, 1, 2, 3) {
			q.Stages = append(q.Stages, g.stage())
		}
		for range 5 {
			rec := g.record()
			q.records = append(q.records, rec)
			q.Records = append(q.Records, describeRecord(rec))
		}
		questions[i] = q
	}
	answers := ask[chainQuestion, chainAnswer](t, j, questions)
	f, compared, kept := faults{t: t}, 0, map[string]int{}
	for i := range questions {
		q, a := &questions[i], &answers[i]
		chain, err := newChain(q.Stages)
		if a.Error != nil {
			a.Error.Message, _, _ = strings.Cut(a.Error.Message, "org.apache.kafka.connect.transforms.InsertField$InsertionSpec@") // we name the field
		}
		if d := differs(a.Error, err); d != "" && !refusedAtOnce(err) {
			f.add("%s\n%s", text(q.Stages), d)
		}
		if err != nil || a.Error != nil {
			continue
		}
		for k, rec := range q.records {
			before := text(describeRecord(rec))
			got := *rec
			keep, err := chain.Apply(&got)
			compared++
			var stage *transform.StageError
			if errors.As(err, &stage) {
				err = stage.Err
			}
			if d := a.Results[k].diff(&got, keep, err); d != "" {
				f.add("%s\non %s\n(-JVM +ours):\n%s", text(q.Stages), before, d)
			}
			if after := text(describeRecord(rec)); after != before {
				f.add("%s changed\n%s\nto\n%s", text(q.Stages), before, after)
			}
			if err == nil {
				for _, s := range q.Stages {
					kept[s.Class]++
				}
			}
		}
	}
	for _, c := range transform.Transformations() {
		if kept[c.Name] < 20 {
			t.Errorf("%s was applied with success only %d times", c.Name, kept[c.Name])
		}
	}
	f.report(compared)
}

// newChain makes our chain; configuration errors come from the classes themselves, as the
// JVM's do here.
func newChain(stages []stage) (*transform.Chain, error) {
	props, aliases, predicates := map[string]string{}, []string{}, []string{}
	add := func(kind, alias string, p *configured) {
		props[kind+"."+alias+".type"] = p.Class
		for k, v := range p.Props {
			props[kind+"."+alias+"."+k] = v
		}
	}
	for i, s := range stages {
		alias := fmt.Sprint("t", i)
		aliases = append(aliases, alias)
		add("transforms", alias, &stages[i].configured)
		tr, _ := find(transform.Transformations())(s.Class)
		if err := tr.Configure(s.Props); err != nil {
			return nil, err
		}
		if s.Predicate != nil {
			predicates = append(predicates, alias)
			add("predicates", alias, s.Predicate)
			props["transforms."+alias+".predicate"], props["transforms."+alias+".negate"] = alias, fmt.Sprint(s.Negate)
			p, _ := find(transform.Predicates())(s.Predicate.Class)
			if err := p.Configure(s.Predicate.Props); err != nil {
				return nil, err
			}
		}
	}
	props["transforms"], props["predicates"] = strings.Join(aliases, ","), strings.Join(predicates, ",")
	return transform.NewChain(props, transform.Lookup{Transformation: find(transform.Transformations()), Predicate: find(transform.Predicates())})
}

func find[T any](classes []transform.Class[T]) func(string) (T, bool) {
	return func(name string) (T, bool) {
		for _, c := range classes {
			if c.Name == name {
				return c.New(), true
			}
		}
		var none T
		return none, false
	}
}

func describeRecord(rec *connect.Record) map[string]any {
	key, _ := rec.Key.Value()
	value, _ := rec.Value.Value()
	d := map[string]any{"topic": rec.Topic, "keySchema": javagolden.Schema(rec.Key.Schema()), "key": javagolden.OrderedValue(key),
		"valueSchema": javagolden.Schema(rec.Value.Schema()), "value": javagolden.OrderedValue(value)}
	if rec.Offset == connect.NoOffset {
		d["source"] = true
	} else {
		d["offset"] = rec.Offset
	}
	if rec.Partition != connect.AnyPartition {
		d["partition"] = rec.Partition
	}
	if rec.Timestamp != connect.NoTimestamp {
		d["timestamp"] = rec.Timestamp
	}
	headers := []any{}
	for _, h := range rec.Headers {
		headers = append(headers, []any{h.Key, javagolden.Schema(h.Schema), javagolden.OrderedValue(h.Value)})
	}
	d["headers"] = headers
	return d
}

func (a *recordAnswer) diff(rec *connect.Record, keep bool, err error) string {
	if a.Error != nil && strings.HasPrefix(a.Error.Message, "Timestamp missing on record: ") {
		a.Error.Message = "Timestamp missing on record: " // goes on with the whole record, values and all
	}
	switch {
	case a.Error != nil || err != nil:
		return differs(a.Error, err)
	case a.Dropped == keep:
		return fmt.Sprintf("dropped is %v, ours %v", a.Dropped, !keep)
	case a.Dropped:
		return ""
	}
	got := describeRecord(rec)
	var all strings.Builder
	for name, want := range map[string]any{"topic": a.Topic, "keySchema": a.KeySchema, "key": a.Key, "valueSchema": a.ValueSchema, "value": a.Value, "headers": a.Headers} {
		if !reflect.DeepEqual(want, got[name]) { // faster than Diff
			all.WriteString(name + ": " + cmp.Diff(want, got[name]))
		}
	}
	return all.String()
}

// refusedAtOnce is true of mistakes that the JVM's routers find with each record, and ours
// when they are configured.
func refusedAtOnce(err error) bool {
	return err != nil && (strings.Contains(err.Error(), " for configuration timestamp.format: ") || strings.Contains(err.Error(), " for configuration replacement: "))
}

func (g *gen) record() *connect.Record {
	rec := &connect.Record{Topic: pick(g, "topic-a", "topic-b.c", "x", "logs_1"), Partition: int32(g.IntN(3)), Offset: g.Int64N(1 << 40), Timestamp: g.millis()}
	if rec.Timestamp < 0 || g.one(8) {
		rec.Timestamp = connect.NoTimestamp
	}
	if g.one(3) {
		rec.Offset = connect.NoOffset
		if g.one(2) {
			rec.Partition = connect.AnyPartition
		}
	}
	g.fill(&rec.Value)
	if g.one(2) {
		g.fill(&rec.Key)
	}
	for range g.IntN(3) {
		s := g.schema(0)
		rec.Headers = append(rec.Headers, connect.Header{Key: g.name(), Schema: s, Value: g.value(s)})
	}
	return rec
}

func (g *gen) fill(d *data.Datum) {
	switch n := g.IntN(10); {
	case n < 4:
		s := g.finish(g.structSchema(2))
		d.SetValue(s, g.value(s))
	case n < 5:
		s := g.schema(2)
		d.SetValue(s, g.value(s))
	case n < 9:
		d.SetValue(nil, g.fieldMap(2))
	default:
		d.SetValue(nil, g.schemaless(2))
	}
}
