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
	ms := fixedDay(f['y'], f['M'], f['d'])*millisPerDay +
		f['H']*3600_000 + f['m']*60_000 + f['s']*1000 + f['S']
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

// fixedDay returns the days since the epoch in the calendar of GregorianCalendar: Julian
// before 15 October 1582, with months and days of any value.
func fixedDay(year, month, day int64) int64 {
	month--
	year += floorDiv(month, 12)
	month = month - 12*floorDiv(month, 12)
	gregorian := time.Date(int(year), time.Month(month+1), 1, 0, 0, 0, 0, time.UTC).Unix()/(millisPerDay/1000) + day - 1
	if year > 1582 {
		return gregorian
	}
	// Days from 1 March of year 0 in the Julian calendar, whose years repeat after four.
	y, m := year, (month+10)%12
	if month < 2 {
		y--
	}
	julian := 365*y + floorDiv(y, 4) + (153*m+2)/5 + day - 1 - 719470
	if year == 1582 && gregorian >= cutover {
		return gregorian
	}
	return julian
}

// cutover is 15 October 1582 in days since the epoch.
const cutover = -141427

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
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
