package transform

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/data"
)

// dateFields collects what a text says. Fields beyond their range flow over, because
// Java's calendar is lenient; of those that contradict each other, the last one counts:
// the stamps tell which one came last, 0 is none.
type dateFields struct {
	year, month, day, yearDay, weekday int64
	hourOfDay, hour, pm                int64
	min, sec, ms, zone                 int64 // zone in milliseconds

	stamp                                   int
	dayStamp, yearDayStamp                  int
	hourOfDayStamp, hourStamp, pmStamp      int
	beforeChrist, hasWeekday, ambiguousYear bool
}

func unparseable(text string) error {
	return javaError("java.text.ParseException", "Unparseable date: \"%s\"", text)
}

// parse reads a text as milliseconds since the epoch. What follows the last part of the
// pattern is ignored, as in Java.
func (f *dateFormat) parse(text string) (int64, error) {
	if f.unreadable != nil {
		return 0, f.unreadable
	}
	d := dateFields{year: 1970, month: 1, day: 1}
	rest := text
	for i := range f.parts {
		var ok bool
		if p := &f.parts[i]; p.letter == 0 {
			rest, ok = strings.CutPrefix(rest, p.text)
		} else {
			rest, ok = f.read(p, rest, &d)
		}
		if !ok {
			return 0, unparseable(text)
		}
	}
	ms := d.millis()
	if d.ambiguousYear && ms < f.centuryStart {
		d.year += 100
		ms = d.millis()
	}
	return ms, nil
}

// numeric tells that a number before p, without anything between, has as many digits as
// its letters.
func (p *datePart) numeric() bool {
	if p.letter == 'M' || p.letter == 'L' {
		return p.count <= 2
	}
	return p.letter != 0 && strings.IndexByte("ydHhKkmsSDYwWFu", p.letter) >= 0
}

func (f *dateFormat) read(p *datePart, text string, d *dateFields) (string, bool) {
	trimmed := text
	for trimmed != "" && (trimmed[0] == ' ' || trimmed[0] == '\t') {
		trimmed = trimmed[1:]
	}
	if trimmed == "" {
		return text, false
	}
	// Names are looked for where the part begins: blanks before them do not fit.
	switch p.letter {
	case 'G':
		return readName(text, 2, func(i int) string { return eraNames[i] }, func(i int) { d.beforeChrist = i == 0 })
	case 'E':
		return readName(text, 14, func(i int) string { return abbreviated(time.Weekday(i/2).String(), i) }, func(i int) {
			d.weekday, d.hasWeekday = int64(i/2), true
		})
	case 'a':
		return readName(text, 2, func(i int) string { return [...]string{"AM", "PM"}[i] }, func(i int) {
			d.pm = int64(i)
			d.pmStamp = d.next()
		})
	case 'z', 'Z':
		return d.readZone(trimmed, len(trimmed) < len(text))
	case 'X':
		return d.readISOZone(trimmed, p.count)
	case 'M', 'L':
		if p.count >= 3 {
			return readName(text, 24, func(i int) string { return abbreviated(time.Month(i/2+1).String(), i) }, func(i int) { d.month = int64(i/2) + 1 })
		}
	}
	end := len(text)
	if p.fixed {
		if end = p.count; utf16Units(text) < end {
			return text, false
		}
		end = min(max(end, len(text)-len(trimmed)), len(text))
	}
	n, digits, length, ok := readNumber(text[len(text)-len(trimmed) : end])
	if !ok {
		return text, false
	}
	d.set(f, p, n, digits)
	return trimmed[length:], true
}

// utf16Units returns the number of UTF-16 code units, in which Java counts.
func utf16Units(text string) int {
	n := 0
	for _, r := range text {
		if n++; r >= 0x10000 {
			n++
		}
	}
	return n
}

// abbreviated returns name, or its first letters for odd i.
func abbreviated(name string, i int) string {
	if i%2 == 1 {
		return name[:3]
	}
	return name
}

// readName reads the longest of n names, in any case.
func readName(text string, n int, name func(int) string, found func(int)) (rest string, ok bool) {
	best, longest := -1, 0
	for i := range n {
		if s := name(i); len(s) > longest && len(text) >= len(s) && strings.EqualFold(text[:len(s)], s) {
			best, longest = i, len(s)
		}
	}
	if best < 0 {
		return text, false
	}
	found(best)
	return text[longest:], true
}

