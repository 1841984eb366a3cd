package transform

import (
	"slices"
	"testing"
	"time"
)

func TestDateFormat(t *testing.T) {
	at := time.Date(2016, 1, 2, 15, 4, 5, 6e6, time.UTC)
	for pattern, want := range map[string]string{
		"yy/M/d H:m:s.SSS": "16/1/2 15:4:5.006", "EEE, d MMM yyyy hh:mm a": "Sat, 2 Jan 2016 03:04 PM", "yyyy-MM-dd'T'HH:mm:ssXXX": "2016-01-02T15:04:05Z",
		"EEEE MMMM": "Saturday January", "D u k K": "2 6 15 3", "''yyyy' o''clock'": "'2016 o'clock", "Z z": "+0000 UTC", "YYYY-ww": "2016-01",
	} {
		f, err := parseDateFormat(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
		} else if got := f.format(at.UnixMilli()); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	for _, pattern := range []string{"b", "B", "'x", "XXXX"} {
		if _, err := parseDateFormat(pattern); err == nil {
			t.Errorf("%s is accepted", pattern)
		}
	}
}

func TestDateParse(t *testing.T) {
	for _, test := range []struct{ pattern, text, want string }{
		{"yyyyMMdd", "20151021", "2015-10-21T00:00:00Z"},
		{"yyyy-MM-dd", "2015-13-32 rest", "2016-02-01T00:00:00Z"},
		{"d MMM yyyy h:mm a", "1 feb 2020 12:30 PM", "2020-02-01T12:30:00Z"},
		{"yyyy-MM-dd'T'HH:mm:ssXXX", "2015-10-21T07:28:00+02:00", "2015-10-21T05:28:00Z"},
		{"yyyy-MM-dd HH:mm:ss Z", "2015-10-21 07:28:00 -0130", "2015-10-21T08:58:00Z"},
		{"yyyy", "x", ""}, {"yyyy-MM", "2015", ""}, {"yyyyMMdd", "2015", ""}, {"Z", "", ""},
	} {
		f, err := parseDateFormat(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.parse(test.text)
		if test.want == "" {
			if err == nil {
				t.Errorf("%s reads %q as %d", test.pattern, test.text, got)
			}
		} else if err != nil || time.UnixMilli(got).UTC().Format(time.RFC3339) != test.want {
			t.Errorf("%s reads %q as %d, %v", test.pattern, test.text, got, err)
		}
	}
}

func TestPath(t *testing.T) {
	for path, want := range map[string][]string{"a.b": {"a", "b"}, "`a.b`.c": {"a.b", "c"}, "a`b": {"a`b"}, "`a\\`.b`": {"a`.b"}, "`a`b`": {"a`b"}} {
		if got, err := parsePath(path); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}
