package avro

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// kind is an Avro type.
type kind uint8

const (
	kindNull kind = iota
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindRecord
	kindEnum
	kindFixed
	kindArray
	kindMap
	kindUnion
)

var kindNames = [...]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum", "fixed", "array", "map", "union"}

func (k kind) named() bool { return k == kindRecord || k == kindEnum || k == kindFixed }

// Schema is an Avro schema: the tree of types with all its properties. It may contain
// itself. A Schema that was handed out is immutable and safe for concurrent use.
type Schema struct {
	kind        kind
	name, space string // of named types
	doc         string
	hasDoc      bool
	fields      []field  // of a record
	symbols     []string // of an enum
	symbol      string   // default of an enum, "" when there is none
	size        int      // of a fixed
	items       *Schema  // of an array; the values of a map
	branches    []*Schema
	props       jsonValue // an object, in the order in which they were added

	text string // of a Schema that was handed out
}

// field is a field of a record.
type field struct {
	name       string
	schema     *Schema
	doc        string
	hasDoc     bool
	def        jsonValue
	hasDefault bool
}

// String returns the JSON text of the schema, as Java's Schema.toString does.
func (s *Schema) String() string { return s.text }

func (s *Schema) fullName() string {
	switch {
	case !s.kind.named():
		return kindNames[s.kind]
	case s.space == "":
		return s.name
	}
	return s.space + "." + s.name
}

// setProp adds a property, once.
func (s *Schema) setProp(name string, v jsonValue) {
	if s.props.member(name) == nil {
		s.props.add(name, v)
	}
}

// stringProp returns a property that is a string, "" if it is none.
func (s *Schema) stringProp(name string) string {
	if v := s.props.member(name); v != nil && v.kind == jsonString {
		return v.text
	}
	return ""
}

// splitName splits a full name at its last dot.
func splitName(full string) (space, name string) {
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		return full[:i], full[i+1:]
	}
	return "", full
}

// checkName applies Avro's rule for names. Java parity: letters and digits of any script
// are taken, the namespace is not looked at.
func checkName(name string) error {
	if name == "" {
		return schemaError("Empty name")
	}
	for i, r := range name {
		switch {
		case r == '_' || unicode.IsLetter(r):
		case i == 0:
			return schemaError("Illegal initial character: " + name)
		case !unicode.IsDigit(r):
			return schemaError("Illegal character in: " + name)
		}
	}
	return nil
}

// schemaError is a schema that Avro does not take. To a sink it is the record's fault.
func schemaError(msg string) error { return &connect.DataError{Msg: msg} }

// finish makes the text of a complete schema. It finds names that are defined twice.
func (s *Schema) finish() error {
	p := printer{names: make(map[string]*Schema)}
	p.print(s, "")
	s.text = string(p.dst)
	return p.err
}

type printer struct {
	dst   []byte
	names map[string]*Schema
	err   error
}

func (p *printer) raw(s string)    { p.dst = append(p.dst, s...) }
func (p *printer) quoted(s string) { p.dst = data.AppendJSONString(p.dst, s) }

func (p *printer) member(name, value string) {
	p.raw(`,"` + name + `":`)
	p.quoted(value)
}

// print writes a schema inside the namespace space.
func (p *printer) print(s *Schema, space string) {
	switch s.kind {
	case kindUnion:
		p.raw("[")
		for i, b := range s.branches {
			if i > 0 {
				p.raw(",")
			}
			p.print(b, space)
		}
		p.raw("]")
	case kindRecord, kindEnum, kindFixed:
		p.printNamed(s, space)
	case kindArray, kindMap:
		p.raw(`{"type":"` + kindNames[s.kind])
		if s.kind == kindArray {
			p.raw(`","items":`)
		} else {
			p.raw(`","values":`)
		}
		p.print(s.items, space)
		p.printProps(s)
	default:
		if len(s.props.names) == 0 {
			p.quoted(kindNames[s.kind])
			return
		}
		p.raw(`{"type":"` + kindNames[s.kind] + `"`)
		p.printProps(s)
	}
}

// printProps ends an object.
func (p *printer) printProps(s *Schema) {
	for i, name := range s.props.names {
		p.raw(",")
		p.quoted(name)
		p.raw(":")
		p.dst = s.props.list[i].append(p.dst)
	}
	p.raw("}")
}

