package data

import "math/big"

// Decimal is the value of a Decimal schema: unscaled * 10^-scale (Java: BigDecimal).
type Decimal struct {
	Unscaled *big.Int
	Scale    int32
}

// MapEntry is one entry of a Map.
type MapEntry struct{ Key, Value any }

// Map is the value of a MAP, or of a schemaless JSON object. It keeps the order
// in which keys were first put, as the order of the source; code that must
// imitate a Java HashMap sorts with JavaHashOrder. It is not safe for
// concurrent use.
type Map struct {
	entries []MapEntry
	index   map[any]int // only above mapIndexFrom entries
	linked  bool        // a LinkedHashMap in the JVM
	buckets int32       // of the JVM's map while it is empty; 0 = the usual 16
}

// Struct is the value of a STRUCT. It is not safe for concurrent use.
type Struct struct {
	schema *Schema
	values []any
}
