package transform

import "strings"

// readZone reads what z and Z stand for: +hhmm, GMT with or without +h:mm, UTC or its long
// name. Other names, which the JVM knows by the hundred, do not fit. Java parity: behind
// blanks, GMT is a name, and a name does not take back an offset that was read before.
func (d *dateFields) readZone(text string, blanks bool) (rest string, ok bool) {
	if sign, ok := signOf(text); ok {
		return d.readOffset(text[1:], sign, 0, false)
	}
	if !blanks && len(text) >= 3 && strings.EqualFold(text[:3], "GMT") {
		text = text[3:]
		if sign, ok := signOf(text); ok {
			return d.readOffset(text[1:], sign, 0, true)
		}
		d.zone = 0
		return text, true
	}
	for _, name := range []string{utcName, "UTC", "GMT"} {
		if len(text) >= len(name) && strings.EqualFold(text[:len(name)], name) {
			return text[len(name):], true
		}
	}
	return text, false
}

// readISOZone reads Z, +hh for X, +hhmm for XX and +hh:mm for XXX.
func (d *dateFields) readISOZone(text string, count int) (rest string, ok bool) {
	if strings.HasPrefix(text, "Z") {
		d.zone = 0
		return text[1:], true
	}
	sign, ok := signOf(text)
	if !ok {
		return text, false
	}
	return d.readOffset(text[1:], sign, count, count == 3)
}

func signOf(text string) (sign int64, ok bool) {
	switch {
	case strings.HasPrefix(text, "+"):
		return 1, true
	case strings.HasPrefix(text, "-"):
		return -1, true
	}
	return 0, false
}

// readOffset reads hours and minutes, the hours alone for count 1. One digit is enough for
// the hours only before a colon, outside of ISO 8601.
func (d *dateFields) readOffset(text string, sign int64, count int, colon bool) (rest string, ok bool) {
	n := 0
	for n < 2 && n < len(text) && isDigit(text[n]) {
		n++
	}
	if n == 0 || n == 1 && (count > 0 || !colon) {
		return text, false
	}
	hours := number2(text[:n])
	text = text[n:]
	minutes := int64(0)
	if count != 1 {
		if colon {
			if text, ok = strings.CutPrefix(text, ":"); !ok {
				return text, false
			}
		}
		if len(text) < 2 || !isDigit(text[0]) || !isDigit(text[1]) {
			return text, false
		}
		minutes, text = number2(text[:2]), text[2:]
	}
	if hours > 23 || minutes > 59 {
		return text, false
	}
	d.zone = sign * (hours*60 + minutes) * 60_000
	return text, true
}

func number2(digits string) (n int64) {
	for i := range len(digits) {
		n = 10*n + int64(digits[i]-'0')
	}
	return n
}
