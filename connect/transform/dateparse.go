package transform

import (
	"strconv"
	"strings"
	"time"
)

// dateFields collects what a text says; fields beyond their range flow over, because
// Java's calendar is lenient.
type dateFields struct {
	year, month, day   int
	hour, min, sec, ms int
	pm, hour12         bool
	zone               time.Duration
}

func unparseable(text string) error {
	return javaError("java.text.ParseException", "Unparseable date: \"%s\"", text)
}

// parse reads a text. What follows the last part of the pattern is ignored, as in Java.
func (f *dateFormat) parse(text string) (time.Time, error) {
	if err := f.parseable(); err != nil {
		return time.Time{}, err
	}
	d := dateFields{year: 1970, month: 1, day: 1}
	rest := text
	for i, p := range f.parts {
		var ok bool
		if p.letter == 0 {
			rest, ok = strings.CutPrefix(rest, p.text)
		} else {
			abutting := i+1 < len(f.parts) && f.parts[i+1].numeric()
			rest, ok = p.read(rest, abutting && p.numeric(), &d)
		}
		if !ok {
			return time.Time{}, unparseable(text)
		}
	}
	if d.hour12 && d.pm {
		d.hour += 12
	}
	at := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.min, d.sec, 0, time.UTC)
	return at.Add(time.Duration(d.ms)*time.Millisecond - d.zone), nil
}

func (p datePart) numeric() bool {
	return p.letter != 0 && strings.IndexByte("ydHhKkmsS", p.letter) >= 0 || p.letter == 'M' && p.count <= 2
}

func (p datePart) read(text string, fixed bool, d *dateFields) (string, bool) {
	text = strings.TrimLeft(text, " \t")
	switch p.letter {
	case 'E':
		_, rest, ok := readName(text, 7, func(i int) string { return time.Weekday(i).String() })
		return rest, ok
	case 'a':
		if len(text) < 2 || !strings.EqualFold(text[:2], "AM") && !strings.EqualFold(text[:2], "PM") {
			return text, false
		}
		d.pm, d.hour12 = strings.EqualFold(text[:2], "PM"), true
		return text[2:], true
	case 'z', 'Z', 'X':
		return readZone(text, d)
	case 'M':
		if p.count >= 3 {
			i, rest, ok := readName(text, 12, func(i int) string { return time.Month(i + 1).String() })
			d.month = i + 1
			return rest, ok
		}
	}
	n, digits, rest, ok := readNumber(text, p.count, fixed)
	if !ok {
		return text, false
	}
	d.set(p, n, digits)
	return rest, true
}

func (d *dateFields) set(p datePart, n, digits int) {
	switch p.letter {
	case 'y':
		if p.count <= 2 && digits == 2 {
			n = century(n)
		}
		d.year = n
	case 'M':
		d.month = n
	case 'd':
		d.day = n
	case 'H', 'K':
		d.hour = n
	case 'k':
		d.hour = n % 24
	case 'h':
		d.hour = n % 12
	case 'm':
		d.min = n
	case 's':
		d.sec = n
	case 'S':
		d.ms = n
	}
}

// century gives a year of two digits its century: from 80 years ago to 19 years ahead.
func century(n int) int {
	first := time.Now().Year() - 80
	year := first/100*100 + n
	if year < first {
		year += 100
	}
	return year
}

// readNumber reads digits: all there are, or when another number follows directly, as
// many as the pattern has letters.
func readNumber(text string, count int, fixed bool) (n, digits int, rest string, ok bool) {
	sign := 1
	if !fixed && strings.HasPrefix(text, "-") {
		sign, text = -1, text[1:]
	}
	for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' && (!fixed || digits < count) {
		digits++
	}
	if digits == 0 || fixed && digits < count {
		return 0, 0, text, false
	}
	n, err := strconv.Atoi(text[:digits])
	if err != nil || n > 1<<31-1 {
		return 0, 0, text, false
	}
	return sign * n, digits, text[digits:], true
}

// readName reads a full or abbreviated name, in any case.
func readName(text string, count int, name func(int) string) (int, string, bool) {
	for _, short := range []bool{false, true} {
		for i := range count {
			n := name(i)
			if short {
				n = n[:3]
			}
			if len(text) >= len(n) && strings.EqualFold(text[:len(n)], n) {
				return i, text[len(n):], true
			}
		}
	}
	return 0, text, false
}

// readZone reads Z, UTC, GMT, or an offset such as +01, +0100 or +01:00.
func readZone(text string, d *dateFields) (string, bool) {
	rest := text
	for _, name := range []string{"UTC", "GMT", "Z"} {
		if r, ok := strings.CutPrefix(text, name); ok {
			rest = r
			break
		}
	}
	if rest == "" || rest[0] != '+' && rest[0] != '-' {
		return rest, len(rest) < len(text)
	}
	var h, m int
	sign := time.Duration(1)
	if rest[0] == '-' {
		sign = -1
	}
	body := rest[1:]
	two := func() (int, bool) {
		n, digits, r, ok := readNumber(body, 2, true)
		if ok && digits == 2 {
			body = r
		}
		return n, ok
	}
	h, ok := two()
	if !ok || h > 23 {
		return text, false
	}
	body = strings.TrimPrefix(body, ":")
	if n, ok := two(); ok {
		m = n
	}
	if m > 59 {
		return text, false
	}
	d.zone = sign * (time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
	return body, true
}
