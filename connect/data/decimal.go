package data

import (
	"errors"
	"math"
	"math/big"
	"strconv"
)

// NewDecimalInt returns unscaled * 10^-scale.
func NewDecimalInt(unscaled int64, scale int32) Decimal {
	return Decimal{Unscaled: big.NewInt(unscaled), Scale: scale}
}

// DecimalFromBytes reads a big-endian two's-complement unscaled value, the base form of
// a Decimal schema. No bytes are an error, as for Java's BigInteger.
func DecimalFromBytes(b []byte, scale int32) (Decimal, error) {
	if len(b) == 0 {
		return Decimal{}, invalid("Zero length BigInteger")
	}
	u := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		u.Sub(u, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return Decimal{Unscaled: u, Scale: scale}, nil
}

// Bytes returns the shortest big-endian two's-complement form of the unscaled value, as
// Java's BigInteger.toByteArray.
func (d Decimal) Bytes() []byte {
	u := d.unscaled()
	n := u.BitLen()
	if u.Sign() < 0 {
		n = new(big.Int).Not(u).BitLen()
	}
	b := make([]byte, n/8+1)
	if u.Sign() >= 0 {
		return u.FillBytes(b)
	}
	mod := new(big.Int).Lsh(big.NewInt(1), uint(8*len(b)))
	return mod.Add(mod, u).FillBytes(b)
}

func (d Decimal) unscaled() *big.Int {
	if d.Unscaled == nil {
		return new(big.Int)
	}
	return d.Unscaled
}

// Equal reports whether value and scale are equal, as BigDecimal.equals.
func (d Decimal) Equal(o Decimal) bool {
	return d.Scale == o.Scale && d.unscaled().Cmp(o.unscaled()) == 0
}

// String returns the text of BigDecimal.toString, which is 1E+3 for 1 with scale -3.
func (d Decimal) String() string { return string(d.Append(nil)) }

// Append appends the text of BigDecimal.toString.
func (d Decimal) Append(dst []byte) []byte {
	u := d.unscaled()
	if d.Scale == 0 {
		return u.Append(dst, 10)
	}
	if u.Sign() < 0 {
		dst = append(dst, '-')
		u = new(big.Int).Neg(u)
	}
	digits := u.Append(nil, 10)
	exponent := int64(len(digits)) - 1 - int64(d.Scale)
	if d.Scale >= 0 && exponent >= -6 {
		return appendPlain(dst, digits, int(d.Scale))
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	if exponent == 0 {
		return dst
	}
	dst = append(dst, 'E')
	if exponent > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, exponent, 10)
}

// PlainString returns the text of BigDecimal.toPlainString: no exponent. Its length is
// that of the number written out, so callers bound the scale.
func (d Decimal) PlainString() string {
	u := d.unscaled()
	var dst []byte
	if u.Sign() < 0 {
		dst = append(dst, '-')
		u = new(big.Int).Neg(u)
	}
	digits := u.Append(nil, 10)
	if d.Scale > 0 {
		return string(appendPlain(dst, digits, int(d.Scale)))
	}
	dst = append(dst, digits...)
	if u.Sign() != 0 {
		for range -int64(d.Scale) {
			dst = append(dst, '0')
		}
	}
	return string(dst)
}

func appendPlain(dst, digits []byte, scale int) []byte {
	point := len(digits) - scale
	if point > 0 {
		return append(append(append(dst, digits[:point]...), '.'), digits[point:]...)
	}
	dst = append(dst, '0', '.')
	for ; point < 0; point++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// ErrNotNumber is returned for text that Java's BigDecimal refuses.
var ErrNotNumber = errors.New("not a decimal number")

// maxParsedDigits bounds the digits that ParseDecimal takes, since the conversion to
// binary grows faster than linearly.
const maxParsedDigits = 1 << 16

// ParseDecimal reads a number in the syntax of the BigDecimal constructor: optional
// sign, digits with an optional point, optional exponent. The exponent is not expanded.
func ParseDecimal(text string) (Decimal, error) {
	i, n := 0, len(text)
	if i < n && (text[i] == '+' || text[i] == '-') {
		i++
	}
	digits := make([]byte, 0, n)
	if i > 0 && text[0] == '-' {
		digits = append(digits, '-')
	}
	count, frac, point := 0, 0, false
	for ; i < n; i++ {
		c := text[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		digits = append(digits, c)
		count++
		if point {
			frac++
		}
	}
	if count == 0 || count > maxParsedDigits {
		return Decimal{}, ErrNotNumber
	}
	exp, err := parseExponent(text[i:])
	if err != nil {
		return Decimal{}, err
	}
	scale := int64(frac) - exp
	if scale < math.MinInt32 || scale > math.MaxInt32 {
		return Decimal{}, ErrNotNumber
	}
	u, ok := new(big.Int).SetString(string(digits), 10)
	if !ok {
		return Decimal{}, ErrNotNumber
	}
	return Decimal{Unscaled: u, Scale: int32(scale)}, nil
}

func parseExponent(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	if s[0] != 'e' && s[0] != 'E' {
		return 0, ErrNotNumber
	}
	v, err := strconv.ParseInt(s[1:], 10, 32)
	if err != nil {
		return 0, ErrNotNumber
	}
	return v, nil
}

// Float64 returns the nearest float64, infinite when it is beyond the range.
func (d Decimal) Float64() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64) // the range error comes with the infinity
	return f
}

// Float32 returns the nearest float32, infinite when it is beyond the range.
func (d Decimal) Float32() float32 {
	f, _ := strconv.ParseFloat(d.String(), 32)
	return float32(f)
}

// Int64 drops the fraction and returns the low 64 bits of the rest, as
// BigDecimal.longValue.
func (d Decimal) Int64() int64 {
	u := d.unscaled()
	switch {
	case u.Sign() == 0 || d.Scale <= -64:
		return 0 // a multiple of 2^64
	case d.Scale < 0:
		return low64(new(big.Int).Mul(u, pow10(-int64(d.Scale))))
	case d.Scale == 0:
		return low64(u)
	case int64(d.Scale) > int64(u.BitLen()):
		return 0 // |d| < 1
	default:
		return low64(new(big.Int).Quo(u, pow10(int64(d.Scale))))
	}
}

func low64(u *big.Int) int64 {
	v := new(big.Int).And(u, new(big.Int).SetUint64(math.MaxUint64)) // two's complement
	return int64(v.Uint64())
}

func pow10(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

// javaHash is BigDecimal.hashCode.
func (d Decimal) javaHash() int32 {
	u := d.unscaled()
	var h uint32
	b := new(big.Int).Abs(u).Bytes()
	for len(b) > 0 {
		n := len(b) % 4
		if n == 0 {
			n = 4
		}
		var w uint32
		for _, c := range b[:n] {
			w = w<<8 | uint32(c)
		}
		h, b = 31*h+w, b[n:]
	}
	if u.Sign() < 0 {
		h = -h
	}
	return int32(31*h + uint32(d.Scale))
}

func itoa(v int32) string { return strconv.Itoa(int(v)) }
