package partitioner

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect"
	jsonconv "github.com/penstock-io/penstock/connect/convert/json"
	"github.com/penstock-io/penstock/connect/data"
)

var aRecord = connect.SinkRecord{Record: connect.Record{Topic: "orders", Partition: 3, Offset: 42, Timestamp: 1445720400000}}

func timeOptions(more func(*Options)) Options {
	o := Options{Class: storagePackage + "HourlyPartitioner", Locale: "en", Timezone: "Europe/Berlin", Extractor: Record, TimestampField: "time", Delim: "/", LocalZone: time.UTC}
	if more != nil {
		more(&o)
	}
	return o
}

func mustNew(t testing.TB, o Options) Partitioner {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A bucket that starts in a gap is named by the time after it, east and west of Greenwich.
func TestBucketsAtClockChanges(t *testing.T) {
	for _, c := range []struct {
		zone, utc string
		duration  time.Duration
		want      string
	}{
		{"America/New_York", "2015-03-08T07:30:00Z", 2 * time.Hour, "2015-03-08 03"},
		{"America/New_York", "2015-03-08T06:30:00Z", time.Hour, "2015-03-08 01"},
		{"America/New_York", "2015-11-01T05:30:00Z", time.Hour, "2015-11-01 01"},
		{"America/New_York", "2015-11-01T06:30:00Z", time.Hour, "2015-11-01 01"},
		{"America/New_York", "2015-11-01T07:30:00Z", 24 * time.Hour, "2015-11-01 00"},
		{"Europe/Berlin", "2015-03-29T01:30:00Z", 2 * time.Hour, "2015-03-29 03"},
		{"Europe/Berlin", "2015-10-25T00:30:00Z", time.Hour, "2015-10-25 02"},
		{"Europe/Berlin", "2015-10-25T01:30:00Z", time.Hour, "2015-10-25 02"},
		// Midnight does not exist on this day.
		{"America/Sao_Paulo", "2015-10-18T12:00:00Z", 24 * time.Hour, "2015-10-18 01"},
		{"Pacific/Apia", "2011-12-31T09:00:00Z", 24 * time.Hour, "2011-12-31 00"},
	} {
		p := mustNew(t, timeOptions(func(o *Options) {
			o.Class, o.Timezone, o.Duration, o.PathFormat = storagePackage+"TimeBasedPartitioner", c.zone, c.duration.Milliseconds(), "yyyy-MM-dd HH"
		}))
		at, err := time.Parse(time.RFC3339, c.utc)
		if err != nil {
			t.Fatal(err)
		}
		rec := connect.SinkRecord{Record: connect.Record{Timestamp: at.UnixMilli()}}
		if got, err := p.Encode(&rec, 0); err != nil || got != c.want {
			t.Errorf("%s in %s by %s: %q, %v, want %q", c.utc, c.zone, c.duration, got, err, c.want)
		}
	}
}

// What is remembered must not differ from what is computed, in any order of times.
func TestRememberedNamesAreRight(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Monrovia", "-03:30"} {
		for _, duration := range []int64{1, 900_000, 3600_000, 7 * 3600_000, 86400_000, math.MaxInt64} {
			p := mustNew(t, timeOptions(func(o *Options) {
				o.Class, o.Timezone, o.Duration, o.PathFormat = storagePackage+"TimeBasedPartitioner", zone, duration, "G yyyy-MM-dd HH:mm:ss.SSS Z"
			})).(*Time)
			b := &p.buckets
			base := []int64{1445720400000, 0, 1425798000000, -3e12}
			for range 2000 {
				ts := base[rnd.IntN(len(base))] + rnd.Int64N(40*86400_000) - 20*86400_000
				got, err := b.name(ts, &aRecord)
				if err != nil {
					t.Fatal(err)
				}
				if want := string(b.pattern.appendTo(nil, b.zone.toUTC(b.floor(ts)), b.zone)); got != want {
					t.Fatalf("%s by %d at %d: %q, want %q", zone, duration, ts, got, want)
				}
			}
		}
	}
}

func TestTimesBeyondAllCalendars(t *testing.T) {
	p := mustNew(t, timeOptions(nil))
	for _, ts := range []int64{math.MaxInt64, math.MinInt64} {
		_, err := p.Encode(&connect.SinkRecord{Record: connect.Record{Timestamp: ts}}, 0)
		var fatal *Error
		if !errors.As(err, &fatal) || fatal.Class != arithmeticException {
			t.Errorf("%d: %v", ts, err)
		}
	}
}

func TestWallClock(t *testing.T) {
	p := mustNew(t, timeOptions(func(o *Options) { o.Extractor = "" })).(*Time)
	if p.RecordClock() != nil {
		t.Error("the wall clock is a record clock")
	}
	if got, err := p.Encode(&aRecord, 0); err != nil || got != "year=1970/month=01/day=01/hour=01" {
		t.Errorf("%q, %v", got, err)
	}
}

