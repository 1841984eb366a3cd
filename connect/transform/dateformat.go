package transform

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/data"
)

// dateFormat is a pattern of java.text.SimpleDateFormat, in UTC and English. It is safe for
// concurrent use.
type dateFormat struct {
	pattern string
	parts   []datePart
	// centuryStart is the first moment that a year of two digits may mean: 80 years before
	// the format was made, in milliseconds since the epoch.
	centuryStart int64
	unreadable   error // why parse cannot do it
}

// datePart is a run of one letter, or literal text when letter is 0.
type datePart struct {
	letter byte
	count  int
	text   string
	// fixed tells that a number has as many digits as letters, because another number
	// follows directly.
	fixed bool
}

// maxRun bounds the letters of one run, and so the zeros that are written for them.
const maxRun = 32

func parseDateFormat(pattern string) (*dateFormat, error) {
	f := &dateFormat{pattern: pattern, centuryStart: time.Now().AddDate(-80, 0, 0).UnixMilli()}
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			f.parts = append(f.parts, datePart{text: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			text, n, err := quotedText(pattern[i:])
			if err != nil {
				return nil, err
			}
			literal.WriteString(text)
			i += n
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			p, err := letterRun(pattern[i:])
			if err != nil {
				return nil, err
			}
			flush()
			f.parts = append(f.parts, p)
			i += p.count
		default:
			literal.WriteByte(c)
			i++
		}
	}
	flush()
	for i := range f.parts {
		p := &f.parts[i]
		p.fixed = i+1 < len(f.parts) && f.parts[i+1].numeric()
		if p.letter != 0 && strings.IndexByte("YwWFu", p.letter) >= 0 {
			f.unreadable = errNotParseable
		}
	}
	return f, nil
}

// quotedText reads the text in quotes at the beginning of s, and how long it is with them.
// Two quotes are a quote, inside and outside of others.
func quotedText(s string) (text string, n int, err error) {
	if strings.HasPrefix(s, "''") {
		return "'", 2, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "''"):
			b.WriteByte('\'')
			i++
		case s[i] == '\'':
			return b.String(), i + 1, nil
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0, errors.New("Unterminated quote")
}

func letterRun(s string) (datePart, error) {
	p := datePart{letter: s[0], count: 1}
	for p.count < len(s) && s[p.count] == p.letter {
		p.count++
	}
	switch {
	case strings.IndexByte("GyYMLwWDdFEuaHkKhmsSzZX", p.letter) < 0:
		return p, fmt.Errorf("Illegal pattern character '%c'", p.letter)
	case p.letter == 'X' && p.count > 3:
		return p, fmt.Errorf("invalid ISO 8601 format: length=%d", p.count)
	case p.count > maxRun:
		return p, fmt.Errorf("Unsupported run of %d letters %c", p.count, p.letter)
	}
	return p, nil
}

var errNotParseable = errors.New("the letters Y, w, W, F and u can be written, but not read")

// moment is a time in the calendar of java.util.GregorianCalendar.
type moment struct {
	days, year, month, day int64 // days since the epoch; year 0 is 1 BC
	weekday                int64 // 0 = Sunday
	ms                     int64 // of the day
}

const dayMillis = 24 * 60 * 60 * 1000

func momentOf(ms int64) moment {
	m := moment{days: ms / dayMillis, ms: ms % dayMillis}
	if m.ms < 0 {
		m.days, m.ms = m.days-1, m.ms+dayMillis
	}
	m.year, m.month, m.day = data.JavaDate(m.days)
	m.weekday = (m.days%7 + 11) % 7 // 1 January 1970 was a Thursday
	return m
}

// format writes milliseconds since the epoch.
func (f *dateFormat) format(ms int64) string {
	m := momentOf(ms)
	b := make([]byte, 0, len(f.pattern)+8)
	for i := range f.parts {
		b = f.parts[i].append(b, &m)
	}
	return string(b)
}

func pad(b []byte, n int64, width int) []byte {
	if width == 2 && n >= 0 && n < 100 {
		return append(b, '0'+byte(n/10), '0'+byte(n%10))
	}
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	var digits [20]byte
	s := strconv.AppendInt(digits[:0], n, 10)
	for i := len(s); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, s...)
}

func (p *datePart) append(b []byte, m *moment) []byte {
	switch p.letter {
	case 0:
		return append(b, p.text...)
	case 'G':
		return append(b, eraNames[min(max(m.year, 0), 1)]...)
	case 'y', 'Y':
		year := m.year
		if p.letter == 'Y' {
			year, _ = m.week()
		} else if year <= 0 {
			year = 1 - year // the era before Christ
		}
		if p.count == 2 {
			return pad(b, year%100, 2)
		}
		return pad(b, year, p.count)
	case 'M', 'L':
		switch name := time.Month(m.month).String(); {
		case p.count >= 4:
			return append(b, name...)
		case p.count == 3:
			return append(b, name[:3]...)
		}
		return pad(b, m.month, p.count)
	case 'E':
		name := time.Weekday(m.weekday).String()
		if p.count < 4 {
			name = name[:3]
		}
		return append(b, name...)
	case 'a':
		if m.ms >= dayMillis/2 {
			return append(b, "PM"...)
		}
		return append(b, "AM"...)
	case 'z':
		if p.count >= 4 {
			return append(b, utcName...)
		}
		return append(b, "UTC"...)
	case 'Z':
		return append(b, "+0000"...)
	case 'X':
		return append(b, 'Z')
	}
	return pad(b, m.number(p.letter), p.count)
}

const utcName = "Coordinated Universal Time"

// eraNames are those before and after Christ.
var eraNames = [2]string{"BC", "AD"}

// number returns the value of a letter that is always written as a number.
func (m *moment) number(letter byte) int64 {
	hour := m.ms / 3_600_000
	switch letter {
	case 'd':
		return m.day
	case 'D':
		return m.days - data.JavaDay(m.year, 1, 1) + 1
	case 'F':
		return (m.day-1)/7 + 1
	case 'W':
		first := (m.weekday - (m.day - 1) + 35) % 7 // weekday of the first of the month
		return (m.day-1+first)/7 + 1
	case 'u':
		return (m.weekday+6)%7 + 1
	case 'H':
		return hour
	case 'k':
		return (hour+23)%24 + 1
	case 'K':
		return hour % 12
	case 'h':
		return (hour+11)%12 + 1
	case 'm':
		return m.ms / 60_000 % 60
	case 's':
		return m.ms / 1000 % 60
	case 'S':
		return m.ms % 1000
	default:
		_, week := m.week()
		return week
	}
}

// week returns week year and week of the US calendar, which the JVM's English locale
// has: weeks begin on Sunday, the first is the one with January 1st.
func (m *moment) week() (year, week int64) {
	saturday := m.days + 6 - m.weekday
	year, _, _ = data.JavaDate(saturday)
	return year, (saturday-data.JavaDay(year, 1, 1))/7 + 1
}
