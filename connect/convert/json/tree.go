package json

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect/data"
)

// kind is Jackson's JsonNodeType, as far as a parser makes it.
type kind uint8

const (
	missing kind = iota
	null
	boolean
	integer // NUMBER without fraction and exponent
	decimal // any other NUMBER
	text
	array
	object
)

// String returns the name that Java prints.
func (k kind) String() string {
	return [...]string{"MISSING", "NULL", "BOOLEAN", "NUMBER", "NUMBER", "STRING", "ARRAY", "OBJECT"}[k]
}

// token is Jackson's name of the last token of a value.
func (n *node) token() string {
	switch n.kind {
	case boolean:
		return "VALUE_" + strings.ToUpper(n.text)
	case integer:
		return "VALUE_NUMBER_INT"
	case decimal:
		return "VALUE_NUMBER_FLOAT"
	case text:
		return "VALUE_STRING"
	case array:
		return "END_ARRAY"
	case object:
		return "END_OBJECT"
	default:
		return "VALUE_NULL"
	}
}

// node is one value of a parsed document.
type node struct {
	kind kind
	// text is the decoded string, the number as written, or true or false.
	text  string
	names []string // of the members of an object, unique, in order of first occurrence
	elems []*node  // elements of an array, or members of an object
}

// get returns the named member of an object, else nil.
func (n *node) get(name string) *node {
	for i, m := range n.names {
		if m == name {
			return n.elems[i]
		}
	}
	return nil
}

// put sets a member; a name that exists keeps its place.
func (n *node) put(name string, v *node, index map[string]int) {
	if i, ok := index[name]; ok {
		n.elems[i] = v
		return
	}
	index[name] = len(n.names)
	n.names = append(n.names, name)
	n.elems = append(n.elems, v)
}

// isInt reports whether n is an integer of 32 bits, Jackson's IntNode.
func (n *node) isInt() bool {
	if n.kind != integer {
		return false
	}
	v, ok := new(big.Int).SetString(n.text, 10)
	return ok && v.IsInt64() && v.Int64() == int64(int32(v.Int64()))
}

// int64 is JsonNode.longValue: the low 64 bits of the integer part, 0 of what is no
// number.
func (n *node) int64() int64 {
	switch n.kind {
	case integer:
		return lowBits(n.text)
	case decimal:
		d, err := data.ParseDecimal(n.text)
		if err != nil {
			return 0
		}
		return d.Int64()
	default:
	}
	return 0
}

// lowBits returns the low 64 bits of an integer of any length, as
// BigInteger.longValue.
func lowBits[T string | []byte](digits T) int64 {
	var v uint64
	for i := range len(digits) {
		if c := digits[i]; c != '-' {
			v = 10*v + uint64(c-'0')
		}
	}
	if digits[0] == '-' {
		v = -v
	}
	return int64(v)
}

// float is the number rounded to 32 or 64 bits, 0 of what is no number.
func (n *node) float(size int) float64 {
	if n.kind != integer && n.kind != decimal {
		return 0
	}
	return parseFloat(n.text, size)
}

// parseFloat rounds a checked number. It goes through BigDecimal in the JVM, which has no
// negative zero.
func parseFloat(s string, size int) float64 {
	f, _ := strconv.ParseFloat(s, size) // out of range is infinite
	if f == 0 && s[0] == '-' && isZero(s) {
		return 0
	}
	return f
}

// isZero reports whether all digits before the exponent are zero.
func isZero[T string | []byte](number T) bool {
	for i := range len(number) {
		switch c := number[i]; {
		case c|0x20 == 'e':
			return true
		case c >= '1' && c <= '9':
			return false
		}
	}
	return true
}
