package data

import (
	"strings"
	"time"
)

// parseTemporal reads a date, time or timestamp; which one is told by the length. The
// forms are read as leniently as Java's SimpleDateFormat does: fields of any number of
// digits and any value, and text after the last field is ignored.
func parseTemporal(text string) (SchemaAndValue, bool) {
	text = strings.ReplaceAll(text, `\:`, ":")
	var s *Schema
	var pattern string
	switch utf16Len(text) {
	case 10:
		s, pattern = DateSchema, "y-M-d"
	case 13:
		s, pattern = TimeSchema, "H:m:s.SZ"
	case 24:
		s, pattern = TimestampSchema, "y-M-dTH:m:s.SZ"
	default:
		return SchemaAndValue{}, false
	}
	f := map[byte]int64{'y': 1970, 'M': 1, 'd': 1}
	pos := 0
	for i := range len(pattern) {
		c := pattern[i]
		if strings.IndexByte("yMdHmsS", c) < 0 {
			if pos >= len(text) || text[pos] != c {
				return SchemaAndValue{}, false
			}
			pos++
			continue
		}
		n, end, ok := lenientNumber(text, pos)
		if !ok {
			return SchemaAndValue{}, false
		}
		f[c], pos = n, end
	}
	ms := f['H']*3600_000 + f['m']*60_000 + f['s']*1000 + f['S']
	days := floorDiv(ms, millisPerDay)
	ms += (JavaDay(f['y'], f['M'], f['d']+days) - days) * millisPerDay
	return SchemaAndValue{s, time.UnixMilli(ms).UTC()}, true
}

// lenientNumber reads blanks, an optional minus and digits.
func lenientNumber(s string, i int) (n int64, end int, ok bool) {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	negative := i < len(s) && s[i] == '-'
	if negative {
		i++
	}
	start := i
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9' && i-start < 18; i++ {
		n = 10*n + int64(s[i]-'0')
	}
	if i == start {
		return 0, 0, false
	}
	if negative {
		n = -n
	}
	return int64(int32(n)), i, true
}

func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		if r >= 0x10000 {
			n++
		}
		n++
	}
	return n
}
