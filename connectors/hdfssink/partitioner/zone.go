package partitioner

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are the same on machines without a zone database
)

// Zone is a time zone by the rules of Joda-Time (Java: DateTimeZone.forID).
type Zone struct {
	id    string
	loc   *time.Location
	fixed bool // has one offset for ever and no name but its id
}

// ID returns what the pattern ZZZ prints.
func (z Zone) ID() string { return z.id }

// Location returns the zone for use with package time.
func (z Zone) Location() *time.Location { return z.loc }

// LoadZone finds a zone: an IANA name in its exact case, UTC, or an offset such as +02:00,
// also after UTC or GMT. The error is the JVM's text.
func LoadZone(id string) (Zone, error) {
	switch id {
	case "UTC", "UT", "Z":
		return Zone{id: "UTC", loc: time.UTC, fixed: true}, nil
	case "", "Local", "localtime", "posixrules", "Factory", "leapseconds":
		return Zone{}, unknownZone(id)
	}
	if offset, ok := zoneOffset(id); ok {
		if offset == 0 {
			return Zone{id: "UTC", loc: time.UTC, fixed: true}, nil
		}
		name := offsetText(offset)
		return Zone{id: name, loc: time.FixedZone(name, offset), fixed: true}, nil
	}
	// What is only a file of some machine's zone database is no zone.
	if strings.HasPrefix(id, "posix/") || strings.HasPrefix(id, "right/") || strings.Contains(id, "..") {
		return Zone{}, unknownZone(id)
	}
	loc, err := time.LoadLocation(id)
	if err != nil || loc.String() != id {
		return Zone{}, unknownZone(id)
	}
	return Zone{id: id, loc: loc}, nil
}

func unknownZone(id string) error {
	return errors.New("The datetime zone id '" + id + "' is not recognised")
}

// zoneOffset reads [UTC|GMT|UT](+|-)hh[:mm[:ss]], with or without colons, in seconds.
func zoneOffset(id string) (int, bool) {
	for _, prefix := range []string{"UTC", "GMT", "UT"} {
		if rest, ok := strings.CutPrefix(id, prefix); ok && rest != "" {
			id = rest
			break
		}
	}
	if len(id) < 3 || id[0] != '+' && id[0] != '-' {
		return 0, false
	}
	ms, n := offsetMillis([]byte(id))
	if n != len(id) || ms%1000 != 0 {
		return 0, false
	}
	return int(ms / 1000), true
}

// offsetMillis reads an offset at the start of b and returns its length, 0 if there is none.
func offsetMillis(b []byte) (ms int64, n int) {
	if len(b) < 3 || b[0] != '+' && b[0] != '-' {
		return 0, 0
	}
	hours, ok := twoDigits(b[1:], 23)
	if !ok {
		return 0, 0
	}
	ms, n = hours*3600_000, 3
	if n < len(b) {
		colon := b[n] == ':'
		for _, unit := range []int64{60_000, 1000} {
			v, length := offsetPart(b[n:], colon)
			if length == 0 {
				break
			}
			ms += v * unit
			n += length
		}
	}
	if b[0] == '-' {
		ms = -ms
	}
	return ms, n
}

// offsetPart reads minutes or seconds.
func offsetPart(b []byte, colon bool) (v int64, n int) {
	if colon {
		if len(b) == 0 || b[0] != ':' {
			return 0, 0
		}
		b, n = b[1:], 1
	}
	v, ok := twoDigits(b, 59)
	if !ok {
		return 0, 0
	}
	return v, n + 2
}

func twoDigits(b []byte, most int64) (int64, bool) {
	if len(b) < 2 || !digit(b[0]) || !digit(b[1]) {
		return 0, false
	}
	v := int64(b[0]-'0')*10 + int64(b[1]-'0')
	return v, v <= most
}

func digit(c byte) bool { return c-'0' <= 9 }

// offsetText is the id of a zone of one offset, in seconds.
func offsetText(seconds int) string {
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	text := sign + pad2(seconds/3600) + ":" + pad2(seconds/60%60)
	if seconds%60 != 0 {
		text += ":" + pad2(seconds%60)
	}
	return text
}

func pad2(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// offset returns what is added to UTC, in milliseconds.
func (z Zone) offset(ms int64) int64 {
	_, seconds := time.UnixMilli(ms).In(z.loc).Zone()
	return int64(seconds) * 1000
}

// bounds returns the stretch of time around ms in which the offset stays the same.
func (z Zone) bounds(ms int64) (from, to int64) {
	start, end := time.UnixMilli(ms).In(z.loc).ZoneBounds()
	from, to = math.MinInt64, math.MaxInt64
	if !start.IsZero() {
		from = start.UnixMilli()
	}
	if !end.IsZero() {
		to = end.UnixMilli()
	}
	return from, to
}

// toUTC turns local time into UTC as DateTimeZone.convertLocalToUTC does when it is
// lenient: of two possible times the one by the offset that is found from the local time
// taken as UTC; west of Greenwich a time in a gap keeps the offset before the gap's end.
func (z Zone) toUTC(local int64) int64 {
	guess := z.offset(local)
	found := z.offset(local - guess)
	if guess != found && guess < 0 {
		_, afterGuess := z.bounds(local - guess)
		_, afterFound := z.bounds(local - found)
		if afterGuess != afterFound {
			found = guess
		}
	}
	return local - found
}
