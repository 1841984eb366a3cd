package data

import (
	"strconv"
	"time"
)

const millisPerDay = 24 * 60 * 60 * 1000

// Scale returns the scale of a Decimal schema.
func (s *Schema) Scale() (int32, error) {
	text, ok := s.Parameter(DecimalScale)
	if !ok {
		return 0, invalid("Invalid Decimal schema: scale parameter not found.")
	}
	v, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, &Error{Msg: "Invalid scale parameter found in Decimal schema: ", Err: err}
	}
	return int32(v), nil
}

// DecimalToBytes returns the base form of a Decimal. The scales must agree.
func DecimalToBytes(s *Schema, d Decimal) ([]byte, error) {
	scale, err := s.Scale()
	if err != nil {
		return nil, err
	}
	if d.Scale != scale {
		return nil, invalid("Decimal value has mismatching scale for given Decimal schema. Schema has scale %d, value has scale %d.", scale, d.Scale)
	}
	return d.Bytes(), nil
}

// BytesToDecimal is the reverse of DecimalToBytes.
func BytesToDecimal(s *Schema, b []byte) (Decimal, error) {
	scale, err := s.Scale()
	if err != nil {
		return Decimal{}, err
	}
	return DecimalFromBytes(b, scale)
}

// DateToInt returns the days since the epoch of a Date value, which must be midnight UTC.
func DateToInt(s *Schema, t time.Time) (int32, error) {
	if s.name != DateName {
		return 0, invalid("Requested conversion of Date object but the schema does not match.")
	}
	ms := t.UnixMilli()
	if ms%millisPerDay != 0 {
		return 0, invalid("Kafka Connect Date type should not have any time fields set to non-zero values.")
	}
	return int32(ms / millisPerDay), nil
}

// IntToDate is the reverse of DateToInt.
func IntToDate(s *Schema, days int32) (time.Time, error) {
	if s.name != DateName {
		return time.Time{}, invalid("Requested conversion of Date object but the schema does not match.")
	}
	return time.UnixMilli(int64(days) * millisPerDay).UTC(), nil
}

// TimeToInt returns the milliseconds since midnight of a Time value, 0 to 86400000.
func TimeToInt(s *Schema, t time.Time) (int32, error) {
	if s.name != TimeName {
		return 0, invalid("Requested conversion of Time object but the schema does not match.")
	}
	ms := t.UnixMilli()
	if ms < 0 || ms > millisPerDay {
		return 0, invalid("Kafka Connect Time type should not have any date fields set to non-zero values.")
	}
	return int32(ms), nil
}

// IntToTime is the reverse of TimeToInt.
func IntToTime(s *Schema, ms int32) (time.Time, error) {
	if s.name != TimeName {
		return time.Time{}, invalid("Requested conversion of Date object but the schema does not match.")
	}
	if ms < 0 || ms > millisPerDay {
		return time.Time{}, invalid("Time values must use number of milliseconds greater than 0 and less than 86400000")
	}
	return time.UnixMilli(int64(ms)).UTC(), nil
}

// TimestampToInt returns the milliseconds since the epoch of a Timestamp value.
func TimestampToInt(s *Schema, t time.Time) (int64, error) {
	if s.name != TimestampName {
		return 0, invalid("Requested conversion of Timestamp object but the schema does not match.")
	}
	return t.UnixMilli(), nil
}

// IntToTimestamp is the reverse of TimestampToInt.
func IntToTimestamp(s *Schema, ms int64) (time.Time, error) {
	if s.name != TimestampName {
		return time.Time{}, invalid("Requested conversion of Timestamp object but the schema does not match.")
	}
	return time.UnixMilli(ms).UTC(), nil
}
