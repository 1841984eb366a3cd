package data

import (
	"testing"
	"time"
)

func TestJavaCalendar(t *testing.T) {
	for d := int64(-800_000); d < 3_000_000; d++ {
		year, month, day := JavaDate(d)
		if got := JavaDay(year, month, day); got != d {
			t.Fatalf("day %d is %d-%d-%d, which is day %d", d, year, month, day, got)
		}
		if at := time.Unix(d*86400, 0).UTC(); d >= cutover && (int64(at.Year()) != year || int64(at.Month()) != month || int64(at.Day()) != day) {
			t.Fatalf("day %d is %d-%d-%d, want %s", d, year, month, day, at)
		}
	}
	if year, month, day := JavaDate(cutover - 1); year != 1582 || month != 10 || day != 4 {
		t.Errorf("the last Julian day is %d-%d-%d", year, month, day)
	}
	if got, want := JavaDay(2015, 14, 32), JavaDay(2016, 3, 3); got != want {
		t.Errorf("month 14, day 32 is day %d, want %d", got, want)
	}
}

// Maps of few entries that were copied, or made for few, have fewer buckets than others.
func TestHashCopyHasTheOrderOfTheJVM(t *testing.T) {
	put := func(m *Map) *Map {
		for _, k := range []string{"i", "a"} { // hash codes 105 and 97
			m.Put(k, 0)
		}
		return m
	}
	copied := put(NewMap(0)).HashCopy(1)
	copied.Put("b", 0)
	for _, test := range []struct {
		m    *Map
		want string
	}{
		{put(NewMap(0)), "ai"},
		{put(NewHashMap(2)), "ia"},
		{copied, "aib"},
	} {
		got := ""
		for _, e := range test.m.JavaOrder() {
			got += JavaString(e.Key)
		}
		if got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}
