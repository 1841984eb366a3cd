package avro

import (
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// FromConnect returns the Avro schema for a Connect schema, Anything for nil (Java:
// AvroData.fromConnectSchema). The error is a *connect.DataError: a name that Avro does
// not take, or one that stands for two schemas.
func FromConnect(s *data.Schema, o Options) (*Schema, error) {
	if s == nil {
		return anything, nil
	}
	c := fromConnect{options: o}
	out, err := c.convert(s, false)
	if err != nil {
		return nil, err
	}
	if err := out.finish(); err != nil {
		return nil, err
	}
	return out, nil
}

// fromConnect converts one schema with all that it contains.
type fromConnect struct {
	options Options
	records []record
	unnamed int // schemas without a name so far
}

// record is a STRUCT that was converted, or is being converted further up.
type record struct {
	schema *data.Schema
	out    *Schema
	done   bool
}

func isUnion(s *data.Schema) bool {
	if s.Type() != data.StructType {
		return false
	}
	_, ok := s.Parameter(generalizedUnion)
	return ok || s.Name() == unionName
}

// convert returns the schema. ignoreOptional leaves out the union with null: the schema
// is a branch of a union already.
func (c *fromConnect) convert(s *data.Schema, ignoreOptional bool) (*Schema, error) {
	if isUnion(s) {
		return c.union(s, ignoreOptional)
	}
	var base *Schema
	var err error
	if s.Type() == data.StructType {
		base, err = c.structure(s)
	} else {
		base, err = c.base(s)
		if err == nil {
			err = c.annotate(base, s)
		}
	}
	if err != nil {
		return nil, err
	}
	return optional(base, s, ignoreOptional), nil
}

// optional wraps the schema of an optional value. A default moves null behind, since
// Avro's defaults are those of the first branch; of a STRUCT it does not.
func optional(base *Schema, s *data.Schema, ignore bool) *Schema {
	switch {
	case ignore || !s.Optional():
		return base
	case s.Default() != nil && s.Type() != data.StructType:
		return &Schema{kind: kindUnion, branches: []*Schema{base, {kind: kindNull}}}
	}
	return &Schema{kind: kindUnion, branches: []*Schema{{kind: kindNull}, base}}
}

// base converts the type, without what is common to all types.
func (c *fromConnect) base(s *data.Schema) (*Schema, error) {
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32:
		return &Schema{kind: kindInt}, nil
	case data.Int64:
		return &Schema{kind: kindLong}, nil
	case data.Float32:
		return &Schema{kind: kindFloat}, nil
	case data.Float64:
		return &Schema{kind: kindDouble}, nil
	case data.Boolean:
		return &Schema{kind: kindBoolean}, nil
	case data.String:
		return c.text(s)
	case data.Bytes:
		return bytesSchema(s)
	case data.Array:
		items, err := c.convert(s.ValueSchema(), false)
		return &Schema{kind: kindArray, items: items}, err
	default:
		return c.mapping(s)
	}
}

// text converts a STRING, which may be an enum.
func (c *fromConnect) text(s *data.Schema) (*Schema, error) {
	full, ok := s.Parameter(enumParam)
	if !ok || !c.options.EnhancedSchema {
		return &Schema{kind: kindString}, nil
	}
	out := &Schema{kind: kindEnum}
	out.space, out.name = splitName(full)
	if err := checkName(out.name); err != nil {
		return nil, err
	}
	for _, p := range s.Parameters() {
		if symbol, ok := strings.CutPrefix(p.Key, enumParam+"."); ok {
			out.symbols = append(out.symbols, symbol)
		}
	}
	simple := defaultName
	if s.Name() != "" {
		_, simple = splitName(s.Name())
	}
	out.doc, out.hasDoc = s.Parameter(enumDocParam + simple)
	out.symbol, _ = s.Parameter(enumDefParam + simple)
	return out, out.checkSymbols()
}

// fixedSize returns the size of BYTES that are a fixed.
func fixedSize(s *data.Schema) (size int, ok bool, err error) {
	text, ok := s.Parameter(fixedSizeParam)
	if !ok || s.Name() == "" || s.Type() != data.Bytes {
		return 0, false, nil
	}
	size, err = strconv.Atoi(text)
	if err != nil || size < 0 || size > maxFixed {
		return 0, false, badSchema("Invalid fixed size %q in schema %s", text, s)
	}
	return size, true, nil
}

func bytesSchema(s *data.Schema) (*Schema, error) {
	out := &Schema{kind: kindBytes}
	size, fixed, err := fixedSize(s)
	if err != nil {
		return nil, err
	}
	if fixed {
		out.kind, out.size = kindFixed, size
		out.space, out.name = splitName(s.Name())
		if err := checkName(out.name); err != nil {
			return nil, err
		}
	}
	if s.Name() != data.DecimalName {
		return out, nil
	}
	scale, err := s.Scale()
	if err != nil {
		return nil, &connect.DataError{Msg: err.Error(), Err: err}
	}
	precision := defaultPrecision
	if text, ok := s.Parameter(precisionParam); ok {
		if precision, err = strconv.Atoi(text); err != nil {
			return nil, badSchema("Invalid %s %q in schema %s", precisionParam, text, s)
		}
	}
	out.setProp(propScale, intValue(int64(scale)))
	out.setProp(propPrecision, intValue(int64(precision)))
	return out, nil
}

// textKeys reports whether a MAP becomes an Avro map.
func (o *Options) textKeys(s *data.Schema) bool {
	key := s.KeySchema()
	return key.Type() == data.String && (!key.Optional() || o.AllowOptionalMapKeys)
}

