package partitioner

import (
	"fmt"
	"time"
)

// parseFailure is why Joda-Time refuses a text.
type parseFailure struct{ class, msg string }

// parseISO reads what ISODateTimeFormat.dateTimeParser reads, in milliseconds:
//
//	datetime = date [T [time] [offset]] | T time [offset]
//	date     = year [-month [-day]] | year [-dayOfYear] | year -W week [-day]
//	time     = hour [:minute [:second [fraction] | fraction] | fraction]
//	offset   = Z | (+|-) hour [:minute [:second]]
//
// A year has up to nine digits and may have a sign, other numbers may have fewer digits
// than usual. Without an offset the time is one of zone (nil: time.Local).
func parseISO(b []byte, zone *time.Location) (int64, *parseFailure) {
	p := isoParser{b: b, year: 1970, month: 1, day: 1, week: 1}
	var ok bool
	if p.letter('T', 0) {
		ok = len(b) > 1 && digit(b[1])
	} else {
		ok = p.date()
	}
	if ok && p.letter('T', p.i) {
		p.i++
		p.time()
		p.offset()
	}
	if !ok || p.i < len(b) {
		return 0, malformed(b, p.i)
	}
	days, failure := p.days()
	if failure != nil {
		return 0, failure
	}
	local := days*86_400_000 + p.millis
	if p.hasOffset {
		return local - p.zoneMillis, nil
	}
	if zone == nil {
		zone = time.Local
	}
	return fromLocal(b, local, zone)
}

// malformed words the error as Joda-Time does.
func malformed(b []byte, at int) *parseFailure {
	text, rest := sample(b, at), ""
	switch {
	case at == 0:
	case at >= len(b):
		rest = " is too short"
	default:
		rest = ` is malformed at "` + text[at:] + `"`
	}
	return &parseFailure{illegalArgument, `Invalid format: "` + text + `"` + rest}
}

// sample shortens a text for a message: 32 bytes behind the error are shown.
func sample(b []byte, at int) string {
	if end := at + 32; len(b) > end+3 {
		return string(b[:end]) + "..."
	}
	return string(b)
}

// dateKind tells which of the three forms a date has.
type dateKind uint8

const (
	byMonth dateKind = iota
	byDay
	byWeek
)

type isoParser struct {
	b []byte
	i int

	kind             dateKind
	year             int64
	month, day, week int64 // day is of month, year or week
	millis           int64 // of the day
	hasOffset        bool
	zoneMillis       int64
	hour, min, sec   int64
}

// letter reports whether a letter in either case is at position i.
func (p *isoParser) letter(upper byte, i int) bool {
	return i < len(p.b) && p.b[i]&^0x20 == upper
}

// number reads up to most digits at i; n is how many there were.
func (p *isoParser) number(i, most int) (v int64, n int) {
	for n < most && i+n < len(p.b) && digit(p.b[i+n]) {
		v = v*10 + int64(p.b[i+n]-'0')
		n++
	}
	return v, n
}

// part reads a separator and a number behind it; n is the length of both, 0 if not there.
func (p *isoParser) part(i int, separator byte, most int) (v int64, n int) {
	if i >= len(p.b) || p.b[i] != separator {
		return 0, 0
	}
	v, n = p.number(i+1, most)
	if n == 0 {
		return 0, 0
	}
	return v, n + 1
}

// date reads the form of date that takes most of the text; of equals the first one wins.
func (p *isoParser) date() bool {
	start, negative := 0, false
	if len(p.b) > 0 && (p.b[0] == '-' || p.b[0] == '+') {
		start, negative = 1, p.b[0] == '-'
	}
	year, n := p.number(start, 9)
	if n == 0 {
		return false
	}
	if negative {
		year = -year
	}
	p.year = year
	after := start + n
	p.i = after
	if month, n := p.part(after, '-', 2); n > 0 {
		p.i, p.month = after+n, month
		if day, n := p.part(p.i, '-', 2); n > 0 {
			p.i, p.day = p.i+n, day
		}
	}
	if after+1 < len(p.b) && p.b[after] == '-' && p.letter('W', after+1) {
		if week, n := p.number(after+2, 2); n > 0 && after+2+n > p.i {
			p.kind, p.month, p.week, p.day, p.i = byWeek, 1, week, 1, after+2+n
			if day, n := p.part(p.i, '-', 1); n > 0 {
				p.i, p.day = p.i+n, day
			}
		}
	}
	if day, n := p.part(after, '-', 3); n > 0 && after+n > p.i {
		p.kind, p.month, p.day, p.i = byDay, 1, day, after+n
	}
	return true
}

