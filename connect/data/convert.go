package data

import (
	"math"
	"time"
)

// ConvertTo converts a value to the type of a schema as Values.convertTo does: numbers
// narrowed without a check, text parsed, dates moved between the logical types. from is
// the schema of v and may be nil.
func ConvertTo(to, from *Schema, v any) (any, error) {
	if v == nil {
		if to.optional {
			return nil, nil
		}
		return nil, invalid("Unable to convert a null value to a schema that requires a value")
	}
	switch to.typ {
	case Bytes:
		return convertToBytes(to, v)
	case String:
		return ConvertToString(v)
	case Boolean:
		return convertToBoolean(from, v)
	case Int8, Int16:
		n, err := AsInt64(v, from)
		return number(n, to.typ), err
	case Int32:
		switch to.name {
		case DateName:
			return convertToDate(to, from, v)
		case TimeName:
			return convertToTime(to, from, v)
		}
		n, err := AsInt64(v, from)
		return int32(n), err
	case Int64:
		if to.name == TimestampName {
			return convertToTimestamp(to, from, v)
		}
		return AsInt64(v, from)
	case Float32:
		if f, ok := v.(float32); ok {
			return f, nil
		}
		f, err := AsFloat64(v, from)
		return float32(f), err
	case Float64:
		return AsFloat64(v, from)
	default:
	}
	return convertToContainer(to, v)
}

func cannotConvert(v any, to *Schema) *Error {
	return invalid("Unable to convert %s (class %s) to %s", JavaString(v), JavaClass(v), to)
}

func convertToBytes(to *Schema, v any) (any, error) {
	if to.name != DecimalName {
		switch x := v.(type) {
		case []byte:
			return x, nil
		case Decimal:
			return DecimalToBytes(to, x)
		}
		return nil, cannotConvert(v, to)
	}
	switch x := v.(type) {
	case []byte:
		return BytesToDecimal(to, x)
	case Decimal:
		return x, nil
	case string:
		d, err := ParseDecimal(x)
		if err != nil {
			return nil, &Error{Msg: cannotConvert(v, to).Msg, Err: err}
		}
		return d, nil
	case int8, int16, int32, int64, float32, float64:
		f, err := AsFloat64(v, nil)
		if err != nil {
			return nil, err
		}
		d, err := ParseDecimal(string(AppendJavaFloat64(nil, f))) // BigDecimal.valueOf
		if err != nil {
			return nil, &Error{Msg: cannotConvert(v, to).Msg, Err: err}
		}
		return d, nil
	}
	return nil, cannotConvert(v, to)
}

func convertToBoolean(from *Schema, v any) (any, error) {
	switch x := v.(type) {
	case bool:
		return x, nil
	case string:
		if p, err := ParseString(x); err == nil {
			if b, ok := p.Value.(bool); ok {
				return b, nil
			}
		}
	}
	n, err := AsInt64(v, from)
	return n != 0, err
}

// fromText replaces text by what ParseString finds in it.
func fromText(v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return v, nil
	}
	p, err := ParseString(s)
	return p.Value, err
}

func convertToDate(to, from *Schema, v any) (any, error) {
	v, err := fromText(v)
	if err != nil {
		return nil, err
	}
	if t, ok := v.(time.Time); ok {
		switch {
		case from == nil || from.name == DateName:
			return t, nil
		case from.name == TimestampName:
			return IntToDate(to, int32(t.UnixMilli()/millisPerDay))
		}
	}
	n, err := AsInt64(v, from)
	if err != nil {
		return nil, err
	}
	return IntToDate(to, int32(n))
}

func convertToTime(to, from *Schema, v any) (any, error) {
	v, err := fromText(v)
	if err != nil {
		return nil, err
	}
	if t, ok := v.(time.Time); ok {
		switch {
		case from == nil || from.name == TimeName:
			return t, nil
		case from.name == TimestampName:
			ms := t.UnixMilli() % millisPerDay
			if ms < 0 {
				ms += millisPerDay
			}
			return IntToTime(to, int32(ms))
		}
	}
	n, err := AsInt64(v, from)
	if err != nil {
		return nil, err
	}
	return IntToTime(to, int32(n))
}

func convertToTimestamp(to, from *Schema, v any) (any, error) {
	v, err := fromText(v)
	if err != nil {
		return nil, err
	}
	if t, ok := v.(time.Time); ok {
		if from == nil || from.name == TimestampName {
			return t, nil
		}
	}
	n, err := AsInt64(v, from)
	if err != nil {
		return nil, err
	}
	if from != nil && from.name == DateName {
		if _, ok := v.(time.Time); ok {
			n *= millisPerDay
		}
	}
	return IntToTimestamp(to, n)
}

func convertToContainer(to *Schema, v any) (any, error) {
	if to.typ != StructType {
		var err error
		if v, err = fromText(v); err != nil {
			return nil, err
		}
	}
	ok := false
	switch to.typ {
	case Array:
		_, ok = v.([]any)
	case MapType:
		_, ok = v.(*Map)
	case StructType:
		_, ok = v.(*Struct)
	default:
	}
	if !ok {
		return nil, cannotConvert(v, to)
	}
	return v, nil
}

// AsInt64 returns a number, the number in a text, or a date in the unit of its schema,
// as Values.asLong does: fractions dropped, too many bits dropped.
func AsInt64(v any, from *Schema) (int64, error) {
	switch x := v.(type) {
	case int8:
		return int64(x), nil
	case int16:
		return int64(x), nil
	case int32:
		return int64(x), nil
	case int64:
		return x, nil
	case float32:
		return javaLong(float64(x)), nil
	case float64:
		return javaLong(x), nil
	case Decimal:
		return x.Int64(), nil
	case string:
		if d, err := ParseDecimal(x); err == nil {
			return d.Int64(), nil
		}
	case time.Time:
		if from != nil {
			switch from.name {
			case DateName:
				n, err := DateToInt(from, x)
				return int64(n), err
			case TimeName:
				n, err := TimeToInt(from, x)
				return int64(n), err
			case TimestampName:
				return TimestampToInt(from, x)
			}
		}
	}
	if from != nil {
		return 0, cannotConvert(v, from)
	}
	return 0, invalid("Unable to convert %s (class %s) to a number", JavaString(v), JavaClass(v))
}

// AsFloat64 is AsInt64 with the fraction (Java: Values.asDouble).
func AsFloat64(v any, from *Schema) (float64, error) {
	switch x := v.(type) {
	case float32:
		return float64(x), nil
	case float64:
		return x, nil
	case Decimal:
		return x.Float64(), nil
	case string:
		if d, err := ParseDecimal(x); err == nil {
			return d.Float64(), nil
		}
	}
	n, err := AsInt64(v, from)
	return float64(n), err
}

// javaLong is Java's cast of a double to long: saturating, NaN to 0.
func javaLong(f float64) int64 {
	switch {
	case f != f:
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}
