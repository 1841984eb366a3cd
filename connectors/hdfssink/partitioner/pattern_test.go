package partitioner

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect/config"
)

func mustZone(t testing.TB, id string) Zone {
	t.Helper()
	z, err := LoadZone(id)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestPatternLetters(t *testing.T) {
	berlin := mustZone(t, "Europe/Berlin")
	at := time.Date(2015, time.March, 8, 13, 4, 5, 67e6, berlin.Location()).UnixMilli() // a Sunday
	midnight := time.Date(2021, time.January, 1, 0, 0, 0, 0, berlin.Location()).UnixMilli()
	for _, c := range []struct {
		pattern string
		ms      int64
		want    string
	}{
		{"G GGGG", at, "AD AD"}, {"C CC CCC", at, "20 20 020"},
		{"Y YY YYY YYYY YYYYYY", at, "2015 15 2015 2015 002015"}, {"y yy yyyyy", at, "2015 15 02015"},
		{"x xx xxxx w ww e", midnight, "2020 20 2020 53 53 5"}, {"D DDD DDDD", at, "67 067 0067"},
		{"M MM MMM MMMM", at, "3 03 Mar March"}, {"d dd", at, "8 08"}, {"E EEE EEEE e", at, "Sun Sun Sunday 7"},
		{"a H HH h hh K KK k kk", at, "PM 13 13 1 01 1 01 13 13"}, {"a H h K k", midnight, "AM 0 12 0 24"},
		{"m mm s ss", at, "4 04 5 05"}, {"S SS SSS SSSS SSSSSS", at, "0 06 067 0670 067000"},
		{"Z ZZ ZZZ ZZZZ z zzz", at, "+0100 +01:00 Europe/Berlin Europe/Berlin CET CET"},
		{"'it''s' '' ''''yy", at, "it's ' ''15"}, {"yy''MM", at, "15'03"}, {"'yy''MM'", at, "yy'MM"}, {"'open MM", at, "open MM"},
		{"year-é/%", at, ""}, {"yyyy-é/%1", at, "2015-é/%1"},
	} {
		p, err := compile(c.pattern)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s is accepted", c.pattern)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if err := p.localize("en", berlin); err != nil {
			t.Fatal(err)
		}
		if got := string(p.appendTo(nil, c.ms, berlin)); got != c.want {
			t.Errorf("%s: %q, want %q", c.pattern, got, c.want)
		}
	}
}

