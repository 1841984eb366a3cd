package data

import (
	"bytes"
	"time"
)

// Equal reports whether both schemas agree in all attributes, recursively, as Java's
// equals does. Parameters are compared without their order. A repeated comparison of
// the same two schemas costs a pointer comparison.
func (s *Schema) Equal(o *Schema) bool {
	if s == o {
		return true
	}
	if s == nil || o == nil {
		return false
	}
	if s.equalTo.Load() == o {
		return true
	}
	var c comparer
	if !c.schemas(s, o) {
		return false
	}
	s.equalTo.Store(o)
	return true
}

// Equal reports whether two Connect values are equal as Java's deepEquals says: same
// type, same content; maps without their order, decimals with their scale.
func Equal(a, b any) bool {
	var c comparer
	return c.values(a, b)
}

// pairsFrom is the depth from which compared pairs are remembered, to end on recursive
// schemas.
const pairsFrom = 64

type comparer struct {
	depth int
	pairs map[[2]*Schema]bool
}

func (c *comparer) schemas(a, b *Schema) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil {
		return false
	}
	if a.equalTo.Load() == b {
		return true
	}
	if a.typ != b.typ || a.optional != b.optional || a.name != b.name || a.version != b.version ||
		a.hasVersion != b.hasVersion || a.doc != b.doc || len(a.fields) != len(b.fields) ||
		!sameParameters(a, b) {
		return false
	}
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > pairsFrom {
		pair := [2]*Schema{a, b}
		if c.pairs[pair] {
			return true // being compared further up
		}
		if c.pairs == nil {
			c.pairs = make(map[[2]*Schema]bool)
		}
		c.pairs[pair] = true
	}
	for i := range a.fields {
		if a.fields[i].Name != b.fields[i].Name {
			return false
		}
	}
	if !c.values(a.def, b.def) || !c.schemas(a.key, b.key) || !c.schemas(a.value, b.value) {
		return false
	}
	for i := range a.fields {
		if !c.schemas(a.fields[i].Schema, b.fields[i].Schema) {
			return false
		}
	}
	return true
}

func sameParameters(a, b *Schema) bool {
	if len(a.params) != len(b.params) {
		return false
	}
	for i, p := range a.params {
		if b.params[i] == p {
			continue
		}
		if v, ok := b.Parameter(p.Key); !ok || v != p.Value {
			return false
		}
	}
	return true
}

func (c *comparer) values(a, b any) bool {
	switch x := a.(type) {
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	case float32:
		y, ok := b.(float32)
		return ok && float32Bits(x) == float32Bits(y)
	case float64:
		y, ok := b.(float64)
		return ok && float64Bits(x) == float64Bits(y)
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	case Decimal:
		y, ok := b.(Decimal)
		return ok && x.Equal(y)
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !c.values(x[i], y[i]) {
				return false
			}
		}
		return true
	case *Map:
		y, ok := b.(*Map)
		return ok && c.maps(x, y)
	case *Struct:
		y, ok := b.(*Struct)
		return ok && c.structs(x, y)
	}
	switch b.(type) {
	case []byte, []any:
		return false // not comparable
	}
	return a == b
}

func (c *comparer) maps(a, b *Map) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.Len() != b.Len() {
		return false
	}
	for i := range a.entries {
		v, ok := b.Get(a.entries[i].Key)
		if !ok || !c.values(a.entries[i].Value, v) {
			return false
		}
	}
	return true
}

func (c *comparer) structs(a, b *Struct) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || !c.schemas(a.schema, b.schema) {
		return false
	}
	for i := range a.values {
		if !c.values(a.values[i], b.values[i]) {
			return false
		}
	}
	return true
}