// time reads what there is of a time of day.
func (p *isoParser) time() {
	v, n := p.number(p.i, 2)
	if n == 0 {
		return
	}
	p.hour, p.i = v, p.i+n
	unit := int64(3600_000)
	if v, n := p.part(p.i, ':', 2); n > 0 {
		p.min, p.i, unit = v, p.i+n, 60_000
		if v, n := p.part(p.i, ':', 2); n > 0 {
			p.sec, p.i, unit = v, p.i+n, 1000
		}
	}
	p.millis = p.hour*3600_000 + p.min*60_000 + p.sec*1000 + p.fraction(unit)
}

// fraction reads a point or comma and up to nine digits as a part of unit.
func (p *isoParser) fraction(unit int64) int64 {
	if p.i >= len(p.b) || p.b[p.i] != '.' && p.b[p.i] != ',' {
		return 0
	}
	v, n := p.number(p.i+1, 9)
	if n == 0 {
		return 0
	}
	p.i += 1 + n
	v *= unit
	for range n {
		v /= 10
	}
	return v
}

func (p *isoParser) offset() {
	if p.letter('Z', p.i) {
		p.i++
		p.hasOffset = true
		return
	}
	ms, n := offsetMillis(p.b[p.i:])
	if n == 0 {
		return
	}
	p.i += n
	if fields := p.b[p.i-n : p.i]; len(fields) == len("+hh:mm:ss") {
		frac := p.fraction(1000)
		if fields[0] == '-' {
			frac = -frac
		}
		ms += frac
	}
	p.hasOffset, p.zoneMillis = true, ms
}

// days checks the fields and returns the days from 1970 to the date.
func (p *isoParser) days() (int64, *parseFailure) {
	year := time.Date(int(p.year), time.January, 1, 0, 0, 0, 0, time.UTC)
	yearDays := int64(year.AddDate(1, 0, 0).Sub(year) / (24 * time.Hour))
	checks := []struct {
		field              string
		value, least, most int64
	}{
		{"year", p.year, -292275054, 292278993},
		{"hourOfDay", p.hour, 0, 23}, {"minuteOfHour", p.min, 0, 59}, {"secondOfMinute", p.sec, 0, 59},
		{"monthOfYear", p.month, 1, 12},
	}
	for _, c := range checks {
		if failure := p.inRange(c.field, c.value, c.least, c.most); failure != nil {
			return 0, failure
		}
	}
	first := year.Unix() / 86400
	switch p.kind {
	case byDay:
		return first + p.day - 1, p.inRange("dayOfYear", p.day, 1, yearDays)
	case byWeek:
		// 28 December is always in the last week.
		_, weeks := time.Date(int(p.year), time.December, 28, 0, 0, 0, 0, time.UTC).ISOWeek()
		if failure := p.inRange("weekOfWeekyear", p.week, 1, int64(weeks)); failure != nil {
			return 0, failure
		}
		// Week 1 has 4 January in it.
		fourth := year.AddDate(0, 0, 3)
		monday := first + 3 - int64((fourth.Weekday()+6)%7)
		return monday + (p.week-1)*7 + p.day - 1, p.inRange("dayOfWeek", p.day, 1, 7)
	default:
		month := time.Date(int(p.year), time.Month(p.month), 1, 0, 0, 0, 0, time.UTC)
		monthDays := month.AddDate(0, 1, -1).Day()
		return month.Unix()/86400 + p.day - 1, p.inRange("dayOfMonth", p.day, 1, int64(monthDays))
	}
}

func (p *isoParser) inRange(field string, value, least, most int64) *parseFailure {
	if least <= value && value <= most {
		return nil
	}
	return &parseFailure{illegalFieldValue, fmt.Sprintf("Cannot parse %q: Value %d for %s must be in the range [%d,%d]", p.b, value, field, least, most)}
}

// fromLocal is the time in a zone: of two possible ones the earlier, and none in a gap.
func fromLocal(b []byte, local int64, zone *time.Location) (int64, *parseFailure) {
	const day = 86_400_000
	z := Zone{loc: zone}
	for _, offset := range []int64{z.offset(local - day), z.offset(local + day)} {
		if z.offset(local-offset) == offset {
			return local - offset, nil
		}
	}
	return 0, &parseFailure{illegalArgument, fmt.Sprintf("Cannot parse %q: Illegal instant due to time zone offset transition (%s)", b, zone)}
}