func TestLettersThatJodaHasNotAreRefused(t *testing.T) {
	for c := byte('A'); c <= 'z'; c++ {
		if !letter(c) {
			continue
		}
		_, err := compile(string(c))
		if known := strings.IndexByte("GCxYywDMdEeaKhHkmsSzZ", c) >= 0; known != (err == nil) {
			t.Errorf("%c: %v", c, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "Illegal pattern component: "+string(c)+".") {
			t.Errorf("%c: %v", c, err)
		}
	}
	for _, pattern := range []string{"zzzz", strings.Repeat("S", 16), strings.Repeat("d", 256)} {
		if _, err := compile(pattern); err == nil {
			t.Errorf("%s is accepted", pattern)
		}
	}
}

func TestLocales(t *testing.T) {
	utc, berlin, saoPaulo := mustZone(t, "UTC"), mustZone(t, "Europe/Berlin"), mustZone(t, "America/Sao_Paulo")
	for _, c := range []struct {
		locale, pattern string
		zone            Zone
		key, want       string // key of the error, or the text of the epoch
	}{
		{"en", "G a EEEE MMMM z", berlin, "", "AD AM Thursday January CET"},
		{"EN", "EEEE", utc, "", "Thursday"},
		{"en-US", "EEEE MMMM a", utc, "", "Thu Jan AM"},
		{"de_DE", "EEEE", utc, "", "Thu"},
		{"english", "EEEE", utc, "", "Thu"},
		{"de", "G a", utc, "", "n. Chr. AM"},
		{"fr", "G", utc, "", "ap. J.-C."},
		{"ja", "yyyy/MM/dd HH", utc, "", "1970/01/01 00"},
		{"ja", "z", utc, "", "UTC"},
		{"en-US", "G", utc, KeyLocale, ""},
		{"en-US", "z", berlin, KeyLocale, ""},
		{"de", "EEE", utc, KeyLocale, ""},
		{"de", "MMM", utc, KeyLocale, ""},
		{"de", "z", berlin, KeyLocale, ""},
		{"ja", "a", utc, KeyLocale, ""},
		{"en", "z", saoPaulo, KeyTimezone, ""},
		{"en", "ZZZ", saoPaulo, "", "America/Sao_Paulo"},
	} {
		p, err := compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		err = p.localize(c.locale, c.zone)
		var ce *config.Error
		if errors.As(err, &ce) != (c.key != "") || ce != nil && ce.Key != c.key {
			t.Errorf("%s in %s: %v", c.pattern, c.locale, err)
			continue
		}
		if err == nil {
			if got := string(p.appendTo(nil, 0, c.zone)); got != c.want {
				t.Errorf("%s in %s: %q, want %q", c.pattern, c.locale, got, c.want)
			}
		}
	}
}

func TestZones(t *testing.T) {
	for id, want := range map[string]string{
		"UTC": "UTC", "Z": "UTC", "UT": "UTC", "GMT": "GMT", "+00:00": "UTC", "EST": "EST", "Asia/Kolkata": "Asia/Kolkata",
		"+05:30": "+05:30", "-0330": "-03:30", "+02": "+02:00", "UTC+2": "", "UTC+02:00": "+02:00", "GMT-08:00": "-08:00", "+01:02:03": "+01:02:03",
		"utc": "", "Local": "", "": "", "europe/berlin": "", "posix/UTC": "", "../UTC": "", "+25:00": "", "+05:60": "", "+05:3": "", "+5": "", "CEST": "", "Mars/Base": "",
	} {
		z, err := LoadZone(id)
		switch {
		case want == "" && (err == nil || err.Error() != "The datetime zone id '"+id+"' is not recognised"):
			t.Errorf("%q: %v, %v", id, z.ID(), err)
		case want != "" && (err != nil || z.ID() != want):
			t.Errorf("%q: %q, %v, want %q", id, z.ID(), err, want)
		}
	}
	if got := mustZone(t, "-03:30").offset(0); got != -12600000 {
		t.Errorf("offset %d", got)
	}
}

func FuzzPattern(f *testing.F) {
	for _, p := range []string{"'year'=YYYY/'month'=MM", "b", "'open", "''", "'", "zzz ZZ Z", "SSSSSS", "\xff\x00é", "G C x y M w D d e E a K h H k m s"} {
		f.Add(p, int64(1445720400000), "en", "/")
		f.Add(p, int64(-62200000000000), "de", "_")
	}
	zone := mustZone(f, "America/New_York")
	f.Fuzz(func(t *testing.T, pattern string, ms int64, locale, delim string) {
		p, err := New(Options{Class: storagePackage + "TimeBasedPartitioner", Duration: 60_000, PathFormat: pattern, Locale: locale, Timezone: "America/New_York", Delim: delim, Extractor: Record})
		if err != nil {
			var ce *config.Error
			if !errors.As(err, &ce) || ce.Key == "" {
				t.Fatalf("%q: %v", pattern, err)
			}
			return
		}
		b := &p.(*Time).buckets
		name, err := b.name(ms, &aRecord)
		if err != nil {
			return
		}
		if again, err := b.name(ms, &aRecord); err != nil || again != name {
			t.Fatalf("%q, then %q, %v", name, again, err)
		}
		if text := b.pattern.appendTo(nil, zone.toUTC(b.floor(ms)), zone); string(text) != name {
			t.Fatalf("%q, want %q", name, text)
		}
		if delim == "" && !strings.ContainsAny(pattern, letters+"'") && pattern != name {
			t.Fatalf("text %q became %q", pattern, name)
		}
	})
}
