package partitioner

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	jsonconv "github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/data"
)

type javaError struct {
	Class   string
	Message string
	Causes  []string
}

type goldenRecord struct {
	Topic     string
	Partition int32
	Timestamp *int64
	Value     *string
	Envelope  *struct {
		Schema  string
		Payload json.RawMessage
	} `json:"value_envelope"`
	Encoded *string
	Path    *string
	Error   *javaError
}

type goldenCase struct {
	ID        string
	Config    map[string]string
	Converter struct{ Conf map[string]string }
	Records   []goldenRecord
	Configure *javaError `json:"configure_error"`
}

// earlier are cases that the JVM refuses at the first record and we at configuration.
var earlier = map[string]string{
	"time/zero-duration": "Partition duration needs to be a positive",
	"field-extractor/":   "The field to extract cannot be null or empty",
}

// nested are paths into nested structures, which storage-common has from version 12 on;
// a null text is the word null, as it is at the top.
var nested = map[string]string{
	"field/n.x": "n.x=in",
	"field/n.m": "n.m=null",
}

func goldenCases(t *testing.T) []goldenCase {
	t.Helper()
	f, err := os.Open("testdata/java/paths.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []goldenCase
	for s := bufio.NewScanner(f); s.Scan(); {
		var c goldenCase
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if len(cases) != 123 {
		t.Fatalf("%d cases, want 123", len(cases))
	}
	return cases
}

func optionsOf(props map[string]string) Options {
	o := Options{
		Class: props[KeyClass], Fields: config.ParseList(props[KeyFields]), Duration: -1,
		PathFormat: props[KeyPathFormat], Locale: props[KeyLocale], Timezone: props[KeyTimezone],
		Extractor: props[KeyExtractor], TimestampField: "timestamp", Delim: "/", LocalZone: time.UTC,
	}
	if s, ok := props[KeyDuration]; ok {
		o.Duration, _ = strconv.ParseInt(s, 10, 64)
	}
	if s, ok := props[KeyTimestampField]; ok {
		o.TimestampField = s
	}
	if s, ok := props[KeyDelim]; ok {
		o.Delim = s
	}
	return o
}

func TestPathsOfTheJVM(t *testing.T) {
	var schemas map[string]json.RawMessage
	b, err := os.ReadFile("testdata/java/schemas.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &schemas); err != nil {
		t.Fatal(err)
	}
	records := 0
	for _, c := range goldenCases(t) {
		t.Run(c.ID, func(t *testing.T) {
			p, err := New(optionsOf(c.Config))
			if !configured(t, &c, err) {
				return
			}
			var conv jsonconv.Converter
			if err := conv.Configure(c.Converter.Conf, false); err != nil {
				t.Fatal(err)
			}
			for i := range c.Records {
				records++
				checkRecord(t, &c, p, &conv, schemas, i)
			}
		})
	}
	if records != 742 {
		t.Errorf("%d records were compared, want 742", records)
	}
}

// configured compares the outcome of New and reports whether there are records to encode.
func configured(t *testing.T, c *goldenCase, err error) bool {
	t.Helper()
	want := earlier[c.ID]
	if c.Configure != nil {
		want = c.Configure.Message
	}
	if want == "" {
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	var ce *config.Error
	if !errors.As(err, &ce) {
		t.Fatalf("configure: %v, want %s", err, want)
	}
	if !strings.Contains(ce.Msg, strings.TrimSuffix(want, ".")) {
		t.Errorf("configure: %s\nwant %s", ce.Msg, want)
	}
	return false
}

func checkRecord(t *testing.T, c *goldenCase, p Partitioner, conv *jsonconv.Converter, schemas map[string]json.RawMessage, i int) {
	t.Helper()
	g := &c.Records[i]
	rec := &connect.SinkRecord{Record: connect.Record{Topic: g.Topic, Partition: g.Partition, Offset: int64(i), Timestamp: connect.NoTimestamp}}
	if g.Timestamp != nil {
		rec.Timestamp = *g.Timestamp
	}
	switch {
	case g.Envelope != nil:
		text := `{"schema":` + string(schemas[g.Envelope.Schema]) + `,"payload":` + string(g.Envelope.Payload) + `}`
		if err := conv.ToConnect(g.Topic, []byte(text), &rec.Value); err != nil {
			t.Fatal(err)
		}
	case g.Value != nil:
		if err := conv.ToConnect(g.Topic, []byte(*g.Value), &rec.Value); err != nil {
			t.Fatal(err)
		}
	case strings.HasPrefix(c.ID, "time/") || c.ID == "field/nonstruct":
		rec.Value.SetValue(data.StringSchema, "x")
	}
	encode := func() (string, error) { return p.Encode(rec, 0) }
	if g.Timestamp != nil && *g.Timestamp == connect.NoTimestamp {
		// -1 never arrives as a time in the JVM either; it shows how times before 1970 are rounded.
		encode = func() (string, error) { return p.(*Time).buckets.name(-1, rec) }
	}
	for range 2 { // the second answer comes from memory
		got, err := encode()
		if want, ok := nested[c.ID]; ok {
			if err != nil || got != want {
				t.Errorf("record %d: %q, %v, want %q", i, got, err, want)
			}
			continue
		}
		if g.Error != nil {
			checkError(t, i, err, g.Error)
			continue
		}
		if err != nil {
			t.Errorf("record %d: %v", i, err)
		} else if got != *g.Encoded {
			t.Errorf("record %d at %d: %q, want %q", i, rec.Timestamp, got, *g.Encoded)
		}
		if g.Path != nil {
			delim := optionsOf(c.Config).Delim
			if path := Path(g.Topic, got, delim); path != *g.Path {
				t.Errorf("record %d: path %q, want %q", i, path, *g.Path)
			}
		}
	}
}

// javaClass is the class that an error of Encode stands for.
func javaClass(err error) string {
	var fatal *Error
	var partition *connect.Error
	switch {
	case errors.As(err, &fatal):
		return fatal.JavaClass()
	case errors.As(err, &partition):
		return partition.Class
	}
	return connect.JavaClass(err)
}

func checkError(t *testing.T, i int, err error, want *javaError) {
	t.Helper()
	if err == nil {
		t.Errorf("record %d: no error, want %s", i, want.Message)
		return
	}
	if got := javaClass(err); got != want.Class {
		t.Errorf("record %d: class %s, want %s", i, got, want.Class)
	}
	// The VM's own words about nulls and casts are not imitated to the letter.
	message := strings.TrimSuffix(want.Message, ".")
	message, _, _ = strings.Cut(message, " (java.util.Date and")
	message = strings.TrimSuffix(message, ": ..")
	if want.Class != nullPointer && !strings.HasPrefix(err.Error(), message) {
		t.Errorf("record %d: %s\nwant %s", i, err, message)
	}
	for _, cause := range want.Causes {
		_, text, _ := strings.Cut(cause, ": ")
		if got := errors.Unwrap(err); got == nil || strings.TrimSuffix(got.Error(), ".") != strings.TrimSuffix(text, ".") {
			t.Errorf("record %d: cause %v, want %s", i, got, text)
		}
	}
}
