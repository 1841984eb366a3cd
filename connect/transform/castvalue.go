package transform

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// castValue casts v, of schema s or schemaless (Java: Cast.castValueToType).
func castValue(s *data.Schema, v any, to data.Type) (any, error) {
	if v == nil {
		return nil, nil
	}
	var from data.Type
	if s != nil {
		from = s.Type()
	} else {
		t, ok := data.TypeOf(v)
		if !ok {
			return nil, dataError("Cast transformation was passed a value of type class %s which is not supported by Connect's data API", data.JavaClass(v))
		}
		from = t
	}
	if from != data.Bytes && !slices.Contains(outputTypes, from) {
		return nil, dataError("Cast transformation does not support casting from %s; supported types are %s", from, typeNames(append(slices.Clone(outputTypes), data.Bytes)))
	}
	if tm, ok := v.(time.Time); ok && s != nil && to != data.String {
		var err error
		switch s.Name() {
		case data.DateName:
			v, err = data.DateToInt(s, tm)
		case data.TimeName:
			v, err = data.TimeToInt(s, tm)
		default:
			v, err = data.TimestampToInt(s, tm)
		}
		if err != nil {
			return nil, asJava(err)
		}
	}
	switch to {
	case data.String:
		return castString(v)
	case data.Boolean:
		return castBoolean(v)
	case data.Float32, data.Float64:
		return castFloat(v, to)
	default:
		return castInt(v, to)
	}
}

func castString(v any) (any, error) {
	switch v.(type) {
	case time.Time, []byte:
		text, err := data.ConvertToString(v)
		return text, asJava(err)
	}
	return data.JavaString(v), nil
}

func castBoolean(v any) (any, error) {
	switch x := v.(type) {
	case bool:
		return x, nil
	case string:
		return strings.EqualFold(x, "true"), nil
	}
	n, _, ok := number(v)
	if !ok {
		return nil, unexpected(v)
	}
	return n != 0, nil
}

func unexpected(v any) error {
	return dataError("Unexpected type in Cast transformation: class %s", data.JavaClass(v))
}

// number returns a number as long and as double, both as Java narrows it.
func number(v any) (int64, float64, bool) {
	switch x := v.(type) {
	case int8:
		return int64(x), float64(x), true
	case int16:
		return int64(x), float64(x), true
	case int32:
		return int64(x), float64(x), true
	case int64:
		return x, float64(x), true
	case float32:
		return saturate(float64(x), math.MinInt64, math.MaxInt64), float64(x), true
	case float64:
		return saturate(x, math.MinInt64, math.MaxInt64), x, true
	case data.Decimal:
		return x.Int64(), x.Float64(), true
	case bool:
		if x {
			return 1, 1, true
		}
		return 0, 0, true
	}
	return 0, 0, false
}

func saturate(f float64, lowest, highest int64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= float64(highest):
		return highest
	case f <= float64(lowest):
		return lowest
	}
	return int64(f)
}

func castInt(v any, to data.Type) (any, error) {
	bits := 8 << (to - data.Int8)
	var n int64
	if text, ok := v.(string); ok {
		var err error
		// Only sign and digits: Go's parser in base 10 takes no underscores.
		if n, err = strconv.ParseInt(text, 10, bits); err != nil {
			cause := fmt.Sprintf("For input string: %q", text)
			if _, wide := strconv.ParseInt(text, 10, 32); wide == nil {
				cause = fmt.Sprintf("Value out of range. Value:%q Radix:10", text)
			}
			return nil, outOfRange(text, cause)
		}
	} else {
		var ok bool
		var f float64
		if n, f, ok = number(v); !ok {
			return nil, unexpected(v)
		}
		switch v.(type) {
		case float32, float64: // narrowed through int
			if to != data.Int64 {
				n = saturate(f, math.MinInt32, math.MaxInt32)
			}
		}
	}
	switch to {
	case data.Int8:
		return int8(n), nil
	case data.Int16:
		return int16(n), nil
	case data.Int32:
		return int32(n), nil
	default:
		return n, nil
	}
}

func castFloat(v any, to data.Type) (any, error) {
	var f float64
	if text, ok := v.(string); ok {
		bits := 64
		if to == data.Float32 {
			bits = 32
		}
		var err error
		if f, err = parseJavaFloat(text, bits); err != nil {
			return nil, err
		}
	} else {
		n, d, ok := number(v)
		if !ok {
			return nil, unexpected(v)
		}
		f = d
		if to == data.Float32 {
			switch x := v.(type) {
			case data.Decimal:
				return x.Float32(), nil
			case int64:
				return float32(n), nil // one rounding, not two
			}
		}
	}
	if to == data.Float32 {
		return float32(f), nil
	}
	return f, nil
}

// parseJavaFloat reads a number as Double.parseDouble does: surrounding blanks and a
// type suffix are allowed, other spellings of infinity are not.
func parseJavaFloat(text string, bits int) (float64, error) {
	s := strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	if s == "" {
		return 0, outOfRange(text, "empty String")
	}
	body := strings.TrimLeft(s, "+-")
	if body != "NaN" && body != "Infinity" {
		hex := strings.HasPrefix(body, "0x") || strings.HasPrefix(body, "0X")
		if !hex || strings.ContainsAny(body, "pP") {
			if last := s[len(s)-1]; len(s) > 1 && strings.IndexByte("fFdD", last) >= 0 {
				s = s[:len(s)-1]
			}
		}
		if strings.ContainsAny(body, "_nNiI") {
			return 0, outOfRange(text, fmt.Sprintf("For input string: %q", text))
		}
	}
	if len(s) > 3 && strings.HasSuffix(s, "NaN") {
		s = "NaN" // Go takes no sign there
	}
	f, err := strconv.ParseFloat(s, bits)
	if err != nil && !math.IsInf(f, 0) {
		return 0, outOfRange(text, fmt.Sprintf("For input string: %q", text))
	}
	return f, nil
}

func outOfRange(text, cause string) error {
	return &connect.DataError{Msg: "Value (" + text + ") was out of range for requested data type",
		Err: javaError("java.lang.NumberFormatException", "%s", cause)}
}
