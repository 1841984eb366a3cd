package partitioner

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// layout is a compiled pattern of Joda-Time (Java: DateTimeFormat.forPattern). After
// localize it is read only and safe for concurrent use.
type layout struct {
	parts []part
	texts *texts
}

// part is a run of one letter, or literal text.
type part struct {
	letter  byte // 0: literal
	count   int
	literal string
}

// letters are all letters that Joda-Time has.
const letters = "GCxYyMwdDeEaKhHkmsSzZ"

// maxCount bounds a run of letters: a number is padded to so many digits. HDFS has no
// longer names.
const maxCount = 255

// compile compiles a pattern. The error's text is the JVM's, and advice. A quote that is
// not closed is accepted, as in Joda-Time.
func compile(pattern string) (*layout, error) {
	p := &layout{}
	for i := 0; i < len(pattern); {
		if !letter(pattern[i]) {
			var text string
			text, i = literal(pattern, i)
			p.parts = append(p.parts, part{literal: text})
			continue
		}
		n := 1
		for i+n < len(pattern) && pattern[i+n] == pattern[i] {
			n++
		}
		if err := checkRun(pattern[i : i+n]); err != nil {
			return nil, err
		}
		p.parts = append(p.parts, part{letter: pattern[i], count: n})
		i += n
	}
	return p, nil
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func checkRun(run string) error {
	switch c := run[0]; {
	case strings.IndexByte(letters, c) < 0:
		return errors.New("Illegal pattern component: " + run + ". Quote text, e.g. 'year'=YYYY; letters with a meaning are " + letters + ".")
	case len(run) > maxCount:
		return errors.New("Too many letters " + run[:1] + " in a row: " + strconv.Itoa(len(run)) + ". Each stands for a digit; use fewer.")
	case c == 'S' && len(run) > 15:
		return errors.New("Too many letters S in a row: " + strconv.Itoa(len(run)) + ". Times have milliseconds; use SSS.")
	case c == 'z' && len(run) >= 4:
		return errors.New("The pattern zzzz, a time zone's full name, is not supported. Use ZZZ for its id or ZZ for its offset.")
	}
	return nil
}

// literal reads what is quoted or no letter, up to the next letter outside of quotes.
func literal(pattern string, i int) (text string, end int) {
	var b strings.Builder
	quoted := false
	for ; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\'' && i+1 < len(pattern) && pattern[i+1] == '\'':
			b.WriteByte(c)
			i++
		case c == '\'':
			quoted = !quoted
		case !quoted && letter(c):
			return b.String(), i
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), i
}

// appendTo appends the text of a time, in milliseconds since 1970, in a zone.
func (p *layout) appendTo(dst []byte, ms int64, zone Zone) []byte {
	t := time.UnixMilli(ms).In(zone.loc)
	for i := range p.parts {
		if x := &p.parts[i]; x.letter == 0 {
			dst = append(dst, x.literal...)
		} else {
			dst = p.field(dst, x, t, zone)
		}
	}
	return dst
}

func (p *layout) field(dst []byte, x *part, t time.Time, zone Zone) []byte {
	switch x.letter {
	case 'S':
		return fraction(dst, t.Nanosecond()/1_000_000, x.count)
	case 'Z':
		return zoneField(dst, x.count, t, zone)
	case 'z':
		if zone.fixed {
			return append(dst, zone.id...)
		}
		name, _ := t.Zone()
		return append(dst, name...)
	case 'G':
		if t.Year() > 0 {
			return append(dst, p.texts.eras[1]...)
		}
		return append(dst, p.texts.eras[0]...)
	case 'a':
		return append(dst, [...]string{"AM", "PM"}[t.Hour()/12]...)
	case 'E':
		return append(dst, p.texts.day(t.Weekday(), x.count >= 4)...)
	case 'M':
		if x.count >= 3 {
			return append(dst, p.texts.month(t.Month(), x.count >= 4)...)
		}
	case 'x', 'y', 'Y':
		if x.count == 2 {
			return number10(dst, abs(year(x.letter, t))%100, 2)
		}
	}
	return number10(dst, numeric(x.letter, t), x.count)
}

// numeric is the number of a field.
func numeric(letter byte, t time.Time) int {
	switch letter {
	case 'C':
		return abs(t.Year()) / 100
	case 'x', 'y', 'Y':
		if y := year(letter, t); letter != 'Y' || y > 0 {
			return y
		}
		return 1 - t.Year() // year of era
	case 'w':
		_, week := t.ISOWeek()
		return week
	case 'e':
		return (int(t.Weekday())+6)%7 + 1
	case 'D':
		return t.YearDay()
	case 'M':
		return int(t.Month())
	case 'd':
		return t.Day()
	case 'K':
		return t.Hour() % 12
	case 'h':
		return (t.Hour()+11)%12 + 1
	case 'H':
		return t.Hour()
	case 'k':
		return (t.Hour()+23)%24 + 1
	case 'm':
		return t.Minute()
	default: // s
		return t.Second()
	}
}

func year(letter byte, t time.Time) int {
	if letter == 'x' {
		y, _ := t.ISOWeek()
		return y
	}
	return t.Year()
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// number10 appends a number of at least width digits, a minus sign not counted.
func number10(dst []byte, n, width int) []byte {
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], int64(n), 10)
	for range width - len(text) {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}

// fraction appends the first digits of the milliseconds, with zeros behind them.
func fraction(dst []byte, ms, count int) []byte {
	text := [...]byte{'0' + byte(ms/100), '0' + byte(ms/10%10), '0' + byte(ms%10)}
	dst = append(dst, text[:min(count, 3)]...)
	for range count - 3 {
		dst = append(dst, '0')
	}
	return dst
}

// zoneField appends +0100, +01:00 or the zone's id.
func zoneField(dst []byte, count int, t time.Time, zone Zone) []byte {
	if count >= 3 {
		return append(dst, zone.id...)
	}
	_, seconds := t.Zone()
	sign := byte('+')
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	dst = number10(append(dst, sign), seconds/3600, 2)
	if count == 2 {
		dst = append(dst, ':')
	}
	return number10(dst, seconds/60%60, 2)
}
