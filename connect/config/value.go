package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseValue turns text into a value of the type; d resolves classes. The error is an
// *Error with the JVM's text.
func (d *Def) ParseValue(name, text string, t Type) (any, error) {
	trimmed := javaTrim(text)
	switch t {
	case TypeBoolean:
		switch {
		case strings.EqualFold(trimmed, "true"):
			return true, nil
		case strings.EqualFold(trimmed, "false"):
			return false, nil
		}
		return nil, Invalid(name, text, "Expected value to be either true or false")
	case TypeString:
		return trimmed, nil
	case TypePassword:
		return Password(trimmed), nil
	case TypeList:
		return parseList(trimmed), nil
	case TypeClass:
		if d == nil || d.resolve == nil {
			return trimmed, nil
		}
		if class, ok := d.resolve(trimmed); ok {
			return class, nil
		}
		return nil, Invalid(name, text, "Class "+text+" could not be found.")
	default:
	}
	if v, ok := parseNumber(trimmed, t); ok {
		return v, nil
	}
	return nil, Invalid(name, text, "Not a number of type "+string(t))
}

func parseNumber(text string, t Type) (any, bool) {
	switch t {
	case TypeInt:
		v, err := strconv.ParseInt(asciiDigits(text), 10, 32)
		return int(v), err == nil
	case TypeShort:
		v, err := strconv.ParseInt(asciiDigits(text), 10, 16)
		return int16(v), err == nil
	case TypeLong:
		v, err := strconv.ParseInt(asciiDigits(text), 10, 64)
		return v, err == nil
	default:
		return parseDouble(text)
	}
}

// asciiDigits replaces the digits of other scripts, which Integer.parseInt takes as well.
func asciiDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf || r > 0xFFFF {
			return r
		}
		for _, digits := range unicode.Nd.R16 { // each begins with a zero
			if lo := rune(digits.Lo); lo <= r && r <= rune(digits.Hi) {
				return '0' + (r-lo)%10
			}
		}
		return r
	}, s)
}

// javaDouble is the grammar of Double.parseDouble.
var javaDouble = regexp.MustCompile(`^[+-]?(NaN|Infinity|(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|` +
	`0[xX]([0-9a-fA-F]+\.?|[0-9a-fA-F]*\.[0-9a-fA-F]+)[pP][+-]?[0-9]+)[fFdD]?)$`)

func parseDouble(text string) (any, bool) {
	if !javaDouble.MatchString(text) {
		return nil, false
	}
	if !strings.HasSuffix(text, "Infinity") {
		text = strings.TrimRight(text, "fFdD") // of a hexadecimal number it is behind the exponent, too
	}
	v, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimPrefix(text, "+"), "-"), 64)
	if err != nil && !math.IsInf(v, 0) { // too large is Infinity in Java
		return nil, false
	}
	if strings.HasPrefix(text, "-") {
		v = -v
	}
	return v, true
}

// parseList splits at commas; white space around items is dropped, empty items are not.
func parseList(trimmed string) []string {
	if trimmed == "" {
		return []string{}
	}
	items := strings.Split(trimmed, ",")
	for i := range items {
		items[i] = strings.Trim(items[i], " \t\n\v\f\r")
	}
	return items
}

// ParseList splits the text of a LIST.
func ParseList(text string) []string { return parseList(javaTrim(text)) }

// javaTrim removes what String.trim does: all up to and including the blank.
func javaTrim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// Invalid is the JVM's error about the value of a key.
func Invalid(name string, value any, msg string) *Error {
	return &Error{Key: name, Msg: "Invalid value " + JavaText(value) + " for configuration " + name + ": " + msg}
}

// JavaText returns what Java prints for a value: [a, b] for a list, [hidden] for a
// password, null for nil.
func JavaText(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case []string:
		if v == nil {
			return "null"
		}
		return "[" + strings.Join(v, ", ") + "]"
	default:
		return *Text(value)
	}
}

// Text returns the text form of a value, as REST shows it and a properties file has
// it: lists joined by commas, passwords as [hidden]; nil for null.
func Text(value any) *string {
	var s string
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		s = v
	case bool:
		s = strconv.FormatBool(v)
	case int:
		s = strconv.Itoa(v)
	case int16:
		s = strconv.Itoa(int(v))
	case int64:
		s = strconv.FormatInt(v, 10)
	case float64:
		s = doubleText(v)
	case []string:
		if v == nil {
			return nil
		}
		s = strings.Join(v, ",")
	case Password:
		s = v.String()
	default:
		panic("config: value of a type that no key can have")
	}
	return &s
}

// doubleText is Double.toString.
func doubleText(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	case a == 0, a >= 1e-3 && a < 1e7:
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exp) // FormatFloat wrote it
	return mantissa + "E" + strconv.Itoa(n)
}
