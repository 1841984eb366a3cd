package avro

import (
	"errors"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// NoVersion is the version of a schema that comes from no registry.
const NoVersion = -1

// ToConnect returns the Connect schema for an Avro schema, nil for Anything (Java:
// AvroData.toConnectSchema). version is the schema's version in its registry, or
// NoVersion; the property connect.version comes first. Schemas that have no form in
// Connect are a *connect.DataError.
func ToConnect(s *Schema, version int, o Options) (*data.Schema, error) {
	if equal(s, anything) {
		return nil, nil
	}
	c := toConnect{options: o, open: make(map[*Schema]*openRecord), done: make(map[doneKey]*data.Schema)}
	out, err := c.convert(s, usage{version: version})
	return out, asDataError(err)
}

func asDataError(err error) error {
	var e *connect.DataError
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &connect.DataError{Msg: err.Error(), Err: err}
}

// toConnect converts one schema with all that it contains.
type toConnect struct {
	options Options
	open    map[*Schema]*openRecord
	done    map[doneKey]*data.Schema
}

// openRecord is a record that is being converted further up, once required and once
// optional, each when it is needed.
type openRecord struct {
	builders [2]*data.Builder // indexed by asIndex(optional)
}

func asIndex(optional bool) int {
	if optional {
		return 1
	}
	return 0
}

func newRecordBuilder(optional bool) *data.Builder {
	b := data.NewStructSchema()
	if optional {
		b.Optional()
	}
	return b
}

type doneKey struct {
	schema   *Schema
	optional bool
	def      *jsonValue // of one field
}

// usage is what the place of a schema says about it.
type usage struct {
	optional bool
	version  int
	def      *jsonValue // the default of the field
}

// plain is the usage of elements and branches.
func plain(optional bool) usage { return usage{optional: optional, version: NoVersion} }

// convert returns the schema for one place. What a record contains is converted once for
// each of its fields, however often the record is there. Java parity: a record inside
// itself has no default.
func (c *toConnect) convert(s *Schema, u usage) (*data.Schema, error) {
	if r := c.open[s]; r != nil {
		i := asIndex(u.optional)
		if r.builders[i] == nil {
			r.builders[i] = newRecordBuilder(u.optional)
		}
		return r.builders[i].Self(), nil
	}
	key := doneKey{s, u.optional, u.def}
	if have := c.done[key]; have != nil {
		return have, nil
	}
	out, err := c.convertNew(s, u)
	if err == nil {
		c.done[key] = out
	}
	return out, err
}

func (c *toConnect) convertNew(s *Schema, u usage) (*data.Schema, error) {
	switch s.kind {
	case kindNull:
		return nil, schemaError("Standalone null schemas are not supported by this converter")
	case kindRecord:
		return c.record(s, u)
	case kindUnion:
		if inner := nullable(s); inner != nil {
			return c.convert(inner, plain(true))
		}
		if len(s.branches) == 1 {
			return c.convert(s.branches[0], usage{optional: u.optional, version: NoVersion, def: u.def})
		}
	default:
	}
	b, err := c.builder(s)
	if err != nil {
		return nil, err
	}
	if err := c.attributes(b, s, u); err != nil {
		return nil, err
	}
	if u.optional {
		b.Optional()
	}
	return b.Build()
}

// nullable returns the other branch of a union of two that has null, else nil.
func nullable(s *Schema) *Schema {
	if len(s.branches) != 2 {
		return nil
	}
	for i, b := range s.branches {
		if b.kind == kindNull {
			return s.branches[1-i]
		}
	}
	return nil
}

// builder starts the schema of any type but a record.
func (c *toConnect) builder(s *Schema) (*data.Builder, error) {
	switch s.kind {
	case kindBoolean:
		return data.NewBuilder(data.Boolean), nil
	case kindInt:
		return intBuilder(s)
	case kindLong:
		if strings.EqualFold(s.stringProp(propLogicalType), "timestamp-millis") {
			return data.NewTimestamp(), nil
		}
		return data.NewBuilder(data.Int64), nil
	case kindFloat:
		return data.NewBuilder(data.Float32), nil
	case kindDouble:
		return data.NewBuilder(data.Float64), nil
	case kindString:
		return data.NewBuilder(data.String), nil
	case kindBytes, kindFixed:
		return bytesBuilder(s)
	case kindEnum:
		return c.enum(s), nil
	case kindArray:
		return c.array(s)
	case kindMap:
		values, err := c.convert(s.items, plain(false))
		return data.NewMapSchema(data.StringSchema, values), err
	default:
		return c.union(s)
	}
}

func intBuilder(s *Schema) (*data.Builder, error) {
	if logical := s.stringProp(propLogicalType); logical != "" {
		switch {
		case strings.EqualFold(logical, "date"):
			return data.NewDate(), nil
		case strings.EqualFold(logical, "time-millis"):
			return data.NewTime(), nil
		}
		return data.NewBuilder(data.Int32), nil
	}
	switch s.stringProp(propType) {
	case "":
		return data.NewBuilder(data.Int32), nil
	case "int8":
		return data.NewBuilder(data.Int8), nil
	case "int16":
		return data.NewBuilder(data.Int16), nil
	}
	return nil, schemaError("Connect type annotation for Avro int field is null")
}

func bytesBuilder(s *Schema) (*data.Builder, error) {
	b := data.NewBuilder(data.Bytes)
	if strings.EqualFold(s.stringProp(propLogicalType), "decimal") {
		scale := 0
		if v := s.props.member(propScale); v != nil && v.kind == jsonNumber {
			scale = v.javaInt()
		}
		b = data.NewDecimal(int32(scale))
		if v := s.props.member(propPrecision); v != nil && v.kind != jsonNull {
			if v.kind != jsonNumber {
				return nil, schemaError("precision property must be a JSON Integer. https://avro.apache.org/docs/1.9.1/spec.html#Decimal")
			}
			if n := v.javaInt(); n != defaultPrecision {
				b.Parameter(precisionParam, strconv.Itoa(n))
			}
		}
	}
	if s.kind == kindFixed {
		b.Parameter(fixedSizeParam, strconv.Itoa(s.size))
	}
	return b, nil
}

func (c *toConnect) enum(s *Schema) *data.Builder {
	b := data.NewBuilder(data.String)
	if c.options.ConnectMetaData {
		if s.hasDoc {
			b.Parameter(enumDocParam+s.name, s.doc)
		}
		if s.symbol != "" {
			b.Parameter(enumDefParam+s.name, s.symbol)
		}
	}
	b.Parameter(enumParam, s.fullName())
	for _, symbol := range s.symbols {
		b.Parameter(enumParam+"."+symbol, symbol)
	}
	return b
}

func (c *toConnect) array(s *Schema) (*data.Builder, error) {
	e := s.items
	entry := e.kind == kindRecord &&
		(e.space == namespace && e.name == mapEntryName || e.stringProp(propInternalType) == mapEntryName)
	if !entry {
		items, err := c.convert(e, plain(false))
		return data.NewArray(items), err
	}
	key, value := e.field(mapEntryKey), e.field(mapEntryValue)
	if len(e.fields) != 2 || key == nil || value == nil {
		return nil, schemaError("Found map encoded as array of key-value pairs, but array elements do not match the expected format.")
	}
	k, err := c.convert(key.schema, plain(false))
	if err != nil {
		return nil, err
	}
	v, err := c.convert(value.schema, plain(false))
	return data.NewMapSchema(k, v), err
}

func (s *Schema) field(name string) *field {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}

// union makes a STRUCT with an optional field per branch.
func (c *toConnect) union(s *Schema) (*data.Builder, error) {
	b := data.NewStructSchema().Name(unionName)
	seen := make(map[string]bool)
	for _, branch := range s.branches {
		if branch.kind == kindNull {
			b.Optional()
			continue
		}
		name := c.branchName(branch)
		if seen[name] {
			return nil, schemaError("Multiple union schemas map to the Connect union field name")
		}
		seen[name] = true
		f, err := c.convert(branch, plain(true))
		if err != nil {
			return nil, err
		}
		b.Field(name, f)
	}
	return b, nil
}

func (c *toConnect) branchName(s *Schema) string {
	if s.kind.named() && !c.options.EnhancedSchema {
		return s.name
	}
	return s.fullName()
}

// record makes a STRUCT. When it contains itself with the other optionality, two schemas
// with the same fields are built.
func (c *toConnect) record(s *Schema, u usage) (*data.Schema, error) {
	open := &openRecord{}
	own := newRecordBuilder(u.optional)
	open.builders[asIndex(u.optional)] = own
	c.open[s] = open
	defer delete(c.open, s)

	var params []data.Parameter
	if c.options.ConnectMetaData && s.hasDoc {
		params = append(params, data.Parameter{Key: recordDocParam, Value: s.doc})
	}
	fields := make([]*data.Schema, len(s.fields))
	for i := range s.fields {
		f := &s.fields[i]
		if c.options.ConnectMetaData && f.hasDoc {
			params = append(params, data.Parameter{Key: fieldDocParam + f.name, Value: f.doc})
		}
		inner := plain(false)
		if f.hasDefault {
			inner.def = &f.def
		}
		var err error
		if fields[i], err = c.convert(f.schema, inner); err != nil {
			return nil, err
		}
	}
	for i, b := range open.builders {
		if b == nil {
			continue
		}
		for k := range fields {
			b.Field(s.fields[k].name, fields[k])
		}
		b.Parameters(params)
		inner := u
		if b != own {
			inner.optional, inner.def = i == 1, nil
		}
		if err := c.attributes(b, s, inner); err != nil {
			return nil, err
		}
		if _, err := b.Build(); err != nil {
			return nil, err
		}
	}
	return own.Build()
}

// attributes sets what all types have.
func (c *toConnect) attributes(b *data.Builder, s *Schema, u usage) error {
	if doc := s.stringProp(propDoc); doc != "" && c.options.ConnectMetaData {
		b.Doc(doc)
	}
	if err := setVersion(b, s, u.version); err != nil {
		return err
	}
	if v := s.props.member(propParameters); v != nil && c.options.ConnectMetaData {
		if v.kind != jsonObject {
			return badSchema("Expected JSON object for schema parameters but found: %s", v.append(nil))
		}
		for i, name := range v.names {
			if v.list[i].kind != jsonString {
				return badSchema("Expected schema parameter values to be strings but found: %s", v.list[i].append(nil))
			}
			b.Parameter(name, v.list[i].text)
		}
	}
	for i, name := range s.props.names {
		if v := &s.props.list[i]; strings.HasPrefix(name, avroPrefix) {
			text := v.text
			if v.kind != jsonString {
				text = string(v.append(nil))
			}
			b.Parameter(name, text)
		}
	}
	c.setDefault(b, s, u.def)
	return setName(b, s)
}

func setVersion(b *data.Builder, s *Schema, version int) error {
	if v := s.props.member(propVersion); v != nil && v.kind != jsonNull {
		if v.kind != jsonNumber {
			return badSchema("Invalid Connect version found: %s", v.append(nil))
		}
		version = v.javaInt()
	}
	if version < 0 {
		return nil
	}
	if have, ok := b.Self().Version(); ok && have != version {
		return badSchema("Mismatched versions: version already added to SchemaBuilder (%d) differs from version in source schema (%d)", have, version)
	}
	b.Version(version)
	return nil
}

// setDefault takes the default of the field, else that of the schema. Java parity: one
// that does not fit is left out.
func (c *toConnect) setDefault(b *data.Builder, s *Schema, def *jsonValue) {
	own := s.props.member(propDefault)
	switch {
	case def == nil:
		def = own
	case own == nil && c.options.ConnectMetaData:
		b.Parameter(fieldDefParam, "true")
	}
	if def == nil || def.kind == jsonNull {
		return
	}
	if v, err := c.fromDefault(b.Self(), s, def); err == nil && data.Validate(b.Self(), v) == nil {
		b.Default(v)
	}
}

func setName(b *data.Builder, s *Schema) error {
	name := ""
	if v := s.props.member(propName); v != nil {
		if v.kind != jsonString {
			return badSchema("Invalid schema name: %s", v.append(nil))
		}
		name = v.text
	} else if s.kind.named() {
		name = s.fullName()
	}
	if name == "" || strings.HasPrefix(name, namespace+"."+defaultName) {
		return nil
	}
	if have := b.Self().Name(); have != "" && have != name {
		return badSchema("Mismatched names: name already added to SchemaBuilder (%s) differs from name in source schema (%s)", have, name)
	}
	b.Name(name)
	return nil
}