// readNumber reads an integer as DecimalFormat does, an exponent included, and as an int:
// too many bits are dropped. digits is the number of characters if all are digits.
func readNumber(text string) (n int64, digits, length int, ok bool) {
	i := 0
	if strings.HasPrefix(text, "-") {
		i++
	}
	start := i
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	if i == start {
		return 0, 0, 0, false
	}
	if start == 0 {
		digits = i
	}
	if end := exponentEnd(text, i); end > i {
		f, _ := strconv.ParseFloat(text[:end], 64) // the range error comes with the infinity
		return saturateInt(f), 0, end, true
	}
	if i-start <= 9 {
		for _, c := range []byte(text[start:i]) {
			n = 10*n + int64(c-'0')
		}
		if start > 0 {
			n = -n
		}
		return n, digits, i, true
	}
	n, err := strconv.ParseInt(text[:i], 10, 64)
	if err != nil {
		f, _ := strconv.ParseFloat(text[:i], 64)
		return saturate(f, math.MinInt32, math.MaxInt32), digits, i, true
	}
	return int64(int32(n)), digits, i, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func exponentEnd(text string, i int) int {
	if i == len(text) || text[i] != 'E' {
		return i
	}
	k := i + 1
	if k < len(text) && text[k] == '-' {
		k++
	}
	start := k
	for k < len(text) && isDigit(text[k]) {
		k++
	}
	if k == start {
		return i
	}
	return k
}

// saturateInt is Number.intValue of what DecimalFormat makes of a number: a Long if it is
// an integer that fits, else a Double.
func saturateInt(f float64) int64 {
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return int64(int32(int64(f)))
	}
	return saturate(f, math.MinInt32, math.MaxInt32)
}

func (d *dateFields) next() int {
	d.stamp++
	return d.stamp
}

func (d *dateFields) set(f *dateFormat, p *datePart, n int64, digits int) {
	switch p.letter {
	case 'y':
		d.ambiguousYear = false
		if p.count <= 2 && digits == 2 {
			n = d.century(f, n)
		}
		d.year = n
	case 'M', 'L':
		d.month = n
	case 'd':
		d.day, d.dayStamp = n, d.next()
	case 'D':
		d.yearDay, d.yearDayStamp = n, d.next()
	case 'k', 'H':
		if p.letter == 'k' && n == 24 {
			n = 0
		}
		d.hourOfDay, d.hourOfDayStamp = n, d.next()
	case 'h', 'K':
		if p.letter == 'h' && n == 12 {
			n = 0
		}
		d.hour, d.hourStamp = n, d.next()
	case 'm':
		d.min = n
	case 's':
		d.sec = n
	case 'S':
		d.ms = n
	}
}

// century gives a year of two digits the century in which it is not before centuryStart.
func (d *dateFields) century(f *dateFormat, n int64) int64 {
	first, _, _ := data.JavaDate(f.centuryStart / dayMillis)
	d.ambiguousYear = n == first%100
	if n < first%100 {
		n += 100
	}
	return first/100*100 + n
}

// millis resolves the fields as GregorianCalendar.computeTime does.
func (d *dateFields) millis() int64 {
	hours := d.hour
	// Hours of the clock need AM or PM to count more than an hour of the day.
	switch half := min(d.hourStamp, d.pmStamp); {
	case half > 0 && max(d.hourStamp, d.pmStamp) > d.hourOfDayStamp, d.hourOfDayStamp == 0:
		hours += 12 * d.pm
	default:
		hours = d.hourOfDay
	}
	at := momentOf(((hours*60+d.min)*60+d.sec)*1000 + d.ms)
	return d.days(at.days)*dayMillis + at.ms - d.zone
}

// days returns the day, so many days later: they count when it is decided whether the date
// is in the Julian calendar.
func (d *dateFields) days(later int64) int64 {
	year := d.year
	if d.beforeChrist {
		year = 1 - year
	}
	switch {
	case d.yearDayStamp > d.dayStamp:
		return data.JavaDay(year, 1, d.yearDay+later)
	case d.dayStamp == 0 && d.hasWeekday: // the first of these in the month
		last := data.JavaDay(year, d.month, 1+later) - later + 6
		return later + last - ((last+4-d.weekday)%7+7)%7
	}
	return data.JavaDay(year, d.month, d.day+later)
}
