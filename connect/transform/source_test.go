package transform_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
	"github.com/penstock-io/penstock/internal/javagolden"
)

func configured(t *testing.T, class string, props map[string]string) func(*connect.Record) error {
	t.Helper()
	tr := newTransform(t, "org.apache.kafka.connect.transforms."+class)
	if err := tr.Configure(props); err != nil {
		t.Fatal(err)
	}
	return func(rec *connect.Record) error { _, err := tr.Apply(rec); return err }
}

func TestInsertFieldOfASourceRecord(t *testing.T) {
	m := data.NewMap(1)
	m.Put("a", int64(1))
	s := data.NewStructSchema().Field("a", data.Int64Schema).MustBuild()
	st := data.StructOf(s, []any{int64(1)})
	insert := configured(t, "InsertField$Value", map[string]string{"topic.field": "topic", "partition.field": "partition!", "timestamp.field": "at"})
	withOffset := configured(t, "InsertField$Value", map[string]string{"offset.field": "offset"})
	for _, test := range []struct {
		schema *data.Schema
		value  any
		want   any
	}{
		{nil, m, map[string]any{"map": []any{[]any{"a", map[string]any{"int64": "1"}}, []any{"topic", "t"}}}},
		{s, st, map[string]any{"struct": []any{[]any{"a", map[string]any{"int64": "1"}}, []any{"topic", "t"}, []any{"partition", nil}, []any{"at", nil}}}},
	} {
		rec := connect.NewSourceRecord(nil, nil, "t", test.schema, test.value)
		if err := insert(&rec.Record); err != nil {
			t.Fatal(err)
		}
		v, _ := rec.Value.Value()
		if d := cmp.Diff(test.want, javagolden.Value(v)); d != "" {
			t.Errorf("a source record without partition and timestamp (-want +got):\n%s", d)
		}
		rec = connect.NewSourceRecord(nil, nil, "t", test.schema, test.value)
		want := "Only SinkRecord supported for [field insertion], found: org.apache.kafka.connect.source.SourceRecord"
		if err := withOffset(&rec.Record); err == nil || err.Error() != want || connect.JavaClass(err) != "org.apache.kafka.connect.errors.DataException" {
			t.Errorf("offset.field: %v, want %s", err, want)
		}
	}
}

// A connector may give several records slices of one list of headers.
func TestHeadersOfOtherRecordsStay(t *testing.T) {
	shared := []connect.Header{{Key: "a"}, {Key: "b"}, {Key: "c"}}
	for class, props := range map[string]map[string]string{
		"InsertHeader":     {"header": "x", "value.literal": "1"},
		"DropHeaders":      {"headers": "a"},
		"HeaderFrom$Value": {"fields": "f", "headers": "x", "operation": "move"},
	} {
		m := data.NewMap(1)
		m.Put("f", "v")
		rec := connect.NewSourceRecord(nil, nil, "t", nil, m)
		rec.Headers = shared[:2]
		if err := configured(t, class, props)(&rec.Record); err != nil {
			t.Fatal(err)
		}
		if len(rec.Headers) == 2 || shared[0].Key != "a" || shared[1].Key != "b" || shared[2].Key != "c" || m.Len() != 1 {
			t.Errorf("%s: headers %v, and those of others are %v", class, rec.Headers, shared)
		}
	}
}

func TestTimestampRouterNamesASourceRecordByItsTopic(t *testing.T) {
	rec := connect.NewSourceRecord(nil, nil, "t", nil, "v")
	want := "Timestamp missing on record: topic t"
	if err := configured(t, "TimestampRouter", nil)(&rec.Record); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
