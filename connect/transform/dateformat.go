package transform

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dateFormat is a pattern of java.text.SimpleDateFormat, in UTC and English. Letters that
// cannot be honoured are refused: G, F, W and L.
type dateFormat struct {
	pattern string
	parts   []datePart
}

// datePart is a run of one letter, or literal text when letter is 0.
type datePart struct {
	letter byte
	count  int
	text   string
}

func parseDateFormat(pattern string) (*dateFormat, error) {
	f := &dateFormat{pattern: pattern}
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
			if strings.HasPrefix(pattern[i:], "''") {
				literal.WriteByte('\'')
				i += 2
				continue
			}
			i++
			for closed := false; !closed; {
				switch {
				case i >= len(pattern):
					return nil, errors.New("Unterminated quote")
				case strings.HasPrefix(pattern[i:], "''"):
					literal.WriteByte('\'')
					i += 2
				case pattern[i] == '\'':
					closed = true
					i++
				default:
					literal.WriteByte(pattern[i])
					i++
				}
			}
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			if strings.IndexByte("yYMdDHhKkmsSEauwzZX", c) < 0 {
				if strings.IndexByte("GFWL", c) >= 0 {
					return nil, fmt.Errorf("Unsupported pattern character '%c'", c)
				}
				return nil, fmt.Errorf("Illegal pattern character '%c'", c)
			}
			if c == 'X' && n > 3 {
				return nil, fmt.Errorf("invalid ISO 8601 format: length=%d", n)
			}
			if n > 32 {
				return nil, fmt.Errorf("Unsupported run of %d letters %c", n, c)
			}
			flush()
			f.parts = append(f.parts, datePart{letter: c, count: n})
			i += n
		default:
			literal.WriteByte(c)
			i++
		}
	}
	flush()
	return f, nil
}

var errNotParseable = errors.New("letters D, Y, u and w can be written, but not read")

// parseable refuses letters that parse does not know.
func (f *dateFormat) parseable() error {
	for _, p := range f.parts {
		if p.letter != 0 && strings.IndexByte("YDuw", p.letter) >= 0 {
			return errNotParseable
		}
	}
	return nil
}

func pad(b []byte, n, width int) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	var digits [20]byte
	s := strconv.AppendInt(digits[:0], int64(n), 10)
	for i := len(s); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, s...)
}

// or returns n, or other when n is 0: the hours of a clock that has no 0.
func or(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

// week returns week year and week of the US calendar, which the JVM's English locale
// has: weeks begin on Sunday, the first is the one with January 1st.
func week(t time.Time) (year, week int) {
	saturday := t.AddDate(0, 0, 6-int(t.Weekday()))
	return saturday.Year(), (saturday.YearDay()-1)/7 + 1
}

func (f *dateFormat) format(t time.Time) string {
	b := make([]byte, 0, len(f.pattern)+8)
	for _, p := range f.parts {
		b = p.append(b, t)
	}
	return string(b)
}

func (p datePart) append(b []byte, t time.Time) []byte {
	weekYear, weekOfYear := 0, 0
	if p.letter == 'Y' || p.letter == 'w' {
		weekYear, weekOfYear = week(t)
	}
	switch p.letter {
	case 0:
		return append(b, p.text...)
	case 'y', 'Y':
		year := t.Year()
		if p.letter == 'Y' {
			year = weekYear
		}
		if year <= 0 {
			year = 1 - year // the era before Christ
		}
		if p.count == 2 {
			return pad(b, year%100, 2)
		}
		return pad(b, year, p.count)
	case 'M':
		switch {
		case p.count >= 4:
			return append(b, t.Month().String()...)
		case p.count == 3:
			return append(b, t.Month().String()[:3]...)
		}
		return pad(b, int(t.Month()), p.count)
	case 'E':
		if p.count >= 4 {
			return append(b, t.Weekday().String()...)
		}
		return append(b, t.Weekday().String()[:3]...)
	case 'a':
		if t.Hour() >= 12 {
			return append(b, "PM"...)
		}
		return append(b, "AM"...)
	case 'z':
		if p.count >= 4 {
			return append(b, "Coordinated Universal Time"...)
		}
		return append(b, "UTC"...)
	case 'Z':
		return append(b, "+0000"...)
	case 'X':
		return append(b, 'Z')
	}
	return pad(b, p.number(t, weekOfYear), p.count)
}

// number returns the value of a letter that is always written as a number.
func (p datePart) number(t time.Time, weekOfYear int) int {
	switch p.letter {
	case 'd':
		return t.Day()
	case 'D':
		return t.YearDay()
	case 'H':
		return t.Hour()
	case 'k':
		return or(t.Hour(), 24)
	case 'K':
		return t.Hour() % 12
	case 'h':
		return or(t.Hour()%12, 12)
	case 'm':
		return t.Minute()
	case 's':
		return t.Second()
	case 'S':
		return t.Nanosecond() / 1e6
	case 'u':
		return or(int(t.Weekday()), 7)
	default:
		return weekOfYear
	}
}
