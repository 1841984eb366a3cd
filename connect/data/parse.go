package data

import (
	"errors"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SchemaAndValue is a value with its schema, both nil for null.
type SchemaAndValue struct {
	Schema *Schema
	Value  any
}

// ErrUnparseable is returned for text on which the JVM's parser breaks off with an error
// that it does not expect itself: nesting without end.
var ErrUnparseable = errors.New("text cannot be parsed as a value")

// maxTextNesting bounds the recursion of ParseString, where the JVM runs out of stack.
const maxTextNesting = 1000

// ParseString finds the value that a text means and its schema, as Values.parseString
// does: null, true, numbers in the smallest type that holds them, dates and times in the
// ISO form, [..] arrays and {..} maps of these; anything else is the text itself as
// STRING. Dates are read in UTC (in the JVM: its default time zone). The work is bounded
// by the length of the text, whatever exponents it contains.
func ParseString(text string) (SchemaAndValue, error) {
	if text == "" {
		return SchemaAndValue{StringSchema, text}, nil
	}
	p := valueParser{tokens: tokens{text: text}}
	return p.parse(false)
}

// errNotContainer tells that a text which starts like an array or a map is none.
var errNotContainer = invalid("Failed to parse embedded value")

type valueParser struct {
	tokens
	depth int
}

func (p *valueParser) parse(embedded bool) (SchemaAndValue, error) {
	switch {
	case !p.hasNext():
		return SchemaAndValue{}, nil
	case embedded && p.accept(`"`):
		return p.quoted(), nil
	case p.acceptLiteral(embedded, "null"):
		return SchemaAndValue{}, nil
	case p.acceptLiteral(embedded, "true"):
		return SchemaAndValue{BooleanSchema, true}, nil
	case p.acceptLiteral(embedded, "false"):
		return SchemaAndValue{BooleanSchema, false}, nil
	}
	start := p.mark()
	if v, ok, err := p.container(); ok || isFatal(err) {
		return v, err
	} else if err != nil {
		p.rewind(start)
	}
	token := p.next()
	if isBlank(token) {
		return SchemaAndValue{StringSchema, token}, nil
	}
	return p.scalar(embedded, javaTrim(token))
}

func isFatal(err error) bool { return err == ErrUnparseable } //nolint:errorlint // never wrapped

// container parses an array or a map. ok is false, without an error, if the next token
// starts neither.
func (p *valueParser) container() (v SchemaAndValue, ok bool, err error) {
	if p.depth++; p.depth > maxTextNesting {
		return v, false, ErrUnparseable
	}
	defer func() { p.depth-- }()
	switch {
	case p.accept("["):
		v, err = p.array()
	case p.accept("{"):
		v, err = p.mapping()
	default:
		return v, false, nil
	}
	return v, err == nil, err
}

// acceptLiteral takes a literal that stands alone: at top level nothing may follow it.
func (p *valueParser) acceptLiteral(embedded bool, literal string) bool {
	start := p.mark()
	if p.accept(literal) && (embedded || !p.hasNext()) {
		return true
	}
	p.rewind(start)
	return false
}

func (p *valueParser) scalar(embedded bool, token string) (SchemaAndValue, error) {
	first, _ := utf8.DecodeRuneInString(token)
	digit := unicode.IsDigit(first)
	if digit {
		// Unescaped colons split times into several tokens.
		start := p.mark()
		if rest, ok := p.nextN(4); ok {
			if v, ok := parseTemporal(token + rest); ok {
				return v, nil
			}
		}
		p.rewind(start)
		if v, ok := parseTemporal(token); ok {
			return v, nil
		}
	}
	if digit || first == '+' || first == '-' {
		if d, err := ParseDecimal(asciiDigits(token)); err == nil {
			return inferNumber(d), nil
		}
	}
	if embedded {
		return SchemaAndValue{}, errNotContainer
	}
	return SchemaAndValue{StringSchema, p.text}, nil
}

// quoted reads up to the closing quote, or to the end. Java parity: blanks next to a
// delimiter inside the quotes are lost, and escapes stay.
func (p *valueParser) quoted() SchemaAndValue {
	var b strings.Builder
	for p.hasNext() && !p.accept(`"`) {
		b.WriteString(p.next())
	}
	if v, ok := parseTemporal(b.String()); ok {
		return v
	}
	return SchemaAndValue{StringSchema, b.String()}
}

func (p *valueParser) array() (SchemaAndValue, error) {
	list := []any{}
	var element merger
	for p.hasNext() {
		if p.accept("]") {
			return alignArray(element.common, list)
		}
		if p.accept(",") {
			return SchemaAndValue{}, errNotContainer
		}
		v, err := p.parse(true)
		if err != nil {
			return SchemaAndValue{}, err
		}
		element.merge(v.Schema)
		list = append(list, v.Value)
		at := p.mark()
		if p.accept("]") {
			p.rewind(at)
		} else if !p.accept(",") {
			return SchemaAndValue{}, errNotContainer
		}
	}
	return SchemaAndValue{}, errNotContainer
}

func alignArray(element *Schema, list []any) (SchemaAndValue, error) {
	s := &Schema{typ: Array, value: element}
	if element == nil {
		return SchemaAndValue{s, list}, nil
	}
	for i, v := range list {
		c, err := ConvertTo(element, nil, v)
		if err != nil {
			return SchemaAndValue{}, err
		}
		list[i] = c
	}
	return SchemaAndValue{s, list}, nil
}

func (p *valueParser) mapping() (SchemaAndValue, error) {
	m := NewLinkedMap(0)
	var keys, values merger
	for p.hasNext() {
		if p.accept("}") {
			return alignMap(keys.common, values.common, m)
		}
		if p.accept(",") {
			return SchemaAndValue{}, errNotContainer
		}
		k, err := p.parse(true)
		if err != nil {
			return SchemaAndValue{}, err
		}
		if k.Value == nil || !p.accept(":") {
			return SchemaAndValue{}, errNotContainer
		}
		v, err := p.parse(true)
		if err != nil {
			return SchemaAndValue{}, err
		}
		m.Put(k.Value, v.Value)
		p.accept(",")
		keys.merge(k.Schema)
		values.merge(v.Schema)
	}
	return SchemaAndValue{}, errNotContainer
}

func alignMap(key, value *Schema, in *Map) (SchemaAndValue, error) {
	if key == nil {
		return SchemaAndValue{&Schema{typ: MapType}, in}, nil
	}
	out := NewLinkedMap(in.Len())
	for _, e := range in.entries {
		k, err := ConvertTo(key, nil, e.Key)
		if err != nil {
			return SchemaAndValue{}, err
		}
		v := e.Value
		if value != nil {
			if v, err = ConvertTo(value, nil, v); err != nil {
				return SchemaAndValue{}, err
			}
		}
		out.Put(k, v)
	}
	return SchemaAndValue{&Schema{typ: MapType, key: key, value: value}, out}, nil
}

var (
	minInt64 = big.NewInt(-1 << 63)
	maxInt64 = big.NewInt(1<<63 - 1)
)

// inferNumber gives a number its smallest type.
func inferNumber(d Decimal) SchemaAndValue {
	if n, ok := exactInt64(d); ok {
		switch {
		case n == int64(int8(n)):
			return SchemaAndValue{Int8Schema, int8(n)}
		case n == int64(int16(n)):
			return SchemaAndValue{Int16Schema, int16(n)}
		case n == int64(int32(n)):
			return SchemaAndValue{Int32Schema, int32(n)}
		}
		return SchemaAndValue{Int64Schema, n}
	}
	if d.Scale != 0 {
		if f := d.Float32(); f-f == 0 { // finite
			return SchemaAndValue{Float32Schema, f}
		}
		if f := d.Float64(); f-f == 0 {
			return SchemaAndValue{Float64Schema, f}
		}
	}
	return SchemaAndValue{DecimalSchema(d.Scale), d}
}

// exactInt64 returns d if it is an integer of 64 bits. The exponent is looked at before
// anything is expanded.
func exactInt64(d Decimal) (int64, bool) {
	u := d.unscaled()
	if u.Sign() == 0 {
		return 0, true
	}
	digits := int64(len(u.Append(nil, 10)))
	if u.Sign() < 0 {
		digits--
	}
	if magnitude := digits - int64(d.Scale); magnitude < 1 || magnitude > 19 {
		return 0, false
	}
	if d.Scale > 0 {
		var rest *big.Int
		if u, rest = new(big.Int).QuoRem(u, pow10(int64(d.Scale)), new(big.Int)); rest.Sign() != 0 {
			return 0, false
		}
	} else if d.Scale < 0 {
		u = new(big.Int).Mul(u, pow10(-int64(d.Scale)))
	}
	if u.Cmp(minInt64) < 0 || u.Cmp(maxInt64) > 0 {
		return 0, false
	}
	return u.Int64(), true
}

// javaTrim is String.trim: everything up to U+0020 off both ends.
func javaTrim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// asciiDigits replaces the decimal digits of other scripts, which Java takes as well.
func asciiDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf || !unicode.IsDigit(r) {
			return r
		}
		zero := r
		for unicode.IsDigit(zero-1) && r-zero < 9 {
			zero--
		}
		return '0' + r - zero
	}, s)
}
