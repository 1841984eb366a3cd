package transform

import (
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// side is the half of a record that a transform works on.
type side bool

const (
	valueSide side = false
	keySide   side = true
)

func (s side) of(rec *connect.Record) *data.Datum {
	if s == keySide {
		return &rec.Key
	}
	return &rec.Value
}

// plans keeps what was worked out for the schemas used last, the newest first (Java:
// SynchronizedCache of 16).
type plans[P any] struct {
	entries []planEntry[P]
}

type planEntry[P any] struct {
	schema *data.Schema
	plan   P
}

const maxPlans = 16

func (c *plans[P]) get(s *data.Schema, build func(*data.Schema) (P, error)) (P, error) {
	for i := range c.entries {
		if e := c.entries[i]; e.schema == s {
			copy(c.entries[1:i+1], c.entries[:i])
			c.entries[0] = e
			return e.plan, nil
		}
	}
	p, err := build(s)
	if err != nil {
		return p, err
	}
	if len(c.entries) < maxPlans {
		c.entries = append(c.entries, planEntry[P]{})
	}
	copy(c.entries[1:], c.entries)
	c.entries[0] = planEntry[P]{s, p}
	return p, nil
}

// dataError is a DataException.
func dataError(format string, args ...any) error {
	return &connect.DataError{Msg: fmt.Sprintf(format, args...)}
}

// javaError is an exception of a class that connect has no type for.
func javaError(class, format string, args ...any) error {
	return &connect.Error{Class: class, Msg: fmt.Sprintf(format, args...)}
}

// asJava gives an error of package data the type of package connect.
func asJava(err error) error {
	e, ok := err.(*data.Error) //nolint:errorlint // this very error: one that wraps it has a class of its own
	if !ok {
		return err
	}
	if e.Kind == data.Invalid {
		return &connect.DataError{Msg: e.Msg, Err: e.Err}
	}
	return &connect.Error{Class: e.JavaClass(), Msg: e.Msg, Err: e.Err}
}

func className(v any) string {
	if v == nil {
		return "null"
	}
	return data.JavaClass(v)
}

func needMap(v any, purpose string) (*data.Map, error) {
	if m, ok := v.(*data.Map); ok {
		return m, nil
	}
	return nil, dataError("Only Map objects supported in absence of schema for [%s], found: %s", purpose, className(v))
}

func needStruct(v any, purpose string) (*data.Struct, error) {
	if s, ok := v.(*data.Struct); ok {
		return s, nil
	}
	return nil, dataError("Only Struct objects supported for [%s], found: %s", purpose, className(v))
}

// notString is the error for a schemaless map with a key that is no field name.
func notString(key any) error {
	return javaError("java.lang.ClassCastException", "class %s cannot be cast to class java.lang.String", className(key))
}

// basics copies name, version, doc and parameters (Java: SchemaUtil.copySchemaBasics).
func basics(b *data.Builder, s *data.Schema) *data.Builder {
	if s.Name() != "" {
		b.Name(s.Name())
	}
	if v, ok := s.Version(); ok {
		b.Version(v)
	}
	if s.Doc() != "" {
		b.Doc(s.Doc())
	}
	if p := s.Parameters(); len(p) > 0 {
		b.Parameters(p)
	}
	return b
}

// structFields returns the fields of a STRUCT, and Java's error for other schemas.
func structFields(s *data.Schema) ([]data.Field, error) {
	if s.Type() != data.StructType {
		return nil, dataError("Cannot list fields on non-struct type")
	}
	return s.Fields(), nil
}

// reader reads fields with or without their defaults, as replace.null.with.default says.
type reader struct{ withDefault bool }

const replaceNull = "replace.null.with.default"

func replaceNullKey() config.Key {
	return config.Key{Name: replaceNull, Type: config.TypeBoolean, Default: true, Importance: config.Medium, Order: -1,
		Doc: "Whether a null field that has a default is read as its default."}
}

// fields runs a transform of fields: onMap on a schemaless map, onStruct on a struct with
// schema. What it returns takes the place of to. A null is an error here, as any other
// value is.
func fields(from, to *data.Datum, purpose string, onMap func(*data.Map) (*data.Map, error), onStruct func(*data.Struct) (*data.Struct, error)) (keep bool, err error) {
	v, err := from.Value()
	if err != nil {
		return false, err
	}
	if from.Schema() == nil {
		m, err := needMap(v, purpose)
		if err == nil {
			m, err = onMap(m)
		}
		if err != nil {
			return false, err
		}
		to.SetValue(nil, m)
		return true, nil
	}
	s, err := needStruct(v, purpose)
	if err == nil {
		s, err = onStruct(s)
	}
	if err != nil {
		return false, err
	}
	to.SetValue(s.Schema(), s)
	return true, nil
}

func (r reader) at(s *data.Struct, i int) any {
	if r.withDefault {
		return s.At(i)
	}
	return s.AtWithoutDefault(i)
}

// copyField sets a field of out to the value of a field of the same schema: only a null
// is left to check.
func (r reader) copyField(out *data.Struct, to int, in *data.Struct, from int) error {
	v := r.at(in, from)
	if v == nil {
		return asJava(out.PutAt(to, nil))
	}
	out.SetAt(to, v)
	return nil
}

// projection is the plan of transforms that pick fields of a struct.
type projection struct {
	schema *data.Schema
	from   []int // source field of the first fields; those behind them stay null
	check  bool  // a source field has another schema
}

// build makes the schema of the fields in b.
func (p projection) build(b *data.Builder) (projection, error) {
	var err error
	p.schema, err = b.Build()
	return p, asJava(err)
}

func (p *projection) apply(r reader, in *data.Struct) (*data.Struct, error) {
	out := data.NewStruct(p.schema)
	for to, from := range p.from {
		var err error
		if p.check {
			err = asJava(out.PutAt(to, r.at(in, from)))
		} else {
			err = r.copyField(out, to, in, from)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func emptyList(_ string, v any) error {
	if list, ok := v.([]string); !ok || len(list) == 0 {
		return errors.New("Empty list")
	}
	return nil
}

func required(name string, t config.Type, doc string, check config.Validator) config.Key {
	return config.Key{Name: name, Type: t, Default: config.NoDefault, Importance: config.High, Order: -1, Doc: doc, Validator: check}
}

func optional(name string, t config.Type, value any, doc string, check config.Validator) config.Key {
	return config.Key{Name: name, Type: t, Default: value, Importance: config.Medium, Order: -1, Doc: doc, Validator: check}
}

// closer is for transforms that hold nothing.
type closer struct{}

// Close does nothing.
func (closer) Close() error { return nil }
