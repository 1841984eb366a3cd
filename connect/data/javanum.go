package data

import (
	"math"
	"math/bits"
	"strconv"
)

// AppendJavaFloat64 appends the text of Double.toString: 1.0, 1.0E10, 1.0E-5, NaN,
// Infinity. The digits are those of JDK 17: the fewest that give the number back, and
// more of them for integers from 2^53 to 2^63, as JDKs before 19 do. What still differs
// are rare numbers above 1E22 that lie on the border of two texts, such as 2.0E23, which
// JDK 17 prints as 1.9999999999999998E23; both are the same number.
func AppendJavaFloat64(dst []byte, f float64) []byte {
	return appendJavaFloat(dst, f, 64)
}

// AppendJavaFloat32 appends the text of Float.toString, see AppendJavaFloat64.
func AppendJavaFloat32(dst []byte, f float32) []byte {
	return appendJavaFloat(dst, float64(f), 32)
}

func appendJavaFloat(dst []byte, f float64, size int) []byte {
	a := math.Abs(f)
	switch {
	case f != f:
		return append(dst, "NaN"...)
	case math.Signbit(f):
		dst = append(dst, '-')
	}
	switch {
	case a > math.MaxFloat64:
		return append(dst, "Infinity"...)
	case a == 0:
		return append(dst, "0.0"...)
	case a >= 1e-3 && a < 1e7:
		start := len(dst)
		dst = strconv.AppendFloat(dst, a, 'f', -1, size)
		for _, c := range dst[start:] {
			if c == '.' {
				return dst
			}
		}
		return append(dst, ".0"...)
	}
	var buf [32]byte
	digits, exp := significantDigits(buf[:0], a, size)
	dst = append(dst, digits[0], '.')
	if len(digits) == 1 {
		dst = append(dst, '0')
	}
	dst = append(append(dst, digits[1:]...), 'E')
	return strconv.AppendInt(dst, int64(exp), 10)
}

// significantDigits returns the digits of a and the decimal exponent of the first.
func significantDigits(buf []byte, a float64, size int) (digits []byte, exp int) {
	precision := 53
	if size == 32 {
		precision = 24
	}
	if a < 1<<63 && a == math.Trunc(a) {
		if extra := bits.Len64(uint64(a)) - 1 - precision; extra > 0 {
			return integerDigits(buf, uint64(a), extra-1)
		}
	}
	text := strconv.AppendFloat(buf, a, 'e', -1, size)
	e := len(text) - 1
	for text[e] != 'e' {
		e--
	}
	exp, _ = strconv.Atoi(string(text[e+1:]))
	digits = text[:1]
	if e > 2 {
		digits = append(digits, text[2:e]...)
	}
	if len(digits) == 1 && a < 1e-322 {
		// The smallest numbers get two digits from the JDK: 4.9E-324.
		return []byte("49"), -324
	}
	return digits, exp
}

// integerDigits writes v rounded to the power of ten below 2^insignificant, the way of
// JDKs before 19.
func integerDigits(buf []byte, v uint64, insignificant int) (digits []byte, exp int) {
	unit := uint64(1)
	dropped := 0
	for unit*10 <= 1<<insignificant {
		unit *= 10
		dropped++
	}
	v = (v + unit/2) / unit
	digits = strconv.AppendUint(buf, v, 10)
	exp = len(digits) - 1 + dropped
	for len(digits) > 1 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return digits, exp
}