func jsonRecord(t testing.TB, text string) *connect.SinkRecord {
	t.Helper()
	var conv jsonconv.Converter
	if err := conv.Configure(map[string]string{"schemas.enable": "false"}, false); err != nil {
		t.Fatal(err)
	}
	rec := aRecord
	if err := conv.ToConnect("orders", []byte(text), &rec.Value); err != nil {
		t.Fatal(err)
	}
	return &rec
}

// Times in JSON text are read without decoding; the decoder must find the same.
func TestTimesInJSONText(t *testing.T) {
	extractor := func(field string) TimestampExtractor {
		return mustNew(t, timeOptions(func(o *Options) { o.Extractor, o.TimestampField = RecordField, field })).(*Time).RecordClock()
	}
	for _, c := range []struct{ field, text string }{
		{"t", `{"t":1445412480123}`}, {"t", `{ "a" : [1,{"t":5},"}"] , "t" : -5 }`}, {"t", `{"t":1,"t":2}`}, {"t", `{"t":1,"t":"x"}`}, {"t", `{"t":1,"t":null}`},
		{"t", `{"t":"2015-10-21T07:28:00Z"}`}, {"t", `{"t":"\u0032015"}`}, {"t", `{"\u0074":7}`}, {"t", `{"t":1,"\u0074":7}`}, {"t", `{"t":1.5e3}`}, {"t", `{"t":12345678901234567890}`},
		{"t", `{"t":true}`}, {"t", `{"t":null}`}, {"t", `{"t":{}}`}, {"t", `{}`}, {"t", `{"a":"\"t\":5"}`}, {"t", `[1]`}, {"t", `5`}, {"t", `"t"`}, {"t", `{"t":"garbage"}`},
		{"o.t", `{"o":{"x":"\\","t":3},"t":4}`}, {"o.t", `{"o":5}`}, {"o.t", `{"o":null}`}, {"o.t", `{"o":{"t":1},"o":{"t":2}}`}, {"o.t", `{"o":{"t":1},"o":3}`}, {"t", `{"t":""}`}, {"t", `{"t":0012}`},
	} {
		rec := jsonRecord(t, c.text)
		enc, _ := rec.Value.Raw()
		fast, fastErr := extractor(c.field).Extract(rec, 0)
		decoded := aRecord
		v, err := rec.Value.Value()
		if err != nil {
			t.Fatal(err)
		}
		decoded.Value.SetValue(nil, v)
		slow, slowErr := extractor(c.field).Extract(&decoded, 0)
		if fast != slow || (fastErr == nil) != (slowErr == nil) || fastErr != nil && fastErr.Error() != slowErr.Error() {
			t.Errorf("%s in %s (encoding %d): %d, %v; decoded %d, %v", c.field, c.text, enc, fast, fastErr, slow, slowErr)
		}
	}
}

func FuzzMember(f *testing.F) {
	for _, text := range []string{`{"t":1445412480123}`, `{"a":[1,{"t":5},"}"],"t":{"t":-5}}`, `{"t":"\"","t":"x"}`, `{"\u0074":7}`, `{"t" : [ ] , "":{}}`, `[{"t":1}]`} {
		f.Add([]byte(text), "t")
		f.Add([]byte(text), "t.t")
	}
	f.Fuzz(func(t *testing.T, text []byte, field string) {
		path := strings.Split(field, ".")
		memberAt(text, path) // whatever the text is, it must not panic
		var conv jsonconv.Converter
		if conv.Configure(map[string]string{"schemas.enable": "false"}, false) != nil {
			t.Fatal("configure")
		}
		var d data.Datum
		if conv.ToConnect("t", text, &d) != nil {
			return
		}
		enc, raw := d.Raw()
		if enc != data.JSON {
			return
		}
		token, ok := memberAt(raw, path)
		if !ok {
			return
		}
		x := recordField{zone: time.UTC}
		got, plain := x.fromToken(token)
		if !plain {
			return
		}
		v, err := d.Value()
		if err != nil {
			t.Fatal(err)
		}
		full := recordField{field: field, path: path, zone: time.UTC, plans: map[*data.Schema]timePlan{}}
		want, err := full.fromMap(v.(*data.Map), &aRecord)
		if err != nil || got != want {
			t.Fatalf("%q in %s: %d, want %d, %v", field, text, got, want, err)
		}
	})
}

