package json

import (
	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/data"
)

// reader converts trees to Connect data: the slow path and the reference of the fast one.
type reader struct {
	replaceNull bool // replace.null.with.default
}

// convert returns the value of a node. n is nil for a member that is not there.
func (r *reader) convert(s *data.Schema, n *node) (any, error) {
	if s == nil {
		return r.schemaless(n)
	}
	if n == nil || n.kind == null {
		switch {
		case s.Default() != nil && r.replaceNull:
			return s.Default(), nil
		case s.Optional():
			return nil, nil
		}
		return nil, dataError("Invalid null value for required %s field", s.Type())
	}
	if v, ok, err := logical(s, n); ok {
		return v, asConnect(err)
	}
	switch s.Type() {
	case data.Boolean:
		return n.kind == boolean && n.text == "true", nil
	case data.Int8:
		return int8(n.int64()), nil
	case data.Int16:
		return int16(n.int64()), nil
	case data.Int32:
		return int32(n.int64()), nil
	case data.Int64:
		return n.int64(), nil
	case data.Float32:
		return float32(n.float(32)), nil
	case data.Float64:
		return n.float(64), nil
	case data.String:
		if n.kind != text {
			return nil, nil
		}
		return n.text, nil
	case data.Bytes:
		return binaryValue(n, "Invalid bytes field")
	case data.Array:
		list := make([]any, 0, len(n.elems)) // Java parity: members of an object count as elements
		for _, e := range n.elems {
			v, err := r.convert(s.ValueSchema(), e)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case data.MapType:
		return r.mapping(s, n)
	default:
		return r.structure(s, n)
	}
}

// binaryValue decodes base64 text; other nodes have no bytes.
func binaryValue(n *node, msg string) (any, error) {
	if n.kind != text {
		return nil, nil
	}
	b, err := decodeBase64(n.text)
	if err != nil {
		return nil, &connect.DataError{Msg: msg, Err: err}
	}
	return b, nil
}

func (r *reader) mapping(s *data.Schema, n *node) (any, error) {
	m := data.NewMap(len(n.elems))
	if s.KeySchema().Type() == data.String {
		if n.kind != object {
			return nil, dataError("Maps with string fields should be encoded as JSON objects, but found %s", n.kind)
		}
		for i, e := range n.elems {
			v, err := r.convert(s.ValueSchema(), e)
			if err != nil {
				return nil, err
			}
			m.Put(n.names[i], v)
		}
		return m, nil
	}
	if n.kind != array {
		return nil, dataError("Maps with non-string fields should be encoded as JSON array of tuples, but found %s", n.kind)
	}
	for _, e := range n.elems {
		if e.kind != array {
			return nil, dataError("Found invalid map entry instead of array tuple: %s", e.kind)
		}
		if len(e.elems) != 2 {
			return nil, dataError("Found invalid map entry, expected length 2 but found :%d", len(e.elems))
		}
		k, err := r.convert(s.KeySchema(), e.elems[0])
		if err != nil {
			return nil, err
		}
		v, err := r.convert(s.ValueSchema(), e.elems[1])
		if err != nil {
			return nil, err
		}
		m.Put(k, v)
	}
	return m, nil
}

func (r *reader) structure(s *data.Schema, n *node) (any, error) {
	if n.kind != object {
		return nil, dataError("Structs should be encoded as JSON objects, but found %s", n.kind)
	}
	st := data.NewStruct(s)
	for i := range s.Fields() {
		f := &s.Fields()[i]
		v, err := r.convert(f.Schema, n.get(f.Name))
		if err != nil {
			return nil, err
		}
		if err := st.PutAt(i, v); err != nil {
			return nil, asConnect(err)
		}
	}
	return st, nil
}

// schemaless converts without a schema: integers to int64, other numbers to float64,
// objects to maps.
func (r *reader) schemaless(n *node) (any, error) {
	if n == nil {
		return nil, nil
	}
	switch n.kind {
	case boolean:
		return n.text == "true", nil
	case integer:
		return n.int64(), nil
	case decimal:
		return n.float(64), nil
	case text:
		return n.text, nil
	case array:
		list := make([]any, 0, len(n.elems))
		for _, e := range n.elems {
			v, err := r.schemaless(e)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case object:
		m := data.NewMap(len(n.elems))
		for i, e := range n.elems {
			v, err := r.schemaless(e)
			if err != nil {
				return nil, err
			}
			m.Put(n.names[i], v)
		}
		return m, nil
	default:
	}
	return nil, nil
}

// logical converts a node to a logical type, if the name of the schema is one of them;
// the type of the schema does not matter.
func logical(s *data.Schema, n *node) (v any, ok bool, err error) {
	switch s.Name() {
	case data.DecimalName:
		v, err = toDecimal(s, n)
	case data.DateName:
		if !n.isInt() {
			return nil, true, dataError("Invalid type for Date, underlying representation should be integer but was %s", n.kind)
		}
		v, err = data.IntToDate(s, int32(n.int64()))
	case data.TimeName:
		if !n.isInt() {
			return nil, true, dataError("Invalid type for Time, underlying representation should be integer but was %s", n.kind)
		}
		v, err = data.IntToTime(s, int32(n.int64()))
	case data.TimestampName:
		if n.kind != integer {
			return nil, true, dataError("Invalid type for Timestamp, underlying representation should be integral but was %s", n.kind)
		}
		v, err = data.IntToTimestamp(s, n.int64())
	default:
		return nil, false, nil
	}
	return v, true, err
}

func toDecimal(s *data.Schema, n *node) (any, error) {
	switch n.kind {
	case integer, decimal:
		d, err := data.ParseDecimal(n.text)
		if err != nil {
			return nil, &connect.DataError{Msg: "Invalid value for Decimal field", Err: err}
		}
		return d, nil
	case text:
		const msg = "Invalid bytes for Decimal field"
		b, err := decodeBase64(n.text)
		if err != nil {
			return nil, &connect.DataError{Msg: msg, Err: err}
		}
		if len(b) == 0 {
			return nil, &connect.DataError{Msg: msg, Err: &connect.Error{Class: "java.lang.NumberFormatException", Msg: "Zero length BigInteger"}}
		}
		d, err := data.BytesToDecimal(s, b)
		if err != nil {
			return nil, &connect.DataError{Msg: msg, Err: asConnect(err)}
		}
		return d, nil
	default:
	}
	return nil, dataError("Invalid type for Decimal, underlying representation should be numeric or bytes but was %s", n.kind)
}
