package transform

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// FuzzDatePattern looks for panics, and for texts that are not read as they were written.
func FuzzDatePattern(f *testing.F) {
	for _, s := range []string{"yyyy-MM-dd HH:mm:ss.SSS", "yyyyMMddHHmmssSSS", "EEE, d MMM yyyy hh:mm:ss.SSS a z", "''yyyy' o''clock'", "G yyyy DDD", "'", "YYYY-ww-u", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"} {
		f.Add(s, int64(1445412480123), "2015-10-21")
	}
	f.Fuzz(func(t *testing.T, pattern string, ms int64, text string) {
		format, err := parseDateFormat(pattern)
		if err != nil {
			return
		}
		written := format.format(ms)
		for _, s := range []string{text, written} {
			first, errFirst := format.parse(s)
			if second, err := format.parse(s); second != first || (err == nil) != (errFirst == nil) {
				t.Errorf("%q reads %q as %d, then as %d", pattern, s, first, second)
			}
		}
	})
}

// A pattern with all fields, in any order and with anything between them, gives a time back.
func TestDatesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := []string{rapid.SampledFrom([]string{"yyyy", "yyyyy", "y"}).Draw(t, "year"), rapid.SampledFrom([]string{"MM-dd", "M.d", "MMM d", "dd MMMM", "DDD", "E D", "EEEE, d LLL"}).Draw(t, "day"),
			rapid.SampledFrom([]string{"HH", "k", "hh a", "a K"}).Draw(t, "hour"), "mm", "ss", rapid.SampledFrom([]string{"SSS", "S"}).Draw(t, "fraction"), rapid.SampledFrom([]string{"Z", "X", "XXX", "z", "'zone'"}).Draw(t, "zone")}
		pattern := strings.Join(rapid.Permutation(fields).Draw(t, "order"), rapid.SampledFrom([]string{" ", "/", ":", "'T'", " '' "}).Draw(t, "between"))
		format, err := parseDateFormat(pattern)
		if err != nil {
			t.Fatal(err)
		}
		first, last := time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMilli()
		ms := rapid.Int64Range(first, last).Draw(t, "ms")
		text := format.format(ms)
		if got, err := format.parse(text); err != nil || got != ms {
			t.Errorf("%q writes %d as %q, which is read as %d, %v", pattern, ms, text, got, err)
		}
	})
}