func TestTextTimes(t *testing.T) {
	berlin := mustZone(t, "Europe/Berlin").Location()
	ms := func(text string) int64 {
		at, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", text)
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixMilli()
	}
	for _, c := range []struct {
		text    string
		want    int64
		problem string
	}{
		{"2015-1-5", ms("2015-01-04T23:00:00Z"), ""}, {"2015-10-21T", ms("2015-10-20T22:00:00Z"), ""}, {"2015-10-21TZ", ms("2015-10-21T00:00:00Z"), ""},
		{"2015-10-21t07:28z", ms("2015-10-21T07:28:00Z"), ""}, {"2015-10-21T07.5Z", ms("2015-10-21T07:30:00Z"), ""}, {"2015-10-21T07:28.25Z", ms("2015-10-21T07:28:15Z"), ""},
		{"2015-10-21T07:28:00+0200", ms("2015-10-21T05:28:00Z"), ""}, {"2015-10-21T07+02", ms("2015-10-21T05:00:00Z"), ""}, {"2015-10-21T07:28:00-01:30:30.5", ms("2015-10-21T08:58:30.5Z"), ""},
		{"2016-366T00Z", ms("2016-12-31T00:00:00Z"), ""}, {"2015-12", ms("2015-11-30T23:00:00Z"), ""}, {"2015-123", ms("2015-05-02T22:00:00Z"), ""}, {"2020-W53-7T00Z", ms("2021-01-03T00:00:00Z"), ""},
		{"2015-W01T00Z", ms("2014-12-29T00:00:00Z"), ""}, {"T10:00Z", ms("1970-01-01T10:00:00Z"), ""}, {"-2015-10-21T00Z", time.Date(-2015, 10, 21, 0, 0, 0, 0, time.UTC).UnixMilli(), ""},
		{"2015-10-25T02:30:00", ms("2015-10-25T00:30:00Z"), ""}, // twice that day: the first
		{"-9223372036854775808", math.MinInt64, ""}, {"9223372036854775807", math.MaxInt64, ""}, {"0000000000000000005", 5, ""},
		{"2015-03-29T02:30:00", 0, `Cannot parse "2015-03-29T02:30:00": Illegal instant due to time zone offset transition`},
		{"2015-13-01", 0, `Cannot parse "2015-13-01": Value 13 for monthOfYear must be in the range [1,12]`},
		{"2015-02-29", 0, `Cannot parse "2015-02-29": Value 29 for dayOfMonth must be in the range [1,28]`},
		{"2015-366", 0, `Cannot parse "2015-366": Value 366 for dayOfYear must be in the range [1,365]`},
		{"2015-W54", 0, `Cannot parse "2015-W54": Value 54 for weekOfWeekyear must be in the range [1,53]`},
		{"2015-W01-8", 0, `Cannot parse "2015-W01-8": Value 8 for dayOfWeek must be in the range [1,7]`},
		{"999999999-01-01", 0, `Cannot parse "999999999-01-01": Value 999999999 for year must be in the range [-292275054,292278993]`},
		{"2015-10-21T07:60Z", 0, `Cannot parse "2015-10-21T07:60Z": Value 60 for minuteOfHour must be in the range [0,59]`},
		{"T", 0, `Invalid format: "T"`}, {"2015-", 0, `Invalid format: "2015-" is malformed at "-"`}, {"-", 0, `Invalid format: "-"`}, {"+", 0, `Invalid format: "+"`},
		{"2015-10-21T07:28:00+25:00", 0, `Invalid format: "2015-10-21T07:28:00+25:00" is malformed at "+25:00"`},
		{"2015-10-21 the rest is far too long to be shown", 0, `Invalid format: "2015-10-21 the rest is far too long to be ..." is malformed at " the rest is far too long to be ..."`},
	} {
		got, failure := parseText([]byte(c.text), berlin)
		switch {
		case c.problem == "" && (failure != nil || got != c.want):
			t.Errorf("%s: %d, %+v, want %d", c.text, got, failure, c.want)
		case c.problem != "" && (failure == nil || !strings.HasPrefix(failure.msg, c.problem)):
			t.Errorf("%s: %d, %+v, want %s", c.text, got, failure, c.problem)
		}
	}
}

func FuzzTextTime(f *testing.F) {
	for _, s := range []string{"2015-10-21T07:28:00.123+02:00", "2015-W43-3", "2015-294", "T10:00", "+5", "-0", "2015-10-21T24:00:00Z", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, failure := parseText([]byte(text), time.UTC)
		if failure != nil && failure.class == "" {
			t.Fatal("a failure without a class")
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if err == nil && at.Year() > 0 && len(text) <= 35 && !strings.Contains(text, ",") {
			if _, frac, ok := strings.Cut(text, "."); ok && strings.IndexAny(frac, "Z+-") > 9 {
				return // more digits than the JVM reads
			}
			if failure != nil || got != at.UnixMilli() {
				t.Fatalf("%s: %d, %+v, want %d", text, got, failure, at.UnixMilli())
			}
		}
	})
}