// mapping converts a MAP, to an array of entries when its keys are no text.
func (c *fromConnect) mapping(s *data.Schema) (*Schema, error) {
	if c.options.textKeys(s) {
		values, err := c.convert(s.ValueSchema(), false)
		return &Schema{kind: kindMap, items: values}, err
	}
	entry := &Schema{kind: kindRecord, space: namespace, name: mapEntryName}
	if s.Name() != "" {
		entry.space, entry.name = splitName(s.Name())
		entry.setProp(propInternalType, stringValue(mapEntryName))
		if err := checkName(entry.name); err != nil {
			return nil, err
		}
	}
	if err := c.addField(entry, mapEntryKey, s.KeySchema(), nil); err != nil {
		return nil, err
	}
	if err := c.addField(entry, mapEntryValue, s.ValueSchema(), nil); err != nil {
		return nil, err
	}
	return &Schema{kind: kindArray, items: entry}, nil
}

// union converts a STRUCT that stands for a union: one branch per field.
func (c *fromConnect) union(s *data.Schema, ignoreOptional bool) (*Schema, error) {
	out := &Schema{kind: kindUnion}
	if s.Optional() && !ignoreOptional {
		out.branches = append(out.branches, &Schema{kind: kindNull})
	}
	for i := range s.Fields() {
		b, err := c.convert(s.Fields()[i].Schema, true)
		if err != nil {
			return nil, err
		}
		out.branches = append(out.branches, b)
	}
	return out, out.checkBranches()
}

// structure converts a STRUCT as if it was required. One that contains itself, or that
// was there before, is a reference to the same record.
func (c *fromConnect) structure(s *data.Schema) (*Schema, error) {
	for i := range c.records {
		r := &c.records[i]
		if r.schema == s || r.schema.Name() == s.Name() && sameFields(r.schema, s) && (!r.done || sameAttributes(r.schema, s)) {
			return r.out, nil
		}
	}
	out := &Schema{kind: kindRecord, space: namespace, name: defaultName}
	if s.Name() != "" {
		out.space, out.name = splitName(s.Name())
	} else if c.unnamed++; c.unnamed > 1 {
		out.name += strconv.Itoa(c.unnamed)
	}
	if err := checkName(out.name); err != nil {
		return nil, err
	}
	out.doc, out.hasDoc = s.Parameter(recordDocParam)
	at := len(c.records)
	c.records = append(c.records, record{schema: s, out: out})
	for i := range s.Fields() {
		f := &s.Fields()[i]
		var doc *string
		if text, ok := s.Parameter(fieldDocParam + f.Name); ok {
			doc = &text
		}
		if err := c.addField(out, f.Name, f.Schema, doc); err != nil {
			return nil, err
		}
	}
	c.records[at].done = true
	return out, c.annotate(out, s)
}

// sameFields compares the fields of two structs.
func sameFields(a, b *data.Schema) bool {
	return slices.EqualFunc(a.Fields(), b.Fields(), func(f, g data.Field) bool {
		return f.Name == g.Name && f.Schema.Equal(g.Schema)
	})
}

// sameAttributes compares what annotate writes.
func sameAttributes(a, b *data.Schema) bool {
	av, aok := a.Version()
	bv, bok := b.Version()
	return av == bv && aok == bok && a.Doc() == b.Doc() && data.Equal(a.Default(), b.Default()) &&
		slices.Equal(a.Parameters(), b.Parameters())
}

func (c *fromConnect) addField(r *Schema, name string, s *data.Schema, doc *string) error {
	if err := checkName(name); err != nil {
		return err
	}
	f := field{name: name}
	var err error
	if f.schema, err = c.convert(s, false); err != nil {
		return err
	}
	if doc != nil {
		f.doc, f.hasDoc = *doc, true
	}
	switch {
	case s.Default() != nil:
		// What Avro would refuse is left out. An optional struct has null as its first branch.
		f.hasDefault = c.options.validDefault(s, s.Default()) && !(s.Optional() && s.Type() == data.StructType)
		if f.hasDefault {
			f.def, err = c.options.defaultValue(s, s.Default())
		}
	case s.Optional():
		f.hasDefault = true // null
	}
	r.fields = append(r.fields, f)
	return err
}

var connectTypes = map[data.Type]string{data.Int8: "int8", data.Int16: "int16"}

var logicalTypes = map[string]string{
	data.DecimalName: "decimal", data.DateName: "date", data.TimeName: "time-millis", data.TimestampName: "timestamp-millis",
}

// annotate adds the properties, in the order in which the JVM does.
func (c *fromConnect) annotate(out *Schema, s *data.Schema) error {
	if c.options.ConnectMetaData {
		if s.Doc() != "" {
			out.setProp(propDoc, stringValue(s.Doc()))
		}
		if v, ok := s.Version(); ok {
			out.setProp(propVersion, intValue(int64(v)))
		}
		var params jsonValue
		for _, p := range s.Parameters() {
			if p.Key != fieldDefParam {
				params.add(p.Key, stringValue(p.Value))
			}
		}
		if len(params.names) > 0 {
			out.setProp(propParameters, params)
		}
		if _, inField := s.Parameter(fieldDefParam); s.Default() != nil && !inField {
			def, err := c.options.defaultValue(s, s.Default())
			if err != nil {
				return err
			}
			out.setProp(propDefault, def)
		}
		if s.Name() != "" {
			out.setProp(propName, stringValue(s.Name()))
		}
		if t := connectTypes[s.Type()]; t != "" {
			out.setProp(propType, stringValue(t))
		}
	}
	if t := logicalTypes[s.Name()]; t != "" {
		out.setProp(propLogicalType, stringValue(t))
	}
	for _, p := range s.Parameters() {
		if strings.HasPrefix(p.Key, avroPrefix) {
			out.setProp(p.Key, stringValue(p.Value))
		}
	}
	return nil
}
