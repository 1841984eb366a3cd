package data

// merger finds the schema that all elements of a parsed container can have.
type merger struct {
	common       *Schema
	incompatible bool
}

func (m *merger) merge(s *Schema) {
	switch {
	case s == nil || m.incompatible:
	case m.common == nil:
		m.common = s
	default:
		m.common = mergeSchemas(m.common, s)
		m.incompatible = m.common == nil
	}
}

// mergeSchemas returns the wider of two numeric schemas, or nil. Java parity: of two
// schemas of one type the later is taken, whatever their other attributes are.
func mergeSchemas(a, b *Schema) *Schema {
	switch {
	case a.typ == b.typ && a.optional == b.optional:
		if a.optional {
			return a
		}
		return b
	case a.typ == b.typ || a.typ > Float64 || b.typ > Float64:
		return nil
	case a.typ > b.typ:
		return a
	default:
		return b
	}
}