func (p *printer) printNamed(s *Schema, space string) {
	full := s.fullName()
	if have := p.names[full]; have != nil {
		if have != s && p.err == nil && !equal(have, s) {
			p.err = schemaError("Can't redefine: " + full + ". Schemas of the same name must be the same; give one of them another name, for instance with the transform SetSchemaMetadata.")
		}
		if s.space == space && !slices.Contains(kindNames[:], s.name) {
			full = s.name
		}
		p.quoted(full)
		return
	}
	p.names[full] = s
	p.raw(`{"type":"` + kindNames[s.kind] + `"`)
	p.member("name", s.name)
	if s.space != space {
		p.member("namespace", s.space)
	}
	if s.hasDoc {
		p.member("doc", s.doc)
	}
	switch s.kind {
	case kindRecord:
		p.printFields(s)
	case kindEnum:
		p.raw(`,"symbols":[`)
		for i, symbol := range s.symbols {
			if i > 0 {
				p.raw(",")
			}
			p.quoted(symbol)
		}
		p.raw("]")
		if s.symbol != "" {
			p.member("default", s.symbol)
		}
	default:
		p.raw(`,"size":` + strconv.Itoa(s.size))
	}
	p.printProps(s)
}

func (p *printer) printFields(s *Schema) {
	p.raw(`,"fields":[`)
	for i := range s.fields {
		f := &s.fields[i]
		if i > 0 {
			p.raw(",")
		}
		p.raw(`{"name":`)
		p.quoted(f.name)
		p.raw(`,"type":`)
		p.print(f.schema, s.space)
		if f.hasDoc {
			p.member("doc", f.doc)
		}
		if f.hasDefault {
			p.raw(`,"default":`)
			p.dst = f.def.append(p.dst)
		}
		p.raw("}")
	}
	p.raw("]")
}

// equal reports whether two schemas are equal as Java's equals says: with defaults and
// properties, without documentation.
func equal(a, b *Schema) bool {
	c := comparer{exact: true}
	return c.equal(a, b)
}

// sameEncoding reports whether the same bytes mean the same under both schemas, and names
// are the same.
func sameEncoding(a, b *Schema) bool {
	var c comparer
	return c.equal(a, b)
}

type comparer struct {
	exact bool // compare properties and defaults, too
	seen  map[[2]*Schema]bool
}

func (c *comparer) equal(a, b *Schema) bool {
	if a == b {
		return true
	}
	if a.kind != b.kind || a.size != b.size || len(a.fields) != len(b.fields) ||
		len(a.branches) != len(b.branches) || !slices.Equal(a.symbols, b.symbols) ||
		a.kind.named() && a.fullName() != b.fullName() {
		return false
	}
	if c.exact && (a.symbol != b.symbol || !sameMembers(&a.props, &b.props)) {
		return false
	}
	if a.kind == kindRecord {
		pair := [2]*Schema{a, b}
		if c.seen[pair] {
			return true // being compared further up
		}
		if c.seen == nil {
			c.seen = make(map[[2]*Schema]bool)
		}
		c.seen[pair] = true
	}
	for i := range a.fields {
		f, g := &a.fields[i], &b.fields[i]
		if f.name != g.name || !c.equal(f.schema, g.schema) {
			return false
		}
		if c.exact && (f.hasDefault != g.hasDefault || !sameJSON(&f.def, &g.def)) {
			return false
		}
	}
	for i := range a.branches {
		if !c.equal(a.branches[i], b.branches[i]) {
			return false
		}
	}
	return a.items == nil || c.equal(a.items, b.items)
}

func sameJSON(a, b *jsonValue) bool {
	if a.kind != b.kind || a.text != b.text || len(a.list) != len(b.list) {
		return false
	}
	if a.kind == jsonObject {
		return sameMembers(a, b)
	}
	for i := range a.list {
		if !sameJSON(&a.list[i], &b.list[i]) {
			return false
		}
	}
	return true
}

// sameMembers compares objects without their order.
func sameMembers(a, b *jsonValue) bool {
	if len(a.names) != len(b.names) {
		return false
	}
	for i, name := range a.names {
		if v := b.member(name); v == nil || !sameJSON(&a.list[i], v) {
			return false
		}
	}
	return true
}
