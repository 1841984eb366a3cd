package partitioner

import (
	"math"
	"strconv"

	"github.com/penstock-io/penstock/connect"
)

// Time names the span of time that a record belongs to (Java: TimeBasedPartitioner,
// DailyPartitioner, HourlyPartitioner). It belongs to one task.
type Time struct {
	extractor TimestampExtractor
	wall      bool
	buckets   buckets
}

// Encode implements Partitioner.
func (t *Time) Encode(rec *connect.SinkRecord, now int64) (string, error) {
	ts, err := t.extractor.Extract(rec, now)
	if err != nil {
		return "", err
	}
	return t.buckets.name(ts, rec)
}

// RecordClock returns the extractor, which gives a record's time, or nil when that is the
// wall clock. Asking it about the record that was encoded last costs nothing.
func (t *Time) RecordClock() TimestampExtractor {
	if t.wall {
		return nil
	}
	return t.extractor
}

// span is a stretch of time, end excluded, all of which has one name.
type span struct {
	start, end int64
	name       string
}

// recentSpans is how many spans are remembered: late records alternate between few hours.
const recentSpans = 16

// buckets names times. Records mostly fall into the span of the one before, so that
// neither the time zone nor the pattern is looked at.
type buckets struct {
	duration int64
	zone     Zone
	pattern  *layout
	names    names
	buf      []byte
	last     span
	recent   [recentSpans]span
	next     int
}

func (b *buckets) name(ts int64, rec *connect.SinkRecord) (string, error) {
	if b.last.start <= ts && ts < b.last.end {
		return b.last.name, nil
	}
	for i := range b.recent {
		if s := &b.recent[i]; s.start <= ts && ts < s.end {
			b.last = *s
			return s.name, nil
		}
	}
	// Beyond this the zone's offset would overflow, which the JVM refuses as well.
	const margin = 48 * 60 * 60 * 1000
	if ts > math.MaxInt64-margin || ts < math.MinInt64+margin {
		return "", fatal(arithmeticException, "Adding time zone offset caused overflow",
			"The timestamp "+strconv.FormatInt(ts, 10)+" is beyond all calendars. It must be in milliseconds since 1970; mend the producer or choose another timestamp.extractor.")
	}
	s := b.span(ts)
	b.buf = b.pattern.appendTo(b.buf[:0], b.zone.toUTC(b.floor(ts)), b.zone)
	name, err := b.names.of(b.buf)
	if err != nil {
		return "", err
	}
	s.name = name
	b.last = s
	b.recent[b.next%recentSpans] = s
	b.next++
	return name, nil
}

// floor is the start of the bucket in local time. Java parity: the division truncates,
// so that a bucket before 1970 is named after its end.
func (b *buckets) floor(ts int64) int64 {
	return (ts + b.zone.offset(ts)) / b.duration * b.duration
}

// span returns the times around ts that share floor and offset.
func (b *buckets) span(ts int64) span {
	offset := b.zone.offset(ts)
	d, floor := b.duration, b.floor(ts)
	var s span
	switch {
	case floor == 0:
		s.start, s.end = 1-d, d
	case floor > 0:
		s.start, s.end = floor, add(floor, d)
	default:
		s.start, s.end = add(floor, 1-d), floor+1
	}
	s.start, s.end = add(s.start, -offset), add(s.end, -offset)
	from, to := b.zone.bounds(ts)
	s.start, s.end = max(s.start, from), min(s.end, to)
	return s
}

// add stops at the ends of int64.
func add(a, b int64) int64 {
	c := a + b
	switch {
	case b > 0 && c < a:
		return math.MaxInt64
	case b < 0 && c > a:
		return math.MinInt64
	}
	return c
}
