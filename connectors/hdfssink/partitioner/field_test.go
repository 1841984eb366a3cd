package partitioner

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

func TestNestedFields(t *testing.T) {
	place := data.NewStructSchema().Optional().Field("city", data.OptionalString).Field("zip", data.OptionalInt32).MustBuild()
	schema := data.NewStructSchema().Field("place", place).Field("place.city.x", data.StringSchema).
		Field("place.city", data.NewBuilder(data.String).Default("top").MustBuild()).MustBuild()
	other := data.NewStructSchema().Field("place", place).MustBuild()
	inner := func(city any, zip any) *data.Struct { return data.StructOf(place, []any{city, zip}) }
	for _, c := range []struct {
		fields, want string
		value        *data.Struct
		class        string
	}{
		{"place.city", "place.city=bonn", data.StructOf(other, []any{inner("bonn", nil)}), ""},
		{"place.city,place.zip", "place.city=bonn/place.zip=5", data.StructOf(other, []any{inner("bonn", int32(5))}), ""},
		{"place.city", "place.city=null", data.StructOf(other, []any{nil}), ""},
		{"place.city", "place.city=near", data.StructOf(schema, []any{inner("bonn", nil), "x", "near"}), ""}, // the very name wins
		{"place.city", "place.city=top", data.StructOf(schema, []any{inner("bonn", nil), "x", nil}), ""},     // and has a default
		{"place.zip", "", data.StructOf(other, []any{inner("bonn", nil)}), nullPointer},
		{"place", "", data.StructOf(other, []any{inner("bonn", nil)}), partitionException},
		{"place.street", "", data.StructOf(other, []any{inner("bonn", nil)}), "org.apache.kafka.connect.errors.DataException"},
		{"place.city.name", "", data.StructOf(other, []any{inner("bonn", nil)}), "org.apache.kafka.connect.errors.DataException"},
	} {
		p := mustNew(t, Options{Class: storagePackage + "FieldPartitioner", Fields: strings.Split(c.fields, ","), Delim: "/"})
		rec := aRecord
		rec.Value.SetValue(c.value.Schema(), c.value)
		got, err := p.Encode(&rec, 0)
		if got != c.want || (err != nil) != (c.class != "") || err != nil && javaClass(err) != c.class {
			t.Errorf("%s: %q, %v; want %q, %s", c.fields, got, err, c.want, c.class)
		}
	}
}

func TestFieldsOfChangingSchemas(t *testing.T) {
	p := mustNew(t, Options{Class: hdfsPackage + "FieldPartitioner", Fields: []string{"region"}, Delim: "/"}).(*fieldPartitioner)
	for i := range 3 * maxPlans {
		schema := data.NewStructSchema().Name("s"+strconv.Itoa(i)).Field("n", data.Int8Schema).Field("region", data.StringSchema).MustBuild()
		rec := aRecord
		rec.Value.SetValue(schema, data.StructOf(schema, []any{int8(1), "r" + strconv.Itoa(i)}))
		if got, err := p.Encode(&rec, 0); err != nil || got != "region=r"+strconv.Itoa(i) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if len(p.plans) > maxPlans {
		t.Errorf("%d plans are kept", len(p.plans))
	}
}

func TestNamesAreCheckedAndForgotten(t *testing.T) {
	asked := 0
	n := names{check: func(name string) error {
		asked++
		if strings.Contains(name, ":") {
			return errors.New("No colons.")
		}
		return nil
	}}
	for range 2 {
		_, err := n.of([]byte("s=a:b"))
		var fatal *Error
		if !errors.As(err, &fatal) || fatal.Class != illegalArgument ||
			err.Error() != "Invalid path name s=a:b. No colons. Change the value, or partition by something else." {
			t.Errorf("%v", err)
		}
	}
	for range 2 {
		if got, err := n.of([]byte("ok")); err != nil || got != "ok" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
	for i := range 3 * maxNames {
		if _, err := n.of([]byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	if len(n.known) > maxNames {
		t.Errorf("%d names are kept", len(n.known))
	}
}

func TestKinds(t *testing.T) {
	for class, want := range map[string]Kind{
		storagePackage + "DefaultPartitioner": Default, hdfsPackage + "HourlyPartitioner": Hourly, storagePackage + "TimeBasedPartitioner": TimeBased,
		"DefaultPartitioner": "", storagePackage + "Default": "", storagePackage + "Partitioner": "", "org.example.DailyPartitioner": "",
	} {
		if got, ok := KindOf(class); got != want && ok || ok != (want != "") {
			t.Errorf("%s: %s, %t", class, got, ok)
		}
	}
	_, err := New(Options{Class: "org.example.Mine"})
	var ce *config.Error
	if !errors.As(err, &ce) || ce.Key != KeyClass {
		t.Errorf("%v", err)
	}
}

func TestDefaultPartitionsBeyondMemory(t *testing.T) {
	p := mustNew(t, Options{Class: storagePackage + "DefaultPartitioner"})
	for _, n := range []int32{5, 0, 5, 1 << 30} {
		got, err := p.Encode(&connect.SinkRecord{Record: connect.Record{Partition: n}}, 0)
		if want := "partition=" + strconv.Itoa(int(n)); err != nil || got != want {
			t.Errorf("%q, %v, want %s", got, err, want)
		}
	}
}
