package data

// cutover is 15 October 1582 in days since the epoch: the first day on which
// java.util.GregorianCalendar counts in the Gregorian calendar. Before it is the Julian.
const cutover = -141427

// JavaDay returns the days since the epoch of a date of java.util.GregorianCalendar, with
// months and days of any value. The days that were left out in October 1582 are Julian
// ones, as all are that months and days reach from a year before. Year 0 is 1 BC.
func JavaDay(year, month, day int64) int64 {
	early := year < 1582
	month--
	year += floorDiv(month, 12)
	month -= 12 * floorDiv(month, 12)
	// Days are counted from 1 March of the year 0, so that leap days come last.
	y, m := year, (month+10)%12
	if month < 2 {
		y--
	}
	inYear := 365*y + floorDiv(y, 4) + (153*m+2)/5 + day - 1
	g := inYear - floorDiv(y, 100) + floorDiv(y, 400) - 719468
	julian := inYear - 719470
	if g < cutover || early {
		return julian
	}
	return g
}

// JavaDate is the reverse of JavaDay: year, month from 1 and day of the month.
func JavaDate(days int64) (year, month, day int64) {
	if days >= cutover {
		days += 719468
		// A Gregorian cycle of 400 years has 146097 days; the end of February of the
		// years that are no leap years is put back in.
		cycle := floorDiv(days, 146097)
		days -= cycle * 146097
		century := min(days/36524, 3)
		days -= century * 36524
		year = 400*cycle + 100*century
	} else {
		days += 719470
	}
	four := floorDiv(days, 1461)
	days -= four * 1461
	y := min(days/365, 3)
	days -= y * 365
	year += 4*four + y
	m := (5*days + 2) / 153
	day = days - (153*m+2)/5 + 1
	if month = m + 3; month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
