package avro

import (
	"fmt"
	"slices"

	"github.com/penstock-io/penstock/connect"
)

// Parse reads the JSON text of an Avro schema. Names are checked as Java does; defaults
// are taken as they are. The error is a *connect.DataError.
func Parse(text string) (*Schema, error) {
	v, err := parseJSON(text)
	if err != nil {
		return nil, &connect.DataError{Msg: "the Avro schema is not JSON: " + err.Error(), Err: err}
	}
	p := parser{names: make(map[string]*Schema)}
	s, err := p.parse(&v, "")
	if err != nil {
		return nil, err
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return s, nil
}

type parser struct{ names map[string]*Schema }

func badSchema(format string, args ...any) error { return schemaError(fmt.Sprintf(format, args...)) }

func (p *parser) parse(v *jsonValue, space string) (*Schema, error) {
	switch v.kind {
	case jsonString:
		return p.reference(v.text, space)
	case jsonArray:
		return p.union(v, space)
	case jsonObject:
		return p.object(v, space)
	default:
		return nil, badSchema("No type: %s", v.append(nil))
	}
}

func primitive(name string) (kind, bool) {
	i := slices.Index(kindNames[:kindRecord], name)
	return kind(max(i, 0)), i >= 0
}

// reference finds a primitive or a name that was defined before. A name without a
// namespace may be one of the null namespace, which Java writes so.
func (p *parser) reference(name, space string) (*Schema, error) {
	if k, ok := primitive(name); ok {
		return &Schema{kind: k}, nil
	}
	in, simple := splitName(name)
	if in == "" && space != "" {
		if s := p.names[space+"."+simple]; s != nil {
			return s, nil
		}
	}
	if s := p.names[name]; s != nil {
		return s, nil
	}
	return nil, badSchema("Undefined name: %q", name)
}

func (p *parser) union(v *jsonValue, space string) (*Schema, error) {
	u := &Schema{kind: kindUnion}
	for i := range v.list {
		b, err := p.parse(&v.list[i], space)
		if err != nil {
			return nil, err
		}
		u.branches = append(u.branches, b)
	}
	return u, u.checkBranches()
}

// checkBranches applies Avro's rules for unions.
func (s *Schema) checkBranches() error {
	seen := make(map[string]bool, len(s.branches))
	for _, b := range s.branches {
		if b.kind == kindUnion {
			return schemaError("Nested union")
		}
		if seen[b.fullName()] {
			return schemaError("Duplicate in union:" + b.fullName())
		}
		seen[b.fullName()] = true
	}
	return nil
}

// Members of an object that are no properties.
var reserved = []string{"doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"}

func (p *parser) object(v *jsonValue, space string) (*Schema, error) {
	t := v.member("type")
	if t == nil || t.kind != jsonString {
		return nil, badSchema("No type: %s", v.append(nil))
	}
	s := &Schema{}
	var err error
	switch t.text {
	case "record", "error":
		s.kind = kindRecord
		err = p.record(s, v, space)
	case "enum":
		s.kind = kindEnum
		err = p.enum(s, v, space)
	case "fixed":
		s.kind = kindFixed
		err = p.fixed(s, v, space)
	case "array", "map":
		member := "items"
		s.kind = kindArray
		if t.text == "map" {
			s.kind, member = kindMap, "values"
		}
		items := v.member(member)
		if items == nil {
			return nil, badSchema("No %s type: %s", member, v.append(nil))
		}
		s.items, err = p.parse(items, space)
	default:
		k, ok := primitive(t.text)
		if !ok {
			return p.reference(t.text, space)
		}
		s.kind = k
	}
	if err != nil {
		return nil, err
	}
	for i, name := range v.names {
		if !slices.Contains(reserved, name) && (name != "default" || s.kind != kindEnum) {
			s.setProp(name, v.list[i])
		}
	}
	return s, nil
}

// define takes the names of a named type.
func (p *parser) define(s *Schema, v *jsonValue, space string) error {
	name := v.member("name")
	if name == nil || name.kind != jsonString {
		return badSchema("No name in schema: %s", v.append(nil))
	}
	s.space, s.name = splitName(name.text)
	if s.space == "" {
		s.space = space
		if ns := v.member("namespace"); ns != nil && ns.kind == jsonString {
			s.space = ns.text
		}
	}
	if err := checkName(s.name); err != nil {
		return err
	}
	if doc := v.member("doc"); doc != nil && doc.kind == jsonString {
		s.doc, s.hasDoc = doc.text, true
	}
	if p.names[s.fullName()] != nil {
		return schemaError("Can't redefine: " + s.fullName())
	}
	p.names[s.fullName()] = s
	return nil
}

func (p *parser) record(s *Schema, v *jsonValue, space string) error {
	if err := p.define(s, v, space); err != nil {
		return err
	}
	fields := v.member("fields")
	if fields == nil || fields.kind != jsonArray {
		return badSchema("Record has no fields: %s", v.append(nil))
	}
	for i := range fields.list {
		f, err := p.field(&fields.list[i], s.space)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(s.fields, func(g field) bool { return g.name == f.name }) {
			return badSchema("Duplicate field %s in record %s", f.name, s.fullName())
		}
		s.fields = append(s.fields, f)
	}
	return nil
}

func (p *parser) field(v *jsonValue, space string) (f field, err error) {
	name, t := v.member("name"), v.member("type")
	if name == nil || name.kind != jsonString {
		return f, badSchema("No field name: %s", v.append(nil))
	}
	if t == nil {
		return f, badSchema("No field type: %s", v.append(nil))
	}
	f.name = name.text
	if err := checkName(f.name); err != nil {
		return f, err
	}
	if doc := v.member("doc"); doc != nil && doc.kind == jsonString {
		f.doc, f.hasDoc = doc.text, true
	}
	if def := v.member("default"); def != nil {
		f.def, f.hasDefault = *def, true
	}
	f.schema, err = p.parse(t, space)
	return f, err
}

func (p *parser) enum(s *Schema, v *jsonValue, space string) error {
	if err := p.define(s, v, space); err != nil {
		return err
	}
	symbols := v.member("symbols")
	if symbols == nil || symbols.kind != jsonArray {
		return badSchema("Enum has no symbols: %s", v.append(nil))
	}
	for i := range symbols.list {
		s.symbols = append(s.symbols, symbols.list[i].text)
	}
	if def := v.member("default"); def != nil {
		s.symbol = def.text
	}
	return s.checkSymbols()
}

func (s *Schema) checkSymbols() error {
	for i, symbol := range s.symbols {
		if err := checkName(symbol); err != nil {
			return err
		}
		if slices.Contains(s.symbols[:i], symbol) {
			return schemaError("Duplicate enum symbol: " + symbol)
		}
	}
	if s.symbol != "" && !slices.Contains(s.symbols, s.symbol) {
		return badSchema("The Enum Default: %s is not in the enum symbol set: %v", s.symbol, s.symbols)
	}
	return nil
}

// maxFixed bounds the size of a fixed, which is allocated when it is read.
const maxFixed = 1 << 30

func (p *parser) fixed(s *Schema, v *jsonValue, space string) error {
	if err := p.define(s, v, space); err != nil {
		return err
	}
	n, ok := int64(0), false
	if size := v.member("size"); size != nil {
		n, ok = size.int(32)
	}
	if !ok || n < 0 || n > maxFixed {
		return badSchema("Invalid or no size: %s", v.append(nil))
	}
	s.size = int(n)
	return nil
}
